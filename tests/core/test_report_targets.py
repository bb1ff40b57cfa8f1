"""What the page of several runs shows, and which of them one line joins."""

from pathlib import Path

import pytest
from run_samples import BUDGET, record, result

from ap_core.report.html import render_targets
from ap_core.report.targets import targets_page
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import BudgetRecord, CapRecord, QualityRecord, WeightsRecord

TRAINED_AGAIN = QualityRecord(images=10, loss=0.2, top1=0.85, top5=1.0)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Makes a finished run of this name."""
    monkeypatch.chdir(tmp_path)

    def made(name, *, limit=48, **changes):
        with RunDirectory.create(Path("runs", name), model="toy", budget=BUDGET) as run:
            budget = BudgetRecord(caps=(CapRecord(metric="macs", limit=limit),), band=0.005)
            fields = {"budget": budget, "result": result(macs=limit)}
            run.write_record(record(status="done", **fields | changes))
        return RunDirectory.open(run.path)

    return made


def lines(*runs):
    """Labels of the dots of every line of the chart."""
    chart = targets_page(runs, beside=Path()).curves[0].curve
    return {line.name: [dot.text for dot in line.dots] for line in chart.lines}


def test_a_run_that_was_trained_again_shows_what_it_came_to(finished):
    runs = (finished("one"), finished("two", finetuned=TRAINED_AGAIN))
    page = render_targets(runs, beside=Path())
    assert '<td class="n">80.00 %<br><span class="soft">of 90.00 %</span></td>' in page
    assert '<td class="n">85.00 %<br><span class="soft">fine-tuned, of 90.00 %</span></td>' in page


def test_costs_are_drawn_in_the_unit_of_the_largest_network(finished):
    chart = targets_page((finished("one"),), beside=Path()).curves[0].curve
    assert (chart.x_label, chart.lines[0].dots[-1].text) == ("MACs", "whole")
    large = finished("two", result=result(macs=48, base_macs=4_100_000))
    assert targets_page((large,), beside=Path()).curves[0].curve.x_label == "M MACs"


def test_every_row_names_its_run(finished):
    page = render_targets((finished("one"), finished("two")), beside=Path())
    for name in ("one", "two"):
        assert f'<a href="runs/{name}/report.html" title="runs/{name}">runs/{name}</a>' in page


def test_runs_that_differ_in_the_budget_alone_are_joined_with_the_whole_network(finished):
    runs = (finished("one"), finished("two", limit=24))
    assert lines(*runs) == {"toy, pretrained weights ab, l2, solver": ["24", "48", "whole"]}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"model": "other"}, "other, pretrained weights ab, l2, solver"),
        (
            {"weights": WeightsRecord(origin="random", sha256="cd")},
            "toy, random weights cd, l2, solver",
        ),
        ({"result": result(macs=24, importance="l1")}, "toy, pretrained weights ab, l1, solver"),
        ({"result": result(macs=24, strategist="tpe")}, "toy, pretrained weights ab, l2, tpe"),
        ({"finetuned": TRAINED_AGAIN}, "toy, pretrained weights ab, l2, solver, fine-tuned"),
    ],
)
def test_runs_that_differ_in_more_than_the_budget_are_not_joined(finished, changes, name):
    found = lines(finished("one"), finished("two", limit=24, **changes))
    assert found == {
        "toy, pretrained weights ab, l2, solver": ["48", "whole"],
        name: ["24", "whole"],
    }


def test_two_runs_of_one_budget_are_not_joined(finished):
    runs = (finished("one"), finished("two"))
    assert lines(*runs) == {
        "toy, pretrained weights ab, l2, solver": ["48", "whole"],
        "toy, pretrained weights ab, l2, solver (2)": ["48", "whole"],
    }
