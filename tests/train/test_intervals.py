"""Intervals: against closed forms, and against how often they hold the true figure."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from ap_core.errors import DataError
from ap_train.evaluation.intervals import Estimate, mean, paired_mean, paired_share, share

Z = 1.959963984540054
REPEATS = 3000


def hits(right: int, wrong: int) -> np.ndarray:
    return np.array([True] * right + [False] * wrong)


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


@pytest.mark.parametrize(("right", "wrong"), [(8, 2), (0, 10), (10, 0), (912, 88), (1, 0)])
def test_a_share_has_wilsons_interval(right: int, wrong: int) -> None:
    count, found = right + wrong, share(hits(right, wrong))
    p = right / count
    middle = (p + Z**2 / (2 * count)) / (1 + Z**2 / count)
    reach = Z / (1 + Z**2 / count) * sqrt(p * (1 - p) / count + Z**2 / (4 * count**2))
    assert found.value == p
    assert found.low == pytest.approx(middle - reach, abs=1e-12)
    assert found.high == pytest.approx(middle + reach, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_mean_has_the_normal_distributions_interval() -> None:
    found = mean(np.array([1.0, 2.0, 3.0, 6.0]))
    error = sqrt(((2**2 + 1 + 0 + 3**2) / 3) / 4)
    assert found.value == 3.0
    assert found.low == pytest.approx(3 - Z * error)
    assert found.high == pytest.approx(3 + Z * error)


def test_a_mean_of_one_value_has_no_interval_and_is_refused() -> None:
    with pytest.raises(DataError, match="one image says nothing of how sure a mean is") as caught:
        mean(np.array([0.5]))
    assert "two or more" in caught.value.hint


def test_a_paired_difference_has_bonett_and_prices_interval() -> None:
    before = np.array([True] * 60 + [True] * 12 + [False] * 5 + [False] * 23)
    after = np.array([True] * 60 + [False] * 12 + [True] * 5 + [False] * 23)
    found = paired_share(before, after)
    won, lost = (5 + 1) / 102, (12 + 1) / 102
    reach = Z * sqrt((won + lost - (won - lost) ** 2) / 102)
    assert found.value == pytest.approx(-0.07)
    assert found.low == pytest.approx(won - lost - reach)
    assert found.high == pytest.approx(won - lost + reach)


def test_networks_that_answer_alike_still_may_differ_a_little() -> None:
    same = hits(90, 10)
    found = paired_share(same, same)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert 0 < found.high < 0.06


@pytest.mark.parametrize(("truth", "count"), [(0.5, 40), (0.8, 100), (0.9, 360), (0.97, 1000)])
def test_the_interval_of_a_share_holds_it_as_often_as_it_says(truth: float, count: int) -> None:
    generator = np.random.default_rng(0)
    found = [share(generator.random(count) < truth) for _ in range(REPEATS)]
    assert np.mean([holds(each, truth) for each in found]) == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_a_mean_loss_holds_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    found = [mean(generator.gamma(0.5, 0.6, 400)) for _ in range(REPEATS)]
    assert np.mean([holds(each, 0.3) for each in found]) == pytest.approx(0.95, abs=0.02)


def correlated(
    generator: np.random.Generator, count: int, before: float, after: float
) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two networks that find the same images hard."""
    hard = generator.standard_normal(count)
    own = 0.9 * hard + sqrt(1 - 0.9**2) * generator.standard_normal((2, count))
    return own[0] < norm.ppf(before), own[1] < norm.ppf(after)


@pytest.mark.parametrize(
    ("before", "after", "count"), [(0.9, 0.85, 360), (0.95, 0.95, 1000), (0.8, 0.6, 100)]
)
def test_the_interval_of_a_paired_difference_holds_it_as_often_as_it_says(
    before: float, after: float, count: int
) -> None:
    generator = np.random.default_rng(2)
    found = [paired_share(*correlated(generator, count, before, after)) for _ in range(REPEATS)]
    held = np.mean([holds(each, after - before) for each in found])
    assert held == pytest.approx(0.955, abs=0.02)


def test_the_interval_of_a_paired_difference_of_losses_holds_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    held = []
    for _ in range(REPEATS):
        before = generator.gamma(0.5, 0.6, 400)
        after = before + generator.normal(0.02, 0.2, 400)
        held.append(holds(paired_mean(before, after), 0.02))
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_pairing_narrows_the_interval_where_the_same_images_are_hard() -> None:
    before, after = correlated(np.random.default_rng(4), 1000, 0.9, 0.88)
    apart = sqrt(width(share(before)) ** 2 + width(share(after)) ** 2)
    assert width(paired_share(before, after)) < 0.75 * apart
    losses = np.random.default_rng(5).gamma(0.5, 0.6, 1000)
    others = losses + 0.01
    unpaired = sqrt(width(mean(losses)) ** 2 + width(mean(others)) ** 2)
    assert width(paired_mean(losses, others)) < 0.01 * unpaired
