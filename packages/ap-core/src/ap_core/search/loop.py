"""The search: propose, solve, judge, record, until the allowance is spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ap_core.contracts import Strategist
from ap_core.errors import RunError
from ap_core.plan import Plan, digest
from ap_core.search.attempts import Attempts, Judge, Quality, Solve
from ap_core.search.proposals import UnusableError, propose
from ap_core.search.strategists.solver import SolverStrategist
from ap_core.search.trial import STAND_IN, Evidence, Trial, best_of
from ap_core.strategy import Strategy

__all__ = ["Judge", "Outcome", "Quality", "Solve", "converged", "outcome_of", "search"]

PATIENCE = 3
"""Proposals of no use, one after the other, before a strategist is not asked any more."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The best trial, its plan, and all trials."""

    best: Trial
    plan: Plan
    trials: tuple[Trial, ...]


def search(
    evidence: Evidence,
    strategist: Strategist,
    *,
    name: str,
    solve: Solve,
    judge: Judge,
    allowance: int,
    record: Callable[[Trial], None],
    warn: Callable[[str], None],
    clock: Callable[[], float],
    out_of_time: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Add trials to those of the evidence, until they are as many as allowed.

    There is always a first trial, of the base strategy where the strategist has none. What follows
    depends on the evidence alone: a search that was killed after any trial, and goes on with what
    it recorded, ends like one that was not; unless its time is limited.

    name: of the strategist, for its trials.
    record: keeps a trial before anything else happens.
    warn: is told of every proposal that was of no use; the built-in strategist stands in for it,
        and goes on alone where that happens time and again.
    clock: seconds, for the record alone: no decision depends on it.
    out_of_time: whether no trial may be begun any more; the first one may always be.
    Raises: OutOfReachError where not even the base strategy has a plan.
    """
    attempts = Attempts(name=name, solve=solve, judge=judge, clock=clock)
    winner: Plan | None = None
    while len(evidence.trials) < max(1, allowance):
        evidence = replace(evidence, left=allowance - len(evidence.trials))
        if converged(evidence) or (evidence.trials and out_of_time()):
            break
        made = _next(strategist, evidence, attempts, warn)
        if made is None:
            break
        trial, plan = made
        record(trial)
        evidence = replace(evidence, trials=(*evidence.trials, trial))
        if best_of(evidence.trials) is trial:
            winner = plan
    if winner is None:
        return outcome_of(evidence.trials, solve)
    return Outcome(best=best_of(evidence.trials), plan=winner, trials=evidence.trials)


def outcome_of(trials: tuple[Trial, ...], solve: Solve) -> Outcome:
    """Outcome of trials that were made before; the plan of the best is solved for again.

    Raises: RunError where it does not come out as recorded.
    """
    best = best_of(trials)
    plan = solve(best.strategy)
    if digest(plan) != best.plan:
        raise RunError(
            f"the plan of trial {best.number} does not come out as recorded",
            hint="go on with the versions that the run was started with, or start a new run",
        )
    return Outcome(best=best, plan=plan, trials=trials)


def converged(evidence: Evidence) -> bool:
    """Whether a search that has to find the budget by itself has found it."""
    return evidence.tolerance is not None and any(not each.missed for each in evidence.trials)


def _next(
    strategist: Strategist, evidence: Evidence, attempts: Attempts, warn: Callable[[str], None]
) -> tuple[Trial, Plan | None] | None:
    number, useless = len(evidence.trials), _useless(evidence.trials)
    if useless >= PATIENCE:
        failure = f"was of no use {PATIENCE} times running, and is not asked any more"
    else:
        try:
            strategy = propose(strategist, evidence)
            if strategy is not None:
                return attempts.make(strategy, evidence)
            if evidence.trials:
                return None
            failure = "proposed nothing"
        except UnusableError as error:
            failure = error.message
    if useless <= PATIENCE:
        warn(f"trial {number}: {attempts.name!r} {failure}; the built-in strategist stands in")
    instead = propose(SolverStrategist(), evidence)
    if instead is None and useless >= PATIENCE:
        return None
    return _stand_in(instead or evidence.base, evidence, attempts, failure)


def _stand_in(
    strategy: Strategy, evidence: Evidence, attempts: Attempts, failure: str
) -> tuple[Trial, Plan | None]:
    """Trial of the strategy that takes the place of one of no use."""
    try:
        trial, plan = attempts.make(strategy, evidence)
    except UnusableError:
        trial, plan = attempts.make(evidence.base, evidence)
    return replace(trial, strategist=STAND_IN, failure=failure), plan


def _useless(trials: Sequence[Trial]) -> int:
    """For how many of the last trials another had to stand in."""
    return len(list(takewhile(lambda trial: trial.failure, reversed(trials))))
