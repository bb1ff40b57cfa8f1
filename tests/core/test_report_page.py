"""What the page of a run shows."""

import pytest
from run_samples import BUDGET, NETWORK, PLAN, record, result, trial

from ap_core.report.html import render_report
from ap_core.report.page import flattened
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import QualityRecord, RecoveryRecord, TrainingRecord
from ap_core.strategy import Strategy

TRAINING = TrainingRecord(
    status="done",
    version="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    command=("finetune", "runs/one"),
    options={"training": {"preset": "short", "epochs": 3, "clip_grad": None}, "data_root": None},
    data={"name": "digits"},
    teacher="",
    processes=1,
)


@pytest.fixture
def page_of(tmp_path):
    """Text of the page of a finished run with these trials, and this training."""

    def rendered(*trials, training=None, **changes):
        with RunDirectory.create(tmp_path / "one", model="toy", budget=BUDGET) as run:
            run.write_record(record(status="done", **{"result": result()} | changes))
            run.write_network(NETWORK)
            run.write_plan(PLAN)
            for each in trials:
                run.append_trial(each)
            if training:
                run.write_training(training)
            return render_report(run)

    return rendered


def test_nested_options_are_listed_one_by_one_and_empty_ones_left_out():
    document = {"a": {"b": 1, "c": {"d": [1, 2], "e": {}}, "f": None}, "g": False, "h": ""}
    assert list(flattened(document)) == [("a.b", "1"), ("a.c.d", "1, 2"), ("g", "False")]


def test_a_report_lists_every_setting_of_the_training(page_of):
    page = page_of(training=TRAINING)
    for name, value in (("training.preset", "short"), ("training.epochs", "3")):
        assert f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' in page


def test_a_report_says_in_short_how_many_images_are_in_each_split(page_of):
    splits = {"train": {"images": 80, "sha256": "ab"}, "held_out": {"images": 20, "sha256": "cd"}}
    page = page_of(data={"name": "digits", "sha256": "ef", "splits": splits})
    assert '<tr><th scope="row">Data: splits</th><td>train 80, held out 20</td></tr>' in page
    assert '<tr><th scope="row">Data: name</th><td>digits</td></tr>' in page
    assert "Data: sha256" not in page
    assert '<tr><th scope="row">splits.train.sha256</th><td>ab</td></tr>' in page


def test_a_report_lists_the_settings_of_the_base_strategy(page_of):
    page = page_of(options={"strategy": {"floor": 0.15, "pressure": {"S1": 1.4}}})
    assert '<tr><th scope="row">strategy.pressure.S1</th><td>1.4</td></tr>' in page


def test_a_trial_names_the_settings_of_its_strategy(page_of):
    strategy = Strategy(
        importance="fisher",
        ranking="global",
        smoothing=1.5,
        pressure={"S1": 1.4, "heads": 0.5},
        depth=True,
        drop=("blocks.3.*",),
    )
    wanted = (
        "solver: fisher, ranking global, smoothing 1.5, pressure S1 x1.4 heads x0.5, "
        "drop blocks.3.*, depth"
    )
    assert f"<td>{wanted} <span" in page_of(trial(0, strategy=strategy))


def test_a_trial_of_the_default_strategy_names_its_importance_alone(page_of):
    assert "<td>solver: l2 <span" in page_of(trial(0, strategy=Strategy()))


def test_a_report_tells_the_accuracy_right_after_the_cut_from_that_of_the_saved_file(page_of):
    low = QualityRecord(images=10, loss=0.3, top1=0.7, top5=1.0)
    recovery = RecoveryRecord(name="batchnorm", note="", before=low, after=result().quality)
    page = page_of(result=result(recoveries=(recovery,)))
    for name, top1 in (
        ("before the cut", "90.00 %"),
        ("right after the cut", "70.00 %"),
        ("after batchnorm", "80.00 %"),
        ("of the saved file", "80.00 %"),
    ):
        assert f'<tr><th scope="row">{name}</th><td class="n">{top1}</td>' in page
