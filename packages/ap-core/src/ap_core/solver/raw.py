"""A strategy's widths as they are: no budget is kept to, nothing else is cut."""

from dataclasses import replace
from glob import escape

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.scores import Scores
from ap_core.solver.options import allowed_by
from ap_core.solver.solve import solve
from ap_core.strategy import Strategy


def raw_plan(network: Network, scores: Scores, strategy: Strategy) -> Plan:
    """Plan of just the widths that a strategy names, whatever they cost.

    Every width is the nearest allowed one; groups that are not named stay whole. Which channels
    stay, the scores say.
    Raises: UsageError for a strategy that names nothing in this network.
    """
    named = strategy.model_copy(update={"widths": {"*": 1.0, **strategy.widths}, "pressure": {}})
    widths = allowed_by(named, network).least
    # At just this cost there is one choice for every group: the solver fills in the channels.
    exact = {escape(each.name): widths[each.name] / each.width for each in network.groups}
    macs = CostModel(network).macs(widths)
    plan = solve(
        network,
        scores,
        named.model_copy(update={"widths": exact}),
        Budget(caps=(Cap(metric=Metric.MACS, limit=macs),)),
    )
    return replace(plan, bound=None)
