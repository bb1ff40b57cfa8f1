"""Filling what is left below the caps: exact, by windowed knapsacks over separable variables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.options import IntArray
from ap_core.solver.problem import Problem

PASSES = ((6, 1024), (2, 1024), (1, 4096))
"""Steps each way that a knapsack looks at, and cells that the free part of the budget is divided
into: far moves first, then what is left is used up finely."""


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """Which products each variable is in, and which variables share one, or a block's gate."""

    products: tuple[tuple[int, ...], ...]
    rivals: tuple[frozenset[int], ...]

    @classmethod
    def of(cls, problem: Problem) -> "Neighbourhood":
        """Neighbourhood of every variable of a problem."""
        products: list[list[int]] = [[] for _ in problem.variables]
        rivals: list[set[int]] = [set() for _ in problem.variables]
        for number, product in enumerate(problem.products):
            members = [v for v, _ in product.factors]
            for v in members:
                products[v].append(number)
                rivals[v].update(m for m in members if m != v)
        for v, each in enumerate(problem.variables):
            if each.gate is not None:
                rivals[v].add(each.gate)
                rivals[each.gate].add(v)
        return cls(
            products=tuple(tuple(p) for p in products),
            rivals=tuple(frozenset(r) for r in rivals),
        )


@dataclass(frozen=True, kw_only=True)
class _Moves:
    """Options near the present one: their costs (options, caps) and values (options,)."""

    variable: int
    options: IntArray
    costs: FloatArray = field(repr=False)
    values: FloatArray = field(repr=False)


def fill(problem: Problem, options: Sequence[int], near: Neighbourhood) -> tuple[int, ...]:
    """Options of at least the same value that keep to the caps and leave as little as possible.

    options: must keep to the caps.
    """
    best = tuple(options)
    for window, cells in PASSES:
        for members in _independent(problem, best, near):
            best = _knapsack(problem, best, near, members, window, cells)
    return _greedy(problem, best, near)


def _independent(
    problem: Problem, options: Sequence[int], near: Neighbourhood
) -> Iterator[list[int]]:
    """Two sets of variables no two of which share a product, cheapest steps first."""
    free = [v for v, each in enumerate(problem.variables) if len(each) > 1]
    cost = {v: _step_cost(problem, options, near, v) for v in free}
    taken: set[int] = set()
    for _ in range(2):
        members: list[int] = []
        blocked: set[int] = set()
        for v in sorted(free, key=lambda v: (v in taken, cost[v], v)):
            if v not in blocked:
                members.append(v)
                blocked |= near.rivals[v]
        taken |= set(members)
        yield members


def _step_cost(problem: Problem, options: Sequence[int], near: Neighbourhood, v: int) -> float:
    costs = variable_costs(problem, options, near, v) / problem.limits
    return float((costs.max(axis=0) - costs.min(axis=0)).max()) / len(costs)


def variable_costs(
    problem: Problem, options: Sequence[int], near: Neighbourhood, v: int
) -> FloatArray:
    """Cost of the products of one variable at each of its options, the rest fixed: (n, caps)."""
    costs = np.zeros((len(problem.variables[v]), len(problem.limits)))
    for number in near.products[v]:
        product = problem.products[number]
        size = np.ones(len(problem.variables[v]))
        for other, form in product.factors:
            column = problem.column(other, form)
            size = size * (column if other == v else column[options[other]])
        costs += size[:, None] * product.coefficients
    return costs


def _knapsack(
    problem: Problem,
    options: tuple[int, ...],
    near: Neighbourhood,
    members: Sequence[int],
    window: int,
    cells: int,
) -> tuple[int, ...]:
    """Best options of some separable variables near the present ones, by dynamic programming.

    Costs are rounded up to cells, so that what fits there fits in truth.
    """
    moves = [_moves(problem, options, near, v, window) for v in members]
    moves = [m for m in moves if len(m.options) > 1]
    if not moves:
        return options
    floor = [m.costs.min(axis=0) for m in moves]
    now = problem.costs(options)
    present = sum(m.costs[m.options == options[m.variable]][0] for m in moves)
    slack = problem.limits - (now - present + sum(floor))
    usable = [c for c in range(len(slack)) if slack[c] > 0]
    if len(usable) < len(slack):
        return options
    weights = [
        np.ceil(((m.costs - low) / slack).max(axis=1) * cells * (1 - 1e-12)).astype(np.int64)
        for m, low in zip(moves, floor, strict=True)
    ]
    chosen = _dynamic(weights, [m.values for m in moves], cells)
    if chosen is None:
        return options
    result = list(options)
    for m, choice in zip(moves, chosen, strict=True):
        result[m.variable] = int(m.options[choice])
    better = problem.value(result) > problem.value(options)
    return tuple(result) if better and problem.allows(result) else options


