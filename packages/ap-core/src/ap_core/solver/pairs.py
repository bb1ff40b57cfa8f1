"""Moving two coupled variables at once, where single moves cannot use what is left of the caps."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from ap_core.scores import FloatArray
from ap_core.solver.fill import Neighbourhood, variable_costs
from ap_core.solver.options import IntArray
from ap_core.solver.problem import Problem

REACH = 12
"""Options on either side of the present one that a pair move looks at."""

MOST = 24
"""Pairs that are tried."""

SMALL, MOVED = 10, 48
"""Small moves of a variable, and variables that make them: those that couple least."""


def pair_moves(
    problem: Problem, options: Sequence[int], near: Neighbourhood, enough: float
) -> Iterator[tuple[int, ...]]:
    """For each of a few pairs, the options of most value that keep to the caps and use them up.

    enough: share of the tightest cap that may be left; where no move of a pair leaves so little,
    the one that leaves least.
    """
    pairs = (
        (one, other)
        for one, rivals in enumerate(near.rivals)
        for other in sorted(rivals)
        if one < other and not problem.encloses(one, other) and not problem.encloses(other, one)
    )
    for one, other in islice(pairs, MOST):
        found = _best_of_pair(problem, options, near, (one, other), enough)
        if found is not None:
            yield found


def _best_of_pair(
    problem: Problem,
    options: Sequence[int],
    near: Neighbourhood,
    pair: tuple[int, int],
    enough: float,
) -> tuple[int, ...] | None:
    one, other = pair
    best, moved = (False, -np.inf), None
    around = _around(problem, options, other)
    for option in _around(problem, options, one).tolist():
        trial = [*options[:one], option, *options[one + 1 :]]
        costs = variable_costs(problem, trial, near, other)
        left = (problem.limits - problem.costs(trial) + costs[trial[other]] - costs[around]) / (
            problem.limits
        )
        slack = left.min(axis=1)
        values = problem.values(one, trial)[option] + problem.values(other, trial)[around]
        for number in np.flatnonzero(slack >= 0).tolist():
            close = bool(slack[number] <= enough)
            key = (close, float(values[number] if close else -slack[number]))
            if key > best:
                trial[other] = int(around[number])
                best, moved = key, tuple(trial)
    return moved


def best_swap(
    problem: Problem, options: Sequence[int], near: Neighbourhood, enough: float
) -> tuple[int, ...] | None:
    """Two variables moved a little, so that at most `enough` of the tightest cap is left, at the
    least loss of value; None where no two can.
    """
    owners, targets, costs, values = _small_moves(problem, options, near)
    left = 1 - problem.costs(options) / problem.limits
    slack = (left - costs[:, None, :] - costs[None, :, :]).min(axis=2)
    apart = np.array([[_are_apart(near, one, other) for other in owners] for one in owners])
    fits = (slack >= 0) & (slack <= enough) & apart
    if not fits.any():
        return None
    gains = np.where(fits, values[:, None] + values[None, :], -np.inf)
    first, second = np.unravel_index(int(np.argmax(gains)), gains.shape)
    result = list(options)
    for move in (int(first), int(second)):
        if owners[move] >= 0:
            result[owners[move]] = targets[move]
    return tuple(result)


def _small_moves(
    problem: Problem, options: Sequence[int], near: Neighbourhood
) -> tuple[list[int], list[int], FloatArray, FloatArray]:
    """Owner, option, change of cost (shares of the caps) and of value, of every small move.

    The first one is to stay: its owner is -1.
    """
    owners, targets = [-1], [0]
    costs, values = [np.zeros(len(problem.limits))], [0.0]
    free = [v for v, each in enumerate(problem.variables) if len(each) > 1]
    for v in sorted(free, key=lambda v: (len(near.rivals[v]), v))[:MOVED]:
        each = variable_costs(problem, options, near, v) / problem.limits
        near_in_cost = np.argsort(np.abs(each[:, 0] - each[options[v], 0]), kind="stable")
        for option in near_in_cost[: SMALL + 1].tolist():
            if option == options[v]:
                continue
            owners.append(v)
            targets.append(option)
            costs.append(each[option] - each[options[v]])
            gains = problem.values(v, options)
            values.append(float(gains[option] - gains[options[v]]))
    return owners, targets, np.array(costs), np.array(values)


def _are_apart(near: Neighbourhood, one: int, other: int) -> bool:
    """Whether moves of two variables do not change each other's cost."""
    if one < 0 or other < 0:
        return True
    return one != other and other not in near.rivals[one]


def _around(problem: Problem, options: Sequence[int], v: int) -> IntArray:
    low = max(options[v] - REACH, 0)
    return np.arange(low, min(options[v] + REACH + 1, len(problem.variables[v])))
