"""How much memory a network takes, and how much there is."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Module
from torch.utils._python_dispatch import TorchDispatchMode

from ap_bench.measuring.tensors import tensors_of

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
MEMORY = Path("/proc/meminfo")
GROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")

PEAK_OF_PROCESS = "5"
"""What resets the peak, by proc(5)."""


def tensor_bytes(module: Module) -> int:
    """Bytes of parameters and buffers; what is shared counts once."""
    storages = {
        each.untyped_storage().data_ptr(): each.untyped_storage().nbytes()
        for each in (*module.parameters(), *module.buffers())
    }
    return sum(storages.values())


def peak_of_pass(module: Module, images: Tensor) -> int:
    """Most bytes of tensors that live at once in one pass, the images among them, without weights.

    What kernels take for themselves is not seen.
    """
    with torch.no_grad(), _Live(images) as live:
        module(images)
    peak: int = live.peak
    return peak


def available() -> int | None:
    """Bytes that can be had without swapping, nor beyond what a container or a job is given; None
    where the system does not say.
    """
    of_machine = _kilobytes(MEMORY, "MemAvailable")
    found = [*_left_in_groups(), *([] if of_machine is None else [of_machine])]
    return min(found, default=None)


@contextmanager
def limited_to_available() -> Iterator[None]:
    """Let memory run out for this process where the machine has no more: asking for it then fails.

    A system would promise it, and kill us when it is used. Nothing is limited where it does not
    say what is available.
    """
    there, taken = available(), _kilobytes(STATUS, "VmSize")
    if there is None or taken is None:
        yield
        return
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_AS)
    limits = [taken + there, *(x for x in (before, most) if x != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def resident() -> int | None:
    """Bytes of this process in memory; None where the system does not say."""
    return _kilobytes(STATUS, "VmRSS")


def peak_resident() -> int | None:
    """Most bytes of this process in memory since `forget_peak`; None where nobody knows."""
    return _kilobytes(STATUS, "VmHWM")


def forget_peak() -> None:
    """Begin to watch the peak of this process's memory anew, where the system can."""
    if CLEAR.exists():
        CLEAR.write_text(PEAK_OF_PROCESS)


def _left_in_groups() -> Iterator[int]:
    """Bytes that are left to every control group around this process that has a limit.

    Source: cgroup v2, docs.kernel.org/admin-guide/cgroup-v2.html, memory interface files.
    """
    named = GROUP.read_text().splitlines() if GROUP.exists() else []
    for name in (line.removeprefix("0::/") for line in named if line.startswith("0::/")):
        inner = GROUPS / name
        for group in (inner, *inner.parents):
            limit = group / "memory.max"
            most = limit.read_text().strip() if limit.exists() else "max"
            if most != "max":
                used = int((group / "memory.current").read_text())
                kept = dict(
                    line.split() for line in (group / "memory.stat").read_text().splitlines()
                )
                yield int(most) - used + int(kept.get("inactive_file", 0))


def _kilobytes(place: Path, name: str) -> int | None:
    if not place.exists():
        return None
    lines = (line.partition(":") for line in place.read_text().splitlines())
    found = [value.split()[0] for key, _, value in lines if key == name]
    return 1024 * int(found[0]) if found else None


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that are alive. peak: in bytes."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = images.untyped_storage().nbytes()
        self._known: set[int] = {images.untyped_storage()._cdata}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN204
        before = {each.untyped_storage()._cdata for each in tensors_of((args, kwargs))}
        found = func(*args, **(kwargs or {}))
        for each in tensors_of(found):
            storage = each.untyped_storage()
            if storage._cdata not in before and storage._cdata not in self._known:
                self._add(storage)
        return found

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size
