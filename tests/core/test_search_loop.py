"""The search: what it records, what it survives, and that it can be taken up again."""

from dataclasses import replace
from math import inf, nan

import pytest
from search_samples import Bench, Scripted, measure, solve

from ap_core.errors import DataError, ModelError, OutOfReachError, RunError, UsageError
from ap_core.plan import digest
from ap_core.search.attempts import Quality
from ap_core.search.strategists.grid import GridStrategist
from ap_core.search.strategists.random import RandomStrategist
from ap_core.search.strategists.solver import SolverStrategist
from ap_core.search.strategists.tpe import TpeStrategist
from ap_core.search.trial import Trial, best_of
from ap_core.strategy import Ranking, Reduction, Strategy

BASE = Strategy()
BUILT_IN = {
    "solver": SolverStrategist,
    "grid": GridStrategist,
    "random": RandomStrategist,
    "tpe": TpeStrategist,
}


def timeless(trials):
    return tuple(replace(trial, seconds=0.0) for trial in trials)


def test_a_trial_holds_what_was_proposed_and_measured():
    bench = Bench()
    strategy = BASE.model_copy(update={"smoothing": 1.0})
    outcome = bench.search(Scripted(strategy))
    plan = solve(strategy)
    quality = measure(plan)
    assert outcome.trials == (
        Trial(
            number=0,
            strategist="script",
            strategy=strategy,
            plan=digest(plan),
            macs=plan.macs,
            params=plan.params,
            value=plan.value,
            bound=None,
            retained=quality.retained,
            loss=quality.loss,
            accuracy=quality.accuracy,
            kept={"heads": 0.25, "mlp": 0.25, "stream": 0.25},
            seconds=1.5,
        ),
    )
    assert tuple(bench.recorded) == outcome.trials
    assert outcome.best == outcome.trials[0]
    assert outcome.plan == plan
    assert bench.warned == []


def test_a_strategist_that_has_nothing_more_ends_the_search():
    assert len(Bench().search(Scripted(BASE, None, BASE)).trials) == 1


def test_the_allowance_ends_the_search():
    assert len(Bench().search(RandomStrategist(), allowance=7).trials) == 7


def test_a_search_begins_no_trial_when_its_time_is_up():
    moments = iter([False, False, True])
    outcome = Bench().search(RandomStrategist(), allowance=9, out_of_time=lambda: next(moments))
    assert len(outcome.trials) == 3


def test_there_is_a_first_trial_though_no_time_is_left():
    outcome = Bench().search(RandomStrategist(), allowance=9, out_of_time=lambda: True)
    assert len(outcome.trials) == 1


@pytest.mark.parametrize("allowance", [0, -3])
def test_there_is_always_one_trial(allowance):
    assert len(Bench().search(Scripted(BASE, BASE), allowance=allowance).trials) == 1


def test_the_best_is_never_lost():
    values = (0.0, 0.5, 1.0, 2.0, 4.0)
    script = [BASE.model_copy(update={"smoothing": value}) for value in values]
    outcome = Bench().search(Scripted(*script))
    losses = [trial.loss for trial in outcome.trials]
    assert outcome.best.loss == min(losses)
    assert outcome.best.number not in (0, 4)
    assert digest(outcome.plan) == outcome.best.plan


def test_of_equals_the_first_is_best():
    bench = Bench(judge=lambda _plan: Quality(retained=0.5, loss=0.5))
    outcome = bench.search(RandomStrategist(), allowance=5)
    assert outcome.best.number == 0


def test_without_data_the_base_strategys_values_decide():
    def judge(plan):
        return Quality(retained=plan.widths["b"] / 100)

    def partial(strategy):
        return replace(solve(strategy), value=strategy.smoothing)

    script = [BASE.model_copy(update={"smoothing": value}) for value in (1.0, 0.0, 2.0)]
    outcome = Bench(judge=judge).search(Scripted(*script), solve=partial)
    assert [trial.value for trial in outcome.trials] == [1.0, 0.0, 2.0]
    assert outcome.best.number == 1


