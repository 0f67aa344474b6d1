"""What a training asks of the C library's memory.

A step of a network asks for the same large blocks as the step before. glibc hands blocks beyond 32 MB back to the
system as soon as they are free, and the system clears each page again when it is next touched: a quarter of the
synthesizer's step.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h."""
KEPT_BYTES = 1 << 30
"""Blocks up to this size, and as much free memory, stay with the process until it ends."""


def keep_memory() -> bool:
    """Keep what is freed for the next step; False where the C library is not glibc and nothing changes."""
    if not sys.platform.startswith("linux"):
        return False
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is None:
        return False
    return all(tune(name, KEPT_BYTES) == 1 for name in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
