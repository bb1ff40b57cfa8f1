"""Rounds in turn, warming up, and what is made of the times: no clock is looked at."""

from contextlib import contextmanager

import numpy as np
import pytest

from ap_bench.measuring.prepared import Prepared
from ap_bench.measuring.rounds import WARM, compare, compare_anew, compare_warm, warm_up
from ap_core.estimates import estimated_median, outliers, paired_ratio, percentile


class Scripted:
    """A runnable whose passes take what it is told; `log` hears of every block."""

    def __init__(self, name, log, seconds=lambda _pass: 0.05):
        self.name, self.log, self.seconds, self.passes = name, log, seconds, 0

    def release(self):
        self.log.append((self.name, "released"))

    def move(self):
        self.log.append((self.name, "moved"))

    def block(self, passes):
        self.log.append((self.name, passes))
        times = [self.seconds(self.passes + n) for n in range(passes)]
        self.passes += passes
        return times


def halves_of_rounds(names, rounds):
    """What every half of every round does, in its order."""
    log = []
    compare_warm([Scripted(name, log) for name in names], [2] * len(names), rounds=rounds)
    steps = len(log) // (2 * rounds)
    return [log[start : start + steps] for start in range(0, len(log), steps)]


def test_rounds_run_in_an_order_that_is_drawn_and_back():
    halves = halves_of_rounds("abc", 200)
    orders = ["".join(name for name, what in half if what == 2) for half in halves]
    assert [each[::-1] for each in orders[1::2]] == orders[::2]
    assert set(orders[::2]) == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_before_either_half_all_are_released_then_moved_in_the_order_in_which_they_run():
    for half in halves_of_rounds("abc", 2):
        order = [name for name, what in half if what == 2]
        told = [(name, what) for what in ("released", "moved") for name in order]
        # and a pass that is not counted before each block
        assert half == told + [(name, passes) for name in order for passes in (1, 2)]


def test_a_steady_drift_favours_no_place_in_the_order():
    now = [0.0]

    def drifting(_pass):
        now[0] += 1
        return 0.2 + 1e-4 * now[0]

    timings = compare([Scripted(name, [], drifting) for name in "abc"], rounds=3)
    first = timings[0].rounds
    for each in timings[1:]:
        assert each.rounds == pytest.approx(first, rel=1e-9)


def test_fresh_rounds_start_all_networks_anew_and_end_them():
    told = []

    @contextmanager
    def begin():
        told.append("begin")
        yield [Scripted("a", told), Scripted("b", told)]
        told.append("end")

    timings = compare_anew(begin, rounds=3)
    assert [each for each in told if isinstance(each, str)] == ["begin", "end"] * 3
    assert [len(each.rounds) for each in timings] == [3, 3]


def test_warming_up_goes_on_while_passes_get_faster():
    log = []
    passes = warm_up(Scripted("a", log, lambda n: max(0.01, 0.05 - 0.001 * n)), seconds=0.1)
    assert passes == 10
    assert sum(n for _, n in log) > 40


def test_a_network_that_never_settles_counts_as_warm_after_a_while():
    log = []
    warm_up(Scripted("a", log, lambda n: 0.9**n), seconds=0.1)
    assert sum(0.9**n for n in range(sum(n for _, n in log))) > WARM


def test_a_slow_network_is_not_run_more_than_it_takes():
    log = []
    assert warm_up(Scripted("a", log, lambda _n: 2.0)) == 1
    assert len(log) == 3


def test_where_a_network_lies_does_not_make_it_faster_than_itself():
    """Speed that depends on the place by up to 10 per mille, and noise of one."""
    draws, held = np.random.default_rng(0), 0

    class Placed(Scripted):
        def move(self):
            self.place = draws.uniform(0, 1e-2)

    for _ in range(300):
        one, other = (Placed(name, []) for name in "ab")
        for each in (one, other):
            each.seconds = lambda _pass, each=each: 0.1 * (1 + each.place + draws.normal(0, 1e-3))
        timings = compare_warm([one, other], [1, 1], rounds=17)
        found = paired_ratio(timings[0].rounds, timings[1].rounds)
        held += found.low <= 1 <= found.high
    assert 0.92 < held / 300 < 0.98


def test_every_pass_is_waited_for():
    told, clock = [], iter(range(100))
    prepared = Prepared(
        forward=lambda: told.append("forward"),
        wait=lambda: told.append("wait"),
        lay_elsewhere=lambda: None,
        clock=lambda: float(next(clock)),
    )
    assert prepared.block(2) == [1.0, 1.0]
    assert told == ["wait", "forward", "wait", "forward", "wait"]


# ---- what is made of the times


def test_the_interval_of_a_median_is_that_of_the_sign_test():
    found = estimated_median([float(n) for n in range(17)])
    assert (found.value, found.low, found.high) == (8.0, 4.0, 12.0)
    found = estimated_median([float(n) for n in range(2001)])
    assert found.value == 1000
    assert 40 < found.high - 1000 == 1000 - found.low < 50
    found = estimated_median([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    assert (found.value, found.low, found.high) == (3.5, 1.0, 6.0)


def test_too_few_rounds_give_no_interval():
    with pytest.raises(ValueError, match="5 values are too few for an interval of 95%"):
        estimated_median([1.0] * 5)


def test_a_ratio_is_that_of_every_round():
    slowing = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    found = paired_ratio(slowing, [each / 2 for each in slowing])
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)


def test_a_network_beside_itself_is_as_fast_with_the_confidence_that_is_told():
    """Times that drift together, with noise that is skewed and that has bursts."""
    draws, held = np.random.default_rng(0), 0
    for _ in range(2000):
        drift = np.exp(np.cumsum(draws.normal(0, 0.05, 17)))
        one, other = (
            drift * (1 + draws.exponential(0.02, 17) + (draws.random(17) < 0.1)) for _ in range(2)
        )
        found = paired_ratio(one.tolist(), other.tolist())
        held += found.low <= 1 <= found.high
    assert 0.935 < held / 2000 < 0.965


def test_a_difference_that_is_there_is_found():
    draws = np.random.default_rng(0)
    first, other = draws.normal(1, 0.02, 17), draws.normal(0.5, 0.01, 17)
    found = paired_ratio(first.tolist(), other.tolist())
    assert found.low < 2 < found.high
    assert found.low > 1.9


def test_percentiles_lie_between_the_values():
    assert percentile([4.0, 1.0, 3.0, 2.0, 5.0], 0.9) == pytest.approx(4.6)
    assert percentile([7.0], 0.9) == 7.0


def test_rounds_far_from_the_rest_are_counted():
    assert outliers([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 9.0]) == 1
    assert outliers([1.0, 1.1, 0.9, 1.05, 0.95, 1.0]) == 0
    assert outliers([1.0] * 6) == 0
