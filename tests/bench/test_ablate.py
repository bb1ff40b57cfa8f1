"""`ap ablate`: every cell a run of its own, what they come to, and what is not done again."""

import json
import re
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from comparisons import (
    AGENTS,
    MEETS,
    MISSES,
    RANDOM,
    SHARED,
    SOLVER,
    ablate,
    by_contender,
    document,
    started,
    transcript,
    written,
)
from warm import kill

from ap_bench.ablations.compare import ablate as compare
from ap_bench.ablations.reading import read_configuration
from ap_core.pipeline.progress import Silent
from ap_core.runs.listing import list_runs
from ap_core.runs.lock import RunLock

WAIT = 120
"""Seconds after which a process must have hung."""

MEASURED = (
    "within", "macs", "limit", "missed", "trials", "trials_to_band", "held_out_loss",
    "held_out_top1", "baseline", "quality", "history",
)  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    place = tmp_path_factory.mktemp("compared")
    agents = AGENTS.format(transcript=transcript(place))
    path = written(place, SHARED, SOLVER, RANDOM, MISSES, MEETS, agents)
    out, err = ablate(path, "--output", place / "out")
    return path, place / "out", out, err


def test_every_projected_cell_keeps_its_budget(compared) -> None:
    _, home, _, _ = compared
    cells = [
        c
        for name in ("solver", "by chance", "scripted")
        for c in by_contender(document(home), name)
    ]
    assert len(cells) == 6
    for cell in cells:
        assert cell["status"] == "done"
        assert cell["within"]
        assert cell["trials_to_band"] == 1
        assert 0.995 * cell["limit"] <= cell["macs"] <= cell["limit"]
        assert cell["quality"]["images"] == cell["baseline"]["images"] == 64


def test_a_raw_contender_that_misses_is_not_within_and_no_failure(compared) -> None:
    _, home, _, err = compared
    for cell in by_contender(document(home), "misses"):
        assert (cell["status"], cell["within"], cell["trials_to_band"]) == ("missed", False, None)
        assert cell["missed"] == pytest.approx(abs(cell["macs"] / cell["limit"] - 1))
        assert cell["trials"] == 2
        assert cell["quality"] is None
        assert "none of 2 raw strategies came within" in cell["failure"]
    assert "none of 2 raw strategies came within" in err
    assert "failed" not in err


def test_a_raw_contender_that_meets_its_tolerance_ends_its_search(compared) -> None:
    _, home, _, _ = compared
    for cell in by_contender(document(home), "meets"):
        assert (cell["status"], cell["within"], cell["missed"]) == ("done", True, 0)
        assert (cell["trials"], cell["trials_to_band"]) == (1, 1)


def test_what_an_llm_took_is_counted(compared) -> None:
    _, home, _, _ = compared
    found = document(home)
    for cell in by_contender(found, "scripted"):
        assert cell["llm"]["calls"] == 2
        assert cell["llm"]["input_tokens"] == 18
        assert cell["trials"] == 3
        # The script knows one strategy; where it has no more, the built-in one stands in.
        assert cell["stand_ins"] == 1
    (summary,) = (each for each in found["overall"] if each["contender"] == "scripted")
    assert summary["calls"] == {"mean": 2.0, "deviation": 0.0, "count": 2}
    assert summary["tokens"]["mean"] == 22
    assert by_contender(found, "solver")[0]["llm"] is None


def test_searching_is_told_from_machinery(compared) -> None:
    _, home, _, _ = compared
    found = document(home)
    for cell in by_contender(found, "solver"):
        assert {"load", "trace", "score", "solve", "judge", "verify"} <= cell["seconds"].keys()
        assert cell["search_seconds"] > 0
    (summary,) = (each for each in found["overall"] if each["contender"] == "solver")
    assert summary["machinery_seconds"]["mean"] > 0


def test_every_cell_is_an_ordinary_run(compared) -> None:
    _, home, _, _ = compared
    listed = list_runs(home)
    assert len(listed) == 10
    assert {run.status for run in listed} == {"done", "failed"}
    run = home / "test_resnet" / "50-percent" / "by-chance" / "seed-1"
    record = json.loads((run / "run.json").read_text())
    assert (record["seed"], record["options"]["strategist"]) == (1, "random")
    assert record["command"][:2] == ["ap", "ablate"]
    assert (run / "report.html").exists()


