"""The solver keeps to the caps, fills them, and is not far from the best there is."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, dense, group, layer, network, residual_network, scores, vit

from ap_core.budget import Budget, Cap, parse_targets
from ap_core.cost import CostModel, evaluate
from ap_core.errors import OutOfReachError, UsageError
from ap_core.network import GroupKind, Metric, Network, Term
from ap_core.scores import Scores
from ap_core.solver import reach, retained_value, solve
from ap_core.solver.options import allowed_by, multiple
from ap_core.solver.problem import make_problem
from ap_core.solver.values import worths
from ap_core.strategy import Normalisation, Ranking, Strategy


def budget(of: Network, share: float, band: float = 0.05, metric: Metric = Metric.MACS) -> Budget:
    whole = CostModel(of).cost(metric, of.whole)
    return Budget(caps=(Cap(metric=metric, limit=int(share * whole)),), band=band)


def rounding(of: Network, multiple: int) -> Network:
    """The network as if its channels came in multiples alone."""
    return replace(
        of,
        layers=tuple(
            replace(
                each,
                macs=tuple(
                    replace(term, multiples=(multiple,) * len(term.groups)) for term in each.macs
                ),
            )
            for each in of.layers
        ),
    )


def best_by_trying(of: Network, found: Scores, strategy: Strategy, limit: Budget) -> float:
    """Largest share of the value that any plan within the caps keeps."""
    allowed = allowed_by(strategy, of)
    worth = worths(of, found, strategy, limit, allowed.groups)
    problem = make_problem(of, allowed, worth, limit, smoothing=0.0)
    best = 0.0
    for options in product(*(range(len(v)) for v in problem.variables)):
        if (problem.costs(options) <= problem.limits).all():
            best = max(best, problem.value(options))
    return best / problem.total


@settings(max_examples=40, deadline=None)
@given(
    widths=st.lists(st.integers(2, 6), min_size=2, max_size=4),
    share=st.floats(0.3, 0.9),
    seed=st.integers(0, 1000),
    multiple=st.integers(1, 3),
)
def test_plans_are_near_the_best_and_below_the_bound(widths, share, seed, multiple) -> None:
    of = rounding(chain(widths), multiple)
    found, strategy, limit = scores(of, seed), Strategy(floor=0.01), budget(of, share, band=0.99)
    try:
        plan = solve(of, found, strategy, limit)
    except OutOfReachError:
        assert reach(of, strategy)[Metric.MACS][0] > limit.caps[0].limit
        return
    best = best_by_trying(of, found, strategy, limit)
    assert plan.macs <= limit.caps[0].limit
    assert plan.value <= best + 1e-9
    assert plan.bound is not None
    assert plan.bound >= best - 1e-9
    assert plan.value >= 0.8 * best


def test_a_term_rounds_each_power_of_a_width_by_itself() -> None:
    term = Term(coefficient=3, groups=("a", "a", "b"), multiples=(8, 1, 4))
    assert evaluate([term, Term(coefficient=1)], {"a": 9, "b": 4}) == 3 * (16 * 9 * 4) + 1


@pytest.mark.parametrize("of", [residual_network(), vit()])
def test_the_solver_counts_rounded_widths_as_the_cost_model_does(of) -> None:
    of = rounding(of, 5)
    strategy, limit = Strategy(round_to=3), budget(of, 0.6)
    allowed = allowed_by(strategy, of)
    worth = worths(of, scores(of), strategy, limit, allowed.groups)
    problem = make_problem(of, allowed, worth, limit, smoothing=0.0)
    plan = solve(of, scores(of), strategy, limit)
    options = [
        v.widths.tolist().index([plan.widths[name] for name in v.groups]) for v in problem.variables
    ]
    assert problem.costs(options) == plan.macs == CostModel(of).macs(plan.widths)
    assert plan.macs > CostModel(rounding(of, 1)).macs(plan.widths)


def test_what_costs_nothing_is_kept() -> None:
    of = rounding(residual_network(width=64, hidden=96), 16)
    plan = solve(of, scores(of), Strategy(round_to=1), budget(of, 0.5))
    assert [width for width in plan.widths.values() if width % 16] == []


@pytest.mark.parametrize("of", [residual_network(), vit(), chain([64, 128, 64])])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.75])
@pytest.mark.parametrize("ranking", list(Ranking))
def test_every_ranking_fills_the_cap_and_never_exceeds_it(of, share, ranking) -> None:
    limit = budget(of, share)
    plan = solve(of, scores(of), Strategy(ranking=ranking), limit)
    assert plan.macs == CostModel(of).macs(plan.widths)
    assert 0.95 * limit.caps[0].limit <= plan.macs <= limit.caps[0].limit


@pytest.mark.parametrize("how", list(Normalisation))
def test_every_normalisation_can_be_solved_with(how) -> None:
    of = residual_network()
    plan = solve(of, scores(of), Strategy(normalisation=how), budget(of, 0.5))
    assert plan.value > 0.5


def test_additive_scores_are_taken_as_they_are() -> None:
    of = residual_network()
    strategy = Strategy(ranking=Ranking.GLOBAL, normalisation=Normalisation.NONE)
    assert 0 < solve(of, scores(of), strategy, budget(of, 0.5)).value < 1


def test_kept_indices_fit_the_widths_and_lie_in_lanes_of_kept_heads() -> None:
    of = vit()
    plan = solve(of, scores(of), Strategy(), budget(of, 0.4))
    for each in of.groups:
        kept = plan.kept[each.name]
        assert list(kept) == sorted(kept)
        if not each.inside:
            assert len(kept) == plan.widths[each.name] * each.lanes
            continue
        heads = plan.kept[each.inside]
        assert len(kept) == 2 * len(heads) * plan.widths[each.name]
        assert {i // each.width // 2 for i in kept} == set(heads)


def test_lanes_keep_equally_many_each_its_own_best() -> None:
    of = network(
        [group("conv", 4, lanes=2), group("next", 8)],
        [layer("conv", 90, "conv"), layer("next", 9, "conv", "next"), layer("h", 1, "next")],
    )
    values = {"conv": np.array([[9.0, 1, 8, 1], [1, 7, 1, 6]]), "next": np.ones((1, 8))}
    found = Scores(importance="x", reduction="mean", values=values)
    strategy = Strategy(widths={"conv": 0.5, "next": 1.0})
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=400),), band=0.9)
    plan = solve(of, found, strategy, limit)
    assert plan.kept["conv"] == (0, 2, 5, 7)


def test_same_inputs_give_the_same_plan() -> None:
    of = vit()
    one, other = (solve(of, scores(of), Strategy(), budget(of, 0.5)) for _ in range(2))
    assert one == other


def test_widths_are_multiples_above_the_floor() -> None:
    of = residual_network()
    strategy = Strategy(round_to=8, floor=0.25)
    plan = solve(of, scores(of), strategy, budget(of, 0.4))
    for each in of.groups:
        width = plan.widths[each.name]
        assert width % 8 == 0
        assert width >= 0.25 * each.width


def test_what_is_kept_or_fixed_or_locked_stays() -> None:
    of = residual_network()
    locked = replace(of.groups[1], locked="for the test")
    of = replace(of, groups=(of.groups[0], locked, *of.groups[2:]))
    strategy = Strategy(keep=("block1.*",), widths={"stem": 0.5})
    plan = solve(of, scores(of), strategy, budget(of, 0.4))
    assert plan.widths["block0.fc1"] == 256
    assert plan.widths["block1.fc1"] == 256
    assert plan.widths["stem"] == 32
    assert "block0.fc1" not in plan.kept


def test_pressure_takes_more_where_it_is_high() -> None:
    of = residual_network()
    found = scores(of, sigma=0.01)
    plan = solve(of, found, Strategy(pressure={"block0.*": 4.0}), budget(of, 0.5))
    assert plan.widths["block0.fc1"] < plan.widths["block1.fc1"]


def test_two_caps_hold_at_once() -> None:
    of = vit()
    model = CostModel(of)
    caps = (
        Cap(metric=Metric.MACS, limit=model.macs(of.whole) // 2),
        Cap(metric=Metric.PARAMS, limit=int(model.params(of.whole) * 0.45)),
    )
    plan = solve(of, scores(of), Strategy(), Budget(caps=caps, band=0.05))
    assert plan.macs <= caps[0].limit
    assert plan.params <= caps[1].limit
    assert plan.bound is not None
    assert plan.value <= plan.bound < 1


def test_a_cap_on_parameters_alone_is_met() -> None:
    of = residual_network()
    limit = budget(of, 0.5, metric=Metric.PARAMS)
    plan = solve(of, scores(of), Strategy(), limit)
    assert 0.95 * limit.caps[0].limit <= plan.params <= limit.caps[0].limit


def test_entangled_networks_are_solved_without_a_bound() -> None:
    of = dense()
    plan = solve(of, scores(of), Strategy(round_to=1), budget(of, 0.5))
    assert plan.bound is None
    assert plan.gap is None
    assert plan.macs <= budget(of, 0.5).caps[0].limit


def test_a_group_in_a_product_with_itself_is_solved() -> None:
    of = network([group("c", 32)], [layer("c", 9, "c", "c"), layer("h", 10, "c")])
    plan = solve(of, scores(of), Strategy(), budget(of, 0.5, band=0.2))
    assert plan.macs == 9 * plan.widths["c"] ** 2 + 10 * plan.widths["c"]


def test_scores_of_zero_do_not_break_a_solve() -> None:
    of = residual_network()
    values = {name: np.zeros_like(v) for name, v in scores(of).values.items()}
    found = Scores(importance="zero", reduction="mean", values=values)
    plan = solve(of, found, Strategy(), budget(of, 0.5))
    assert plan.macs <= budget(of, 0.5).caps[0].limit


@settings(max_examples=20, deadline=None)
@given(tight=st.floats(0.3, 0.6), more=st.floats(0.05, 0.3))
def test_a_tighter_budget_never_keeps_more_than_the_bound_of_a_wider(tight, more) -> None:
    of = residual_network(blocks=2)
    found = scores(of)
    narrow = solve(of, found, Strategy(), budget(of, tight, band=0.2))
    wide = solve(of, found, Strategy(), budget(of, tight + more, band=0.2))
    assert narrow.value < wide.value


def test_a_budget_below_the_floors_is_refused_with_the_range() -> None:
    of = residual_network()
    with pytest.raises(OutOfReachError, match=r"made-up cannot be cut to") as caught:
        solve(of, scores(of), Strategy(floor=0.5, keep=("stem",), round_to=8), budget(of, 0.1))
    assert caught.value.hint == (
        "reachable: from 4.306 M MACs to below 8.500 M MACs; --floor 0.5 keeps that share of every "
        "group, --keep protects layers, --round-to 8"
    )


def test_the_least_target_that_a_refusal_names_is_in_reach() -> None:
    of = residual_network()
    with pytest.raises(OutOfReachError) as caught:
        solve(of, scores(of), Strategy(), budget(of, 0.001))
    least = caught.value.hint.removeprefix("reachable: from ").partition(" MACs to")[0]
    (target,) = parse_targets(least, Metric.MACS)
    limit = Budget(caps=(target.cap(CostModel(of).macs(of.whole)),))
    assert solve(of, scores(of), Strategy(), limit).macs <= target.amount


def test_locked_groups_are_blamed_where_no_setting_would_do() -> None:
    groups = [group("a", 64, locked="it is odd"), group("b", 64)]
    of = network(groups, [layer("a", 1000, "a"), layer("b", 300, "b")])
    with pytest.raises(OutOfReachError) as caught:
        solve(of, scores(of), Strategy(), budget(of, 0.1))
    assert caught.value.hint.endswith(
        "MACs; 1 of 2 groups cannot be cut ('ap profile --layers' says why), "
        "--floor 0.15 keeps that share of every group"
    )
    with pytest.raises(OutOfReachError) as caught:
        solve(of, scores(of), Strategy(floor=0.5), budget(of, 0.8))
    assert caught.value.hint.endswith("MACs; --floor 0.5 keeps that share of every group")


def test_where_a_channel_a_group_is_too_much_no_setting_is_blamed() -> None:
    of = network([group("a", 4)], [layer("a", 1000, "a")])
    with pytest.raises(OutOfReachError) as caught:
        solve(of, scores(of), Strategy(), budget(of, 0.1))
    assert caught.value.hint.endswith("MACs; a channel of every group must stay")


def test_a_band_that_rounding_misses_is_refused_with_what_would_do() -> None:
    of = network([group("c", 64)], [layer("c", 1000, "c")])
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=47_000),), band=0.005)
    with pytest.raises(OutOfReachError, match=r"14\.89% below the target") as caught:
        solve(of, scores(of), Strategy(round_to=8), limit)
    assert "--round-to 1" in caught.value.hint


def test_a_band_that_single_channels_miss_names_the_band() -> None:
    of = network([group("c", 4)], [layer("c", 1000, "c")])
    limit = Budget(caps=(Cap(metric=Metric.MACS, limit=2_900),), band=0.005)
    with pytest.raises(OutOfReachError) as caught:
        solve(of, scores(of), Strategy(round_to=1), limit)
    assert "--band 31" in caught.value.hint


def test_a_glob_that_matches_nothing_names_the_nearest() -> None:
    of = residual_network()
    with pytest.raises(UsageError, match=r"nothing in made-up matches 'blok0\.fc1'") as caught:
        solve(of, scores(of), Strategy(keep=("blok0.fc1",)), budget(of, 0.5))
    assert "block0.fc1" in caught.value.hint


@pytest.mark.parametrize(("width", "expected"), [(8, 1), (16, 2), (40, 4), (64, 8)])
def test_multiples_follow_the_width(width, expected) -> None:
    assert multiple(group("c", width), None) == expected
    assert multiple(group("c", width), 3) == 3


def test_heads_are_never_rounded_and_head_sizes_by_eight() -> None:
    assert multiple(group("h", 64, GroupKind.HEADS), 8) == 1
    assert multiple(group("d", 32, GroupKind.HEAD_SIZE), None) == 8


def test_the_yardstick_is_one_for_the_whole_network_and_less_for_a_cut_one() -> None:
    of = residual_network()
    found = scores(of)
    plan = solve(of, found, Strategy(), budget(of, 0.5))
    whole = replace(plan, kept={g.name: tuple(range(g.width)) for g in of.groups})
    assert retained_value(of, found, Strategy(), whole) == pytest.approx(1.0)
    assert 0 < retained_value(of, found, Strategy(), plan) < 1
