"""Blocks are dropped whole where a strategy says so, or where it pays; what is inside goes too."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from networks import chain, network, residual_network, scores, vit, with_blocks

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.errors import OutOfReachError, UsageError
from ap_core.network import Metric
from ap_core.plan import digest, dropped_blocks
from ap_core.scores import Scores
from ap_core.solver import raw_plan, solve
from ap_core.solver.options import allowed_by
from ap_core.solver.problem import make_problem
from ap_core.solver.reach import reach
from ap_core.solver.values import worths
from ap_core.strategy import Strategy

DEEP = Strategy(depth=True)


def wide():
    """Enough blocks and channels that a block is a small part of the whole."""
    return residual_network(blocks=8, width=256, hidden=1024)


def budget(of, share, *, band=0.005, metrics=(Metric.MACS,)):
    model = CostModel(of)
    caps = tuple(Cap(metric=m, limit=int(share * model.cost(m, of.whole))) for m in metrics)
    return Budget(caps=caps, band=band)


def weakened(of, groups, factor=1e-3) -> Scores:
    """Scores that fall evenly from channel to channel, small ones in some groups."""
    found = scores(of)
    values = {
        name: np.tile(np.linspace(1.0, 0.5, each.shape[1]), (len(each), 1))
        * (factor if name in groups else 1.0)
        for name, each in found.values.items()
    }
    return replace(found, values=values, additive=True)


def dropped(of, plan):
    return [block.name for block in dropped_blocks(of, plan)]


@settings(max_examples=40, deadline=None)
@given(
    hidden=st.lists(st.integers(3, 5), min_size=2, max_size=3),
    width=st.integers(3, 5),
    share=st.floats(0.2, 0.9),
    seed=st.integers(0, 1000),
    both=st.booleans(),
)
def test_plans_are_near_the_best_and_below_the_bound(hidden, width, share, seed, both):
    of = residual_network(blocks=len(hidden), width=width)
    groups = tuple(
        replace(g, width=hidden[int(g.stage.removeprefix("block"))] if g.name != "stem" else width)
        for g in of.groups
    )
    of = with_blocks(network(groups, of.layers))
    strategy = Strategy(depth=True, floor=0.01, round_to=1)
    metrics = (Metric.MACS, Metric.PARAMS) if both else (Metric.MACS,)
    limit, found = budget(of, share, band=0.99, metrics=metrics), scores(of, seed)
    try:
        plan = solve(of, found, strategy, limit)
    except OutOfReachError:
        assert any(reach(of, strategy)[cap.metric][0] > cap.limit for cap in limit.caps)
        return
    best = best_by_trying(of, found, strategy, limit)
    assert plan.value <= best + 1e-9
    # A channel of so few is a large step.
    assert plan.value >= best - 0.2
    assert plan.bound is None or plan.bound >= best - 1e-9


def best_by_trying(of, found, strategy, limit):
    allowed = allowed_by(strategy, of)
    worth = worths(of, found, strategy, limit, allowed.groups)
    problem = make_problem(of, allowed, worth, limit, smoothing=0.0)
    every = product(*(range(len(v)) for v in problem.variables))
    return max(problem.value(o) for o in every if problem.allows(o)) / problem.total


@pytest.mark.parametrize("make", [wide, vit])
def test_a_block_that_is_worth_nothing_is_dropped_and_another_is_not(make):
    of = with_blocks(make())
    inside = of.blocks[1].groups
    half = Strategy(depth=True, floor=0.5, keep=("residual",))
    plan = solve(of, weakened(of, inside), half, budget(of, 0.7))
    assert dropped(of, plan) == [of.blocks[1].name]
    assert {plan.widths[name] for name in inside} == {0}
    assert {plan.kept[name] for name in inside} == {()}
    assert plan.macs <= 0.7 * CostModel(of).macs(of.whole)


def test_what_a_dropped_block_costs_buys_channels_elsewhere():
    of = with_blocks(wide())
    found, limit = weakened(of, of.blocks[1].groups), budget(of, 0.5)
    deep = solve(of, found, Strategy(depth=True, floor=0.4, keep=("stem",)), limit)
    flat = solve(of, found, Strategy(floor=0.4, keep=("stem",)), limit)
    assert dropped(of, deep)
    assert not dropped(of, flat)
    assert deep.value > flat.value
    others = [name for name in of.whole if name not in ("block1", "block1.fc1")]
    assert sum(deep.widths[n] for n in others) > sum(flat.widths[n] for n in others)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.3, 0.9), seed=st.integers(0, 100))
def test_that_blocks_may_go_never_makes_a_plan_worse(share, seed):
    of = with_blocks(residual_network())
    found, limit = scores(of, seed), budget(of, share)
    try:
        flat = solve(of, found, Strategy(), limit)
    except OutOfReachError:
        # So small a network has budgets that no widths come near.
        reject()
    assert solve(of, found, DEEP, limit).value >= flat.value - 2e-3


@pytest.mark.parametrize("make", [residual_network, vit])
def test_blocks_that_are_named_are_dropped_and_those_only(make):
    of = with_blocks(make())
    plan = solve(of, scores(of), Strategy(drop=("block[02]",)), budget(of, 0.4))
    assert dropped(of, plan) == ["block0", "block2"]


def test_a_block_that_is_kept_is_not_dropped_whatever_it_is_worth():
    of = with_blocks(residual_network())
    found = weakened(of, of.blocks[1].groups)
    plan = solve(of, found, Strategy(depth=True, keep=("block1",)), budget(of, 0.5))
    assert "block1" not in dropped(of, plan)


def test_without_depth_no_block_is_dropped():
    of = with_blocks(residual_network())
    plan = solve(of, weakened(of, of.blocks[1].groups), Strategy(), budget(of, 0.4))
    assert dropped(of, plan) == []


def test_depth_reaches_budgets_that_floors_do_not():
    of = with_blocks(residual_network())
    limit = budget(of, 0.2)
    with pytest.raises(OutOfReachError, match="cannot be cut to") as caught:
        solve(of, scores(of), Strategy(floor=0.5), limit)
    assert "--depth, which drops blocks whole, reaches" in caught.value.hint
    plan = solve(of, scores(of), Strategy(floor=0.5, depth=True), limit)
    assert plan.macs <= limit.caps[0].limit


def test_raw_strategies_drop_what_they_name_and_cut_nothing_else():
    of = with_blocks(vit())
    plan = raw_plan(of, scores(of), Strategy(drop=("block1",)))
    assert dropped(of, plan) == ["block1"]
    kept = {n: w for n, w in plan.widths.items() if n not in ("block1", *of.blocks[1].groups)}
    assert kept == {name: of.whole[name] for name in kept}


def test_plans_that_drop_other_blocks_have_other_digests():
    of = with_blocks(residual_network())
    plans = [raw_plan(of, scores(of), Strategy(drop=(f"block{i}",))) for i in range(3)]
    assert len({digest(plan) for plan in plans}) == 3


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Strategy(drop=("blok1",)), "no block in made-up matches 'blok1'"),
        (Strategy(drop=("stem",)), "no block in made-up matches 'stem'"),
        (Strategy(drop=("block1",), keep=("block1",)), "block1 is to be kept and to be dropped"),
    ],
)
def test_what_makes_no_sense_is_refused(strategy, message):
    of = with_blocks(residual_network())
    with pytest.raises(UsageError, match=message) as caught:
        allowed_by(strategy, of)
    if "blok1" in message:
        assert "block1" in caught.value.hint


@pytest.mark.parametrize("strategy", [Strategy(drop=("x",)), DEEP])
def test_a_network_without_blocks_says_that_it_has_none(strategy):
    with pytest.raises(UsageError, match="no block of made-up can be dropped whole"):
        allowed_by(strategy, chain([8, 8]))


def test_values_of_what_is_inside_hang_on_the_block():
    of = with_blocks(residual_network(blocks=2, width=8, hidden=8))
    limit = budget(of, 0.9)
    allowed = allowed_by(Strategy(depth=True, round_to=1), of)
    worth = worths(of, scores(of), DEEP, limit, allowed.groups)
    problem = make_problem(of, allowed, worth, limit, smoothing=0.0)
    gate = next(v for v, each in enumerate(problem.variables) if each.groups == ("block0",))
    (inside,) = problem.inside[gate]
    options = [len(each) - 1 for each in problem.variables]
    whole = problem.variables[inside].values[-1]
    assert problem.values(gate, options) == pytest.approx([0.0, whole])
    options[gate] = 0
    assert not np.any(problem.values(inside, options))
    assert problem.value(options) == pytest.approx(problem.total - whole)
