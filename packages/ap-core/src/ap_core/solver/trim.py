"""Using up what the default multiples leave: one group may be a multiple of less."""

from collections.abc import Iterator, Mapping

from ap_core.budget import Budget
from ap_core.cost import CostModel
from ap_core.network import GroupKind, Network
from ap_core.solver.options import Choice

LARGEST = 8
"""Channels that one group is widened by, at the most."""


def trimmed(
    network: Network, budget: Budget, widths: Mapping[str, int], finer: Mapping[str, Choice]
) -> tuple[dict[str, int], float]:
    """Widths with one group widened by less than a step, and the share of the tightest cap left.

    Of all such widths within the caps, those that leave least; the given ones where none are.
    finer: choices with finer multiples.
    """
    model = CostModel(network)
    best, least = dict(widths), _left(model, budget, widths)
    for candidate in _widened(network, widths, finer):
        left = _left(model, budget, candidate)
        if 0 <= left < least:
            best, least = candidate, left
    return best, least


def _widened(
    network: Network, widths: Mapping[str, int], finer: Mapping[str, Choice]
) -> Iterator[dict[str, int]]:
    """Widths with one plain group a little wider, by at most `LARGEST` channels."""
    for group in network.free:
        if group.kind is GroupKind.HEADS or group.inside or not widths[group.name]:
            continue
        wider = [w for w in finer[group.name].widths.tolist() if w > widths[group.name]]
        for width in wider[:LARGEST]:
            yield {**widths, group.name: width}


def _left(model: CostModel, budget: Budget, widths: Mapping[str, int]) -> float:
    """Share of the tightest cap that is left; below zero where one is exceeded."""
    return min(1 - model.cost(cap.metric, widths) / cap.limit for cap in budget.caps)
