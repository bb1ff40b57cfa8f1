"""What the built-in strategists propose."""

import subprocess
import sys
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_samples import NETWORK, Bench, evidence

from ap_core.network import Group, GroupKind
from ap_core.search.space import PRESSURES, SMOOTHINGS, areas_of, space
from ap_core.search.strategists.grid import GridStrategist
from ap_core.search.strategists.random import RandomStrategist, derived_seed
from ap_core.search.strategists.solver import SolverStrategist
from ap_core.search.strategists.tpe import TpeStrategist
from ap_core.strategy import Normalisation, Ranking, Strategy

ALL = (SolverStrategist, GridStrategist, RandomStrategist, TpeStrategist)
BASE = Strategy()
AREAS = ("heads", "mlp", "stream")


def differences(strategy, base=BASE):
    return {
        name: value
        for name, value in dict(strategy).items()
        if value != getattr(base, name) and name != "rationale"
    }


def groups(*names):
    return tuple(
        Group(name=name, kind=GroupKind.HIDDEN, scope=scope, stage=stage, width=4)
        for name, scope, stage in names
    )


@pytest.mark.parametrize("strategist", ALL)
def test_the_first_proposal_is_the_base_strategy(strategist):
    base = Strategy(smoothing=0.3, pressure={"mlp": 1.5}, keep=("a",), rationale="mine")
    assert strategist().propose(evidence(base=base)) == base


@pytest.mark.parametrize("strategist", ALL)
def test_proposals_depend_on_the_evidence_alone(strategist):
    trials = Bench().search(strategist(), allowance=6).trials
    used = strategist()
    for number in (5, 2, 5):
        seen = evidence(trials=trials[:number])
        assert used.propose(seen) == strategist().propose(seen) == trials[number].strategy


@pytest.mark.parametrize("strategist", [RandomStrategist, TpeStrategist])
def test_another_seed_proposes_otherwise(strategist):
    trials = Bench().search(strategist(), allowance=2).trials[:1]
    proposals = [strategist().propose(evidence(trials=trials, seed=seed)) for seed in range(-1, 5)]
    assert all(proposal != proposals[0] for proposal in proposals[1:])


@pytest.mark.parametrize("strategist", ALL)
def test_no_proposal_comes_twice(strategist):
    trials = Bench().search(strategist(), allowance=20).trials
    texts = [trial.strategy.model_dump_json(exclude={"rationale"}) for trial in trials]
    assert len(set(texts)) == len(texts) >= 9


@pytest.mark.parametrize("strategist", ALL)
def test_what_the_base_strategy_protects_is_kept(strategist):
    base = Strategy(keep=("a",), floors={"b": 0.5}, widths={"d": 0.5}, round_to=4)
    for trial in Bench().search(strategist(), allowance=8, base=base).trials:
        assert (trial.strategy.keep, trial.strategy.round_to) == (("a",), 4)
        assert (trial.strategy.floors, trial.strategy.widths) == ({"b": 0.5}, {"d": 0.5})


def test_the_ladder_changes_one_thing_of_the_best_at_a_time_and_ends():
    trials = Bench().search(SolverStrategist(), allowance=100).trials
    assert len(trials) == 1 + 1 + 2 + 3 + 5
    for number, trial in enumerate(trials[1:], start=1):
        best = max(trials[:number], key=lambda each: each.merit).strategy
        changed = differences(trial.strategy, best)
        assert len(changed) <= 1
        field = trial.strategy.rationale.removeprefix("the best so far, with ").split()[0]
        assert set(changed) <= {field}


def test_the_grid_goes_from_near_to_far():
    trials = Bench().search(GridStrategist(), allowance=100).trials
    distances = [
        len(differences(trial.strategy)) + max(0, len(trial.strategy.pressure) - 1)
        for trial in trials
    ]
    assert distances == sorted(distances)
    assert distances[:3] == [0, 1, 1]
    assert distances[-1] == 3


def test_the_grid_has_an_end_and_covers_its_product():
    nothing = replace(NETWORK, groups=())
    trials = Bench().search(GridStrategist(), allowance=100, network=nothing).trials
    assert len(trials) == 2 * 4 * 3
    assert {trial.strategy.ranking for trial in trials} == {None, *Ranking}
    assert {trial.strategy.importance for trial in trials} == {"l2", "taylor"}
    assert {trial.strategy.smoothing for trial in trials} == {None, 0.1, 2.0}


def test_random_ends_when_all_was_tried(monkeypatch):
    strategist = RandomStrategist()
    trials = Bench().search(strategist, allowance=2).trials
    monkeypatch.setattr("ap_core.search.strategists.random.DRAWS", 0)
    assert strategist.propose(evidence(trials=trials)) is None


def test_random_tries_all_kinds_of_changes():
    trials = Bench().search(RandomStrategist(), allowance=40).trials
    assert {trial.strategy.ranking for trial in trials} == {None, *Ranking}
    assert {trial.strategy.normalisation for trial in trials} == {None, *Normalisation}
    assert set().union(*(trial.strategy.pressure for trial in trials)) == set(AREAS)


