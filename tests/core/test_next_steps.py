"""What a report says to type next can be typed."""

from pathlib import Path

import pytest
from run_samples import BUDGET, record, result, trial

from ap_core.report.commands import go_on_in, next_steps
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import (
    ArchitectureRecord,
    LatencyRecord,
    QualityRecord,
    TrainingRecord,
    WeightsRecord,
)

LOAD = [
    "from ap_core import load_model",
    "model = load_model('runs/a b')",
    "outputs = model(images)",
    "ap runs show 'runs/a b'",
]


def lines(**changes):
    steps = next_steps(Path("runs/a b"), record(**changes))
    return [line for step in steps for line in step.lines]


def test_a_trained_network_can_be_loaded_shown_trained_again_and_measured():
    train = ["ap finetune 'runs/a b' --data /path/to/images", "ap bench 'runs/a b'"]
    assert lines() == [*LOAD, *train]
    assert lines(data={"name": "digits"}) == [
        *LOAD, "ap finetune 'runs/a b'", "ap bench 'runs/a b'",
    ]  # fmt: skip


def test_a_network_that_was_cut_to_a_latency_is_measured_as_it_was_timed():
    timed = LatencyRecord(
        backend="onnxruntime", device="cpu", precision="fp32", batch_size=16, threads=2,
        memory_format="contiguous", machine={}, base_seconds=0.2, seconds=0.1, faster=2.0, low=1.9,
        high=2.1, measured=3,
    )  # fmt: skip
    assert lines(result=result(latency=timed))[-1] == (
        "ap bench 'runs/a b' --backend onnxruntime --batch-size 16 --threads 2"
    )
    of_plugin = timed.model_copy(update={"backend": "phone"})
    assert lines(result=result(latency=of_plugin))[-1] == "ap bench 'runs/a b'"


def test_a_network_that_was_trained_again_or_never_is_not_to_be_trained():
    quality = QualityRecord(images=9, loss=1.0, top1=0.5, top5=1.0)
    for changes in (
        {"finetuned": quality}, {"weights": WeightsRecord(origin="random", sha256="ab")},
    ):  # fmt: skip
        assert lines(**changes) == [*LOAD, "ap bench 'runs/a b'"]


def test_a_network_of_the_users_own_needs_its_function_which_no_command_can_take():
    mine = ArchitectureRecord(
        adapter="generic", name="mine:make", num_classes=10, input_size=(3, 8, 8)
    )
    assert lines(architecture=mine) == [
        "from ap_core import load_model",
        "model = load_model('runs/a b', factory=make_network)",
        "outputs = model(images)",
        "ap runs show 'runs/a b'",
    ]


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Makes a run that was stopped, of this name."""
    monkeypatch.chdir(tmp_path)

    def made(name, *, trials=(), training=None, **changes):
        with RunDirectory.create(Path(name), model="toy", budget=BUDGET) as run:
            run.write_record(record(**changes))
            for each in trials:
                run.append_trial(each)
            if training is not None:
                run.write_training(training)
        return run.path

    return made


def test_a_run_that_was_stopped_is_resumed(stopped):
    assert go_on_in(stopped("runs/one")) == "ap prune --resume runs/one"


def test_runs_of_several_targets_are_resumed_together(stopped):
    home = stopped("runs/several/one").parent
    assert go_on_in(home) == "ap prune --resume runs/several"


def test_a_driven_run_is_shown_or_where_nothing_was_tried_yet_started_again(stopped):
    driven = {"options": {"strategist": "drive"}}
    assert go_on_in(stopped("runs/one", **driven)) == "ap drive start --resume runs/one"
    assert go_on_in(stopped("runs/two", trials=[trial(0)], **driven)) == "ap drive show runs/two"


def test_a_training_that_was_stopped_is_resumed(stopped):
    training = TrainingRecord(
        status="running", version="", created="", command=(), options={}, data={}, teacher="",
        processes=1,
    )  # fmt: skip
    path = stopped("runs/one", status="done", training=training)
    assert go_on_in(path) == "ap finetune runs/one --resume"


def test_nothing_goes_on_where_all_is_done_or_nothing_was_begun(stopped):
    assert go_on_in(stopped("runs/one", status="done")) == ""
    assert go_on_in(Path("runs/none")) == ""
