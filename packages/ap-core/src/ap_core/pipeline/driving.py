"""A search that is driven from outside, step by step: whoever proposes is the analysis agent.

Every step is a call, or a process, of its own: the run directory is all that lies between them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.agents.master import decide
from ap_core.agents.reply import ReplyError
from ap_core.agents.strategist import proposed
from ap_core.errors import ApError, RunError, UsageError
from ap_core.pipeline.beginning import check_output, new_run, new_session
from ap_core.pipeline.finishing.finish import Pruned, at_work, done
from ap_core.pipeline.finishing.finish import finish as finish_run
from ap_core.pipeline.opening.llm import NOBODY
from ap_core.pipeline.opening.session import Session, reopen_session
from ap_core.pipeline.opening.targets import budgets_of, typed_targets
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.pipeline.searching.evidence import evidence_of
from ap_core.pipeline.searching.find import check_converged
from ap_core.pipeline.searching.situation import (
    TRIALS,
    Situation,
    allowance_of,
    driven,
    situation_of,
)
from ap_core.pipeline.searching.trying import attempts_of, solver_of
from ap_core.plugins.registry import Registry
from ap_core.report.commands import command as spelt
from ap_core.report.commands import go_on
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import DRIVEN, DecisionRecord
from ap_core.search.loop import Outcome, outcome_of
from ap_core.search.proposals import UnusableError, accepted
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module


class RefusedError(UsageError):
    """A proposal that is not tried, and of which nothing is kept."""


def start(
    options: PruneOptions,
    *,
    module: "Module | None" = None,
    output: Path | None = None,
    command: Sequence[str] = (),
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Situation:
    """Begin a run: measure what a driver is told, and try the base strategy.

    options: as for `prune`, with one target, and without a strategist and an LLM.
    module: a live network, in the place of the one that the options name; it is left as it is.
    output: run directory, absent or empty; None for a new one below ./runs.
    Raises: as `prune`.
    """
    registry, progress = registry or Registry.from_entry_points(), progress or WarningsOnly()
    options = _options(options)
    check_output(output)
    session = new_session(registry, options, progress, module=module)
    (budget,) = budgets_of(options, session.network)
    with new_run(session, budget, output, command) as run:
        return _made_ready(session, run)


def restart(
    path: Path,
    *,
    module: "Module | None" = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Situation:
    """Go on with a start that was stopped; what it measured is not measured again.

    module: the live network, where the run was started with one. Raises: RunError; as `start`.
    """
    registry, progress = registry or Registry.from_entry_points(), progress or WarningsOnly()
    with RunDirectory.resume(path, note=progress.note) as run:
        record = driven(run)
        if record.status == "done":
            return situation_of(run, record, registry)
        return _made_ready(reopen_session(registry, record, path, progress, module=module), run)


def show(path: Path, *, registry: Registry | None = None) -> Situation:
    """Where a driven search stands; loads no network, and needs no lock. Raises: RunError."""
    run = RunDirectory.open(path)
    return situation_of(run, driven(run), registry or Registry.from_entry_points())


def attempt(
    path: Path,
    proposal: str,
    *,
    module: "Module | None" = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Situation:
    """Try a proposal; its trial is the last one of what is returned, and on disk by then.

    proposal: JSON by the schema; it is checked as an LLM's reply is.
    Raises: RefusedError, where nothing is recorded; RunError where no trial may be made.
    """
    registry, progress = registry or Registry.from_entry_points(), progress or WarningsOnly()
    with RunDirectory.resume(path, note=progress.note) as run:
        record = driven(run)
        before = situation_of(run, record, registry)
        if before.over:
            raise RunError(before.over, hint=_how_to_end(before))
        # A proposal of no use is refused before the network is loaded.
        strategy = _checked(proposal, before)
        session = reopen_session(registry, record, path, progress, module=module)
        try:
            _try(session, run, before.evidence, strategy)
        except UnusableError as error:
            raise _without_a_plan(error, path) from error
        return situation_of(run, record, registry)


def finish(
    path: Path,
    *,
    module: "Module | None" = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Pruned:
    """Cut, recover, save, verify and report the plan of the best trial, as `prune` does.

    Of a run that is finished, the same is given back again. Raises: as `prune`.
    """
    registry, progress = registry or Registry.from_entry_points(), progress or WarningsOnly()
    with RunDirectory.resume(path, note=progress.note) as run:
        record = driven(run)
        if record.status == "done":
            return done(run, record, registry)
        evidence = situation_of(run, record, registry).evidence
        check_converged(evidence)
        session = reopen_session(registry, record, path, progress, module=module)

        def find() -> tuple[Outcome, None]:
            return outcome_of(evidence.trials, solver_of(session, evidence.budget, run)), None

        return finish_run(session, run, find)


def _options(options: PruneOptions) -> PruneOptions:
    """Options of a driven run. Raises: UsageError."""
    if options.llm != NOBODY or options.strategist not in ("", DRIVEN):
        raise UsageError(
            "whoever drives a search proposes: there is no other strategist, and no LLM",
            hint="leave the strategist and the LLM out",
        )
    if any(len(targets) > 1 for targets in typed_targets(options).values()):
        raise UsageError("several targets", hint="drive one run for each")
    trials = options.trials or TRIALS
    return options.model_copy(update={"strategist": DRIVEN, "trials": trials})


def _made_ready(session: Session, run: RunDirectory) -> Situation:
    with at_work(session, run) as record:
        evidence = evidence_of(
            session,
            record.budget.to_budget(),
            run,
            allowance=allowance_of(record),
            sensitivity=True,
        )
        if not evidence.trials:
            _try(session, run, evidence, evidence.base)
    return situation_of(run, record, session.registry)


def _try(session: Session, run: RunDirectory, evidence: Evidence, strategy: Strategy) -> None:
    """Make a trial, and keep it, with what the master decided before it."""
    decision = decide(evidence.trials)
    attempts = attempts_of(session, evidence.budget, run, name=DRIVEN)
    with session.progress.progress(None, f"solving and judging trial {decision.trial}"):
        trial, _ = attempts.make(strategy, evidence)
    if decision.trial not in {kept.trial for kept in run.decisions()}:
        run.append_decision(
            DecisionRecord(trial=decision.trial, move=decision.move.value, reason=decision.reason)
        )
    run.append_trial(trial)


def _how_to_end(situation: Situation) -> str:
    if situation.finished:
        return f"see what came out: {spelt('runs', 'show', str(situation.path))}"
    return f"end the search: {go_on(situation.path, driven=True)}"


def _checked(proposal: str, situation: Situation) -> Strategy:
    """Strategy that is proposed, checked as an LLM's. Raises: RefusedError."""
    try:
        strategy = proposed(proposal, situation.evidence, situation.briefing.names)
        if strategy is not None:
            return accepted(strategy, situation.evidence)
    except (ReplyError, UnusableError) as error:
        raise _refused(error.message, situation.path) from error
    raise _refused(
        "it says that nothing is left to try",
        situation.path,
        hint=_how_to_end(situation),
    )


def _without_a_plan(error: UnusableError, path: Path) -> ApError:
    """Refusal of a strategy that has no plan."""
    cause = error.__cause__
    if isinstance(cause, ApError):
        return _refused(f"it has no plan: {cause.message}", path, hint=cause.hint)
    return _refused(error.message, path)


def _refused(complaint: str, path: Path, *, hint: str = "") -> RefusedError:
    shown = f"names and schema: {spelt('drive', 'show', str(path))}"
    return RefusedError(f"the proposal is refused: {complaint}", hint=hint or shown)
