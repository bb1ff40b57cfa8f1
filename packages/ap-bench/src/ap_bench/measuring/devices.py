"""Which devices are there."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ap_bench.measuring.allocator import keep_freed_memory
from ap_bench.measuring.settings import CPU
from ap_core.errors import UsageError

AUTO = "auto"


def devices() -> tuple[str, ...]:
    """Devices of this machine that a network can be measured on."""
    found = [CPU, *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


def resolved(name: str) -> str:
    """Device as torch names it. name: "auto" for the best there is. Raises: UsageError."""
    there = devices()
    if name == AUTO:
        return there[1] if len(there) > 1 else CPU
    full = "cuda:0" if name == "cuda" else name
    if full in there:
        return full
    known = re.fullmatch(r"cpu|mps|cuda(:\d+)?", name)
    what = f"there is no {name} here" if known else f"{name!r} is no device"
    raise UsageError(what, hint=f"there are: {', '.join(there)}")


def wait_for(device: torch.device) -> None:
    """Wait until all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def measuring(threads: int | None) -> Iterator[None]:
    """Let torch take so many threads of the CPU meanwhile, and keep memory that is freed.

    threads: None for as many as it takes anyway.
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
