"""The main use case: a network and a budget in, a smaller network that keeps to it out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.budget import Budget
from ap_core.errors import ApError, RunError
from ap_core.network import Network
from ap_core.pipeline.apply import apply_plan
from ap_core.pipeline.llm import RunDesk, asked, open_desk
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.pipeline.recording import finished, started, write_comparison, write_report
from ap_core.pipeline.reload import load_model
from ap_core.pipeline.searching import allowance_of, find_plan
from ap_core.pipeline.session import Session, open_session
from ap_core.pipeline.subject import LIVE, made_by_function
from ap_core.pipeline.targets import budgets_of, labels, typed_targets
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import (
    HOME,
    RECORD,
    REPORT,
    RunDirectory,
    check_place,
    empty_place,
    next_place,
    plain,
    runs_inside,
)
from ap_core.runs.files import check_writable
from ap_core.runs.records import RunRecord
from ap_core.search.trial import Trial
from ap_core.solver import check_reach
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What one target came to.

    seconds: by stage.
    module: the pruned network as reloaded from disk; None after a dry run.
    path: of the run directory; None after a dry run.
    """

    network: Network
    budget: Budget
    plan: Plan
    trials: tuple[Trial, ...]
    record: RunRecord
    seconds: Mapping[str, float]
    module: "Module | None" = None
    path: Path | None = None


