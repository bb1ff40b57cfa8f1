"""The Lagrange multiplier: the price of cost at which the best plan just keeps to the caps."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.elimination import Elimination, plan_elimination
from ap_core.solver.options import IntArray
from ap_core.solver.problem import Problem, Variable

COARSE = 40
"""Options of a variable while the multiplier is searched; between them it is refined later."""

ROUGH, FINE = 1e-3, 1e-7
"""How exactly the multiplier is found over coarse options, and over those near the best."""

MOVES = 4
"""How often the options near the best are moved, where the best is at their edge."""

LARGEST, SMALLEST = 2.0**60, 1e-12
"""Multipliers beyond which nothing changes."""

ROUNDING = 1e-9
"""Share of the terms of a proof that it is lifted by: more than floating point can be off."""

DIRECTIONS = 6
"""Halvings of the angle between two multipliers, where two caps bind."""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What a search for the multiplier found.

    options: of every variable: the best that keeps to all caps. prices: (caps,), at which the best
    plan keeps to the caps. earlier: prices found on the way, which may prove a lower bound.
    above: options at a price just too low: where the best jumps over the caps, something between
    these and the others is better than both. Empty where every price keeps to the caps.
    """

    options: tuple[int, ...]
    prices: FloatArray
    earlier: tuple[FloatArray, ...] = ()
    above: tuple[int, ...] = ()


def search_prices(problem: Problem) -> Priced | None:
    """Prices and options, over coarse options first, then over those near the best.

    None where the products of the network are too entangled to be eliminated.
    """
    coarse = [_coarse(len(variable)) for variable in problem.variables]
    found = _search(problem.restricted(coarse), None, ROUGH)
    if found is None:
        return None
    near = [_near(problem, v, coarse[v], option) for v, option in enumerate(found.options)]
    best = Priced(
        options=_translated(coarse, found.options),
        prices=found.prices,
        above=_translated(coarse, found.above) if found.above else (),
    )
    for _ in range(MOVES):
        refined = _search(problem.restricted(near), best.prices, FINE)
        if refined is None:
            return best
        options = _translated(near, refined.options)
        best = Priced(
            options=max(best.options, options, key=lambda o: (problem.allows(o), problem.value(o))),
            prices=refined.prices,
            earlier=(*best.earlier, best.prices),
            above=best.above,
        )
        moved = [_recentred(problem, v, near[v], option) for v, option in enumerate(options)]
        if all(len(a) == len(b) and (a == b).all() for a, b in zip(near, moved, strict=True)):
            break
        near = moved
    return best


def bound(problem: Problem, priced: Priced) -> float | None:
    """Value that no plan within the caps exceeds, proved by the prices.

    Where the tables for a proof would be too large, neighbouring options are taken together, with
    the value of the widest at the cost of the narrowest: more than any of them can give.
    None where the products are too entangled even so.
    """
    elimination = plan_elimination(problem) or plan_elimination(_relaxed(problem, priced.options))
    if elimination is None:
        return None
    proofs = []
    for prices in (priced.prices, *priced.earlier):
        _, best = elimination.maximise(prices)
        paid = float(prices @ (problem.limits - problem.fixed))
        proofs.append(best + paid + ROUNDING * (abs(best) + paid))
    return min(proofs)


def _relaxed(problem: Problem, options: tuple[int, ...]) -> Problem:
    """Options taken together, the more, the further they are from the given ones."""
    variables = tuple(
        each if len(each.groups) > 1 else _merged(each, options[v])
        for v, each in enumerate(problem.variables)
    )
    return replace(problem, variables=variables)


def _merged(variable: Variable, centre: int) -> Variable:
    starts = _starts(centre, len(variable))
    ends = np.append(starts[1:], len(variable)) - 1
    return replace(variable, widths=variable.widths[starts], values=variable.values[ends])


def _starts(centre: int, count: int) -> IntArray:
    """First options of the ranges that are taken together: single ones near the centre."""
    # 24 single ones, then ranges that grow by an eighth each: some 130 cover any width.
    steps = np.cumsum(np.maximum(1.0, np.exp(np.arange(200) / 8 - 3))).astype(np.int64)
    starts = np.concatenate([centre - steps, [centre], centre + steps, [0]])
    return np.unique(starts[(starts >= 0) & (starts < count)])


