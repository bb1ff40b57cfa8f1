"""The master agent: looks at the trials so far, and says what the next one is for, or that it ends.

Its rules are fixed, and depend on the trials alone: a search that goes on after a kill decides as
it would have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, takewhile

from ap_core.search.trial import Trial, best_of

GAIN = 0.005
"""Share by which the held-out loss must fall for a trial to count as progress."""

PLATEAU = 4
"""Trials without progress after which the search widens; after twice as many it ends."""

WORSE = 0.1
"""Share by which losses above the best count as divergence, where each is worse than the last."""

STRAY = 3
"""Trials that must stray before the search returns."""

REPEATS = 3
"""Plans that were there before, one after the other, after which the search ends."""


class Move(StrEnum):
    """What the next trial is for."""

    BEGIN = "begin"
    EXPLORE = "explore"
    REFINE = "refine"
    WIDEN = "widen"
    RETURN = "return"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the master decided before a trial, and why. trial: number of the trial to come."""

    trial: int
    move: Move
    reason: str


def decide(trials: Sequence[Trial]) -> Decision:
    """Decision on what comes next: that of the first rule that applies."""
    for rule in RULES:
        found = rule(trials)
        if found is not None:
            move, reason = found
            return Decision(trial=len(trials), move=move, reason=reason)
    best = best_of(trials).number
    return Decision(trial=len(trials), move=Move.EXPLORE, reason=f"trial {best} is the best so far")


Rule = Callable[[Sequence[Trial]], tuple[Move, str] | None]


def _beginning(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    if trials:
        return None
    return Move.BEGIN, "the base strategy comes first: the others are measured against it"


def _repetition(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    """Plans that were there before."""
    again = len(list(takewhile(lambda trial: trial.same_as is not None, reversed(trials))))
    if again >= REPEATS:
        return Move.STOP, f"the last {again} trials led to plans that were there before"
    if again:
        last = trials[-1]
        return Move.WIDEN, f"trial {last.number} led to the plan of trial {last.same_as}"
    return None


def _cycle(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    """One plan, another, the first, the other."""
    last = [trial.plan for trial in trials[-4:]]
    if len(last) == 4 and last[:2] == last[2:] and last[0] != last[1]:
        return Move.RETURN, "the last four trials went to and fro between two plans"
    return None


def _plateau(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    """No progress for long."""
    idle, best = _idle(trials), best_of(trials).number
    if idle >= 2 * PLATEAU:
        return Move.STOP, f"no progress in {idle} trials; trial {best} stays the best"
    if idle >= PLATEAU:
        return Move.WIDEN, f"no progress in {idle} trials; trial {best} is the best"
    return None


def _divergence(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    """The last losses rise, all well above the best."""
    best = best_of(trials)
    within = [trial for trial in trials[-STRAY:] if not trial.missed]
    losses = [trial.loss for trial in within if trial.loss is not None]
    if best.loss is None or len(losses) < STRAY:
        return None
    rising = all(one < other for one, other in pairwise(losses))
    if rising and losses[0] > best.loss * (1 + WORSE):
        return Move.RETURN, f"the last {STRAY} trials got worse; trial {best.number} is the best"
    return None


def _progress(trials: Sequence[Trial]) -> tuple[Move, str] | None:
    last = trials[-1]
    if last.number > 0 and best_of(trials) is last:
        return Move.REFINE, f"trial {last.number} is the best so far: what it changed helps"
    return None


RULES: tuple[Rule, ...] = (_beginning, _cycle, _repetition, _divergence, _plateau, _progress)
"""Those that come first win."""


def _idle(trials: Sequence[Trial]) -> int:
    """How many trials there were since the last that was better by more than the least gain."""
    best, since = trials[0], 0
    for trial in trials[1:]:
        if _better(trial, best):
            best, since = trial, 0
        else:
            since += 1
    return since


def _better(trial: Trial, best: Trial) -> bool:
    if trial.missed != best.missed:
        return trial.missed < best.missed
    if trial.loss is None or best.loss is None:
        return trial.merit > best.merit
    return trial.loss < best.loss * (1 - GAIN)
