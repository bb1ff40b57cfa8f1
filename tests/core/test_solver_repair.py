"""What the solver does where a price alone does not land: repair, swaps, one finer group."""

import numpy as np
import pytest
from networks import chain, group, layer, network, residual_network, scores, vit

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.network import Metric
from ap_core.solver.fill import Neighbourhood, fill, lower
from ap_core.solver.multiplier import bound, search_prices
from ap_core.solver.options import allowed_by
from ap_core.solver.pairs import best_swap, pair_moves
from ap_core.solver.problem import make_problem
from ap_core.solver.solve import solve
from ap_core.solver.trim import trimmed
from ap_core.solver.values import worths
from ap_core.strategy import Strategy


def budget(of, share):
    whole = CostModel(of).macs(of.whole)
    return Budget(caps=(Cap(metric=Metric.MACS, limit=int(share * whole)),), band=0.05)


def problem_of(of, share, strategy=None, seed=0):
    strategy = strategy or Strategy()
    limit, found = budget(of, share), scores(of, seed)
    allowed = allowed_by(strategy, of)
    worth = worths(of, found, strategy, limit, allowed.groups)
    return make_problem(of, allowed, worth, limit, smoothing=0.0)


@pytest.mark.parametrize("of", [residual_network(), vit(), chain([64, 128, 64])])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_lowering_the_whole_network_keeps_to_the_cap(of, share) -> None:
    problem = problem_of(of, share)
    whole = [len(variable) - 1 for variable in problem.variables]
    options = lower(problem, whole, Neighbourhood.of(problem))
    assert (problem.costs(options) <= problem.limits).all()
    assert problem.value(options) > 0


def test_lowering_ends_where_nothing_can_be_saved() -> None:
    problem = problem_of(residual_network(), 0.01)
    least = [0] * len(problem.variables)
    assert lower(problem, least, Neighbourhood.of(problem)) is None


def test_a_swap_keeps_to_the_cap_and_leaves_little() -> None:
    problem = problem_of(residual_network(blocks=6), 0.5, Strategy(round_to=1))
    near = Neighbourhood.of(problem)
    start = fill(problem, lower(problem, [len(v) - 1 for v in problem.variables], near), near)
    swapped = best_swap(problem, start, near, 1e-3)
    assert swapped is not None
    left = float((1 - problem.costs(swapped) / problem.limits).min())
    assert 0 <= left <= 1e-3


def test_there_is_no_swap_where_nothing_is_free() -> None:
    problem = problem_of(residual_network(), 0.9, Strategy(keep=("*",)))
    options = [0] * len(problem.variables)
    assert best_swap(problem, options, Neighbourhood.of(problem), 1e-9) is None


def test_moves_of_a_pair_keep_to_the_cap() -> None:
    problem = problem_of(chain([64, 128]), 0.4)
    near = Neighbourhood.of(problem)
    start = lower(problem, [len(v) - 1 for v in problem.variables], near)
    moves = list(pair_moves(problem, start, near, 5e-4))
    assert moves
    assert all((problem.costs(each) <= problem.limits).all() for each in moves)


def one_group_alone():
    return network([group("c", 64)], [layer("c", 1000, "c")])


def test_one_group_is_widened_by_less_than_a_step() -> None:
    of = one_group_alone()
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=46_010),), band=0.2)
    widths, left = trimmed(of, limit, {"c": 40}, allowed_by(Strategy(), of, finer=4).groups)
    assert widths == {"c": 46}
    assert left == pytest.approx(10 / 46_010)


def test_what_is_within_the_caps_by_no_wider_group_stays() -> None:
    of = one_group_alone()
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=40_500),), band=0.2)
    widths, left = trimmed(of, limit, {"c": 40}, allowed_by(Strategy(), of, finer=8).groups)
    assert widths == {"c": 40}
    assert left == pytest.approx(500 / 40_500)


def test_default_multiples_give_way_to_use_up_the_cap_and_named_ones_do_not() -> None:
    of = one_group_alone()
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=46_010),), band=0.2)
    assert solve(of, scores(of), Strategy(), limit).widths == {"c": 46}
    assert solve(of, scores(of), Strategy(round_to=8), limit).widths == {"c": 40}


def test_a_bound_from_options_taken_together_is_above_the_exact_one() -> None:
    problem = problem_of(residual_network(blocks=2, width=512), 0.5, Strategy(round_to=1))
    priced = search_prices(problem)
    assert priced is not None
    exact = bound(problem, priced)
    from ap_core.solver import multiplier

    relaxed = bound(multiplier._relaxed(problem, priced.options), priced)
    assert exact is not None
    assert relaxed is not None
    assert relaxed >= exact - 1e-9
    assert exact >= problem.value(priced.options) - 1e-9
    assert np.isfinite(relaxed)
