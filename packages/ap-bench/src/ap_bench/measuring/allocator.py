"""What becomes of memory that one layer of a network frees, until the next one asks for some.

glibc hands it back to the system, or keeps it, by what the process did before. What was handed back
has to be mapped and cleared anew, which takes some networks longer than others, and nothing tells.
What is freed is kept here, as servers' allocators keep it (jemalloc, tcmalloc).
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Numbers of parameters, by glibc's malloc.h."""

KEEPING = {M_TRIM_THRESHOLD: -1, M_MMAP_MAX: 0}
"""Never to shrink the heap, and to serve all from it; by mallopt(3)."""

DECIDE = ("trim_threshold", "mmap_threshold", "mmap_max")
"""What the environment can set of it, as GLIBC_TUNABLES name it."""


@cache
def keep_freed_memory() -> str:
    """Let the C library keep what is freed, as long as this process lives.

    Whoever chose in the environment, or preloads an allocator of their own, has what they chose.
    Returns: who allocates, and how, in words; "" where nobody knows.
    """
    if own := _preloaded():
        return own
    if platform.libc_ver()[0] != "glibc":
        return ""
    if chosen := ", ".join(_chosen()):
        return f"glibc, {chosen}"
    library = ctypes.CDLL(None)
    kept = all(library.mallopt(number, value) for number, value in KEEPING.items())
    return "glibc, keeps what is freed" if kept else "glibc"


def _preloaded() -> str:
    """File names of allocators that take the C library's place."""
    names = os.environ.get("LD_PRELOAD", "").replace(":", " ").split()
    return ", ".join(PurePath(name).name for name in names if "malloc" in name)


def _chosen() -> Iterator[str]:
    """What the environment says of it."""
    for name in DECIDE:
        if value := os.environ.get(f"MALLOC_{name.upper()}_"):
            yield f"{name} {value}"
    for setting in os.environ.get("GLIBC_TUNABLES", "").split(":"):
        name, _, value = setting.removeprefix("glibc.malloc.").partition("=")
        if name in DECIDE:
            yield f"{name} {value}"