def prune(
    options: PruneOptions,
    *,
    module: "Module | None" = None,
    output: Path | None = None,
    dry_run: bool = False,
    command: Sequence[str] = (),
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> tuple[Pruned, ...]:
    """Prune one network to every target that the options name; loads, traces and scores it once.

    module: a live network, in the place of the one that the options name; it is left as it is.
    output: run directory (for several targets, the one that theirs go into, with a page that
        compares them); None for a new one below ./runs.
    dry_run: solve, show, write nothing.
    Raises: ApError, of the class that says what is wrong; what was on disk before is untouched.
    """
    registry = registry or Registry.from_entry_points()
    # What can be refused without the network is refused before it is loaded.
    typed_targets(options)
    if not dry_run:
        check_writable(HOME) if output is None else check_place(output)
    session = open_session(
        registry,
        options,
        progress or WarningsOnly(),
        module=module,
        check=lambda network, base: _check_reach(options, network, base),
    )
    budgets = budgets_of(options, session.network)
    if dry_run:
        return tuple(_preview(_timed_alone(session), budget, command) for budget in budgets)
    if len(budgets) == 1:
        with _begun(session, budgets[0], output, command) as run:
            return (_finish(session, run),)
    stem = f"{plain(options.model)}-{len(budgets)}-targets"
    home = empty_place(output) if output else next_place(HOME, stem)
    return _finish_all(session, home, command)


def _check_reach(options: PruneOptions, network: Network, base: Strategy) -> None:
    for budget in budgets_of(options, network):
        check_reach(network, base, budget)


def resume(
    path: Path,
    *,
    module: "Module | None" = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Pruned:
    """Go on with a run that was stopped; trials that were made are not made again.

    module: the live network, where the run was started with one.
    Raises: RunError where there is nothing to go on with; else as `prune`.
    """
    registry = registry or Registry.from_entry_points()
    progress = progress or WarningsOnly()
    with RunDirectory.resume(path, note=progress.note) as run:
        before = run.record()
        if before.status == "done":
            return _done(run, before, registry)
        return _finish(_reopened(before, path, registry, progress, module), run)


def resume_all(
    path: Path,
    *,
    module: "Module | None" = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> tuple[Pruned, ...]:
    """Go on with a run, as `resume` does, or with all runs of several targets.

    path: run directory, or the one that the targets' runs are in; those not begun are begun.
    """
    registry = registry or Registry.from_entry_points()
    progress = progress or WarningsOnly()
    begun = runs_inside(path)
    if not begun:
        return (resume(path, module=module, registry=registry, progress=progress),)
    records = [run.record() for run in begun]
    session = _reopened(records[0], path, registry, progress, module)
    names = labels(budgets_of(session.options, session.network))
    started_alike = len({_start_of(record) for record in records}) == 1
    if not started_alike or not {run.path.name for run in begun} <= set(names):
        raise RunError(
            f"the runs in {path} are not the targets of one start",
            hint="go on with one of them: ap prune --resume RUN",
        )
    return _finish_all(session, path, records[0].command)


def _start_of(record: RunRecord) -> str:
    """All that the targets of one start have in common."""
    return record.model_dump_json(include={"options", "architecture", "weights", "data"})


def _reopened(
    before: RunRecord,
    path: Path,
    registry: Registry,
    progress: Progress,
    module: "Module | None",
) -> Session:
    """Session of a run that was stopped: the same network, the same images."""
    options = PruneOptions.parse(before.options)
    if module is None and before.architecture.name.startswith(LIVE):
        raise RunError(
            f"the run {path} was started with a network in memory",
            hint="go on from Python: resume(path, module=...)",
        )
    return open_session(registry, options, progress, module=module, before=before)


def _finish_all(session: Session, home: Path, command: Sequence[str]) -> tuple[Pruned, ...]:
    """Run every target of a session in its place in `home`, and write the page that compares them.

    All are begun before one is worked on: what a kill leaves of them can be resumed.
    """
    budgets = budgets_of(session.options, session.network)
    with ExitStack() as stack:
        runs = []
        for budget, name in zip(budgets, labels(budgets), strict=True):
            place = home / name
            begun = (place / RECORD).exists()
            run = (
                RunDirectory.resume(place, note=session.progress.note)
                if begun
                else _begun(session, budget, place, command)
            )
            runs.append(stack.enter_context(run))
        results = tuple(_ended(_timed_alone(session), run) for run in runs)
    write_comparison([run.path for run in runs], home)
    return results


@contextmanager
def _begun(
    session: Session, budget: Budget, place: Path | None, command: Sequence[str]
) -> Iterator[RunDirectory]:
    """New run, with its record."""
    with RunDirectory.create(place, model=session.options.model, budget=budget) as run:
        run.write_record(started(session, budget, command))
        yield run


def desk_of(session: Session, run: RunDirectory | None) -> RunDesk | None:
    """Where the search of a run asks its LLM; None where it has none. Raises: RunError."""
    if session.llm is None:
        return None
    return open_desk(
        session.llm,
        session.options,
        run,
        trials=allowance_of(session),
        warn=lambda text: session.progress.warn(text),
    )


def _timed_alone(session: Session) -> Session:
    """Same session, for one of several targets: none counts the time of the others."""
    return replace(session, watch=session.watch.copy())


def _preview(session: Session, budget: Budget, command: Sequence[str]) -> Pruned:
    outcome = find_plan(session, budget, None, desk_of(session, None))
    return Pruned(
        network=session.network,
        budget=budget,
        plan=outcome.plan,
        trials=outcome.trials,
        record=started(session, budget, command),
        seconds=session.watch.seconds,
    )


def _ended(session: Session, run: RunDirectory) -> Pruned:
    """What a run came to, or comes to now."""
    record = run.record()
    if record.status == "done":
        return _done(run, record, session.registry)
    return _finish(session, run)


def _done(run: RunDirectory, record: RunRecord, registry: Registry) -> Pruned:
    """What a finished run came to; a report that a kill prevented is written now."""
    if not (run.path / REPORT).exists():
        write_report(run)
    rebuilt = None
    if not made_by_function(record.architecture.name):
        rebuilt = load_model(run.path, registry=registry)
    return Pruned(
        network=run.network(),
        budget=record.budget.to_budget(),
        plan=run.plan(),
        trials=run.trials(),
        record=record,
        seconds=record.result.seconds if record.result else {},
        module=rebuilt,
        path=run.path,
    )


def _finish(session: Session, run: RunDirectory) -> Pruned:
    """Search, apply, report; a failure is kept in the run before it goes up."""
    record = run.record().model_copy(update={"status": "running", "failure": ""})
    run.write_record(record)
    run.write_network(session.network)
    budget = record.budget.to_budget()
    try:
        desk = desk_of(session, run)
        outcome = find_plan(session, budget, run, desk)
        run.write_plan(outcome.plan)
        applied = apply_plan(session, outcome.plan, run)
        record = finished(session, record, outcome, applied, asked(session.options, desk))
    except ApError as error:
        run.write_record(record.model_copy(update={"status": "failed", "failure": error.message}))
        raise
    run.write_record(record)
    write_report(run)
    return Pruned(
        network=session.network,
        budget=budget,
        plan=outcome.plan,
        trials=outcome.trials,
        record=record,
        seconds=session.watch.seconds,
        module=applied.module,
        path=run.path,
    )
