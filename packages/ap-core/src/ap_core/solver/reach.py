"""What a strategy can reach, and whose fault it is where that is not enough."""

from ap_core.budget import Budget, Cap, format_amount
from ap_core.cost import CostModel
from ap_core.errors import OutOfReachError
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.report.amounts import counted
from ap_core.solver.options import Allowed, allowed_by, finenesses
from ap_core.strategy import Strategy

LOOSEST = Strategy(floor=1e-9, round_to=1)
"""Leaves open every width that a network allows; its blocks stay."""


def reach(network: Network, strategy: Strategy) -> dict[Metric, tuple[int, int]]:
    """Lowest cost that the strategy allows, and that of the whole network, by metric."""
    return _reach(network, allowed_by(strategy, network, finer=finenesses(strategy)[-1]))


def check_reach(network: Network, strategy: Strategy, budget: Budget) -> None:
    """Compare a budget with what the strategy allows at the least.

    Raises: OutOfReachError with the reachable range; UsageError as `solve`.
    """
    reachable = reach(network, strategy)
    for cap in budget.caps:
        low, whole = reachable[cap.metric]
        if cap.limit < low:
            raise OutOfReachError(
                f"{network.model} cannot be cut to {format_amount(cap.limit, cap.metric, 'down')}",
                hint=f"reachable: from {format_amount(low, cap.metric, 'up')} to below "
                f"{format_amount(whole, cap.metric)}; {_blame(network, strategy, cap)}",
            )


def keeps_all(network: Network, budget: Budget, allowed: Allowed) -> bool:
    """Whether the least that is allowed keeps to every cap."""
    reachable = _reach(network, allowed)
    return all(reachable[cap.metric][0] <= cap.limit for cap in budget.caps)


def missed(network: Network, budget: Budget, nearest: Plan, strategy: Strategy) -> OutOfReachError:
    """Error that says how far the nearest plan is from the band, and what would do."""
    metric, left = left_of(budget, nearest)
    finest = strategy.round_to in (None, 1)
    remedy = "a lower --floor, fewer --keep" if finest else "--round-to 1, a lower --floor"
    return OutOfReachError(
        f"the nearest plan for {network.model} ends at "
        f"{format_amount(nearest.cost(metric), metric)}, "
        f"{left:.2%} below the target; the band is {budget.band:.2%}",
        hint=f"take {remedy}, or --band {left * 1.01:.1%}",
    )


def left_of(budget: Budget, plan: Plan) -> tuple[Metric, float]:
    """Tightest metric, and the share of its cap that the plan leaves."""
    left = {cap.metric: 1 - plan.cost(cap.metric) / cap.limit for cap in budget.caps}
    metric = min(left, key=lambda m: left[m])
    return metric, left[metric]


def _reach(network: Network, allowed: Allowed) -> dict[Metric, tuple[int, int]]:
    model = CostModel(network)
    least, whole = allowed.least, network.whole
    return {m: (model.cost(m, least), model.cost(m, whole)) for m in network.metrics}


def _blame(network: Network, strategy: Strategy, cap: Cap) -> str:
    """What keeps the lowest cost up: settings, and locked groups where no setting would do."""

    def low(strategy: Strategy) -> int:
        return reach(network, strategy)[cap.metric][0]

    causes = []
    locked = len(network.groups) - len(network.free)
    if locked and cap.limit < low(LOOSEST):
        groups = f"{locked} of {counted(len(network.groups), 'group')}"
        causes += [f"{groups} cannot be cut ('ap profile --layers' says why)"]
    if low(strategy.model_copy(update={"floor": LOOSEST.floor})) < low(strategy):
        causes += [f"--floor {strategy.floor:g} keeps that share of every group"]
    causes += ["--keep protects layers"] if strategy.keep else []
    causes += ["fixed widths leave less to choose"] if strategy.widths else []
    if network.blocks and not strategy.depth:
        deepest = low(strategy.model_copy(update={"depth": True}))
        reached = format_amount(deepest, cap.metric, "up")
        causes += [f"--depth, which drops blocks whole, reaches {reached}"]
    causes += [f"--round-to {strategy.round_to}"] if strategy.round_to else []
    return ", ".join(causes) or "a channel of every group must stay"
