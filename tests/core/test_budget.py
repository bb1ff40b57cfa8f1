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
        ("0.0000000001", "is less than one"),
    ],
)
def test_what_is_no_target_is_refused_with_examples_of_its_metric(text, why) -> None:
    with pytest.raises(UsageError, match=f"the target '{text}' for MACs {why}") as caught:
        parse_targets(text, MACS)
    assert caught.value.hint == 'write it like "8.48G", "850M" or "50%"'
    with pytest.raises(UsageError, match=f"for parameters {why}") as caught:
        parse_targets(text, PARAMS)
    assert caught.value.hint == 'write it like "12M", "850K" or "50%"'


@pytest.mark.parametrize("text", ["100%", "200%"])
def test_a_share_of_all_or_more_is_refused(text) -> None:
    with pytest.raises(UsageError, match="is not below the whole network") as caught:
        parse_targets(text, MACS)
    assert caught.value.hint == 'give a share below 100%, such as "50%"'


def test_shares_are_of_the_whole_network() -> None:
    (target,) = parse_targets("50%", MACS)
    assert target.cap(1001).limit == 500


@pytest.mark.parametrize("text", ["1000", "1001"])
def test_a_target_at_or_above_the_network_is_refused(text) -> None:
    (target,) = parse_targets(f"{text}M", PARAMS)
    with pytest.raises(
        OutOfReachError, match=r"is not below the network's 1\.000 G param"
    ) as caught:
        target.cap(1_000_000_000)
    assert caught.value.hint == "give a smaller target; 'ap profile' shows what the network costs"


@pytest.mark.parametrize(("metric", "unit"), [(MACS, "G"), (PARAMS, "M")])
def test_a_bare_number_that_may_be_meant_as_a_share_is_refused_so(metric, unit) -> None:
    (target,) = parse_targets("0.5", metric)
    with pytest.raises(OutOfReachError, match="is not below the network's") as caught:
        target.cap(100_000)
    assert caught.value.hint == f"a number without a unit is in {unit}; for a share, write 50%"


def test_amounts_are_printed_as_in_tables() -> None:
    assert format_amount(102_500_000, MACS) == "102.5 M MACs"
    assert format_amount(1_803_456, PARAMS) == "1.803 M parameters"
    assert format_amount(900, PARAMS) == "0.9 k parameters"


@given(st.integers(1, 10**13), st.sampled_from(list(Metric)))
def test_a_printed_limit_holds_when_it_is_typed(amount, metric) -> None:
    up, down = (typed(format_amount(amount, metric, towards), metric) for towards in ("up", "down"))
    assert down <= amount <= up
    assert up - down <= amount / 1000
    assert typed(format_amount(amount, metric), metric) in (up, down)


def typed(shown, metric):
    (target,) = parse_targets(" ".join(shown.split()[:2]), metric)
    return target.amount
