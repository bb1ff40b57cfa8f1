"""`ap report`: where pages go, and files of latencies, good and bad."""

import io
import json
from pathlib import Path

import pytest
from latency_samples import measured, printed, whole
from run_samples import BUDGET, NETWORK, PLAN, record, result

from ap_core.cli.main import run
from ap_core.runs.directory import RunDirectory

WRITE_ONE = "hint: write one with: ap bench RUN... --json > FILE\n"


def ap(*arguments):
    """Exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = run(["report", *arguments], environment={"COLUMNS": "160"}, out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def other(why):
    """What is said of a file that is something else."""
    return f"is not what 'ap bench --json' prints: {why}\n{WRITE_ONE}"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A directory with the finished runs one and two."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        with RunDirectory.create(Path("runs", name), model="toy", budget=BUDGET) as made:
            made.write_record(record(status="done", result=result()))
            made.write_network(NETWORK)
            made.write_plan(PLAN)
    return tmp_path


def bench_file(document):
    """Writes a file, and gives its name."""
    text = document if isinstance(document, str) else json.dumps(document)
    Path("bench.json").write_text(text)
    return "bench.json"


def test_the_page_of_one_run_is_in_the_run_and_that_of_several_is_here():
    assert ap("runs/one") == (0, "report: runs/one/report.html\n", "")
    assert ap("runs/one", "runs/two") == (0, "report: comparison.html\n", "")
    assert Path("runs/one/report.html").read_text().startswith("<!doctype html>")
    assert "2 runs, side by side" in Path("comparison.html").read_text()


def test_a_file_of_latencies_is_drawn():
    file = bench_file(printed(whole(), measured("runs/one"), measured("runs/two")))
    assert ap("runs/one", "runs/two", "--bench", file)[0] == 0
    assert "Accuracy by latency" in Path("comparison.html").read_text()
    assert ap("runs/one", "--bench", file)[0] == 0
    assert "3.000 ms <small>of 4.500 ms</small>" in Path("runs/one/report.html").read_text()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("ms", other("Invalid JSON: expected value at line 1 column 1")),
        ([], other("Input should be an object")),
        ({"runs": []}, other("schema: Field required")),
        ({"schema": 1, "model": "toy"}, other("environment: Field required")),
        (printed(), other("results: Tuple should have at least 1 item after validation, not 0")),
        (printed(measured("runs/one", median=0.0)),
         other("results.0.median: Input should be greater than 0")),
        (printed(measured("runs/one", median=float("nan"))),
         other("results.0.median: Input should be a finite number")),
        (printed(measured("runs/one"), schema=2),
         "has schema 2; this version of ap reads 1\nhint: measure again, with this version\n"),
        (printed(whole(), measured("runs/three")),
         "has the latency of none of these runs, but of toy, runs/three\nhint: runs go by the "
         "paths that 'ap bench' was given: be in the same directory\n"),
        (printed(measured("runs/one", macs=47)),
         "is of another network than runs/one holds now\nhint: measure it again\n"),
    ],
)  # fmt: skip
def test_a_file_that_is_of_no_use_is_refused_and_nothing_is_written(document, said):
    file = bench_file(document)
    assert ap("runs/one", "--bench", file) == (2, "", f"error: bench.json {said}")
    assert not Path("runs/one/report.html").exists()


def test_a_file_that_is_not_there_is_refused():
    said = f"error: cannot read no.json: No such file or directory\n{WRITE_ONE}"
    assert ap("runs/one", "--bench", "no.json") == (2, "", said)
