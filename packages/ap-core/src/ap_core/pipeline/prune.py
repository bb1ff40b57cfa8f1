"""The main use case: a network and a budget in, a smaller network that keeps to it out."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.budget import Budget
from ap_core.errors import Interrupted, RunError, UsageError
from ap_core.pipeline.beginning import check_output, new_run, new_session
from ap_core.pipeline.finishing.finish import Pruned, done, finish
from ap_core.pipeline.finishing.recording import started, write_comparison
from ap_core.pipeline.opening.llm import RunDesk, asked, open_desk
from ap_core.pipeline.opening.session import Session, reopen_session
from ap_core.pipeline.opening.targets import budgets_of, labels, typed_targets
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.pipeline.searching.find import allowance_of, find_plan
from ap_core.plugins.registry import Registry
from ap_core.report.commands import command as spelt
from ap_core.report.commands import go_on
from ap_core.runs.directory import (
    HOME,
    RECORD,
    RunDirectory,
    empty_place,
    next_place,
    plain,
    runs_inside,
)
from ap_core.runs.records import DRIVEN, LlmRecord, RunRecord
from ap_core.search.loop import Outcome

if TYPE_CHECKING:
    from torch.nn import Module

__all__ = ["Pruned", "prune", "resume", "resume_all"]


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
    if options.strategist == DRIVEN:
        raise UsageError(
            f"the strategist {DRIVEN!r} is whoever types: such a search goes step by step",
            hint=f"begin with: {spelt('drive', 'start')}",
        )
    # What can be refused without the network is refused before it is loaded.
    typed_targets(options)
    if not dry_run:
        check_output(output)
    session = new_session(registry, options, progress or WarningsOnly(), module=module)
    budgets = budgets_of(options, session.network)
    if dry_run:
        return tuple(_preview(_timed_alone(session), budget, command) for budget in budgets)
    if len(budgets) == 1:
        with new_run(session, budgets[0], output, command) as run:
            return (_finish(session, run),)
    stem = f"{plain(options.model)}-{len(budgets)}-targets"
    home = empty_place(output) if output else next_place(HOME, stem)
    return _finish_all(session, home, command)


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
            return done(run, before, registry)
        _refuse_driven(path, before)
        return _finish(reopen_session(registry, before, path, progress, module=module), run)


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
    for run, record in zip(begun, records, strict=True):
        _refuse_driven(run.path, record)
    session = reopen_session(registry, records[0], path, progress, module=module)
    names = labels(budgets_of(session.options, session.network))
    started_alike = len({_start_of(record) for record in records}) == 1
    if not started_alike or not {run.path.name for run in begun} <= set(names):
        raise RunError(
            f"the runs in {path} are not the targets of one start",
            hint="go on with one of them: ap prune --resume RUN",
        )
    return _finish_all(session, path, records[0].command)


def _refuse_driven(path: Path, record: RunRecord) -> None:
    """Refuse to end a search that somebody drives. Raises: RunError."""
    if record.driven and record.status != "done":
        raise RunError(
            f"the search of {path} is driven step by step: only its driver knows when it ends",
            hint=f"end it with: {go_on(path, driven=True)}",
        )


def _start_of(record: RunRecord) -> str:
    """All that the targets of one start have in common."""
    return record.model_dump_json(include={"options", "architecture", "weights", "data"})


def _finish_all(session: Session, home: Path, command: Sequence[str]) -> tuple[Pruned, ...]:
    """Run every target of a session in its place in `home`, and write the page that compares them.

    All are begun before one is worked on: what a kill leaves of them can be resumed.
    """
    budgets = budgets_of(session.options, session.network)
    with _interrupted_in(home), ExitStack() as stack:
        runs = []
        for budget, name in zip(budgets, labels(budgets), strict=True):
            place = home / name
            begun = (place / RECORD).exists()
            run = (
                RunDirectory.resume(place, note=session.progress.note)
                if begun
                else new_run(session, budget, place, command)
            )
            runs.append(stack.enter_context(run))
        results = tuple(_ended(_timed_alone(session), run) for run in runs)
    write_comparison([run.path for run in runs], home)
    return results


@contextmanager
def _interrupted_in(home: Path) -> Iterator[None]:
    """An interrupt is of all runs in a directory."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(home) from error


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
        return done(run, record, session.registry)
    return _finish(session, run)


def _finish(session: Session, run: RunDirectory) -> Pruned:
    """Search, apply, report."""

    def find() -> tuple[Outcome, LlmRecord | None]:
        desk = desk_of(session, run)
        outcome = find_plan(session, run.record().budget.to_budget(), run, desk)
        return outcome, asked(session.options, desk)

    return finish(session, run, find)
