"""Targets as users type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ap_core.budget import Target, format_amount, parse_targets
from ap_core.errors import OutOfReachError, UsageError
from ap_core.network import Metric

MACS, PARAMS = Metric.MACS, Metric.PARAMS


@pytest.mark.parametrize(
    ("text", "metric", "amount"),
    [
        ("8.48", MACS, 8_480_000_000),
        ("8.48G", MACS, 8_480_000_000),
        ("850M", MACS, 850_000_000),
        ("850000000", MACS, 850_000_000),
        ("1.2e9", MACS, 1_200_000_000),
        ("12", PARAMS, 12_000_000),
        ("12M", PARAMS, 12_000_000),
        ("1.1B", PARAMS, 1_100_000_000),
        ("300k", PARAMS, 300_000),
    ],
)
def test_amounts_are_integers_in_one_unit(text, metric, amount) -> None:
    assert parse_targets(text, metric) == (Target(metric=metric, amount=amount),)


def test_several_targets_keep_their_order() -> None:
    found = parse_targets("3.0, 2.06,50%", MACS)
    assert [t.amount for t in found] == [3_000_000_000, 2_060_000_000, None]
    assert found[2].share == 0.5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0", "is not above zero"),
        ("-1", "is not above zero"),
        ("nan", "is not an amount"),
        ("inf", "is not an amount"),
        ("abc", "is not an amount"),
        ("", "is not an amount"),
        ("1e999", "is not above zero"),
        ("100%", "is not below the whole network"),
        ("120%", "is not below the whole network"),
        ("0.0000000001", "is less than one"),
    ],
)
def test_what_is_no_target_is_refused(text, why) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        parse_targets(text, MACS)
    assert "50%" in caught.value.hint


def test_shares_are_of_the_whole_network() -> None:
    (target,) = parse_targets("50%", MACS)
    assert target.cap(1001).limit == 500


@pytest.mark.parametrize("text", ["1000", "1001"])
def test_a_target_at_or_above_the_network_is_refused(text) -> None:
    (target,) = parse_targets(f"{text}M", PARAMS)
    with pytest.raises(OutOfReachError, match=r"is not below the network's 1000\.0000 M param"):
        target.cap(1_000_000_000)


@given(st.integers(10**8, 10**13))
def test_printed_amounts_read_back_to_four_digits(amount) -> None:
    text = format_amount(amount, MACS).removesuffix("MACs")
    (target,) = parse_targets(text.strip(), MACS)
    assert target.amount == pytest.approx(amount, abs=10**5)
