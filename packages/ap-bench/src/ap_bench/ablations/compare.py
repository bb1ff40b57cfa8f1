"""The use case `ablate`: every cell a run of its own; what is there already is not done again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ap_bench.ablations.cells import Cell, cells_of
from ap_bench.ablations.checks import check_cells
from ap_bench.ablations.configuration import Configuration
from ap_bench.ablations.document import (
    AblationRecord,
    check_same,
    read_ablation,
    with_cells,
    write_ablation,
)
from ap_bench.ablations.outcome import ended, failed, searched
from ap_bench.ablations.page import write_page
from ap_bench.ablations.progress import CellProgress
from ap_bench.ablations.records import CellRecord
from ap_core.errors import ApError, OutOfReachError, RunError
from ap_core.pipeline.environment import environment
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.pipeline.prune import prune, resume
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import counted
from ap_core.runs.directory import RECORD
from ap_core.runs.files import check_writable, explained, is_temporary, sweep
from ap_core.runs.lock import LOCK, OWNER, RunLock


def ablate(
    configuration: Configuration,
    output: Path,
    *,
    command: Sequence[str] = (),
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> AblationRecord:
    """Run every cell of a comparison, and write what they come to after each.

    Cells that are done are skipped, those that were stopped go on, those that failed are tried
    again. A cell that fails does not end the others.
    Raises: ApError for what can be refused before a cell is begun, which leaves nothing behind;
    RunError where the directory holds something else, or cannot be written.
    """
    registry = registry or Registry.from_entry_points()
    progress = progress or WarningsOnly()
    cells = cells_of(configuration)
    before = _there(output)
    if before is not None:
        check_same(before, configuration, output)
        _tell_versions(before, progress)
    check_cells(_left(cells, before), registry, progress, needs_data=configuration.needs_data)
    work = _Work(
        home=output, cells=cells, command=tuple(command), registry=registry, progress=progress
    )
    with _locked(output):
        # Since the checks, another process may have begun, or gone on with, what is there.
        record = _there(output) or _begun(configuration, cells, command)
        check_same(record, configuration, output)
        return work.through(record.model_copy(update={"title": configuration.title}))


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Cells to go through, and what with."""

    home: Path
    cells: tuple[Cell, ...]
    command: tuple[str, ...]
    registry: Registry
    progress: Progress

    def through(self, record: AblationRecord) -> AblationRecord:
        """Record with all cells, kept on disk after each."""
        known = {cell.key: cell for cell in record.cells}
        warned: set[str] = set()
        left = {cell.key for cell in _left(self.cells, record)}
        if len(left) < len(self.cells):
            self.progress.note(f"{counted(len(self.cells) - len(left), 'cell')} there already")
        self._keep(record)
        for number, cell in enumerate(self.cells, start=1):
            if cell.key not in left:
                continue
            name = f"{number}/{len(self.cells)} {cell}"
            told = CellProgress(inner=self.progress, name=name, warned=warned)
            known[cell.key] = self._run(cell, told)
            there = tuple(known[each.key] for each in self.cells if each.key in known)
            record = with_cells(record, there)
            self._keep(record)
        return record

    def _keep(self, record: AblationRecord) -> None:
        write_ablation(record, self.home)
        write_page(record, self.home)

    def _run(self, cell: Cell, progress: CellProgress) -> CellRecord:
        """What a cell comes to; a failure is told, and kept in its place."""
        try:
            self._prune(cell, progress)
            return ended(cell, self.home)
        except OutOfReachError as error:
            if cell.options.raw and searched(self.home / cell.place):
                self.progress.note(f"{progress.name}: {error.message}")
                return ended(cell, self.home)
            return self._failed(cell, progress, error.message, error.hint)
        except ApError as error:
            return self._failed(cell, progress, error.message, error.hint)
        # What torch raises where there is no memory left, and where an operator fails.
        except (MemoryError, RuntimeError) as error:
            return self._failed(cell, progress, f"{type(error).__name__}: {error}")

    def _failed(
        self, cell: Cell, progress: CellProgress, failure: str, hint: str = ""
    ) -> CellRecord:
        self.progress.warn(f"{progress.name} failed: {failure}", hint=hint)
        return failed(cell, failure)

    def _prune(self, cell: Cell, progress: Progress) -> None:
        place = self.home / cell.place
        if (place / RECORD).exists():
            resume(place, registry=self.registry, progress=progress)
            return
        prune(
            cell.options,
            output=place,
            command=self.command,
            registry=self.registry,
            progress=progress,
        )


def _left(cells: Sequence[Cell], record: AblationRecord | None) -> tuple[Cell, ...]:
    """Cells that are to be run: those that are not there, and those that failed."""
    kept = record.cells if record else ()
    there = {cell.key for cell in kept if cell.status != "failed"}
    return tuple(cell for cell in cells if cell.key not in there)


def _begun(
    configuration: Configuration, cells: Sequence[Cell], command: Sequence[str]
) -> AblationRecord:
    return AblationRecord(
        title=configuration.title,
        version=version("ap-bench"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        configuration=configuration.document(),
        environment=environment(),
        contenders=tuple(each.name for each in configuration.contenders),
        planned=len(cells),
    )


def _tell_versions(record: AblationRecord, progress: Progress) -> None:
    """Warn where cells of one comparison are made with different versions."""
    for name, now in environment().items():
        before = record.environment.get(name)
        if before != now:
            progress.warn(f"the comparison was begun with {name} {before}; it goes on with {now}")


def _there(output: Path) -> AblationRecord | None:
    """Comparison that the directory holds; None where it is absent or empty.

    Raises: RunError where it holds something else, or cannot be written to.
    """
    check_writable(output)
    if not output.is_dir():
        return None
    record = read_ablation(output)
    others = (each for each in output.iterdir() if not _of_a_start(each))
    if record is None and any(others):
        raise RunError(
            f"{output} is not empty, and holds no comparison",
            hint="name another directory with --output",
        )
    return record


def _of_a_start(path: Path) -> bool:
    """Whether a file is what a start that was killed at once leaves."""
    return path.name in (LOCK, OWNER) or is_temporary(path)


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Hold the directory, made where it is absent. Raises: RunError where another process does."""
    with explained(output):
        output.mkdir(parents=True, exist_ok=True)
    lock = RunLock(output)
    lock.acquire()
    try:
        sweep(output)
        yield
    finally:
        lock.release()
