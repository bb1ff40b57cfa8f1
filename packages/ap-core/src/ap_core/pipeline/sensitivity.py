"""How sensitive the scopes are: the held-out loss where half of one goes, and all else stays."""

from collections.abc import Callable
from glob import escape

from ap_core.network import Network
from ap_core.plan import Plan
from ap_core.scores import Scores
from ap_core.search.attempts import Judge
from ap_core.solver import raw_plan
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

    A scope without which the network has no loss is left out.
    """
    found = {}
    for scope in scopes:
        loss = judge(half_gone(network, scores, importance, scope)).loss
        if loss is not None:
            found[scope] = loss
        advance(1)
    return found


def half_gone(network: Network, scores: Scores, importance: str, scope: str) -> Plan:
    """Plan that keeps half of one scope's channels, and all others."""
    return raw_plan(network, scores, Strategy(importance=importance, widths={escape(scope): HALF}))
