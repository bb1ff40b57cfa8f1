"""Options of `ap prune` that make no sense: refused before anything is loaded."""

import io

import pytest

from ap_core import plugin as built_in
from ap_core.cli.main import run
from ap_core.plugins.loading import Plugin
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry

OWNER = Owner(distribution="ap-core", version="1", plugin="ap-core")
GLOBS = "is not of the form GLOB=NUMBER with a number"


def refused(*arguments):
    """What `ap prune` says of these options, with exit code 2."""
    registry = Registry.from_plugins([Plugin(owner=OWNER, implementation=built_in)])
    out, err = io.StringIO(), io.StringIO()
    code = run(
        ("prune", "--model", "toy", "--target-macs", "50%", *arguments),
        environment={},
        out=out,
        err=err,
        find_plugins=lambda: registry,
    )
    assert (code, out.getvalue()) == (2, "")
    return err.getvalue()


@pytest.mark.parametrize("value", ["0", "50", "100%", "nan", "x", "-1%"])
def test_a_band_out_of_its_range_is_told_the_range(value) -> None:
    assert refused("--band", value).startswith(
        f"error: Invalid value for '--band': '{value}' is not a share above 0 and below 1; "
        "write it like 0.1 or 10%\n"
    )


def test_a_floor_may_be_all_but_not_nothing() -> None:
    assert "'0' is not a share above 0 and at most 1; write it" in refused("--floor", "0")
    assert "unknown model 'toy'" in refused("--floor", "100%")


@pytest.mark.parametrize(
    ("option", "pair", "span"),
    [
        ("--pressure", "layer4*=-1", "from 0.1 to 10"),
        ("--pressure", "layer4*=11", "from 0.1 to 10"),
        ("--widths", "layer4*=0", "above 0 and at most 1"),
        ("--floors", "layer4*", "above 0 and at most 1"),
        ("--floors", "=0.5", "above 0 and at most 1"),
    ],
)
def test_a_number_by_glob_out_of_its_range_is_told_both_limits(option, pair, span) -> None:
    assert refused(option, pair) == (
        f"error: {option} '{pair}' {GLOBS} {span}\nhint: write it like {option} 'layer4.*=0.5'\n"
    )


def test_weights_are_not_asked_for_beside_a_checkpoint() -> None:
    assert refused("--weights", "random", "--checkpoint", "w.pth") == (
        "error: --weights and --checkpoint do not go together\n"
        "hint: leave --weights out: they are in the checkpoint\n"
    )
    assert "unknown model 'toy'" in refused("--checkpoint", "w.pth")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--data-root", "images"),
        ("--batch-size", "32"),
        ("--calibration-batches", "8"),
        ("--held-out", "9"),
        ("--on-corrupt", "refuse"),
        ("--recover", "bn"),
    ],
)
def test_what_does_nothing_without_images_is_refused(option, value) -> None:
    assert refused(option, value) == (
        f"error: {option} does nothing without --data\n"
        f"hint: name images with --data, or leave {option} out\n"
    )


def test_no_recovery_goes_with_no_other_but_needs_no_images() -> None:
    assert refused("--recover", "none", "--recover", "bn") == (
        "error: --recover none and --recover bn do not go together\nhint: leave one out\n"
    )
    assert "unknown model 'toy'" in refused("--recover", "none")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--latency-backend", "eager"),
        ("--latency-device", "cpu"),
        ("--latency-batch", "8"),
        ("--latency-dtype", "fp32"),
        ("--latency-threads", "2"),
        ("--latency-memory-format", "contiguous"),
    ],
)
def test_what_does_nothing_where_nothing_is_timed_is_refused(option, value) -> None:
    assert refused(option, value) == (
        f"error: {option} does nothing without --target-latency or --round-to auto\n"
        f"hint: leave {option} out, or say how long a pass may take\n"
    )
    assert "does nothing" not in refused("--round-to", "auto", option, value)


@pytest.mark.parametrize("value", ["0", "513", "x", "-8", "8.5"])
def test_a_multiple_is_a_number_or_auto(value) -> None:
    said = refused("--round-to", value)
    assert "Invalid value for '--round-to'" in said


def test_a_timer_that_nobody_offers_is_named() -> None:
    said = refused("--target-latency", "4ms", "--latency-backend", "phone")
    assert "unknown timer 'phone'" in said


def test_raw_strategies_keep_to_no_latency() -> None:
    said = refused("--target-latency", "4ms", "--raw-strategy")
    assert "raw strategies keep to no latency" in said
