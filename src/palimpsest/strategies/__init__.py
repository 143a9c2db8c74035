"""Methods, one file each: a function (now, past) → phase, whose docstring is the paper's equation.

A file of this folder holds one strategy of the file's own name. Its options are the keyword arguments of its
signature; the command line reads them from the syntax tree (`catalog`), so that nothing heavy is imported to list them.
"""

from palimpsest.strategies.declare import strategy

__all__ = ["strategy"]
