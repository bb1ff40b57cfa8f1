"""From the run directory of a cell to what is kept of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ap_bench.ablations.cells import Cell
from ap_bench.ablations.records import CellRecord
from ap_core.budget import Tolerance, parse_tolerance
from ap_core.errors import RunError
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.directory import RECORD, RunDirectory
from ap_core.runs.records import LlmRecord
from ap_core.search.trial import Trial, best_of


def failed(cell: Cell, failure: str) -> CellRecord:
    """Record of a cell that could not be brought to an end."""
    return CellRecord(
        model=cell.model,
        target=cell.target,
        seed=cell.seed,
        contender=cell.contender,
        run=cell.place.as_posix(),
        status="failed",
        failure=failure,
    )


def ended(cell: Cell, home: Path) -> CellRecord:
    """Record of a cell whose search is over. home: directory of the comparison.

    Raises: RunError where its run is damaged.
    """
    run = RunDirectory.open(home / cell.place)
    record, trials = run.record(), run.trials()
    tolerance, limit = tolerance_of(cell.options), record.budget.caps[0].limit
    result = record.result
    best = best_of(trials) if result is None else trials[result.best_trial]
    macs = best.macs if result is None else result.macs
    llm = _asked(cell.options, run) if result is None else result.llm
    missed = tolerance.missed(limit, macs)
    return CellRecord(
        model=cell.model,
        target=cell.target,
        seed=cell.seed,
        contender=cell.contender,
        run=cell.place.as_posix(),
        status="missed" if result is None else "done",
        failure=record.failure,
        within=result is not None and missed == 0,
        weights=record.weights.origin,
        limit=limit,
        macs=macs,
        missed=missed,
        trials=len(trials),
        trials_to_band=_to_band(trials, tolerance, limit),
        stand_ins=sum(bool(trial.failure) for trial in trials),
        held_out_loss=best.loss,
        held_out_top1=best.accuracy,
        retained=best.value if best.retained is None else best.retained,
        baseline=result.baseline if result else None,
        quality=result.quality if result else None,
        llm=llm,
        search_seconds=sum(trial.seconds for trial in trials) + (llm.seconds if llm else 0.0),
        seconds=result.seconds if result else {},
        history=tuple(_history(trials, tolerance, limit)),
    )


def searched(place: Path) -> bool:
    """Whether a run came as far as making trials."""
    try:
        return (place / RECORD).exists() and bool(RunDirectory.open(place).trials())
    except RunError:
        return False


def tolerance_of(options: PruneOptions) -> Tolerance:
    """What counts as within: the band below the budget, or what a search without one is given."""
    if options.raw:
        return parse_tolerance(options.raw)
    return Tolerance(above=0.0, below=options.band)


def _to_band(trials: Sequence[Trial], tolerance: Tolerance, limit: int) -> int | None:
    within = (n for n, each in enumerate(trials, 1) if not tolerance.missed(limit, each.macs))
    return next(within, None)


def _history(trials: Sequence[Trial], tolerance: Tolerance, limit: int) -> Iterator[float | None]:
    best: float | None = None
    for trial in trials:
        if trial.loss is not None and not tolerance.missed(limit, trial.macs):
            best = trial.loss if best is None else min(best, trial.loss)
        yield best


def _asked(options: PruneOptions, run: RunDirectory) -> LlmRecord | None:
    """What asking took, of a run that has no result to say so."""
    exchanges = run.exchanges()
    if not exchanges:
        return None
    return LlmRecord(
        llm=options.llm,
        model=exchanges[-1].reply.model,
        calls=len(exchanges),
        input_tokens=sum(each.reply.input_tokens for each in exchanges),
        output_tokens=sum(each.reply.output_tokens for each in exchanges),
        seconds=sum(each.seconds for each in exchanges),
    )
