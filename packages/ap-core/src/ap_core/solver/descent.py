"""A plan where exact elimination is too large: coordinate ascent under a price. Proves no bound."""

import numpy as np

from ap_core.solver.fill import Neighbourhood, variable_costs
from ap_core.solver.problem import Problem

SWEEPS = 6
HALVINGS = 24


def ascend(problem: Problem, near: Neighbourhood) -> tuple[int, ...]:
    """Options that keep to the caps: for each price, every variable in turn at its best."""
    low, high = 0.0, 1.0
    best = tuple(int(np.argmin(v.widths.prod(axis=1))) for v in problem.variables)
    while not problem.allows(_at(problem, near, high)) and high < 2.0**60:
        low, high = high, high * 4
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = _at(problem, near, middle)
        if not problem.allows(found):
            low = middle
            continue
        high = middle
        if problem.value(found) > problem.value(best):
            best = found
    return best


def _at(problem: Problem, near: Neighbourhood, price: float) -> tuple[int, ...]:
    options = [len(v) - 1 for v in problem.variables]
    for _ in range(SWEEPS):
        before = list(options)
        for v, variable in enumerate(problem.variables):
            if len(variable) > 1:
                costs = variable_costs(problem, options, near, v) / problem.limits
                gains = problem.values(v, options) - price * costs.sum(axis=1)
                options[v] = int(np.argmax(gains))
        if options == before:
            break
    return tuple(options)