def _moves(
    problem: Problem, options: Sequence[int], near: Neighbourhood, v: int, window: int
) -> _Moves:
    """Options of a variable whose costs are near the present one's: `window` steps each way."""
    costs = variable_costs(problem, options, near, v)
    order = np.argsort(costs[:, 0], kind="stable")
    place = int(np.flatnonzero(order == options[v])[0])
    around = order[max(place - window, 0) : place + window + 1]
    return _Moves(
        variable=v,
        options=around,
        costs=costs[around],
        values=problem.values(v, options)[around],
    )


def _dynamic(
    weights: Sequence[IntArray], values: Sequence[FloatArray], cells: int
) -> list[int] | None:
    """Multiple-choice knapsack: one option each, most value; None if none fits."""
    best = np.zeros(cells + 1)
    choices = []
    for weight, value in zip(weights, values, strict=True):
        candidates = np.full((len(weight), cells + 1), -np.inf)
        for number, (size, gain) in enumerate(zip(weight.tolist(), value.tolist(), strict=True)):
            if size <= cells:
                candidates[number, size:] = best[: cells + 1 - size] + gain
        choice = candidates.argmax(axis=0)
        best = np.take_along_axis(candidates, choice[None], axis=0)[0]
        choices.append(choice)
    cell = int(best.argmax())
    if not np.isfinite(best[cell]):
        return None
    picked = []
    for weight, choice in zip(reversed(weights), reversed(choices), strict=True):
        number = int(choice[cell])
        picked.append(number)
        cell -= int(weight[number])
    return picked[::-1]


def _greedy(problem: Problem, options: tuple[int, ...], near: Neighbourhood) -> tuple[int, ...]:
    """Single moves that add most value and still fit, until none does."""
    result = list(options)
    while True:
        left = problem.limits - problem.costs(result)
        gain, move = 0.0, None
        for v, variable in enumerate(problem.variables):
            if len(variable) < 2:
                continue
            costs = variable_costs(problem, result, near, v)
            extra = costs - costs[result[v]]
            values = problem.values(v, result)
            more = values - values[result[v]]
            fits = (extra <= left).all(axis=1) & (more > gain)
            if fits.any():
                option = int(np.argmax(np.where(fits, more, -np.inf)))
                gain, move = float(more[option]), (v, option)
        if move is None:
            return tuple(result)
        result[move[0]] = move[1]


def lower(problem: Problem, options: Sequence[int], near: Neighbourhood) -> tuple[int, ...] | None:
    """Options that keep to the caps, from ones that do not: the least value for the most cost, move
    by move; None where no move saves any more.
    """
    result = list(options)
    stale = set(range(len(problem.variables)))
    moves: dict[int, tuple[float, int]] = {}
    while not problem.allows(result):
        for v in stale:
            moves.pop(v, None)
            found = _cheapest_loss(problem, result, near, v)
            if found is not None:
                moves[v] = found
        if not moves:
            return None
        v = min(moves, key=lambda v: (moves[v], v))
        result[v] = moves[v][1]
        stale = {v, *near.rivals[v]}
    return tuple(result)


def _cheapest_loss(
    problem: Problem, options: Sequence[int], near: Neighbourhood, v: int
) -> tuple[float, int] | None:
    """Value lost for each share of a cap saved, at the least, and the option; None if none does.

    What saves of one cap at the expense of another is left out: it could be undone for ever.
    """
    costs = variable_costs(problem, options, near, v) / problem.limits
    saved = costs[options[v]] - costs
    useful = np.flatnonzero((saved >= 0).all(axis=1) & (saved > 0).any(axis=1))
    if not len(useful):
        return None
    values = problem.values(v, options)
    ratios = (values[options[v]] - values[useful]) / saved[useful].max(axis=1)
    place = int(np.argmin(ratios))
    return float(ratios[place]), int(useful[place])
