"""What a comparison lets through of what its cells say."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from ap_core.pipeline.progress import Progress


@dataclass(frozen=True, kw_only=True)
class CellProgress:
    """Progress of one cell: what takes steps is shown, what is said once is not said again.

    name: of the cell. warned: warnings of all cells so far.
    """

    inner: Progress
    name: str
    warned: set[str] = field(default_factory=set)

    def note(self, text: str) -> None:
        """Say it to the curious only: what a cell notes, all cells note."""
        self.inner.detail(text)

    def detail(self, text: str) -> None:
        """Say it to the curious."""
        self.inner.detail(text)

    def warn(self, text: str, *, hint: str = "") -> None:
        """Say it where no cell has."""
        if text not in self.warned:
            self.warned.add(text)
            self.inner.warn(f"{self.name}: {text}", hint=hint)

    def progress(
        self, total: int | None, description: str, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far a stage is that has steps; the others take a moment."""
        if total is None:
            return nullcontext(lambda _steps: None)
        return self.inner.progress(total, f"{self.name}: {description}", unit=unit)
