"""The Lagrange multiplier: the price of cost at which the best plan just keeps to the caps."""

from dataclasses import dataclass

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.elimination import Elimination, plan_elimination
from ap_core.solver.options import IntArray
from ap_core.solver.problem import Problem

COARSE = 40
"""Options of a variable while the multiplier is searched; between them it is refined later."""

STEPS = 28
"""Halvings of the multiplier's range."""

DIRECTIONS = 6
"""Halvings of the angle between two multipliers, where two caps bind."""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What a search for the multiplier found.

    options: of every variable: the best that keeps to all caps. prices: (caps,), at which the best
    plan keeps to the caps.
    """

    options: tuple[int, ...]
    prices: FloatArray


def search_prices(problem: Problem) -> Priced | None:
    """Prices and options, over coarse options first, then over those near the best.

    None where the products of the network are too entangled to be eliminated.
    """
    coarse = [_coarse(len(variable)) for variable in problem.variables]
    found = _search(problem.restricted(coarse))
    if found is None:
        return None
    near = [_near(options, option) for options, option in zip(coarse, found.options, strict=True)]
    if all(len(options) == len(v) for options, v in zip(coarse, problem.variables, strict=True)):
        return found
    refined = _search(problem.restricted(near))
    if refined is None:
        return Priced(options=_translated(coarse, found.options), prices=found.prices)
    return Priced(options=_translated(near, refined.options), prices=refined.prices)


def bound(problem: Problem, prices: FloatArray) -> float | None:
    """Value that no plan within the caps exceeds, proved by these prices.

    None where the products are too entangled for a proof.
    """
    elimination = plan_elimination(problem)
    if elimination is None:
        return None
    _, best = elimination.maximise(prices)
    return best + float(prices @ (problem.limits - problem.fixed))


def _search(problem: Problem) -> Priced | None:
    elimination = plan_elimination(problem)
    if elimination is None:
        return None
    directions = np.eye(len(problem.limits)) / problem.limits
    alone = [_bisect(elimination, direction) for direction in directions]
    feasible = [p for p in alone if _keeps(problem, p.options)]
    if feasible or len(directions) == 1:
        return max(feasible or alone, key=lambda p: problem.value(p.options))
    return _between(elimination, directions)


def _between(elimination: Elimination, directions: FloatArray) -> Priced:
    """Both caps bind: the mixture of the two directions that is worth most."""
    low, high = 0.0, 1.0
    found = []
    for _ in range(DIRECTIONS):
        middle = (low + high) / 2
        priced = _bisect(elimination, (1 - middle) * directions[0] + middle * directions[1])
        found.append(priced)
        costs = elimination.problem.costs(priced.options) / elimination.problem.limits
        if costs[0] > costs[1]:
            high = middle
        else:
            low = middle
    return max(found, key=lambda p: elimination.problem.value(p.options))


def _bisect(elimination: Elimination, direction: FloatArray) -> Priced:
    """Lowest multiple of a direction at which the caps in it are kept, and the best options there.

    A cap that has no part in the direction is not looked at.
    """
    problem = elimination.problem
    low, high = 0.0, 1.0
    options, _ = elimination.maximise(high * direction)
    while not _keeps(problem, options, direction) and high < 2.0**60:
        low, high = high, high * 4
        options, _ = elimination.maximise(high * direction)
    best = tuple(options)
    for _ in range(STEPS):
        middle = (low + high) / 2 if low or high < 1e-9 else high / 4
        options, _ = elimination.maximise(middle * direction)
        if not _keeps(problem, options, direction):
            low = middle
            continue
        high = middle
        if problem.value(options) > problem.value(best) or not _keeps(problem, best, direction):
            best = tuple(options)
        if low == 0.0 and middle < 1e-12:
            break
    return Priced(options=best, prices=high * direction)


def _keeps(
    problem: Problem, options: tuple[int, ...] | list[int], direction: FloatArray | None = None
) -> bool:
    within = problem.costs(options) <= problem.limits
    return bool(within.all() if direction is None else within[direction > 0].all())


def _coarse(count: int) -> IntArray:
    return np.unique(np.linspace(0, count - 1, min(count, COARSE)).round().astype(np.int64))


def _near(coarse: IntArray, option: int) -> IntArray:
    """Options between the coarse neighbours of the best coarse one."""
    low = coarse[max(option - 1, 0)]
    high = coarse[min(option + 1, len(coarse) - 1)]
    near = np.arange(low, high + 1)
    return near if len(near) <= 3 * COARSE else near[_coarse(len(near))]


def _translated(options: list[IntArray], chosen: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(o[c]) for o, c in zip(options, chosen, strict=True))
