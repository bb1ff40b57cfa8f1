"""A fixed grid of strategies."""

from itertools import product

from ap_core.search.space import Knob, areas_of, space
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy

AREAS = 4
SMOOTHINGS = (0.1, 2.0)
COARSE = {"pressure": (0.7, 1.4), "widths": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
"""Levels of a knob that the grid has, by its table."""


class GridStrategist:
    """Walks a grid over importance, ranking, smoothing and pressure, nearest to the base first.

    So the first trials change one thing at a time, whatever the allowance.
    """

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Strategy of the next point of the grid."""
        searched = space(evidence, areas=areas_of(evidence.network, most=AREAS))
        chosen = [_levels(knob) for knob in searched.knobs]
        # sorted() is stable: points of one distance stay in the order of the product.
        points = sorted(product(*chosen), key=lambda point: _distance(point, searched.knobs))
        number = len(evidence.trials)
        if number >= len(points):
            return None
        position = zip((knob.name for knob in searched.knobs), points[number], strict=True)
        return searched.strategy(dict(position))


def _levels(knob: Knob) -> tuple[int, ...]:
    if knob.name == "normalisation":
        return (knob.base,)
    coarse = COARSE.get(knob.table, SMOOTHINGS)
    others = (
        number
        for number, level in enumerate(knob.levels)
        if number != knob.base and (not knob.ordered or level in coarse)
    )
    return (knob.base, *others)


def _distance(point: tuple[int, ...], knobs: tuple[Knob, ...]) -> int:
    return sum(number != knob.base for number, knob in zip(point, knobs, strict=True))
