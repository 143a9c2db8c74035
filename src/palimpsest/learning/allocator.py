"""What the C library does with memory that a step has freed."""

import ctypes
import os
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST = 2**27  # bytes of an array that is given back at once
VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next step; True where it does.

    By itself it gives activations back to the system and fetches them anew in each pass, which costs a CPU up to a sixth of the
    time of a pass (docs/performance.md). It is left alone where the user has told it by its own variables.
    """
    told = any(name in os.environ for name in VARIABLES)
    if told or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, 2**31 - 1))
