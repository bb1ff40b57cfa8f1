"""What the agents are told: true, in one unit, bounded in size, the same for the same evidence."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from search_samples import BUDGET, Bench, evidence

from ap_core.agents.briefing import analysis_briefing, profiling_briefing
from ap_core.agents.master import decide
from ap_core.agents.profiling import Profile, profile_of
from ap_core.agents.prompts import filled, tokens_of
from ap_core.agents.reply import parse, schema_of, strategy_of
from ap_core.budget import Budget, Cap, Tolerance
from ap_core.network import Group, GroupKind, LayerCost, Metric, Network, Term
from ap_core.scores import Scores
from ap_core.search.strategists.random import RandomStrategist
from ap_core.strategy import Strategy


def network_of(blocks, *, name="block.{}.with.a.rather.long.name.as.networks.have"):
    """A residual stream, and blocks of a hidden width hung on it, each of a scope of its own."""
    stream = Group(
        name="stream", kind=GroupKind.RESIDUAL, scope="residual(conv.in)", stage="", width=64
    )
    hidden = [
        Group(
            name=name.format(number),
            kind=GroupKind.HIDDEN,
            scope=f"hidden(conv.out [bn] conv.in {number % 40})",
            stage=f"stage{number % 4}",
            width=128,
        )
        for number in range(blocks)
    ]
    layers = [
        LayerCost(
            layer=group.name,
            kind="conv",
            stage=group.stage,
            macs=(Term(coefficient=100, groups=("stream", group.name)),),
            params=(Term(coefficient=9, groups=("stream", group.name)),),
        )
        for group in hidden
    ]
    return Network(
        model="large", input_size=(3, 224, 224), groups=(stream, *hidden), layers=tuple(layers)
    )


def scores_of(network):
    generator = np.random.default_rng(0)
    values = {g.name: generator.random((g.lanes, g.width)) for g in network.free}
    return Scores(importance="taylor", reduction="sum", values=values, additive=True)


def told(**changes):
    found = evidence(**changes)
    return analysis_briefing(found, decide(found.trials))


def test_a_network_of_500_groups_and_many_trials_fits_in_8000_tokens():
    network = network_of(500)
    pressure = {f"block.{number}.*": 1.37 for number in range(32)}
    strategies = [Strategy(pressure=pressure, smoothing=number / 100) for number in range(60)]
    (trial,) = Bench().search(RandomStrategist(), allowance=1).trials
    kept = {group.scope: 0.5 for group in network.free}
    trials = tuple(
        replace(trial, number=number, strategy=each, kept=kept, failure="x" * 300)
        for number, each in enumerate(strategies)
    )
    briefing = told(
        network=network,
        scores=scores_of(network),
        trials=trials,
        sensitivity=dict.fromkeys(kept, 1.25),
        budget=Budget(caps=(Cap(metric=Metric.MACS, limit=10**7),)),
    )
    schema = json.dumps(schema_of(("l2", "taylor")))
    assert tokens_of(briefing.system + briefing.prompt + schema) < 8000
    assert "earlier ones are left out" in briefing.prompt


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Metric.MACS, "at most 10.00 M MACs, and at most 0.5 % below"),
        (Metric.LATENCY, "at most 10.00 ns"),
    ],
)
def test_a_count_is_to_be_used_up_and_a_latency_is_not(metric, words):
    network = network_of(4)
    budget = Budget(caps=(Cap(metric=metric, limit=10**7),))
    prompt = told(network=network, scores=scores_of(network), trials=(), budget=budget).prompt
    assert f"Budget: {words}.\n" in prompt
    assert ("% below" in prompt) == (metric is Metric.MACS)


def profiled(network: Network, scores: Scores, floor: float = 0.15) -> Profile:
    base = Strategy(floor=floor)
    return profile_of(network, Metric.MACS, base, scores, halves={}, without={})


def test_shares_of_the_cost_add_up_with_what_is_fixed():
    network = network_of(12)
    profile = profile_of(
        network, Metric.MACS, Strategy(), scores_of(network), halves={}, without={}
    )
    assert sum(area.cost for area in profile.scopes) + profile.others[1] + profile.fixed == (
        pytest.approx(1.0)
    )
    assert profile.scopes[0].kind == "residual"
    assert profile.scopes[0].cost == pytest.approx(0.5)
    assert sum(area.worth for area in profile.scopes) == pytest.approx(1.0)


def test_the_lower_half_holds_what_the_scores_say():
    network = network_of(1)
    values = {"stream": np.ones((1, 64)), network.free[1].name: np.ones((1, 128))}
    values["stream"][0, :32] = 0.0
    scores = replace(scores_of(network), values=values)
    stream, hidden = profiled(network, scores).scopes
    assert (stream.lower, hidden.lower) == (0.0, 0.5)
    assert stream.worth == pytest.approx(32 / 160)


def test_the_least_share_follows_floors_and_multiples():
    network = network_of(1)
    profile = profile_of(
        network, Metric.MACS, Strategy(floor=0.3), scores_of(network), halves={}, without={}
    )
    assert [area.least for area in profile.scopes] == [24 / 64, 40 / 128]


def test_every_name_of_the_tables_can_be_used_in_a_reply():
    network = network_of(60)
    briefing = told(network=network, scores=scores_of(network))
    table = [line.split(" | ")[0] for line in briefing.prompt.splitlines() if " | " in line]
    names = [name for name in table if name != "name"]
    assert {"S1", "S24"} <= set(names)
    for name in (*names, "residual", "hidden", "stage3"):
        reply = json.dumps({"pressure": [{"where": name, "value": 2.0}]})
        assert strategy_of(parse(reply), Strategy(), briefing.names).pressure


def test_a_trial_is_told_with_its_figures_and_the_tables_names():
    outcome = Bench().search(RandomStrategist(), allowance=3)
    trials = tuple(
        replace(each, strategy=each.strategy.model_copy(update={"pressure": {"mlp": 1.4}}))
        for each in outcome.trials
    )
    prompt = told(trials=trials, budget=BUDGET).prompt
    best = outcome.best
    assert f"trial {best.number} (best): " in prompt
    assert f"held-out loss {best.loss:.4f}" in prompt
    assert re.search(r'"pressure": \{"S\d": 1.4\}', prompt)
    assert '"mlp"' not in prompt


def test_what_is_left_and_why_it_is_asked_stands_in_the_prompt():
    prompt = told(left=7).prompt
    assert "Trials left, with this one: 7." in prompt
    assert "## Your task: begin" in prompt


def test_a_complaint_stands_in_the_prompt():
    found = evidence()
    briefing = analysis_briefing(found, decide(()), complaint="widths.S1 is wrong")
    assert "Your last reply was refused: widths.S1 is wrong." in briefing.prompt


def test_the_same_evidence_makes_the_same_briefing():
    trials = Bench().search(RandomStrategist(), allowance=4).trials
    slow = tuple(replace(trial, seconds=trial.seconds + 9) for trial in trials)
    assert told(trials=trials) == told(trials=slow)


def test_raw_strategies_are_asked_for_where_nothing_keeps_to_the_budget():
    briefing = told(tolerance=Tolerance(above=0.01, below=0.05))
    assert "must\nland within +1/-5 % of the budget" in briefing.system
    assert "within +1/-5 %." in briefing.prompt
    assert "Spell out widths whose cost lands within the tolerance" in briefing.prompt


def test_the_profiling_agent_gets_the_tables_alone():
    briefing = profiling_briefing(evidence())
    assert briefing.prompt in told().prompt
    assert '{"reading": "..."}' in briefing.system


def test_a_value_that_a_prompt_lacks_is_an_error():
    with pytest.raises(Exception, match="'importances' is undefined"):
        filled("analysis_system", {})
