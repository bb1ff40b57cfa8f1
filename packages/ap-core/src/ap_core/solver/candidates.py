"""Plans to choose from: what the multiplier leads to, with the caps used up; and the choice."""

from collections.abc import Iterator, Sequence

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.descent import ascend
from ap_core.solver.fill import Neighbourhood, fill, lower
from ap_core.solver.multiplier import Priced, search_prices
from ap_core.solver.pairs import best_swap, pair_moves
from ap_core.solver.problem import Problem, Variable

TIGHT, TIGHTEST = 5e-4, 5e-5
"""Share of a cap that may be left before more is tried: with multiples, with single channels."""

LOOSE = 0.02
"""Share of a cap that the best plan at a price leaves where it jumps over the cap."""

SACRIFICE = 1e-3
"""Share of all value that is given up, at most, to leave less of the cap."""


def candidates(problem: Problem, tight: float) -> tuple[list[tuple[int, ...]], Priced | None]:
    """Options to choose from, those that the multiplier leads to, and the prices it found."""
    near = Neighbourhood.of(problem)
    priced = search_prices(problem)
    start = ascend(problem, near) if priced is None else priced.options
    start = _within(problem, start, near)
    found = list(_filled(problem, start, near, tight))
    if priced is not None and priced.above and _slack(problem, start) > LOOSE:
        lowered = lower(problem, priced.above, near)
        found += [] if lowered is None else _filled(problem, lowered, near, tight)
    return found, priced


def without_drops(problem: Problem, tight: float) -> list[tuple[int, ...]]:
    """Options to choose from, where no block goes that may stay; none, where that is too dear."""
    last = [len(each) - 1 if problem.inside[v] else 0 for v, each in enumerate(problem.variables)]
    kept = [
        np.array([last[v]]) if problem.inside[v] else np.arange(len(each))
        for v, each in enumerate(problem.variables)
    ]
    upright = problem.restricted(kept)
    if not upright.allows(tuple(_least(each) for each in upright.variables)):
        return []
    found, _ = candidates(upright, tight)
    return [tuple(o + i for o, i in zip(options, last, strict=True)) for options in found]


def chosen(
    problem: Problem, found: Sequence[tuple[int, ...]], bands: FloatArray, tight: float
) -> tuple[int, ...]:
    """Options within the caps of most value in the band; tight ones, if worth about as much.

    bands: (caps,), share of each cap that may be left where it is the tightest.
    """
    found = [options for options in found if problem.allows(options)]
    left = [1 - problem.costs(options) / problem.limits for options in found]
    in_band = [o for o, each in zip(found, left, strict=True) if _is_in_band(each, bands)] or found
    best = max(in_band, key=problem.value)
    least = problem.value(best) - SACRIFICE * problem.total
    full = [o for o, each in zip(found, left, strict=True) if each.min() <= 2 * tight]
    return max((o for o in full if problem.value(o) >= least), key=problem.value, default=best)


def _is_in_band(left: FloatArray, bands: FloatArray) -> bool:
    """Whether no more of the tightest cap is left than may be. left: (caps,), shares of them."""
    tightest = int(left.argmin())
    return bool(left[tightest] <= bands[tightest])


def _within(problem: Problem, options: Sequence[int], near: Neighbourhood) -> tuple[int, ...]:
    """Options that keep to the caps: the given ones, or the least of all variables filled up."""
    if problem.allows(options):
        return tuple(options)
    return fill(problem, tuple(_least(v) for v in problem.variables), near)


def _least(variable: Variable) -> int:
    return int(np.argmin(variable.widths.prod(axis=1)))


def _filled(
    problem: Problem, start: tuple[int, ...], near: Neighbourhood, tight: float
) -> Iterator[tuple[int, ...]]:
    """Filled plans: of the start; if much is left, of its neighbours, and with pairs moved."""
    best = fill(problem, start, near)
    yield best
    if _slack(problem, best) <= tight:
        return
    coupled = sorted(range(len(problem.variables)), key=lambda v: (-len(near.rivals[v]), v))[:6]
    for v in coupled:
        for step in (-1, 1, -2):
            option = best[v] + step
            if not 0 <= option < len(problem.variables[v]):
                continue
            moved = (*best[:v], option, *best[v + 1 :])
            lowered = _lowered(problem, moved, near)
            if lowered is not None:
                yield fill(problem, lowered, near)
    for moved in pair_moves(problem, best, near, tight):
        yield fill(problem, moved, near)
    for enough in (tight, 2 * tight):
        swapped = best_swap(problem, best, near, enough)
        if swapped is not None:
            yield swapped


def _lowered(
    problem: Problem, options: tuple[int, ...], near: Neighbourhood
) -> tuple[int, ...] | None:
    """Options with the least coupled variables stepped down until the caps are kept."""
    result = list(options)
    order = sorted(
        (v for v, each in enumerate(problem.variables) if len(each) > 1),
        key=lambda v: (len(near.rivals[v]), v),
    )
    for _ in range(8):
        for v in order:
            if problem.allows(result):
                return tuple(result)
            if result[v] > 0 and not problem.inside[v]:
                result[v] -= 1
    return tuple(result) if problem.allows(result) else None


def _slack(problem: Problem, options: Sequence[int]) -> float:
    """Share of the tightest cap that is left."""
    return float((1 - problem.costs(options) / problem.limits).min())
