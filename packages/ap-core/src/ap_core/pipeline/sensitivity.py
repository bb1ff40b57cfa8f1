"""How sensitive the scopes are: the held-out loss where half of one goes, and all else stays."""

from collections.abc import Callable
from glob import escape

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.errors import ApError
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.scores import Scores
from ap_core.search.attempts import Judge
from ap_core.solver import solve
from ap_core.solver.options import choices
from ap_core.strategy import Strategy

HALF = 0.5


def sensitivities(
    network: Network,
    scores: Scores,
    importance: str,
    scopes: tuple[str, ...],
    judge: Judge,
    advance: Callable[[int], None],
) -> dict[str, float]:
    """Held-out loss by scope, where the half of its channels that is worth least is removed.

    A scope of which half cannot go, or without which the network has no loss, is left out.
    """
    found = {}
    for scope in scopes:
        plan = half_gone(network, scores, importance, scope)
        loss = None if plan is None else judge(plan).loss
        if loss is not None:
            found[scope] = loss
        advance(1)
    return found


def half_gone(network: Network, scores: Scores, importance: str, scope: str) -> Plan | None:
    """Plan that keeps half of one scope's channels, and all others; None where there is none."""
    strategy = Strategy(importance=importance, widths={"*": 1.0, escape(scope): HALF})
    widths = {name: int(each.widths[0]) for name, each in choices(network, strategy).items()}
    macs = CostModel(network).macs(widths)
    budget = Budget(caps=(Cap(metric=Metric.MACS, limit=macs),))
    try:
        return solve(network, scores, strategy, budget)
    except ApError:
        return None
