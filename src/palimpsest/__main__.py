"""`python -m palimpsest`, which is also how `torchrun` starts it."""

from palimpsest.cli import main

main()
