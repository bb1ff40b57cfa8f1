"""The main use case: a network and a budget in, a smaller network that keeps to it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.budget import Budget
from ap_core.errors import ApError, RunError
from ap_core.network import Network
from ap_core.pipeline.apply import apply_plan
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.pipeline.recording import (
    budget_of,
    finished,
    started,
    write_comparison,
    write_report,
)
from ap_core.pipeline.reload import load_model
from ap_core.pipeline.searching import find_plan
from ap_core.pipeline.session import Session, open_session
from ap_core.pipeline.targets import budgets_of, label, typed_targets
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import HOME, RunDirectory, next_place, plain
from ap_core.runs.records import RunRecord
from ap_core.search.trial import Trial
from ap_core.solver import check_reach
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What one target came to.

    module: the pruned network as reloaded from disk; None after a dry run.
    path: of the run directory; None after a dry run.
    """

    network: Network
    budget: Budget
    plan: Plan
    trials: tuple[Trial, ...]
    record: RunRecord
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
    # A target that is no amount is refused before anything is loaded.
    typed_targets(options)
    session = open_session(
        registry,
        options,
        progress or WarningsOnly(),
        module=module,
        check=lambda network, base: _check_reach(options, network, base),
    )
    budgets = budgets_of(options, session.network)
    if dry_run:
        return tuple(_preview(session, budget, command) for budget in budgets)
    if len(budgets) == 1:
        return (_run(session, budgets[0], output, command),)
    home = output or next_place(HOME, f"{plain(options.model)}-{len(budgets)}-targets")
    results = tuple(
        _run(replace(session, watch=session.watch.copy()), each, home / label(each), command)
        for each in budgets
    )
    write_comparison([each.path for each in results if each.path], home)
    return results


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
        options = PruneOptions.parse(before.options)
        if module is None and before.architecture.name.startswith("live:"):
            raise RunError(
                f"the run {path} was started with a network in memory",
                hint="go on from Python: resume(path, module=...)",
            )
        session = open_session(registry, options, progress, module=module, before=before)
        return _finish(session, budget_of(before.budget), run)


def _done(run: RunDirectory, record: RunRecord, registry: Registry) -> Pruned:
    rebuilt = None
    if ":" not in record.architecture.name:
        rebuilt = load_model(run.path, registry=registry)
    return Pruned(
        network=run.network(),
        budget=budget_of(record.budget),
        plan=run.plan(),
        trials=run.trials(),
        record=record,
        module=rebuilt,
        path=run.path,
    )


def _run(session: Session, budget: Budget, place: Path | None, command: Sequence[str]) -> Pruned:
    with RunDirectory.create(place, model=session.options.model, budget=budget) as run:
        run.write_record(started(session, budget, command))
        run.write_network(session.network)
        return _finish(session, budget, run)


def _preview(session: Session, budget: Budget, command: Sequence[str]) -> Pruned:
    outcome = find_plan(session, budget, None)
    return Pruned(
        network=session.network,
        budget=budget,
        plan=outcome.plan,
        trials=outcome.trials,
        record=started(session, budget, command),
    )


def _finish(session: Session, budget: Budget, run: RunDirectory) -> Pruned:
    """Search, apply, report; a failure is kept in the run before it goes up."""
    record = run.record()
    try:
        outcome = find_plan(session, budget, run)
        run.write_plan(outcome.plan)
        applied = apply_plan(session, outcome.plan, run)
        record = finished(session, record, outcome, applied)
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
        module=applied.module,
        path=run.path,
    )
