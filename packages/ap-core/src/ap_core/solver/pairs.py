"""Moving two coupled variables at once, where single moves cannot use what is left of the caps."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from ap_core.solver.fill import Neighbourhood, variable_costs
from ap_core.solver.options import IntArray
from ap_core.solver.problem import Problem

REACH = 12
"""Options on either side of the present one that a pair move looks at."""

MOST = 24
"""Pairs that are tried."""


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
        if one < other
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
        values = problem.variables[one].values[option] + problem.variables[other].values[around]
        for number in np.flatnonzero(slack >= 0).tolist():
            close = bool(slack[number] <= enough)
            key = (close, float(values[number] if close else -slack[number]))
            if key > best:
                trial[other] = int(around[number])
                best, moved = key, tuple(trial)
    return moved


def _around(problem: Problem, options: Sequence[int], v: int) -> IntArray:
    low = max(options[v] - REACH, 0)
    return np.arange(low, min(options[v] + REACH + 1, len(problem.variables[v])))
