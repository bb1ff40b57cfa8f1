"""Runs on disk: finding them, and what to say of each."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ap_core.errors import RunError
from ap_core.runs.directory import HOME, RECORD, RunDirectory, spell
from ap_core.runs.lock import is_held
from ap_core.runs.records import BudgetRecord, RunRecord
from ap_core.search.trial import Trial, best_of


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """A run directory, and what its run.json says.

    status: as recorded, but "interrupted" where it says running and no process does; "damaged"
        where there is no record, for the reason in `problem`.
    training: status of its training, likewise; None where it was not trained again.
    """

    path: Path
    status: str
    training: str | None = None
    record: RunRecord | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownRun:
    """One run with its trials; best: number of the trial that won so far, None without trials.

    status, training: as of a `ListedRun`.
    """

    path: Path
    status: str
    training: str | None
    record: RunRecord
    trials: tuple[Trial, ...]
    best: int | None


def list_runs(home: Path | None = None) -> tuple[ListedRun, ...]:
    """Run directories at and below a place, by path; None for ./runs, which may be absent.

    Raises: RunError where there is no such place.
    """
    place = HOME if home is None else home
    if not place.is_dir():
        if home is None:
            return ()
        raise RunError(f"no directory {place}")
    return tuple(_listed(path) for path in _run_directories(place))


def show_run(path: Path) -> ShownRun:
    """One run, by its path or by its name below ./runs. Raises: RunError."""
    if not path.exists() and (HOME / path).is_dir():
        path = HOME / path
    run = RunDirectory.open(path)
    record = run.record()
    trials = run.trials()
    return ShownRun(
        path=path,
        status=status_of(path, record),
        training=_training_of(run),
        record=record,
        trials=trials,
        best=best_of(trials).number if trials else None,
    )


def spell_budget(record: BudgetRecord) -> str:
    """Budget of a record as a short word."""
    return spell(record.to_budget())


def _run_directories(place: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(place):
        below.sort()
        if RECORD in files:
            below.clear()
            yield Path(folder)


def _listed(path: Path) -> ListedRun:
    try:
        run = RunDirectory.open(path)
        record, training = run.record(), _training_of(run)
    except RunError as error:
        return ListedRun(path=path, status="damaged", problem=error.message)
    status = status_of(path, record)
    return ListedRun(path=path, status=status, training=training, record=record)


def status_of(path: Path, record: RunRecord) -> str:
    """Status as recorded, but "interrupted" where it says running and no process does.

    A driven run stays running between its driver's commands.
    """
    return record.status if record.driven else _seen(path, record.status)


def _training_of(run: RunDirectory) -> str | None:
    training = run.training()
    return None if training is None else _seen(run.path, training.status)


def _seen(path: Path, status: str) -> str:
    return "interrupted" if status == "running" and not is_held(path) else status
