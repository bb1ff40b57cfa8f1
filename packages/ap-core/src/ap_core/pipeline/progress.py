"""Telling the user how far a run is: what a use case needs of a console."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """What a use case says while it works; `Console` is one."""

    def note(self, text: str) -> None:
        """Say what happens."""

    def detail(self, text: str) -> None:
        """Say what only the curious want to know."""

    def warn(self, text: str, *, hint: str = "") -> None:
        """Say what must not be missed."""

    def progress(
        self, total: int | None, description: str, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far a stage is; yields the function that says how many more steps are done.

        unit: of the steps, where their speed is worth telling.
        """


class Silent:
    """Says nothing: for all processes but the main one."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def detail(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str, *, hint: str = "") -> None:
        """Say nothing."""

    def progress(
        self, total: int | None, description: str, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show nothing."""
        del total, description, unit
        return nullcontext(lambda _steps: None)


class WarningsOnly(Silent):
    """What programs that call the use cases get of themselves: warnings, as Python's own."""

    def warn(self, text: str, *, hint: str = "") -> None:
        """Warn by `warnings.warn`."""
        warnings.warn(f"{text} ({hint})" if hint else text, UserWarning, stacklevel=2)


class Stopwatch:
    """Seconds spent in each stage of one run."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = dict(seconds or {})

    def copy(self) -> "Stopwatch":
        """Stopwatch that goes on from here: for one of several targets that share what was done."""
        return Stopwatch(self.seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time until the end of the block to the stage of this name."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)
