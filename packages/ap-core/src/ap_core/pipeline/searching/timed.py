"""Solving for a latency: plans are cut and timed, and solved for again until they keep to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from statistics import fmean

from ap_core.budget import Budget, format_amount
from ap_core.cost import CostModel
from ap_core.errors import OutOfReachError
from ap_core.network import Metric, Network
from ap_core.plan import Plan, digest
from ap_core.report.amounts import counted
from ap_core.runs.records import TimedPlanRecord
from ap_core.strategy import Strategy

AIM = 0.99
"""Share of the budget that is aimed at: what is measured scatters by a per cent or so."""

LEAST = 0.98
"""Share of the budget that must be used: measured again, another day, it is still above 95 %."""

ROUNDS = 6
"""Plans of one strategy that are timed, at the most."""

SolveFor = Callable[[Network, Strategy], Plan]
"""Plan of a strategy for a network whose latency is as fitted, within the budget."""


def slowed(network: Network, factor: float) -> Network:
    """The network with its latency multiplied by a factor."""
    terms = (replace(t, coefficient=round(t.coefficient * factor)) for t in network.latency)
    return replace(network, latency=tuple(terms))


@dataclass(frozen=True, kw_only=True)
class TimedSolver:
    """Solves for plans whose measured latency keeps to the budget.

    share: of the whole network's time that a plan takes when it is cut. network: with its latency.
    entries: plans that were timed so far; record keeps another one.
    The same entries lead to the same plans: a run that goes on times nothing again.
    """

    network: Network
    budget: Budget
    solve: SolveFor
    share: Callable[[Plan], float]
    entries: list[TimedPlanRecord] = field(default_factory=list)
    record: Callable[[TimedPlanRecord], None] = lambda _entry: None

    def __call__(self, strategy: Strategy) -> Plan:
        """Plan of most value that was timed within the budget; its latency is what was measured.

        Raises: OutOfReachError where none is; else as `solve`.
        """
        key = sha256(strategy.model_dump_json(exclude={"rationale"}).encode()).hexdigest()
        earlier = [entry for entry in self.entries if entry.strategy == key]
        plans: list[Plan] = []
        for number in range(ROUNDS):
            known = earlier[number] if number < len(earlier) else None
            factor = known.factor if known else self._factor(key)
            try:
                plan = self.solve(slowed(self.network, factor), strategy)
            except OutOfReachError:
                if plans:
                    break
                factor = 1.0
                plan = self.solve(self.network, strategy)
            entry = known or self._timed(plan, key, factor)
            plans.append(replace(plan, latency=entry.took))
            if self._fits(plan, entry.took):
                break
        return self._best(plans)

    @property
    def limit(self) -> int:
        """Cap on the latency, in femtoseconds."""
        return next(cap.limit for cap in self.budget.caps if cap.metric is Metric.LATENCY)

    def _factor(self, key: str) -> float:
        """What the fit is multiplied by: so that it was right, last time, with room to spare."""
        mine = [entry for entry in self.entries if entry.strategy == key]
        for last in (mine or self.entries)[-1:]:
            return last.took / last.predicted * last.factor / AIM
        return 1 / AIM

    def _timed(self, plan: Plan, key: str, factor: float) -> TimedPlanRecord:
        stays = digest(plan)
        twin = next((entry for entry in self.entries if entry.plan == stays), None)
        took = twin.took if twin else self._took(plan)
        entry = TimedPlanRecord(
            strategy=key, factor=factor, plan=stays, predicted=plan.latency, took=took
        )
        self.entries.append(entry)
        self.record(entry)
        return entry

    def _took(self, plan: Plan) -> int:
        """Femtoseconds of a plan; of one that would be taken, by two measurements: of several
        plans, the first that seems fast enough is more often mistaken than others.
        """
        whole = CostModel(self.network).latency(self.network.whole)
        shares = [self.share(plan)]
        if LEAST * self.limit <= shares[0] * whole <= self.limit:
            shares.append(self.share(plan))
        return round(fmean(shares) * whole)

    def _fits(self, plan: Plan, took: int) -> bool:
        """Whether a plan keeps to the latency, and uses it up as far as plans come near it."""
        if took > self.limit:
            return False
        return took >= LEAST * self.limit or plan.latency < LEAST * self.limit

    def _best(self, plans: Sequence[Plan]) -> Plan:
        within = [plan for plan in plans if plan.latency <= self.limit]
        if within:
            return max(within, key=lambda plan: plan.value)
        nearest = min(plan.latency for plan in plans)
        raise OutOfReachError(
            f"of {counted(len(plans), 'cut')} of {self.network.model} that were timed, none takes "
            f"{format_amount(self.limit, Metric.LATENCY, 'down')}; the fastest takes "
            f"{format_amount(nearest, Metric.LATENCY, 'up')}",
            hint="is the machine busy with something else? then start a new run when it is not; "
            "else give a larger target",
        )
