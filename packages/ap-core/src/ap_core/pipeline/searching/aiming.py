"""What to ask of a guide next, by what it promised of plans so far, and what they took."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Self

from ap_core.cost import CostModel
from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.runs.records import TimedPlanRecord

AIM = 0.99
"""Share of the budget that is aimed at: what is measured scatters by a per cent or so."""

STRIDE = 3
"""How many steps in proportion the next plan may be away, where two were too slow."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a guide promised of a plan, and what it took, in femtoseconds."""

    promised: float
    took: int

    @classmethod
    def of(cls, guide: Network, plan: Plan) -> Self:
        """A plan that was timed, under a guide that need not have led to it."""
        return cls(promised=CostModel(guide).latency(plan.widths), took=plan.latency)

    @classmethod
    def recorded(cls, entry: TimedPlanRecord) -> Self:
        """A plan that was timed, under the guide that led to it."""
        return cls(promised=entry.predicted / entry.factor, took=entry.took)


def next_promise(seen: Sequence[Seen], limit: int) -> float:
    """What a guide has to promise of the next plan, if it is to take nearly the limit.

    Between a plan that is too slow and one that is not: in between; of several that are too slow,
    the one that promised least, or it would come again. Beyond two that are too slow: as far as
    these two tell. Else in proportion to the last.
    limit, and what is returned: in femtoseconds.
    """
    took = attrgetter("took", "promised")
    slow = sorted((each for each in seen if each.took > limit), key=took)
    fast = [each for each in seen if each.took <= limit]
    if slow and fast:
        below = max(fast, key=took)
        beyond = [each for each in slow if each.promised > below.promised]
        above = min(beyond, key=attrgetter("promised"), default=slow[0])
        return _between(below, above, AIM * limit)
    if len(slow) > 1:
        return _beyond(slow[1], slow[0], AIM * limit)
    return _in_proportion(seen[-1], AIM * limit)


def _between(below: Seen, above: Seen, aim: float) -> float:
    way = (aim - below.took) / (above.took - below.took)
    return below.promised + way * (above.promised - below.promised)


def _beyond(far: Seen, near: Seen, aim: float) -> float:
    """At least as far as in proportion, at most `STRIDE` such steps."""
    least = near.promised * (aim / near.took) ** STRIDE
    gained = far.took - near.took
    if not gained:
        return least
    wanted = near.promised - (near.took - aim) * (far.promised - near.promised) / gained
    return max(least, min(wanted, _in_proportion(near, aim)))


def _in_proportion(to: Seen, aim: float) -> float:
    return to.promised * aim / to.took
