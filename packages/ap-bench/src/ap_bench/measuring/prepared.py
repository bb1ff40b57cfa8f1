"""A network that is ready to run, in this process."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ap_bench.measuring.settings import Backend, Settings

if TYPE_CHECKING:
    from ap_bench.measuring.denormals import Denormals


class MemoryKind(StrEnum):
    """What a figure of memory is: most bytes of the network's tensors, its weights among them, or
    by how much the process grew.
    """

    TENSORS = "tensors"
    RESIDENT = "resident"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Most bytes that running a network took at once."""

    peak: int
    kind: MemoryKind


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A network that has run once under its settings; a `Movable`.

    forward: begins one pass. wait: returns when it is done. clock: seconds.
    release: gives back the memory that the network can do without until it is moved.
    lay_elsewhere: moves it.
    see_memory, see_denormals: another pass, when they are asked for.
    explain: turns what running the network raises into a ModelError.
    """

    forward: Callable[[], object]
    wait: Callable[[], None]
    lay_elsewhere: Callable[[], None]
    release: Callable[[], None] = lambda: None
    see_memory: Callable[[], Memory | None] = lambda: None
    see_denormals: "Callable[[], Denormals | None]" = lambda: None
    clock: Callable[[], float] = time.perf_counter
    explain: Callable[[], AbstractContextManager[None]] = nullcontext

    @cached_property
    def memory(self) -> Memory | None:
        """None where it is not known."""
        return self.see_memory()

    @cached_property
    def denormals(self) -> "Denormals | None":
        """None where they are not known."""
        return self.see_denormals()

    def block(self, passes: int) -> Sequence[float]:
        """Run so many passes, each to its end; returns the seconds of each. Raises: ModelError."""
        times = []
        with self.explain(), _without_collections():
            self.wait()
            for _ in range(passes):
                start = self.clock()
                self.forward()
                self.wait()
                times.append(self.clock() - start)
        return times

    def move(self) -> None:
        """Lie elsewhere in memory. Raises: ModelError."""
        with self.explain():
            self.lay_elsewhere()


class Source(Protocol):
    """Where a network comes from, and what can be done with it."""

    @property
    def name(self) -> str:
        """As the user named it."""

    @property
    def input_size(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""

    @property
    def own(self) -> Backend:
        """What runs it unless told."""

    def check(self, settings: Settings) -> None:
        """Refuse what it cannot be measured under. Raises: UsageError."""

    def prepare(self, settings: Settings) -> Prepared:
        """The network, after a first pass. Raises: ModelError where it cannot be run so."""


@contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage while passes are timed."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
