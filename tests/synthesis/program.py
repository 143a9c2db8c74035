"""The program, in a process of its own that knows the tests' safety checker."""

from palimpsest.cli import main
from tests.synthesis import tiny_model  # noqa: F401  diffusers imports no module by itself because a model folder names it

if __name__ == "__main__":
    main()
