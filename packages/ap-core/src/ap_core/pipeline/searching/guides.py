"""Networks that stand in for one whose latency is to be solved for, and strategies that fill up."""

from dataclasses import replace

from ap_core.cost import CostModel
from ap_core.network import Metric, Network, Term
from ap_core.plan import Plan
from ap_core.strategy import Strategy


def slowed(network: Network, factor: float) -> Network:
    """The network with its latency multiplied by a factor."""
    terms = (replace(t, coefficient=round(t.coefficient * factor)) for t in network.latency)
    return replace(network, latency=tuple(terms))


def by_macs(network: Network, timed: Plan) -> Network:
    """The network as if its latency were a fixed part, and one in proportion to its MACs.

    It is right for the whole network, and for a plan that was timed, unless less than nothing, or
    more than half of what that plan takes, would be fixed.
    """
    cost = CostModel(network)
    macs, latency = cost.macs(network.whole), cost.latency(network.whole)
    gone = macs - timed.macs
    fixed = (timed.latency * macs - latency * timed.macs) / gone if gone else 0.0
    fixed = min(max(0.0, fixed), timed.latency / 2)
    rate = (latency - fixed) / macs
    terms = (replace(t, coefficient=round(t.coefficient * rate)) for t in cost.terms(Metric.MACS))
    return replace(network, latency=(Term(coefficient=round(fixed)), *terms))


def at_least(strategy: Strategy, network: Network, plan: Plan) -> Strategy:
    """The strategy, with no group narrower than a plan has it."""
    least = {group.name: plan.widths[group.name] / group.width for group in network.groups}
    others = {glob: floor for glob, floor in strategy.floors.items() if glob not in least}
    return strategy.model_copy(update={"floors": others | least})