def test_seeds_differ_from_trial_to_trial():
    trials = Bench().search(RandomStrategist(), allowance=5).trials
    seeds = {derived_seed(evidence(trials=trials[:number])) for number in range(6)}
    assert len(seeds) == 6


def test_tpe_learns():
    """Its later trials are better than those of chance, on average over seeds."""

    def mean_loss(strategist, seed):
        trials = Bench().search(strategist(), allowance=30, seed=seed).trials
        return sum(trial.loss for trial in trials[15:]) / 15

    seeds = range(4)
    learnt = sum(mean_loss(TpeStrategist, seed) for seed in seeds)
    chance = sum(mean_loss(RandomStrategist, seed) for seed in seeds)
    assert learnt < 0.8 * chance


def test_tpe_takes_trials_of_others_and_those_without_a_loss():
    trials = Bench().search(RandomStrategist(), allowance=8).trials
    foreign = replace(trials[1], strategy=Strategy(smoothing=0.123, pressure={"x*": 2.0}))
    unjudged = replace(trials[2], loss=None)
    proposal = TpeStrategist().propose(evidence(trials=(trials[0], foreign, unjudged, *trials[3:])))
    assert isinstance(proposal, Strategy)


def test_tpe_ends_when_it_knows_nothing_new():
    alone = replace(NETWORK, groups=())
    every = Bench().search(GridStrategist(), allowance=1, network=alone).trials
    searched = space(evidence(network=alone), areas=())
    knobs = [range(len(knob.levels)) for knob in searched.knobs]
    trials = tuple(
        replace(
            every[0],
            number=number,
            strategy=searched.strategy(
                dict(zip((knob.name for knob in searched.knobs), point, strict=True))
            ),
        )
        for number, point in enumerate(product(*knobs))
    )
    assert TpeStrategist().propose(evidence(network=alone, trials=trials)) is None


def test_optuna_is_quiet_and_its_log_level_is_left_as_it_was(capfd):
    from optuna.logging import get_verbosity

    before = get_verbosity()
    Bench().search(TpeStrategist(), allowance=3)
    assert get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_optuna_is_imported_late():
    code = "import sys, ap_core.search.strategists.tpe; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.data())
def test_positions_and_strategies_of_a_space_are_one_to_one(data):
    base = Strategy(smoothing=data.draw(st.sampled_from([0.5, 0.3])), pressure={"mlp": 3.0})
    searched = space(evidence(base=base), areas=AREAS)
    position = {
        knob.name: data.draw(st.integers(0, len(knob.levels) - 1)) for knob in searched.knobs
    }
    assert searched.position(searched.strategy(position)) == position


def test_a_space_has_the_importances_at_hand_and_the_areas_that_are_free():
    base = Strategy(importance="fisher", smoothing=0.3, pressure={"mlp": 3.0})
    knobs = {knob.name: knob for knob in space(evidence(base=base), areas=AREAS).knobs}
    assert knobs["importance"].levels == ("l2", "taylor", "fisher")
    assert knobs["smoothing"].levels == (None, *sorted((*SMOOTHINGS, 0.3)))
    assert knobs["heads"].levels == PRESSURES
    assert "mlp" not in knobs
    assert all(knob.levels[knob.base] == getattr(base, name, 1.0) for name, knob in knobs.items())


def test_what_cannot_be_turned_is_no_knob():
    names = [knob.name for knob in space(evidence(importances=("l2",)), areas=()).knobs]
    assert names == ["ranking", "normalisation", "smoothing"]


def test_the_base_strategys_own_pressure_holds_above_the_knobs():
    base = Strategy(pressure={"m*": 3.0})
    searched = space(evidence(base=base), areas=AREAS)
    position = {knob.name: knob.base for knob in searched.knobs} | {"mlp": 0}
    assert list(searched.strategy(position).pressure.items()) == [("mlp", 0.5), ("m*", 3.0)]


def test_strategies_outside_of_a_space_have_no_position():
    searched = space(evidence(), areas=AREAS)
    assert searched.position(Strategy(smoothing=0.123)) is None
    assert searched.position(Strategy(keep=("x",))) is None
    assert searched.position(Strategy(pressure={"other": 2.0})) is None


def test_areas_are_scopes_kinds_or_stages_whichever_are_few_enough():
    assert areas_of(NETWORK, most=8) == AREAS
    many = replace(
        NETWORK, groups=(*NETWORK.groups, *groups(*((f"n{i}", f"s{i}", "") for i in range(9))))
    )
    assert areas_of(many, most=8) == ("heads", "hidden", "residual")
    staged = replace(NETWORK, groups=groups(("a", "s", "1"), ("b", "s", "2[0]")))
    assert areas_of(staged, most=8) == ("1", "2[[]0]")
    assert areas_of(replace(NETWORK, groups=groups(("a", "s", "1"))), most=8) == ()
    locked = tuple(replace(group, locked="tied") for group in NETWORK.groups)
    assert areas_of(replace(NETWORK, groups=locked), most=8) == ()
