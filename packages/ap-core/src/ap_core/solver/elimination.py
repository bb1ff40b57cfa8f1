"""The exact maximum of values minus priced costs, by eliminating one variable after the other.

Two variables interact where a cost term names both. Eliminating a variable replaces it by a table
over its neighbours: the best that it can do for each of their options. Networks are chains of
stages with small blocks hung on them, so the tables stay small.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.options import IntArray
from ap_core.solver.problem import LINEAR, Problem, Product

TABLE_LIMIT = 3_000_000
"""Entries of the largest table that is worth building."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One variable to eliminate.

    neighbours: variables that its table is over. linear: whether its costs are linear in its one
    width and its values concave: then the best option follows from the price of a channel alone.
    costs: (caps,) lists of arrays over (neighbours) if linear, else over (variable, neighbours),
        that broadcast against each other: their sum is the cost, per unit of width if linear.
    tables: numbers of the steps whose tables this variable is in.
    falls: if linear, the negated value that a channel adds from one option to the next, ascending.
    stays: what the values are multiplied by, 0 where the block around the variable is dropped; an
        array that broadcasts as those of the costs do.
    """

    variable: int
    neighbours: tuple[int, ...]
    linear: bool
    costs: tuple[tuple[FloatArray, ...], ...] = field(repr=False)
    tables: tuple[int, ...]
    falls: FloatArray = field(repr=False)
    stays: FloatArray = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Elimination:
    """An order of elimination for one problem, with everything that no price changes."""

    problem: Problem
    steps: tuple[Step, ...]

    def maximise(self, prices: FloatArray) -> tuple[list[int], float]:
        """Options that maximise value minus prices times costs, and that maximum.

        prices: (caps,), >= 0. Exact. The cost that no variable changes is not in the maximum.
        """
        tables: list[FloatArray] = []
        chosen: list[IntArray] = []
        best = 0.0
        for step in self.steps:
            table, choice = self._eliminate(step, prices, tables)
            tables.append(table)
            chosen.append(choice)
            if not step.neighbours:
                best += float(table)
        options = [0] * len(self.problem.variables)
        for step, choice in zip(reversed(self.steps), reversed(chosen), strict=True):
            where = tuple(options[n] for n in step.neighbours)
            options[step.variable] = int(choice[where])
        return options, best

    def _eliminate(
        self, step: Step, prices: FloatArray, tables: Sequence[FloatArray]
    ) -> tuple[FloatArray, IntArray]:
        variable = self.problem.variables[step.variable]
        shape = tuple(len(self.problem.variables[n]) for n in step.neighbours)
        if step.linear:
            price = np.zeros(shape)
            for cap, arrays in zip(prices, step.costs, strict=True):
                for array in arrays:
                    price = price + cap * array
            choice = np.searchsorted(step.falls, -price, side="left")
            # Of what goes with its block, the least: so little is needed to bring the block back.
            choice = np.where(step.stays > 0, choice, 0)
            kept = variable.values[choice] * step.stays
            return kept - price * variable.widths[choice, 0], choice
        size = len(variable)
        score = variable.values.reshape(size, *[1] * len(shape)) * step.stays
        for cap, arrays in zip(prices, step.costs, strict=True):
            for array in arrays:
                score = score - cap * array
        axes = (step.variable, *step.neighbours)
        for number in step.tables:
            score = score + _aligned(tables[number], self.steps[number].neighbours, axes)
        score = np.broadcast_to(score, (size, *shape))
        choice = np.argmax(score, axis=0)
        return np.take_along_axis(score, choice[None], axis=0)[0], choice


def plan_elimination(problem: Problem) -> Elimination | None:
    """Order of elimination with small tables; None where every order needs a large one.

    What is inside a block goes before the variable that says whether it stays.
    """
    around: dict[int, set[int]] = {v: set() for v in range(len(problem.variables))}
    for product in problem.products:
        for one, _ in product.factors:
            around[one] |= {other for other, _ in product.factors if other != one}
    for v, each in enumerate(problem.variables):
        if each.gate is not None:
            around[v].add(each.gate)
            around[each.gate].add(v)
    products = list(problem.products)
    open_tables: dict[int, tuple[int, ...]] = {}
    sizes = {v: _table_size(problem, v, near) for v, near in around.items()}
    steps: list[Step] = []
    while around:
        variable = min(sizes, key=lambda v: (_gates_any(problem, v, around), sizes[v], v))
        if sizes.pop(variable) > TABLE_LIMIT:
            return None
        neighbours = tuple(sorted(around.pop(variable)))
        mine = [p for p in products if any(v == variable for v, _ in p.factors)]
        products = [p for p in products if all(v != variable for v, _ in p.factors)]
        inside = tuple(number for number, over in open_tables.items() if variable in over)
        for number in inside:
            del open_tables[number]
        steps.append(_step(problem, variable, neighbours, mine, inside))
        if neighbours:
            open_tables[len(steps) - 1] = neighbours
        for one in neighbours:
            around[one] = (around[one] | set(neighbours)) - {one, variable}
            sizes[one] = _table_size(problem, one, around[one])
    return Elimination(problem=problem, steps=tuple(steps))


def _gates_any(problem: Problem, variable: int, left: Mapping[int, object]) -> bool:
    """Whether a variable is the gate of one that is left."""
    return any(v in left for v in problem.inside[variable])


def _table_size(problem: Problem, variable: int, neighbours: set[int]) -> int:
    size = len(problem.variables[variable])
    for each in neighbours:
        size *= len(problem.variables[each])
    return size


def _step(
    problem: Problem,
    variable: int,
    neighbours: tuple[int, ...],
    products: Sequence[Product],
    tables: tuple[int, ...],
) -> Step:
    linear = not tables and _is_linear(problem, variable, products)
    axes = neighbours if linear else (variable, *neighbours)
    costs: list[list[FloatArray]] = [[] for _ in problem.limits]
    for product in products:
        others = [f for f in product.factors if not linear or f[0] != variable]
        shape = np.ones((1,) * len(axes))
        for v, form in others:
            column = problem.column(v, form)
            place = [1] * len(axes)
            place[axes.index(v)] = len(column)
            shape = shape * column.reshape(place)
        for number, coefficient in enumerate(product.coefficients):
            if coefficient:
                costs[number].append(coefficient * shape)
    each = problem.variables[variable]
    stays = np.ones((1,) * len(axes))
    if each.gate is not None:
        place = [1] * len(axes)
        place[axes.index(each.gate)] = -1
        stays = problem.variables[each.gate].widths[:, 0].astype(np.float64).reshape(place)
    return Step(
        variable=variable,
        falls=-np.diff(each.values) / np.diff(each.widths[:, 0]) if linear else np.empty(0),
        neighbours=neighbours,
        linear=linear,
        costs=tuple(_merged(arrays) for arrays in costs),
        tables=tables,
        stays=stays,
    )


def _merged(arrays: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """Arrays of one shape added up."""
    by_shape: dict[tuple[int, ...], FloatArray] = {}
    for array in arrays:
        by_shape[array.shape] = by_shape.get(array.shape, 0.0) + array
    return tuple(by_shape.values())


def _is_linear(problem: Problem, variable: int, products: Sequence[Product]) -> bool:
    each = problem.variables[variable]
    if len(each.groups) != 1:
        return False
    forms = [form for product in products for v, form in product.factors if v == variable]
    if any(form != LINEAR for form in forms) or len(each) < 2:
        return all(form == LINEAR for form in forms)
    slopes = np.diff(each.values) / np.diff(each.widths[:, 0])
    return bool((np.diff(slopes) <= 1e-12 * np.abs(slopes[:-1])).all())


def _aligned(table: FloatArray, over: tuple[int, ...], axes: tuple[int, ...]) -> FloatArray:
    """Table over some of the axes, made to broadcast against all of them."""
    order = sorted(range(len(over)), key=lambda i: axes.index(over[i]))
    moved = np.transpose(table, order)
    shape = [1] * len(axes)
    for axis, size in zip((axes.index(over[i]) for i in order), moved.shape, strict=True):
        shape[axis] = size
    return moved.reshape(shape)
