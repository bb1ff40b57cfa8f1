"""The master decides by the trials alone, and says why."""

from dataclasses import replace

import pytest

from ap_core.agents.master import PLATEAU, REPEATS, Move, decide
from ap_core.search.trial import Trial
from ap_core.strategy import Strategy


def trials(*losses, plans=None, same_as=None):
    plans = plans or [f"plan {number}" for number in range(len(losses))]
    return tuple(
        Trial(
            number=number,
            strategist="agents",
            strategy=Strategy(),
            plan=plan,
            macs=1,
            params=1,
            value=0.5,
            bound=None,
            loss=loss,
            same_as=(same_as or {}).get(number),
        )
        for number, (loss, plan) in enumerate(zip(losses, plans, strict=True))
    )


@pytest.mark.parametrize(
    ("before", "move", "reason"),
    [
        ((), Move.BEGIN, "the base strategy comes first: the others are measured against it"),
        (trials(1.0), Move.EXPLORE, "trial 0 is the best so far"),
        (trials(1.0, 1.2), Move.EXPLORE, "trial 0 is the best so far"),
        (
            trials(1.0, 0.8),
            Move.REFINE,
            "trial 1 is the best so far: what it changed helps",
        ),
        (trials(1.0, 0.8, 0.9), Move.EXPLORE, "trial 1 is the best so far"),
        (
            trials(1.0, 1.0, same_as={1: 0}),
            Move.WIDEN,
            "trial 1 led to the plan of trial 0",
        ),
        (
            trials(1.0, *[1.0] * REPEATS, same_as=dict.fromkeys(range(1, REPEATS + 1), 0)),
            Move.STOP,
            f"the last {REPEATS} trials led to plans that were there before",
        ),
        (
            trials(1.0, 1.2, 1.0, 1.2, plans="abab", same_as={2: 0, 3: 1}),
            Move.RETURN,
            "the last four trials went to and fro between two plans",
        ),
        (
            trials(1.0, 1.2, 1.3, 1.4),
            Move.RETURN,
            "the last 3 trials got worse; trial 0 is the best",
        ),
        (
            trials(1.0, *[1.05] * PLATEAU),
            Move.WIDEN,
            f"no progress in {PLATEAU} trials; trial 0 is the best",
        ),
        (
            trials(1.0, *[1.05] * 2 * PLATEAU),
            Move.STOP,
            f"no progress in {2 * PLATEAU} trials; trial 0 stays the best",
        ),
    ],
)
def test_the_first_rule_that_applies_decides(before, move, reason):
    decision = decide(before)
    assert (decision.trial, decision.move, decision.reason) == (len(before), move, reason)


def test_where_nothing_keeps_to_the_budget_coming_nearer_is_progress():
    nearer = tuple(replace(trial, missed=1 / (1 + trial.number)) for trial in trials(*range(1, 12)))
    assert decide(nearer).move is Move.REFINE
    away = tuple(replace(trial, missed=0.1 * trial.number) for trial in trials(*[1.0] * 5))
    assert decide(away).move is Move.WIDEN


def test_a_gain_too_small_to_matter_is_no_progress():
    losses = [1.0 - 0.001 * number for number in range(PLATEAU + 1)]
    assert decide(trials(*losses)).move is Move.WIDEN


def test_trials_without_a_loss_neither_stray_nor_count_as_progress():
    assert decide(trials(1.0, None, None, None)).move is Move.EXPLORE
    assert decide(trials(1.0, *[None] * PLATEAU)).move is Move.WIDEN
