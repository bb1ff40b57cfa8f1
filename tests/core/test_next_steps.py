"""What a report says to type next can be typed."""

from pathlib import Path

from run_samples import record

from ap_core.report.commands import next_steps
from ap_core.runs.records import ArchitectureRecord, QualityRecord, WeightsRecord

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
