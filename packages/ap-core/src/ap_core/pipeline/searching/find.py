"""The search of one run: its strategist, its solver over the session's scores, its judge."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import cast

from ap_core.budget import Budget, format_amount
from ap_core.contracts import Desk, Strategist
from ap_core.errors import OutOfReachError, UsageError
from ap_core.network import Metric
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.progress import Stopwatch
from ap_core.pipeline.searching.evidence import evidence_of
from ap_core.pipeline.searching.trying import judge_of, solver_of
from ap_core.plugins.offers import StrategistOffer
from ap_core.report.amounts import counted
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import DecisionRecord
from ap_core.search.loop import Outcome, search
from ap_core.search.trial import Evidence, Trial, best_of
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
    evidence = evidence_of(session, budget, run, allowance=allowance, sensitivity=offer.asks)
    timer = _Timer(seconds=options.search_seconds, before=_seconds(evidence.trials))
    with session.progress.progress(allowance, f"searching ({offer.name})") as advance:
        advance(len(evidence.trials))
        with session.watch.stage("propose"):
            strategist = _made(offer, desk)
        outcome = search(
            evidence,
            _Timed(strategist=strategist, watch=session.watch),
            name=offer.name,
            solve=solver_of(session, budget, run),
            judge=judge_of(session, run),
            allowance=allowance,
            record=_recorder(run, advance),
            warn=lambda text: session.progress.warn(text),
            clock=time.perf_counter,
            out_of_time=timer.is_up,
        )
    if timer.is_up() and len(outcome.trials) < allowance:
        _tell_of_time(session, run, len(outcome.trials), allowance)
    check_converged(replace(evidence, trials=outcome.trials))
    return outcome


def check_converged(evidence: Evidence) -> None:
    """Refuse what no trial within the tolerance came of. Raises: OutOfReachError."""
    best, tolerance = best_of(evidence.trials), evidence.tolerance
    if tolerance is None or not best.missed:
        return
    got = {Metric.MACS: best.macs, Metric.PARAMS: best.params}
    cap = max(evidence.budget.caps, key=lambda cap: tolerance.missed(cap.limit, got[cap.metric]))
    raise OutOfReachError(
        f"none of {len(evidence.trials)} raw strategies came within {tolerance} of "
        f"{format_amount(cap.limit, cap.metric)}; the nearest, trial {best.number}, has "
        f"{format_amount(got[cap.metric], cap.metric)}",
        hint="allow more trials, or leave --raw-strategy out: then all keep to the budget",
    )


class _Timer:
    """Says when the time of a search is up; what earlier processes took counts as well."""

    def __init__(self, *, seconds: float | None, before: float) -> None:
        self._end = None if seconds is None else time.perf_counter() + seconds - before

    def is_up(self) -> bool:
        """Whether no trial may be begun any more."""
        return self._end is not None and time.perf_counter() >= self._end


def _seconds(trials: Iterable[Trial]) -> float:
    """Time that trials took."""
    return sum(trial.seconds for trial in trials)


def _tell_of_time(session: Session, run: RunDirectory | None, made: int, allowance: int) -> None:
    spent = f"the {session.options.search_seconds:g} seconds of the search are spent"
    session.progress.note(f"{spent} after {made} of {counted(allowance, 'trial')}")
    if run is not None and made not in {decision.trial for decision in run.decisions()}:
        run.append_decision(DecisionRecord(trial=made, move="stop", reason=spent))


def _made(offer: StrategistOffer, desk: Desk | None) -> Strategist:
    made = offer.make()
    if not offer.asks:
        return cast("Strategist", made)
    if desk is None:
        raise UsageError(f"the strategist {offer.name!r} asks an LLM, and there is none")
    return cast("Callable[[Desk], Strategist]", made)(desk)


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
