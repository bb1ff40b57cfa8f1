"""Training on two processes: they end alike, and what fails on one is known to both."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from runs import launched
from scenarios import QUICK, network

from ap_train.training.loop import fit
from ap_train.training.presets import options_of

Outcome = dict[str, object]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where two processes left what came of every scenario."""
    place = tmp_path_factory.mktemp("processes")
    done = launched(2, Path(__file__).with_name("scenarios.py"), place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def both(place) -> Callable[[str], list[Outcome]]:
    """What came of a scenario on the first and on the second process."""
    found = [json.loads((place / f"{rank}.json").read_text()) for rank in (0, 1)]
    return lambda name: [each[name] for each in found]


def test_both_end_with_the_best_weights_though_the_last_are_others(both) -> None:
    first, second = both("best_before_last")
    assert first == second
    assert first["best"] == 0
    assert len(first["losses"]) == 2


def test_both_begin_with_the_weights_of_the_first(both) -> None:
    first, second = both("different_weights_to_begin_with")
    assert first == second


def test_statistics_of_batch_norms_end_alike(both) -> None:
    first, second = both("batch_norms")
    assert first == second


def test_images_are_mixed_alike_on_two_processes_and_on_one(place, digits, architecture) -> None:
    alone = network()
    fit(alone, digits, architecture, options_of("short", {**QUICK, "mixup": 0.8, "cutmix": 1.0}))
    together = torch.load(place / "mixed-1.pt")
    apart = max(float((t - together[name]).abs().max()) for name, t in alone.state_dict().items())
    assert apart < 1e-5


def test_an_image_that_one_cannot_read_ends_both_once_the_state_is_saved(both) -> None:
    first, second = both("unreadable")
    assert first["error"] == second["error"]
    assert "pictures-1" in first["error"]
    assert "cannot be read" in first["error"]
    assert (first["states"], second["states"]) == (1, 0)


def test_images_that_the_second_left_out_are_known_to_the_first(both) -> None:
    first, second = both("skipped")
    assert first["skipped"]
    assert second["skipped"]
    assert (first["warnings"], second["warnings"]) == (1, 0)
    assert first["saved"][-1] == 1


def test_memory_that_runs_out_on_one_ends_both_with_what_fits(both) -> None:
    first, second = both("memory")
    assert first == second
    assert first["error"] == "memory runs out with 16 images in a pass; 4 fit"
    assert "--accumulate 4" in first["hint"]


def test_updates_are_split_alike_where_memory_runs_out_on_one(both) -> None:
    first, second = both("memory_made")
    assert first["accumulate"] == second["accumulate"] == 4
    assert first["weights"] == second["weights"]
    assert [len(each["heard"]) for each in (first, second)] == [2, 0]


def test_a_loss_that_is_no_number_on_one_ends_both_at_the_same_update(both) -> None:
    first, second = both("no_number")
    assert first == second
    assert first["error"] == "the loss is nan at update 3 of epoch 1"


def test_a_state_that_the_first_cannot_save_ends_both(both) -> None:
    first, second = both("full_disk")
    assert first == second
    assert (first["kind"], first["error"]) == ("RunError", "the disk is full")
