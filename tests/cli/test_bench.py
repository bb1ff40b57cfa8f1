"""`ap bench`: what its options do, and what it says of what it cannot measure."""

import io
import json

import pytest
from test_runs import BUDGET, record

from ap_bench.measuring.bench import bench
from ap_core.cli.main import run
from ap_core.errors import RunError
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory

QUICK = ("--input-size", "32", "--rounds", "6", "--quiet")


def ap(*arguments):
    """Exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = run(["bench", *arguments], environment={"COLUMNS": "160"}, out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def test_a_run_that_was_killed_is_interrupted_here_too(tmp_path) -> None:
    path = tmp_path / "run"
    with RunDirectory.create(path, model="toy", budget=BUDGET) as run:
        run.write_record(record(status="running", result=None))
    with pytest.raises(RunError, match="is not finished: interrupted") as caught:
        bench([str(path)], registry=Registry.from_plugins([]))
    assert caught.value.hint == f"go on with: ap prune --resume {path}"


def test_lists_are_measured_in_every_combination() -> None:
    lists = ("--batch-size", "1,2", "--dtype", "fp32,bf16", "--threads", "1")
    code, out, err = ap("test_resnet", *QUICK, *lists, "--json")
    assert (code, err) == (0, "")
    found = [(each["dtype"], each["batch_size"]) for each in json.loads(out)["results"]]
    assert found == [("fp32", 1), ("fp32", 2), ("bf16", 1), ("bf16", 2)]


def test_a_table_and_files(tmp_path) -> None:
    places = ("--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.svg"))
    code, out, err = ap("test_resnet", "test_resnet", *QUICK, *places)
    assert (code, err) == (0, "")
    assert "cpu, fp32, batch 1, " in out
    assert "speed-up: over test_resnet, round by round" in out
    assert (tmp_path / "a.csv").read_text().startswith("name,macs,torch_pruning_macs,params,")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--device", "gpu"),
            "error: 'gpu' is no device\nhint: there are: ",
        ),
        (
            ("--dtype", "fp64"),
            "error: Invalid value for '--dtype': 'fp64' is not one of 'fp32', 'bf16', 'fp16'.\n",
        ),
        (
            ("--batch-size", "1,0"),
            "error: Invalid value for '--batch-size': 0 is not in the range x>=1.\n",
        ),
        (
            ("--rounds", "3"),
            "error: Invalid value for '--rounds': 3 is not in the range x>=6.\n",
        ),
        (
            ("--backend", "onnxruntime", "--memory-format", "channels-last"),
            "error: --memory-format channels-last does nothing in onnxruntime, which chooses its "
            "own\nhint: leave it out, or take --backend eager or compile\n",
        ),
        (
            ("--plot", "a.pdf"),
            "error: --plot a.pdf is neither a .png nor a .svg file\nhint: name it a.png\n",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, said) -> None:
    code, out, err = ap("test_resnet", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(said)