def _search(problem: Problem, guess: FloatArray | None, tolerance: float) -> Priced | None:
    """Prices near a guess, if there is one. tolerance: relative, of the prices."""
    elimination = plan_elimination(problem)
    if elimination is None:
        return None
    directions = np.eye(len(problem.limits)) / problem.limits
    start = None if guess is None else float(guess @ problem.limits)
    alone = [_bisect(elimination, direction, start, tolerance) for direction in directions]
    feasible = [p for p in alone if problem.allows(p.options)]
    if feasible or len(directions) == 1:
        return max(feasible or alone, key=lambda p: problem.value(p.options))
    return _between(elimination, directions, tolerance)


def _between(elimination: Elimination, directions: FloatArray, tolerance: float) -> Priced:
    """Several caps bind: two of them where that keeps to all, else the third with the first two."""
    problem = elimination.problem
    pairs = [_mixed(elimination, a, b, tolerance) for a, b in combinations(directions, 2)]
    feasible = [p for p in pairs if problem.allows(p.options)]
    if feasible or len(directions) == 2:
        return max(feasible or pairs, key=lambda p: problem.value(p.options))
    two = pairs[0].prices / (pairs[0].prices @ problem.limits)
    return _mixed(elimination, two, directions[2], tolerance)


def _mixed(
    elimination: Elimination, one: FloatArray, other: FloatArray, tolerance: float
) -> Priced:
    """The mixture of two directions, of different caps, that is worth most."""
    low, high = 0.0, 1.0
    found = []
    for _ in range(DIRECTIONS):
        middle = (low + high) / 2
        priced = _bisect(elimination, (1 - middle) * one + middle * other, None, tolerance)
        found.append(priced)
        costs = elimination.problem.costs(priced.options) / elimination.problem.limits
        if costs[one > 0].max() > costs[other > 0].max():
            high = middle
        else:
            low = middle
    return max(found, key=lambda p: elimination.problem.value(p.options))


def _bisect(
    elimination: Elimination, direction: FloatArray, guess: float | None, tolerance: float
) -> Priced:
    """Lowest multiple of a direction at which the caps in it are kept, and the best options there.

    A cap that has no part in the direction is not looked at.
    """
    problem = elimination.problem
    low, high = 0.0, guess or 1.0
    stride = 4.0 if guess is None else 1.02
    options, _ = elimination.maximise(high * direction)
    while not _keeps(problem, options, direction) and high < LARGEST:
        low, high, stride = high, high * stride, stride**2
        options, _ = elimination.maximise(high * direction)
    best = tuple(options)
    above: tuple[int, ...] = ()
    while high - low > tolerance * high and high > SMALLEST:
        middle = (low + high) / 2 if low else high / stride
        stride = stride if low else stride**2
        options, _ = elimination.maximise(middle * direction)
        if not _keeps(problem, options, direction):
            low, above = middle, tuple(options)
            continue
        high = middle
        if problem.value(options) > problem.value(best) or not _keeps(problem, best, direction):
            best = tuple(options)
    return Priced(options=best, prices=high * direction, above=above)


def _keeps(problem: Problem, options: tuple[int, ...] | list[int], direction: FloatArray) -> bool:
    """Whether options keep to the caps that have a part in the direction."""
    within = problem.costs(options) <= problem.limits
    return bool(within[direction > 0].all())


def _coarse(count: int) -> IntArray:
    return np.unique(np.linspace(0, count - 1, min(count, COARSE)).round().astype(np.int64))


def _near(problem: Problem, variable: int, coarse: IntArray, option: int) -> IntArray:
    """Options between the coarse neighbours of the best coarse one; all, if they are few."""
    if len(coarse) == len(problem.variables[variable]):
        return coarse
    low = coarse[max(option - 1, 0)]
    high = coarse[min(option + 1, len(coarse) - 1)]
    near = np.arange(low, high + 1)
    return near if len(near) <= 3 * COARSE else near[_coarse(len(near))]


def _recentred(problem: Problem, variable: int, near: IntArray, option: int) -> IntArray:
    """Same options, or as many around the best one where it is the first or last of them."""
    last = len(problem.variables[variable]) - 1
    if near[0] < option < near[-1] or option in (0, last):
        return near
    around: IntArray = near - near[len(near) // 2] + option
    return around[(around >= 0) & (around <= last)]


def _translated(options: list[IntArray], chosen: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(o[c]) for o, c in zip(options, chosen, strict=True))