def test_the_tables_have_a_row_for_each_contender(compared) -> None:
    _, home, out, _ = compared
    lines = out.splitlines()
    columns = r"contender +within +rank +top-1, % +to the band +calls +tokens +search, s +stand-ins"
    assert lines[0] == "a small comparison"
    assert re.fullmatch(r"test_resnet at 50%; uncut, top-1 is [0-9.]+ ± [0-9.]+ %", lines[1])
    assert re.fullmatch(columns, lines[2])
    assert re.match(r"solver +2/2 ", lines[3])
    assert re.match(r"misses +0/2 +[0-9.]+ ± [0-9.]+ +- +- +- +- ", lines[5])
    assert re.match(r"scripted +2/2 .* 2\.0 ± 0\.0 +22 ± 0 ", lines[7])
    assert lines[8] == "over all models, targets and seeds"
    assert re.fullmatch(columns, lines[9])
    assert lines[-1] == f"page: {home / 'index.html'}"


def test_the_page_has_the_tables_the_chart_and_the_searches(compared) -> None:
    _, home, _, _ = compared
    page = (home / "index.html").read_text()
    assert "<script" not in page
    assert "10 of 10 cells" in page
    assert 'id="contender-chart-title"' in page
    assert 'id="search-1-wide-title"' in page
    assert page.count("<table") == 4
    assert "Random weights." in page
    assert "2 cells missed their budget" in page
    assert "In 2 trials a proposal was of no use" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == 8
    assert all((home / link).exists() for link in links)


def test_started_again_it_prints_what_is_there_and_runs_nothing(compared) -> None:
    path, home, _, _ = compared
    before = (home / "ablation.json").read_bytes()
    out, err = ablate(path, "--output", home, "--json")
    assert json.loads(out) == json.loads(before)
    assert (home / "ablation.json").read_bytes() == before
    assert err == "10 cells there already\n"


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("prune.trials=3", "prune.trials is 2, not 3"),
        ("seeds=[0]", "seeds is [0, 1], not [0]"),
        ("contender.solver.band=0.01", "contender.solver.band is not set, not 0.01"),
        ("contender.misses.raw=paper", "contender.misses.raw is +0/-0, not paper"),
        ("model.test_resnet.targets=['40%']", "model.test_resnet.targets is [], not ['40%']"),
    ],
)
def test_another_configuration_is_refused(compared, setting: str, difference: str) -> None:
    path, home, _, _ = compared
    before = (home / "ablation.json").read_bytes()
    _, err = ablate(path, "--output", home, "--set", setting, code=1)
    assert err == (
        f"error: {home} holds another comparison: {difference}\n"
        "hint: name another directory with --output\n"
    )
    assert (home / "ablation.json").read_bytes() == before


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").touch()
    _, err = ablate(written(tmp_path, SHARED, SOLVER), "--output", tmp_path / "out", code=1)
    assert "is not empty, and holds no comparison" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_a_cell_that_fails_ends_nothing_and_is_tried_again(tmp_path: Path) -> None:
    path = written(tmp_path, SHARED, SOLVER)
    settings = ("--set", "seeds=[0]", "--set", "targets=['0.5%', '50%']", "--set", "prune.trials=1")
    home = tmp_path / "out"
    for attempt in ("first", "second"):
        _, err = ablate(path, "--output", home, *settings, code=1)
        assert err.endswith(
            "error: 1 of 2 cells failed\nhint: the same command tries them again\n"
        ), attempt
        bad, good = document(home)["cells"]
        assert (bad["status"], good["status"]) == ("failed", "done")
        assert "cannot be cut to 20.49 k MACs" in bad["failure"]
        assert f"1/2 test_resnet at 0.5%, solver, seed 0 failed: {bad['failure']}\nhint: " in err
    assert "1 cell there already" in err
    assert "Failed: 1." in (home / "index.html").read_text()


def test_a_raw_search_that_missed_counts_what_its_llm_took(tmp_path: Path) -> None:
    agents = AGENTS.format(transcript=transcript(tmp_path)) + 'raw = "+0/-0"\n'
    path = written(tmp_path, SHARED.replace("[0, 1]", "[0]"), agents)
    out, _ = ablate(path, "--output", tmp_path / "out", "--json")
    (cell,) = json.loads(out)["cells"]
    assert (cell["status"], cell["within"], cell["llm"]["model"]) == ("missed", False, "script")
    assert cell["llm"]["calls"] == 2
    assert cell["search_seconds"] > 0