def test_a_repeated_strategy_is_neither_solved_nor_judged_again():
    bench, solved = Bench(), []

    def counted(strategy):
        solved.append(strategy)
        return solve(strategy)

    again = BASE.model_copy(update={"rationale": "other words"})
    outcome = bench.search(Scripted(BASE, again, BASE), solve=counted)
    assert len(solved) == len(bench.judged) == 1
    assert [trial.same_as for trial in outcome.trials] == [None, 0, 0]
    assert [trial.loss for trial in outcome.trials] == [outcome.best.loss] * 3
    assert outcome.trials[1].strategy.rationale == "other words"


def test_a_repeated_plan_is_not_judged_again():
    def blind(strategy):
        return replace(solve(BASE), value=strategy.smoothing)

    bench = Bench()
    other = BASE.model_copy(update={"smoothing": 2.0})
    outcome = bench.search(Scripted(BASE, other), solve=blind)
    assert len(bench.judged) == 1
    assert [trial.same_as for trial in outcome.trials] == [None, 0]
    assert outcome.trials[1].value == 2.0
    assert outcome.trials[1].retained == outcome.trials[0].retained


def test_the_order_of_globs_makes_another_strategy():
    one = BASE.model_copy(update={"pressure": {"mlp": 2.0, "*": 0.5}})
    other = BASE.model_copy(update={"pressure": {"*": 0.5, "mlp": 2.0}})
    solved = []

    def counted(strategy):
        solved.append(list(strategy.pressure))
        return solve(strategy)

    Bench().search(Scripted(one, other), solve=counted)
    assert solved == [["mlp", "*"], ["*", "mlp"]]


def test_a_measurement_of_an_older_run_without_a_yardstick_is_copied_too():
    def blind(strategy):
        return solve(BASE)

    (first,) = Bench().search(Scripted(BASE)).trials
    other = BASE.model_copy(update={"smoothing": 2.0})
    outcome = Bench().search(Scripted(other), solve=blind, trials=(replace(first, retained=None),))
    assert outcome.trials[1].retained == first.value


@pytest.mark.parametrize("loss", [nan, inf, -inf])
def test_a_loss_that_is_no_number_is_recorded_as_none_and_never_wins(loss):
    qualities = iter([Quality(retained=0.9, loss=loss), Quality(retained=0.1, loss=5.0)])
    bench = Bench(judge=lambda _plan: next(qualities))
    outcome = bench.search(Scripted(BASE, BASE.model_copy(update={"smoothing": 1.0})))
    assert outcome.trials[0].loss is None
    assert outcome.trials[0].note == f"the held-out loss was {loss}"
    assert outcome.best.number == 1


def test_a_cut_network_that_cannot_be_measured_costs_its_trial_and_no_more():
    def judge(plan):
        if plan == solve(BASE):
            raise ModelError("the loss is nan after 3 batches", hint="not shown")
        return Quality(retained=0.1, loss=5.0)

    bench = Bench(judge=judge)
    outcome = bench.search(Scripted(BASE, BASE.model_copy(update={"smoothing": 1.0}), BASE))
    first, second, again = outcome.trials
    assert (first.loss, first.accuracy, first.retained) == (None, None, None)
    assert first.note == again.note == "it could not be judged: the loss is nan after 3 batches"
    assert first.failure == second.note == ""
    assert outcome.best is second
    assert tuple(bench.recorded) == outcome.trials


def test_a_judge_that_fails_otherwise_ends_the_search():
    def judge(plan):
        raise DataError("the images are gone")

    with pytest.raises(DataError, match="the images are gone"):
        Bench(judge=judge).search(Scripted(BASE))


def test_a_run_that_cannot_be_written_ends_the_search_and_blames_no_strategist():
    bench = Bench()

    def full(strategy):
        if strategy == BASE:
            return solve(strategy)
        raise RunError("cannot write runs/a: no space left")

    proposals = (BASE, BASE.model_copy(update={"smoothing": 1.0}))
    with pytest.raises(RunError, match="no space left"):
        bench.search(Scripted(*proposals), solve=full)
    assert len(bench.recorded) == 1
    assert bench.warned == []


