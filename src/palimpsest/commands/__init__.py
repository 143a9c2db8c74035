"""The commands: each is a thin layer over a function of the package, imported when it is called."""
