"""What reports say of latencies: of one run, and as curves over several."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from held_runs import Held
from latency_samples import MACHINE, latency, measured, printed, whole
from run_samples import BUDGET, PLAN, record, result, trial

from ap_core.errors import UsageError
from ap_core.report.bench_file import BenchFile
from ap_core.report.caps import budget_in_full, distance, limit_text
from ap_core.report.html import render_report, render_targets
from ap_core.report.tables import targets_table
from ap_core.report.targets import targets_page
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import BudgetRecord, CapRecord

FOUR = 4 * 10**12
"""Four milliseconds, in femtoseconds."""


def held(name="one", *, limit=48, **changes):
    """A finished run of this name and cap of MACs. changes: of its result."""
    budget = BudgetRecord(caps=(CapRecord(metric="macs", limit=limit),), band=0.005)
    found = record(status="done", budget=budget, result=result(**({"macs": limit} | changes)))
    return Held(held=found, path=Path("runs", name))


def latency_cap(limit):
    return CapRecord(metric="latency", limit=limit)


def cut_to(*caps, **changes):
    """A finished run of these caps. changes: of its result."""
    budget = BudgetRecord(caps=caps, band=0.005)
    return Held(held=record(status="done", budget=budget, result=result(**changes)))


def curves(*runs, bench=None):
    """Of every curve the title, and of every line the labels of its dots."""
    found = targets_page(runs, beside=Path(), bench=bench).curves
    return {
        each.curve.title: {line.name: [dot.text for dot in line.dots] for line in each.curve.lines}
        for each in found
    }


def notes(*runs, bench=None):
    """What is said below the last curve."""
    return " ".join(targets_page(runs, beside=Path(), bench=bench).curves[-1].notes)


@pytest.fixture
def bench_of(tmp_path, monkeypatch):
    """Makes a file of `ap bench`, and reads it for the run called one."""
    monkeypatch.chdir(tmp_path)

    def made(*results, runs=("runs/one",), **changes):
        Path("bench.json").write_text(json.dumps(printed(*results, **changes)))
        return BenchFile.read(Path("bench.json"), runs=[Path(run) for run in runs])

    return made


DASH, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"

NAME = "toy, pretrained weights ab, l2, solver"


def test_a_run_that_was_cut_to_a_latency_shows_it_first_and_then_under_what():
    page = render_report(cut_to(latency_cap(25 * 10**11), latency=latency()))
    assert "<h1>toy within 2.500 ms</h1>" in page
    assert "<td>at most 2.5 ms a pass</td>" in page
    assert '<div class="name">latency</div>' in page
    assert '<div class="big">2.000 ms <small>of 4.000 ms</small></div>' in page
    assert '50.0 % left · <span class="ok">20.0 % below</span> the cap of 2.500 ms' in page
    assert "2.00 times as fast, 1.90 to 2.20 (95 %)" in page
    assert "cpu, fp32, batch 1, contiguous, eager, 1 thread" in page
    assert "2 cores of Model T, timm 1.0, torch 2.0<" in page
    assert "Cuts that were measured on the way to this one: 7." in page


def test_a_run_without_a_latency_says_nothing_of_it():
    page = render_report(held())
    assert "atency" not in page.replace("Measure its latency on this machine", "")


def test_a_latency_over_its_cap_cannot_be_missed():
    page = render_report(cut_to(latency_cap(10**12), latency=latency()))
    assert '<span class="bad">100.0 % OVER</span> the cap of 1.000 ms' in page


def test_caps_of_two_kinds_are_both_named():
    caps = (CapRecord(metric="macs", limit=50), latency_cap(FOUR))
    page = render_report(cut_to(*caps, latency=latency()))
    assert "<h1>toy within 50 MACs and 4.000 ms</h1>" in page
    assert "<td>at most 50 MACs and 4 ms a pass</td>" in page
    assert '<span class="ok">4.0 % below</span> the cap of 50<' in page
    assert '<span class="ok">50.0 % below</span> the cap of 4.000 ms<' in page


def test_a_budget_of_latency_names_its_point_and_its_distance():
    runs = (cut_to(latency_cap(FOUR), latency=latency(seconds=0.003)), held("two", limit=24))
    name = f"{NAME}, cut to a latency"
    assert curves(*runs)["Accuracy by latency"] == {name: ["4ms", "whole"]}
    page = render_targets(runs, beside=Path())
    assert '<td class="short">4ms<br><span class="soft">25.0 % below</span></td>' in page


def test_caps_are_spelled_in_their_own_units():
    macs = CapRecord(metric="macs", limit=2_049_504)
    assert limit_text(macs) == "2.050 M MACs"
    assert limit_text(latency_cap(FOUR)) == "4.000 ms"
    assert budget_in_full(BudgetRecord(caps=(macs,), band=0.005)) == (
        "at most 2,049,504 MACs, and at most 0.500 % below"
    )
    time = latency_cap(FOUR + 5 * 10**9 + 1234)
    assert budget_in_full(BudgetRecord(caps=(time,), band=0.005)) == "at most 4.005 ms a pass"


def test_the_distance_from_a_cap_is_of_what_the_cap_limits():
    cut = result(macs=48, params=5, latency=latency(seconds=0.003))
    assert distance(CapRecord(metric="macs", limit=50), cut) == "4.0 % below"
    assert distance(CapRecord(metric="params", limit=10), cut) == "50.0 % below"
    assert distance(latency_cap(FOUR), cut) == "25.0 % below"
    assert distance(latency_cap(FOUR), result()) == ""


def test_runs_with_latencies_are_drawn_over_milliseconds_too():
    runs = (
        held(latency=latency()),
        held("two", limit=24, latency=latency(seconds=0.001, base_seconds=0.005)),
    )
    assert curves(*runs) == {
        "Accuracy by MACs": {NAME: ["24", "48", "whole"]},
        "Accuracy by latency": {NAME: ["24", "48", "whole"]},
    }
    chart = targets_page(runs, beside=Path()).curves[1].curve
    assert chart.summary == (
        f"{NAME}, 48: 2 ms, 80; {NAME}, 24: 1 ms, 80; {NAME}, whole: 4.5 ms, 90"
    )
    assert "They were not all measured at one time" in notes(*runs)


def test_times_beside_one_measurement_of_the_whole_network_can_be_compared():
    runs = (held(latency=latency()), held("two", limit=24, latency=latency(seconds=0.001)))
    assert "They were not all measured at one time" not in notes(*runs)


def test_a_row_shows_the_latency_and_how_many_times_as_fast_it_is():
    page = render_targets((held(latency=latency()), held("two", limit=24)), beside=Path())
    assert '<th scope="col" class="n long">latency</th>' in page
    assert (
        '<td class="n">2.000 ms<br><span class="soft">of 4.000 ms</span>'
        f'<br><span class="soft">2.00 {TIMES} (1.90{DASH}2.20)</span></td>'
    ) in page
    assert f'<td class="n">{DASH}</td>' in page


def test_runs_without_any_latency_have_neither_a_curve_nor_a_column():
    page = render_targets((held(), held("two", limit=24)), beside=Path())
    assert "latency" not in page


def test_a_run_without_a_latency_is_named_below_the_curve():
    runs = (held(latency=latency()), held("two", limit=24))
    assert curves(*runs)["Accuracy by latency"] == {NAME: ["48", "whole"]}
    assert notes(*runs).endswith("Without a latency under this setting, and so not here: runs/two.")


def test_of_many_runs_without_a_latency_some_are_named():
    runs = [held(latency=latency()), *(held(f"run{n}", limit=40 - n) for n in range(5))]
    assert notes(*runs).endswith("so not here: runs/run0, runs/run1, runs/run2 and 2 more.")


def test_where_a_run_has_no_accuracy_the_value_that_was_kept_is_drawn():
    runs = (held(latency=latency()), held("two", limit=24, latency=latency(), quality=None))
    assert "Value kept by latency" in curves(*runs)


def test_what_was_measured_under_other_settings_has_a_curve_and_a_column_of_its_own():
    runs = (held(latency=latency()), held("two", limit=24, latency=latency(batch_size=8)))
    assert curves(*runs) == {
        "Accuracy by MACs": {NAME: ["24", "48", "whole"]},
        "Accuracy by latency, batch 1": {NAME: ["48", "whole"]},
        "Accuracy by latency, batch 8": {NAME: ["24", "whole"]},
    }
    page = render_targets(runs, beside=Path())
    assert '<th scope="col" class="n long">latency, batch 8</th>' in page


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"machine": MACHINE | {"processors": "4"}}, ["2 cores of Model T", "4 cores of Model T"]),
        ({"machine": MACHINE | {"torch": "2.1"}}, ["torch 2.0", "torch 2.1"]),
        ({"machine": {k: v for k, v in MACHINE.items() if k != "timm"}}, ["timm 1.0", "otherwise"]),
        ({"machine": MACHINE | {"board": "rev. 2"}}, ["otherwise", "board rev. 2"]),
        ({"machine": MACHINE | {"allocator": "glibc"}}, ["otherwise", "allocator glibc"]),
        ({"device": "cuda:0", "threads": None}, ["cpu, 1 thread", "cuda:0, Card A, cuda 12.4"]),
        ({"threads": None}, ["1 thread", "2 threads"]),
        ({"memory_format": "channels-last"}, ["contiguous", "channels-last"]),
    ],
)  # fmt: skip
def test_other_machines_and_other_settings_are_never_on_one_curve(changes, names):
    runs = (held(latency=latency()), held("two", limit=24, latency=latency(**changes)))
    assert list(targets_page(runs, beside=Path()).settings.values()) == names


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": MACHINE | {"load": "1.50", "processor_mhz": "3000", "ap-core": "0.2.0"}},
        {"machine": {name: MACHINE[name] for name in ("processor", "processors", "timm", "torch")}},
        {"machine": MACHINE | {"gpu 0": "Card B", "cuda": "13.0", "onnxruntime": "1.2"}},
        {"machine": MACHINE | {"onnxruntime-gpu": "1.2"}},
        {"threads": None, "machine": MACHINE | {"threads": "1"}},
        {"machine": MACHINE | {"device": "cpu"}},
    ],
)
def test_what_no_latency_depends_on_does_not_part_runs(changes):
    runs = (held(latency=latency()), held("two", limit=24, latency=latency(**changes)))
    assert list(targets_page(runs, beside=Path()).settings.values()) == [""]


@pytest.mark.parametrize(
    "other", [{"gpu 0": "Card A, 1200 MHz of 1980 MHz, driver 5"}, {"allocator": "glibc"}]
)
def test_neither_clocks_of_the_moment_nor_the_allocator_of_the_cpu_part_gpus(other):
    of_card = {"device": "cuda:0", "threads": None}
    runs = (
        held(latency=latency(**of_card)),
        held("two", limit=24, latency=latency(**of_card, machine=MACHINE | other)),
    )
    assert list(targets_page(runs, beside=Path()).settings.values()) == [""]


def test_a_file_of_bench_puts_runs_and_their_whole_network_on_the_curve(bench_of):
    bench = bench_of(whole(), measured("runs/one"), measured("runs/two", macs=24, median=0.002))
    runs = (held(), held("two", limit=24))
    chart = targets_page(runs, beside=Path(), bench=bench).curves[1].curve
    assert chart.summary == (
        f"{NAME}, 48: 3 ms, 80; {NAME}, 24: 2 ms, 80; {NAME}, whole: 4.5 ms, 90"
    )
    assert notes(*runs, bench=bench).endswith(
        "Those of bench.json were measured in the same rounds."
    )
    page = render_targets(runs, beside=Path(), bench=bench)
    assert '3.000 ms<br><span class="soft">of 4.500 ms</span>' in page
    assert f"1.50 {TIMES} (1.40{DASH}1.70)" in page


def test_runs_are_found_in_the_file_however_their_path_is_spelled(bench_of, tmp_path):
    bench = bench_of(measured("./runs/../runs/one/"))
    there = Held(held=held().held, path=tmp_path / "runs" / "one")
    assert "Accuracy by latency" in curves(there, bench=bench)


def test_speed_ups_over_another_network_than_the_whole_one_are_not_shown(bench_of):
    first = measured("other", macs=70, params=7, ratio=1.0, ratio_interval=None)
    bench = bench_of(first, whole(ratio=0.5, ratio_interval=(0.4, 0.6)), measured("runs/one"))
    page = render_targets((held(), held("two", limit=24)), beside=Path(), bench=bench)
    assert '<td class="n">3.000 ms<br><span class="soft">of 4.500 ms</span></td>' in page


def test_without_the_whole_network_its_time_is_left_out(bench_of):
    bench = bench_of(measured("runs/one", ratio=1.0, ratio_interval=None))
    assert curves(held(), bench=bench)["Accuracy by latency"] == {NAME: ["48"]}
    page = render_report(held(), bench=bench)
    assert '<div class="big">3.000 ms</div>' in page
    assert f'<td class="n">{DASH}</td><td class="n">3.000 ms</td>' in page


def test_of_runs_with_a_latency_the_file_is_drawn_and_their_own_is_in_the_table(bench_of):
    bench = bench_of(whole(), measured("runs/one"), measured("runs/two", macs=24, median=0.001))
    runs = (held(latency=latency()), held("two", limit=24))
    page = targets_page(runs, beside=Path(), bench=bench)
    assert page.curves[1].curve.summary == (
        f"{NAME}, 48: 3 ms, 80; {NAME}, 24: 1 ms, 80; {NAME}, whole: 4.5 ms, 90"
    )
    assert notes(*runs, bench=bench).endswith("came to then is in the table.")
    assert '<td class="n">2.000 ms<br>' in render_targets(runs, beside=Path(), bench=bench)


def test_runs_of_which_one_alone_is_in_the_file_are_not_said_to_compare(bench_of):
    bench = bench_of(whole(), measured("runs/two", macs=24), runs=["runs/two"])
    runs = (held(latency=latency()), held("two", limit=24))
    assert "They were not all measured at one time" in notes(*runs, bench=bench)


def test_runs_that_were_cut_to_a_latency_are_not_joined_with_others():
    runs = (cut_to(latency_cap(FOUR), latency=latency()), held("two", limit=24))
    assert curves(*runs)["Accuracy by MACs"] == {
        f"{NAME}, cut to a latency": ["4ms", "whole"],
        NAME: ["24", "whole"],
    }


def test_every_combination_of_a_file_is_a_row_of_the_page_of_one_run(bench_of):
    more = {"batch_size": 8}
    bench = bench_of(whole(), measured("runs/one"), whole(**more), measured("runs/one", **more))
    page = render_report(held(latency=latency(batch_size=4)), bench=bench)
    for batch, source in ((1, "bench.json"), (8, "bench.json"), (4, "")):
        assert f"cpu, fp32, batch {batch}, contiguous, eager, 1 thread</th>" in page
        assert (source in page) is True
    assert '<div class="big">2.000 ms <small>of 4.000 ms</small></div>' in page


def test_a_file_of_a_network_that_the_run_no_longer_holds_is_refused(bench_of):
    bench = bench_of(measured("runs/one", macs=40))
    with pytest.raises(UsageError) as caught:
        targets_page((held(),), beside=Path(), bench=bench)
    assert caught.value.message == "bench.json is of another network than runs/one holds now"
    assert caught.value.hint == "measure it again"


def test_networks_whose_macs_are_not_known_are_taken(bench_of):
    bench = bench_of(measured("runs/one", macs=None, params=None))
    assert "Accuracy by latency" in curves(held(), bench=bench)


def test_a_table_of_several_targets_names_every_cap_and_what_was_measured():
    took = latency(seconds=4.2e-3, base_seconds=8e-3)
    run = cut_to(latency_cap(FOUR), CapRecord(metric="macs", limit=50), macs=48, latency=took)
    head, (row,) = targets_table([(run.held, replace(PLAN, latency=FOUR))])
    shown = dict(zip(head, row, strict=True))
    assert shown["target"] == "4.000 ms and 50"
    assert shown["distance"] == "5.0 % OVER and 4.0 % below"
    assert targets_page((run,), beside=Path()).rows[0].distance == shown["distance"]


def test_trials_show_the_latency_that_was_measured():
    run = held(latency=latency())
    timed = Held(held=run.held, tried=(trial(0, latency=FOUR), trial(1)))
    assert '<td class="n">4.000 ms</td>' in render_report(timed)
    assert ">latency</th>" not in render_report(Held(held=run.held, tried=(trial(0),)))


def test_a_real_run_directory_can_hold_a_latency(tmp_path):
    with RunDirectory.create(tmp_path / "one", model="toy", budget=BUDGET) as run:
        run.write_record(record(status="done", result=result(latency=latency())))
    found = RunDirectory.open(tmp_path / "one")
    assert "Accuracy by latency" in curves(found)