class UnforeseenError(Exception):
    """What no one expects."""


def unchecked(**fields):
    return BASE.model_copy(update=fields)


@pytest.mark.parametrize(
    ("proposal", "failure"),
    [
        (UnforeseenError("no idea"), "raised UnforeseenError: no idea"),
        (ZeroDivisionError(), "raised ZeroDivisionError: "),
        (RecursionError("deep"), "raised RecursionError: deep"),
        (RunError("no network"), "failed: no network"),
        ({"smoothing": 1.0}, "proposed a dict, not a Strategy"),
        ("l2", "proposed a str, not a Strategy"),
        (unchecked(smoothing=nan), "proposed a wrong smoothing: Input should be a finite number"),
        (unchecked(pressure={"a": inf}), "proposed a wrong pressure.a: Input should be a finite"),
        (unchecked(pressure=7), "proposed a wrong pressure: Input should be a valid dictionary"),
        (unchecked(rationale="\ud800"), "proposed a wrong rationale: Input should be a valid str"),
        (unchecked(rationale="x" * 3000), "proposed a wrong rationale: String should have at"),
        (unchecked(extra=1), "proposed a wrong extra: Extra inputs are not permitted"),
        (Strategy.model_construct(ranking="best"), "proposed a wrong ranking: Input should be"),
        (
            Strategy(importance="tailor"),
            "proposed an unknown importance 'tailor' (did you mean taylor?)",
        ),
        (Strategy(floor=0.9), "proposed what has no plan: the floors cost more than the budget"),
        (
            Strategy(importance="taylor", floor=0.25),
            "proposed what has no plan: the images are gone",
        ),
        (
            Strategy(pressure={"nowhere": 2.0}),
            "proposed what has no plan: nothing is called 'nowhere'",
        ),
    ],
)
def test_a_proposal_of_no_use_is_replaced(proposal, failure):
    bench = Bench()
    good = BASE.model_copy(update={"smoothing": 1.0})
    outcome = bench.search(Scripted(proposal, good))
    first, second = outcome.trials
    assert first.failure.startswith(failure)
    assert first.strategist == "solver"
    assert first.strategy == BASE
    assert bench.warned == [f"trial 0: 'script' {first.failure}; the built-in strategist stands in"]
    assert (second.strategy, second.failure) == (good, "")


def test_a_strategist_that_proposes_nothing_at_all_gets_the_base_strategy():
    bench = Bench()
    outcome = bench.search(Scripted(None))
    assert [trial.failure for trial in outcome.trials] == ["proposed nothing"]
    assert bench.warned == ["trial 0: 'script' proposed nothing; the built-in strategist stands in"]


def test_a_strategist_that_always_fails_is_given_up():
    bench = Bench()
    strategist = Scripted(*[UnforeseenError("no")] * 100)
    outcome = bench.search(strategist, allowance=100)
    alone = Bench().search(SolverStrategist(), allowance=100)
    assert len(strategist.seen) == 3
    assert [each.strategy for each in outcome.trials] == [each.strategy for each in alone.trials]
    assert outcome.plan == alone.plan
    assert {trial.strategist for trial in outcome.trials} == {"solver"}
    assert len(bench.warned) == 4
    assert bench.warned[-1] == (
        "trial 3: 'script' was of no use 3 times running, and is not asked any more; the built-in "
        "strategist stands in"
    )


def test_a_strategist_that_was_given_up_stays_so_after_a_kill():
    whole = Bench().search(Scripted(*[UnforeseenError("no")] * 9))
    strategist = Scripted(BASE)
    again = Bench().search(strategist, trials=whole.trials[:5])
    assert timeless(again.trials) == timeless(whole.trials)
    assert strategist.seen == []


def test_a_strategist_that_fails_now_and_then_is_kept():
    script = [UnforeseenError("no"), UnforeseenError("no"), BASE] * 5
    assert len(Bench().search(Scripted(*script)).trials) == 15


def test_endless_repetition_ends_with_the_allowance():
    bench = Bench()
    outcome = bench.search(Scripted(*[BASE] * 1000), allowance=50)
    assert len(outcome.trials) == 50
    assert len(bench.judged) == 1


