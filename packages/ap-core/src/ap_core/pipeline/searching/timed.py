"""Solving for a latency: plans are cut and timed, and solved for again until they keep to it.

A solver goes where a fit promises most, and so to where the fit errs most in its favour. Where time
nearly follows the multiply-accumulates, a cut to these, which are counted, can come out ahead. So
it is looked at beside the other, and taken where it keeps more in the same time, as measured. What
the better one leaves of the budget, more channels fill.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ap_core.budget import Budget, format_amount
from ap_core.cost import CostModel
from ap_core.errors import OutOfReachError
from ap_core.network import Metric, Network
from ap_core.pipeline.searching.aiming import Seen, next_promise
from ap_core.pipeline.searching.guides import at_least, by_macs, slowed
from ap_core.plan import Plan, digest
from ap_core.report.amounts import counted
from ap_core.runs.records import Guide, TimedPlanRecord
from ap_core.strategy import Strategy

LEAST = 0.98
"""Share of the budget that must be used: measured again, another day, it is still above 95 %."""

FILL_FROM = 0.95
"""Share of the budget from which channels are added to a plan, in place of solving anew."""

MOST = {Guide.FIT: 5, Guide.MACS: 4, Guide.FILL: 4}
"""Plans of one strategy that are timed under each guide, at the most."""

DOUBT = 0.2
"""By how much a fit may be mistaken about one plan beside another: it was by 0.1 of a ResNet-50."""

NEARER = 3
"""How often a plan that is out of reach is asked for half as far away."""

SolveFor = Callable[[Network, Strategy], Plan]
"""Plan of a strategy for a network whose latency is as fitted, within the budget."""


@dataclass(frozen=True, kw_only=True)
class TimedSolver:
    """Solves for plans whose measured latency keeps to the budget.

    share: of the whole network's time that a plan takes when it is cut; of one outside a band of
        shares, no more needs to be known than that.
    network: with its latency.
    entries: plans that were timed so far; record keeps another one.
    The same entries lead to the same plans: a run that goes on times nothing again.
    """

    network: Network
    budget: Budget
    solve: SolveFor
    share: Callable[[Plan, tuple[float, float]], float]
    entries: list[TimedPlanRecord] = field(default_factory=list)
    record: Callable[[TimedPlanRecord], None] = lambda _entry: None

    def __call__(self, strategy: Strategy) -> Plan:
        """Plan of most value that was timed within the budget; its latency is what was measured.

        Of one that was filled up, no bound is known.
        Raises: OutOfReachError where none is; else as `solve`.
        """
        key = sha256(strategy.model_dump_json(exclude={"rationale"}).encode()).hexdigest()
        plans = self._tried(Guide.FIT, key, self.network, strategy)
        plans += self._beside(plans, key, strategy)
        best = self._best(plans, strategy)
        return self._best([best, *self._filled(best, key, strategy)], strategy)

    def _beside(self, plans: Sequence[Plan], key: str, strategy: Strategy) -> Sequence[Plan]:
        """Cuts to MACs that may take no longer than those to the latency, and would keep more."""
        nearest = min(plans, key=lambda plan: abs(plan.latency - self.limit))
        network, fit = by_macs(self.network, nearest), CostModel(self.network)
        most = max((plan.value for plan in self._within(plans)), default=0.0)

        def promising(plan: Plan, before: Sequence[Plan]) -> bool:
            like = before[-1] if before else nearest
            mistaken = fit.latency(like.widths) / like.latency
            slow = fit.latency(plan.widths) > (1 + DOUBT) * mistaken * self.limit
            return plan.value > most and not slow

        start = Seen.of(network, nearest)
        return self._tried(Guide.MACS, key, network, strategy, start=start, promising=promising)

    def _filled(self, best: Plan, key: str, strategy: Strategy) -> Sequence[Plan]:
        """Plans with all channels of the best so far, and more, where it leaves some budget."""
        if best.latency >= LEAST * self.limit:
            return []
        plans = self._tried(
            Guide.FILL,
            key,
            self.network,
            at_least(strategy, self.network, best),
            start=Seen.of(self.network, best),
            promising=lambda plan, _before: plan.value > best.value,
        )
        return [replace(plan, bound=None) for plan in plans]

    def _tried(
        self,
        guide: Guide,
        key: str,
        network: Network,
        strategy: Strategy,
        *,
        start: Seen | None = None,
        promising: Callable[[Plan, Sequence[Plan]], bool] = lambda _plan, _before: True,
    ) -> list[Plan]:
        """Plans that were timed under a guide, until one keeps to the budget and is near it.

        start: a plan to begin with; None where the guide is believed. promising: whether a plan is
        to be timed, after those before it.
        """
        plans: list[Plan] = []
        start = start or Seen(promised=self.limit, took=self.limit)
        for number in range(MOST[guide]):
            found = self._solved(network, strategy, self._factors(key, guide, number, start))
            if found is None:
                if plans or guide is not Guide.FIT:
                    break
                found = self.solve(network, strategy), 1.0
            plan, factor = found
            # After one that comes again, the same would follow.
            again = digest(plan) in map(digest, plans)
            if again or not promising(plan, plans):
                break
            plans.append(self._timed(plan, key, guide, number, factor))
            if self._fits(plan, plans[-1].latency, guide):
                break
        return plans

    @property
    def limit(self) -> int:
        """Cap on the latency, in femtoseconds."""
        return next(cap.limit for cap in self.budget.caps if cap.metric is Metric.LATENCY)

    def _solved(
        self, network: Network, strategy: Strategy, factors: Sequence[float]
    ) -> tuple[Plan, float] | None:
        """Plan under the first factor that leaves one in reach, and that factor."""
        for factor in factors:
            with suppress(OutOfReachError):
                return self.solve(slowed(network, factor), strategy), factor
        return None

    def _factors(self, key: str, guide: Guide, number: int, start: Seen) -> Sequence[float]:
        """What a guide is multiplied by; then what else, where that leaves no plan in reach.

        number: of plans that were timed before.
        """
        mine = self._known(key, guide)
        if number < len(mine):
            return [mine[number].factor]
        seen = [Seen.recorded(entry) for entry in mine]
        if guide is Guide.FILL:
            seen.insert(0, start)
        elif not seen:
            others = [Seen.recorded(each) for each in self.entries if each.guide is guide]
            seen = [start, *others][-1:]
        last, promised = seen[-1].promised, next_promise(seen, self.limit)
        times = NEARER + 1 if guide is Guide.FIT else 1
        return [self.limit / (last + (promised - last) / 2**time) for time in range(times)]

    def _known(self, key: str, guide: Guide) -> Sequence[TimedPlanRecord]:
        """What was timed of a strategy under a guide, in its order."""
        return [each for each in self.entries if (each.strategy, each.guide) == (key, guide)]

    def _timed(self, plan: Plan, key: str, guide: Guide, number: int, factor: float) -> Plan:
        """The plan with the latency that was measured, now or before."""
        mine = self._known(key, guide)
        if number < len(mine):
            return replace(plan, latency=mine[number].took)
        stays = digest(plan)
        twin = next((entry for entry in self.entries if entry.plan == stays), None)
        took = twin.took if twin else self._took(plan)
        entry = TimedPlanRecord(
            strategy=key, guide=guide, factor=factor, plan=stays, predicted=plan.latency, took=took
        )
        self.entries.append(entry)
        self.record(entry)
        return replace(plan, latency=took)

    def _took(self, plan: Plan) -> int:
        """Femtoseconds of a plan; of one that might be taken, the slower of two measurements: of
        several plans, the first that seems fast enough is more often mistaken than others.
        """
        whole = CostModel(self.network).latency(self.network.whole)
        low, high = band = (FILL_FROM * self.limit / whole, self.limit / whole)
        shares = [self.share(plan, band)]
        if low <= shares[0] <= high:
            shares.append(self.share(plan, band))
        return round(max(shares) * whole)

    def _fits(self, plan: Plan, took: int, guide: Guide) -> bool:
        """Whether a plan keeps to the latency, and is as near to it as plans come, or can be
        filled up.
        """
        if took > self.limit:
            return False
        least = (LEAST if guide is Guide.FILL else FILL_FROM) * self.limit
        return took >= least or plan.latency < LEAST * self.limit

    def _within(self, plans: Sequence[Plan]) -> Sequence[Plan]:
        return [plan for plan in plans if plan.latency <= self.limit]

    def _best(self, plans: Sequence[Plan], strategy: Strategy) -> Plan:
        if within := self._within(plans):
            return max(within, key=lambda plan: plan.value)
        nearest = min(plan.latency for plan in plans)
        deeper = self.network.blocks and not strategy.depth
        raise OutOfReachError(
            f"of {counted(len(plans), 'cut')} of {self.network.model} that were timed, none takes "
            f"{format_amount(self.limit, Metric.LATENCY, 'down')}; the fastest takes "
            f"{format_amount(nearest, Metric.LATENCY, 'up')}",
            hint="is the machine busy with something else? then start a new run when it is not; "
            + ("else --depth lets blocks be dropped whole, or " if deeper else "else ")
            + "give a larger target",
        )
