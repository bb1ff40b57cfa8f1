"""What a report says to type next can be typed."""

from pathlib import Path

from ap_core.report.commands import next_steps


def lines(**about):
    return [line for step in next_steps(Path("runs/a b"), **about) for line in step.lines]


def test_a_network_with_a_name_can_be_loaded_shown_and_measured():
    assert lines() == [
        "from ap_core import load_model",
        "model = load_model('runs/a b')",
        "outputs = model(images)",
        "ap runs show 'runs/a b'",
        "ap bench 'runs/a b'",
    ]


def test_a_network_of_the_users_own_needs_its_function_which_bench_cannot_take():
    assert lines(live=True) == [
        "from ap_core import load_model",
        "model = load_model('runs/a b', factory=make_network)",
        "outputs = model(images)",
        "ap runs show 'runs/a b'",
    ]