def test_a_base_strategy_without_a_plan_is_refused():
    with pytest.raises(OutOfReachError, match="cost more") as caught:
        Bench().search(Scripted(Strategy(floor=0.9)), base=Strategy(floor=0.9))
    assert caught.value.hint == "at least 2000"
    with pytest.raises(UsageError, match="nowhere"):
        Bench().search(SolverStrategist(), base=Strategy(pressure={"nowhere": 2.0}))


def test_an_interrupt_goes_through():
    with pytest.raises(KeyboardInterrupt):
        Bench().search(Scripted(KeyboardInterrupt()))


def test_what_the_user_protects_stays_protected():
    base = Strategy(
        floor=0.3,
        floors={"mlp": 0.4},
        widths={"stream": 0.5},
        keep=("a", "b"),
        round_to=4,
        reduction=Reduction.MAX,
    )
    proposed = Strategy(
        floor=0.1,
        floors={"mlp": 0.1, "*": 0.2},
        widths={"stream": 0.1, "x": 0.7},
        keep=("c", "a"),
        round_to=16,
        ranking=Ranking.GLOBAL,
    )
    (trial,) = Bench().search(Scripted(proposed), base=base).trials
    assert trial.strategy == Strategy(
        floor=0.3,
        floors={"*": 0.3, "mlp": 0.4},
        widths={"x": 0.7, "stream": 0.5},
        keep=("c", "a", "b"),
        round_to=4,
        ranking=Ranking.GLOBAL,
        reduction=Reduction.MAX,
    )
    assert list(trial.strategy.floors) == ["*", "mlp"]


def test_a_strategist_may_choose_what_the_user_left_open():
    (trial,) = Bench().search(Scripted(Strategy(floor=0.2, round_to=4))).trials
    assert (trial.strategy.floor, trial.strategy.round_to) == (0.2, 4)


def test_a_strategist_sees_no_times():
    strategist = Scripted(BASE, BASE)
    outcome = Bench().search(strategist)
    assert outcome.trials[0].seconds > 0
    assert strategist.seen[1].trials == timeless(outcome.trials[:1])


def test_a_strategist_that_changes_what_it_is_shown_changes_nothing():
    class Scribbler:
        def propose(self, evidence):
            evidence.base.pressure["mlp"] = 2.0
            for trial in evidence.trials:
                trial.strategy.pressure.clear()
            return evidence.base

    base = Strategy(pressure={"heads": 0.5})
    outcome = Bench().search(Scribbler(), base=base, allowance=2)
    assert base.pressure == {"heads": 0.5}
    assert outcome.trials[0].strategy.pressure == {"heads": 0.5, "mlp": 2.0}


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("loss", [True, False])
def test_a_search_that_was_stopped_anywhere_ends_the_same(name, loss):
    whole = Bench(loss=loss).search(BUILT_IN[name](), allowance=8)
    for stop in range(9):
        again = Bench(loss=loss).search(BUILT_IN[name](), allowance=8, trials=whole.trials[:stop])
        assert timeless(again.trials) == timeless(whole.trials)
        assert again.best.number == whole.best.number
        assert again.plan == whole.plan


def test_a_plan_that_does_not_come_out_again_is_an_error():
    done = Bench().search(Scripted(BASE)).trials
    with pytest.raises(RunError, match="plan of trial 0 does not come out as recorded") as caught:
        Bench().search(Scripted(), trials=(replace(done[0], plan="other"),))
    assert caught.value.hint.startswith("go on with the versions")


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_strategist_is_worse_than_the_base_strategy(name):
    outcome = Bench().search(BUILT_IN[name](), allowance=10)
    assert outcome.trials[0].strategy == BASE
    assert outcome.best.merit >= outcome.trials[0].merit
    assert not any(trial.failure for trial in outcome.trials)


def test_a_trial_without_a_loss_is_worse_than_any_with_one():
    (trial,) = Bench().search(Scripted(BASE)).trials
    unjudged = replace(trial, number=1, loss=None, retained=1.0)
    assert best_of((unjudged, trial)) is trial
