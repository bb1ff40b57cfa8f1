"""What the solver says of its own plans: within the caps as integers, and below a proven bound."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, group, layer, network, residual_network, scores, vit

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.network import Metric
from ap_core.solver.candidates import chosen
from ap_core.solver.multiplier import search_prices
from ap_core.solver.options import allowed_by
from ap_core.solver.problem import make_problem
from ap_core.solver.solve import bounded, solve, within_caps
from ap_core.solver.values import worths
from ap_core.strategy import Strategy


def budget(limit, metric=Metric.MACS):
    return Budget(caps=(Cap(metric=metric, limit=limit),), band=0.2)


def solve_options(problem):
    priced = search_prices(problem)
    assert priced is not None
    return priced.options


def upside_down(variable):
    """The narrower, the more it is worth."""
    return replace(variable, values=variable.values[::-1])


def problem_of(of, limit, strategy):
    allowed = allowed_by(strategy, of)
    worth = worths(of, scores(of), strategy, limit, allowed.groups)
    return make_problem(of, allowed, worth, limit, smoothing=0.0)


@pytest.mark.parametrize("metric", [Metric.MACS, Metric.PARAMS])
def test_a_plan_that_is_over_a_cap_by_one_is_a_bug(metric) -> None:
    of = residual_network()
    limit = budget(CostModel(of).cost(metric, of.whole) // 2, metric)
    plan = solve(of, scores(of), Strategy(), limit)
    cost = CostModel(of).cost(metric, plan.widths)
    assert within_caps(plan, budget(cost, metric)) is plan
    with pytest.raises(
        RuntimeError, match=r"the solver's plan is 1 (MACs|parameters) over its cap"
    ):
        within_caps(plan, budget(cost - 1, metric))


def test_what_is_over_a_cap_is_never_chosen_though_it_is_worth_more() -> None:
    of = residual_network()
    problem = problem_of(of, budget(CostModel(of).macs(of.whole) // 2), Strategy())
    least = tuple(0 for _ in problem.variables)
    whole = tuple(len(variable) - 1 for variable in problem.variables)
    assert problem.value(whole) > problem.value(least)
    assert chosen(problem, [whole, least], bands=np.array([0.2]), tight=5e-4) == least


@pytest.mark.parametrize(
    ("bands", "best"), [([0.2, 0.2], "near"), ([0.2, 1.0], "near"), ([1.0, 0.2], "far")]
)
def test_a_cap_that_may_be_left_far_below_leaves_the_choice_to_the_value(bands, best) -> None:
    of = residual_network()
    whole = CostModel(of)
    caps = (
        Cap(metric=Metric.MACS, limit=whole.macs(of.whole) // 2),
        Cap(metric=Metric.PARAMS, limit=whole.params(of.whole)),
    )
    problem = problem_of(of, Budget(caps=caps), Strategy())
    near = solve_options(problem)
    far = tuple(max(0, option - 5) for option in near)
    assert problem.costs(far)[0] < 0.8 * problem.limits[0]
    worth_more = replace(problem, variables=tuple(map(upside_down, problem.variables)))
    assert worth_more.value(far) > worth_more.value(near)
    found = chosen(worth_more, [near, far], bands=np.array(bands), tight=5e-4)
    assert found == {"near": near, "far": far}[best]


def test_a_plan_above_its_bound_is_a_bug() -> None:
    of = residual_network()
    limit = budget(CostModel(of).macs(of.whole) // 2)
    plan = solve(of, scores(of), Strategy(), limit)
    problem = problem_of(of, limit, Strategy())
    priced = search_prices(problem)
    assert priced is not None
    assert bounded(plan, problem, priced).bound == pytest.approx(plan.bound)
    with pytest.raises(RuntimeError, match=r"the solver's plan is worth 1\.5, above its bound 0\."):
        bounded(replace(plan, value=1.5), problem, priced)


def test_a_bound_is_that_of_the_finer_options_where_one_group_is_finer() -> None:
    of = network([group("c", 64)], [layer("c", 1000, "c")])
    plan = solve(of, scores(of), Strategy(), budget(46_040))
    single = solve(of, scores(of), Strategy(round_to=2), budget(46_040))
    assert plan.widths == single.widths == {"c": 46}
    assert single.bound <= plan.bound < single.bound + 1 / 64


@pytest.mark.parametrize("of", [residual_network(blocks=2), vit(blocks=2), chain([40, 60, 30])])
@pytest.mark.parametrize("share", [0.33, 0.47, 0.71])
def test_bounds_are_never_lifted_to_the_plans_value(of, share) -> None:
    plan = solve(of, scores(of), Strategy(), budget(int(share * CostModel(of).macs(of.whole))))
    assert plan.bound is not None
    assert plan.value < plan.bound < plan.value + 0.05


def test_a_width_that_is_fixed_is_not_made_finer() -> None:
    of = network([group("a", 64), group("b", 64)], [layer("a", 1000, "a"), layer("b", 300, "b")])
    strategy = Strategy(widths={"b": 0.53})
    plan = solve(of, scores(of), strategy, budget(50_220))
    assert plan.widths["b"] == 32