def test_a_comparison_that_another_process_runs_is_refused(tmp_path: Path) -> None:
    path, home = written(tmp_path, SHARED, SOLVER), tmp_path / "out"
    home.mkdir()
    lock = RunLock(home)
    lock.acquire()
    try:
        _, err = ablate(path, "--output", home, code=1)
    finally:
        lock.release()
    assert f"{home} is in use by process" in err
    assert not (home / "ablation.json").exists()


@pytest.fixture
def copied(compared, tmp_path: Path):
    path, home, _, _ = compared
    shutil.copytree(home, tmp_path / "out")
    return path, tmp_path / "out"


def test_going_on_with_other_versions_is_said(copied) -> None:
    path, home = copied
    found = document(home)
    found["environment"]["torch"] = "1.0"
    (home / "ablation.json").write_text(json.dumps(found))
    _, err = ablate(path, "--output", home)
    assert "warning: the comparison was begun with torch 1.0; it goes on with " in err


def test_a_damaged_comparison_is_refused(copied) -> None:
    path, home = copied
    (home / "ablation.json").write_text("{")
    _, err = ablate(path, "--output", home, code=1)
    assert "ablation.json is damaged" in err


class Faint(Silent):
    """No memory is left when the grid searches."""

    @contextmanager
    def progress(self, total, description, *, unit=""):
        if "searching (grid)" in description:
            raise MemoryError("no room")
        yield lambda _steps: None


def test_a_cell_without_memory_is_a_failure_of_its_own(tmp_path: Path) -> None:
    grid = SOLVER.replace("solver", "grid")
    path = written(tmp_path, SHARED.replace("[0, 1]", "[0]"), grid, SOLVER)
    record = compare(read_configuration(str(path)), tmp_path / "out", progress=Faint())
    assert [cell.status for cell in record.cells] == ["failed", "done"]
    assert record.cells[0].failure == "MemoryError: no room"
    again = compare(read_configuration(str(path)), tmp_path / "out", progress=Silent())
    assert [cell.status for cell in again.cells] == ["done", "done"]
    assert again.cells[1] == record.cells[1]


def wait_for(there, process) -> None:
    end = time.monotonic() + WAIT
    while not there():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def stop(process, how) -> int:
    how(process)
    process.communicate(timeout=WAIT)
    return process.returncode


def measured(cell: dict[str, object]) -> dict[str, object]:
    return {key: cell[key] for key in MEASURED}


def test_stopped_and_killed_it_goes_on_to_the_same_results(compared, tmp_path: Path) -> None:
    path, whole, _, _ = compared
    home = tmp_path / "out"
    process = started(path, "--output", home)
    wait_for((home / "ablation.json").exists, process)
    wait_for(lambda: len(document(home)["cells"]) >= 1, process)
    assert stop(process, lambda it: it.send_signal(signal.SIGINT)) == 130
    done = document(home)["cells"]
    first = (home / done[0]["run"] / "run.json").stat().st_mtime_ns

    process = started(path, "--output", home)
    journal = home / "test_resnet" / "50-percent" / "scripted" / "seed-0" / "trials.jsonl"
    wait_for(journal.exists, process)
    assert stop(process, kill) == -signal.SIGKILL
    assert len(document(home)["cells"]) < 10
    assert "Not finished." in (home / "index.html").read_text()

    out, _ = ablate(path, "--output", home, "--json")
    found = json.loads(out)["cells"]
    for cell, other in zip(found, document(whole)["cells"], strict=True):
        assert measured(cell) == measured(other)
    assert found[: len(done)] == done
    assert (home / done[0]["run"] / "run.json").stat().st_mtime_ns == first
    (scripted, _) = by_contender(json.loads(out), "scripted")
    assert scripted["llm"]["calls"] == 2


def test_the_shipped_configurations_are_listed() -> None:
    out, _ = ablate("--list")
    assert [line.split()[0] for line in out.splitlines()] == [
        "configuration",
        "paper-llms",
        "small",
    ]
    listed = json.loads(ablate("--list", "--json")[0])["configurations"]
    assert [each["name"] for each in listed] == ["paper-llms", "small"]
    assert "no accuracy means anything" in listed[1]["title"]
