"""The search of one run: its strategist, its solver over the session's scores, its judge."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from ap_core.agents.profiling import costliest
from ap_core.budget import Budget, format_amount, parse_tolerance
from ap_core.contracts import Desk, Strategist
from ap_core.errors import ModelError, OutOfReachError, UsageError
from ap_core.network import Metric
from ap_core.pipeline.progress import Stopwatch
from ap_core.pipeline.quality import measure_with, recover
from ap_core.pipeline.sensitivity import sensitivities
from ap_core.pipeline.session import Session
from ap_core.plan import Plan
from ap_core.plugins.offers import StrategistOffer
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import SensitivityRecord
from ap_core.scores import Scores
from ap_core.search.loop import Outcome, Quality, search
from ap_core.search.space import WIDTHS
from ap_core.search.trial import Evidence, Trial
from ap_core.solver import raw_plan, retained_value, solve
from ap_core.strategy import Strategy


def allowance_of(session: Session) -> int:
    """Trials that the search may make."""
    offer = session.registry.strategists[session.options.strategist]
    return session.options.trials or offer.trials


def find_plan(
    session: Session, budget: Budget, run: RunDirectory | None, desk: Desk | None = None
) -> Outcome:
    """Best plan within the budget; trials of the run, if there are any, are not made again.

    run: None for a dry run, which keeps nothing.
    desk: where a strategist that asks an LLM asks it.
    Raises: OutOfReachError, UsageError, DataError.
    """
    options = session.options
    offer = session.registry.strategists[options.strategist]
    allowance = allowance_of(session)
    trials = run.trials() if run else ()
    guess = _guess(session, budget) if options.raw else {}
    uncut, sensitivity = _measured(session, budget, run) if offer.asks else (None, {})
    evidence = Evidence(
        network=session.network,
        budget=budget,
        base=session.base.model_copy(update={"widths": guess | session.base.widths}),
        importances=_importances(session, run, allowance),
        trials=trials,
        seed=options.seed,
        scores=_scores(session, session.base, run),
        uncut=uncut,
        sensitivity=sensitivity,
        tolerance=parse_tolerance(options.raw) if options.raw else None,
        guessed=frozenset(guess) - set(session.base.widths),
    )
    with session.progress.progress(allowance, f"searching ({offer.name})") as advance:
        advance(len(evidence.trials))
        with session.watch.stage("propose"):
            strategist = _made(offer, desk)
        outcome = search(
            evidence,
            _Timed(strategist=strategist, watch=session.watch),
            name=offer.name,
            solve=lambda strategy: _solve(session, strategy, budget, run),
            judge=lambda plan: _judge(session, plan, run),
            allowance=allowance,
            record=_recorder(run, advance),
            warn=lambda text: session.progress.warn(text),
            clock=time.perf_counter,
        )
    _check_converged(outcome, evidence)
    return outcome


def _importances(session: Session, run: RunDirectory | None, allowance: int) -> tuple[str, ...]:
    """Importances that can be proposed; of those that need no images, those that find anything."""
    base = session.base.importance
    if allowance == 1:
        return (base,)
    offers = session.registry.importances
    named = set(session.book.names)
    for name in sorted(named - {base}):
        if not offers[name].needs_data and not _scores_anything(session, name, run):
            named.remove(name)
    return tuple(sorted({*named, base}))


def _scores_anything(session: Session, importance: str, run: RunDirectory | None) -> bool:
    try:
        _scores(session, Strategy(importance=importance), run)
    except ModelError:
        return False
    return True


def _guess(session: Session, budget: Budget) -> dict[str, float]:
    """Widths to begin with where nothing keeps to the budget: of products of two, each its root."""
    cap = budget.caps[0]
    share = (cap.limit / session.cost.cost(cap.metric, session.network.whole)) ** 0.5
    kinds = dict.fromkeys(group.kind.value for group in session.network.free)
    return {kind: max(WIDTHS[0], round(share * 20) / 20) for kind in kinds}


def _check_converged(outcome: Outcome, evidence: Evidence) -> None:
    """Refuse what no trial within the tolerance came of. Raises: OutOfReachError."""
    if evidence.tolerance is None or not outcome.best.missed:
        return
    best, cap = outcome.best, evidence.budget.caps[0]
    raise OutOfReachError(
        f"none of {len(outcome.trials)} raw strategies came within {evidence.tolerance} of "
        f"{format_amount(cap.limit, cap.metric)}; the nearest, trial {best.number}, has "
        f"{format_amount(best.macs, Metric.MACS)}",
        hint="allow more trials, or leave --raw-strategy out: then all keep to the budget",
    )


def _measured(
    session: Session, budget: Budget, run: RunDirectory | None
) -> tuple[float | None, dict[str, float]]:
    """Held-out loss of the uncut network, and where half of each scope goes; kept in the run."""
    if session.data is None:
        return None, {}
    kept = run.sensitivity() if run else None
    if kept is not None:
        return kept.uncut, kept.scopes
    scores, size = _scores(session, session.base, run), session.network.input_size
    scopes = costliest(session.network, budget.caps[0].metric, SCOPES)
    with (
        session.watch.stage("sensitivity"),
        session.progress.progress(len(scopes), "measuring sensitivity") as advance,
    ):
        measure = measure_with(session.registry, session.data, size, report=False)
        uncut = measure(session.subject.loaded.module).loss
        found = sensitivities(
            session.network,
            scores,
            session.base.importance,
            scopes,
            lambda plan: _judge(session, plan, run),
            advance,
        )
    if run is not None:
        run.write_sensitivity(SensitivityRecord(uncut=uncut, scopes=found))
    return uncut, found


def _made(offer: StrategistOffer, desk: Desk | None) -> Strategist:
    made = offer.make()
    if not offer.asks:
        return cast("Strategist", made)
    if desk is None:
        raise UsageError(f"the strategist {offer.name!r} asks an LLM, and there is none")
    return cast("Callable[[Desk], Strategist]", made)(desk)


SCOPES = 12
"""Scopes whose sensitivity is measured: each costs as much as judging a trial."""


@dataclass(frozen=True, kw_only=True)
class _Timed:
    """A strategist whose time is a stage of its own."""

    strategist: Strategist
    watch: Stopwatch

    def propose(self, evidence: Evidence) -> Strategy | None:
        """What the strategist proposes."""
        with self.watch.stage("propose"):
            return self.strategist.propose(evidence)


def _recorder(run: RunDirectory | None, advance: Callable[[int], None]) -> Callable[[Trial], None]:
    def record(trial: Trial) -> None:
        if run is not None:
            run.append_trial(trial)
        advance(1)

    return record


def _scores(session: Session, strategy: Strategy, run: RunDirectory | None) -> Scores:
    with session.watch.stage("score"):
        return session.book.scores(strategy.importance, strategy.reduction, run)


def _solve(session: Session, strategy: Strategy, budget: Budget, run: RunDirectory | None) -> Plan:
    scores = _scores(session, strategy, run)
    with session.watch.stage("solve"):
        if session.options.raw:
            return raw_plan(session.network, scores, strategy)
        return solve(session.network, scores, strategy, budget)


def _judge(session: Session, plan: Plan, run: RunDirectory | None) -> Quality:
    scores = _scores(session, session.base, run)
    with session.watch.stage("judge"):
        retained = retained_value(session.network, scores, session.base, plan)
        if session.data is None:
            return Quality(retained=retained)
        cut = session.subject.adapter.copy(session.subject.loaded.module)
        session.subject.adapter.cut(cut, session.tracing, plan)
        recover(session.registry, session.options.recoveries, cut, session.data, None)
        size = session.network.input_size
        found = measure_with(session.registry, session.data, size, report=False)(cut)
    return Quality(retained=retained, loss=found.loss, accuracy=found.top1)
