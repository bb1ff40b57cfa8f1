"""How sensitive a network is: the held-out loss where one thing goes, and all else stays."""

from collections.abc import Callable, Mapping
from glob import escape

from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.scores import Scores
from ap_core.search.attempts import Judge
from ap_core.solver import raw_plan
from ap_core.strategy import Strategy

HALF = 0.5


def losses(
    plans: Mapping[str, Plan], judge: Judge, advance: Callable[[int], None]
) -> dict[str, float]:
    """Held-out loss of every plan; one without which the network has no loss is left out."""
    found = {}
    for name, plan in plans.items():
        loss = judge(plan).loss
        if loss is not None:
            found[name] = loss
        advance(1)
    return found


def half_gone(network: Network, scores: Scores, importance: str, scope: str) -> Plan:
    """Plan without the half of one scope's channels that is worth least."""
    return raw_plan(network, scores, Strategy(importance=importance, widths={escape(scope): HALF}))


def block_gone(network: Network, scores: Scores, importance: str, block: str) -> Plan:
    """Plan without one block."""
    return raw_plan(network, scores, Strategy(importance=importance, drop=(escape(block),)))
