"""`ap export`: what it prints, and the document."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
import torch
from exports import CLASSES, SIZE

from ap_bench import plugin
from ap_core.cli.main import run as run_program
from ap_core.testing import check_command, check_exporter

MODEL = ("--weights", "random", "--num-classes", "10", "--input-size", "32")


def ap(*arguments):
    """Exit code, stdout and stderr of the program, in this process."""
    out, err = io.StringIO(), io.StringIO()
    words = [str(each) for each in arguments]
    code = run_program(words, environment={"COLUMNS": "120"}, out=out, err=err)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_document_of_a_model_with_random_weights(here):
    code, out, err = ap("export", "test_resnet", "--to", "torch-export", *MODEL,
                        "--dtype", "bf16", "--batch-size", "2", "--json")  # fmt: skip
    assert code == 0, err
    assert "warning: RANDOM WEIGHTS, outputs mean nothing: test_resnet is exported without" in err
    found = json.loads(out)
    seconds, difference = found.pop("seconds"), found.pop("difference")
    assert set(seconds) == {"write", "check"}
    assert 0 < difference < 0.05
    file = here / "test_resnet-bf16-batch2.pt2"
    assert found == {
        "schema": 1,
        "file": file.name,
        "run": None,
        "format": "torch-export",
        "opset": None,
        "batch_size": 2,
        "weights": "random",
        "about": {
            "model": "timm/test_resnet.r160_in1k",
            "weights": "random",
            "input_size": list(SIZE),
            "num_classes": CLASSES,
            "interpolation": "bilinear",
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "crop_pct": 0.95,
            "crop_mode": "center",
            "dtype": "bf16",
            "macs": 4_099_008,
            "params": 373_658,
            "version": found["about"]["version"],
        },
        "bytes": file.stat().st_size,
        "tolerance": 0.05,
    }
    assert [path.name for path in here.iterdir()] == [file.name]


def test_the_table_says_which_weights_and_how_far_the_outputs_are_apart(here):
    code, _, err = ap("prune", "--model", "test_resnet", *MODEL, "--target-macs", "50%",
                      "--output", "run", "-q")  # fmt: skip
    assert code == 0, err
    code, out, err = ap("export", "run", "--to", "onnx")
    assert code == 0, err
    assert "warning: RANDOM WEIGHTS, outputs mean nothing: run was pruned without" in err
    assert re.search(r"weights +pruned\n", out)
    assert re.search(r"format +onnx, opset 20, fp32\n", out)
    assert re.search(r"input +any number of images, 3 x 32 x 32\n", out)
    assert re.search(r"largest difference +\S+ of the largest output \(allowed: 0\.0001\)\n", out)
    assert out.endswith("file: run/export/model.onnx\n")
    own = ("--output", "run/model.safetensors", "--force")
    code, out, err = ap("export", "run", "--to", "onnx", *own)
    assert (code, out) == (1, "")
    assert "error: run/model.safetensors would be among the run's own files\n" in err
    code, out, err = ap("export", "run", "--to", "onnx")
    assert (code, out) == (1, "")
    assert err == (
        "error: run/export/model.onnx is there already\n"
        "hint: replace it with --force, or name another: --output\n"
    )


@pytest.mark.parametrize(
    ("code", "said", "arguments"),
    [
        (2, "error: unknown exporter 'onx'\nhint: did you mean onnx?\n", ("--to", "onx")),
        (2, "error: Missing option '--to'.\nhint: see 'ap export --help'\n", ()),
        (
            2,
            "error: --weights cannot be given: they are in the checkpoint\nhint: leave it out\n",
            ("--to", "onnx", "--weights", "random", "--checkpoint", "none.pth"),
        ),
        (
            2,
            "error: --seed cannot be given: no weights are random; --weights random asks for "
            "that\nhint: leave it out\n",
            ("--to", "onnx", "--seed", "1"),
        ),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(code, said, arguments):
    assert ap("export", "test_resnet", *arguments) == (code, "", said)


def test_help_needs_no_torch():
    code = "import sys; from ap_core.cli.main import main; sys.argv[1:] = ['export', '--help']\n"
    code += "try: main()\nfinally: assert not {'torch', 'onnx', 'onnxruntime'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env=os.environ | {"COLUMNS": "100"}, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Usage: ap export [OPTIONS] RUN|MODEL\n")
    assert "ap export runs/first --to onnx" in done.stdout


def test_the_command_conforms():
    (command,) = [each for each in plugin.ap_commands() if each.name == "export"]
    check_command(command.make())


def test_the_exporter_of_onnx_conforms(tmp_path):
    (offer,) = [each for each in plugin.ap_exporters() if each.name == "onnx"]
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3)).eval()
    check_exporter(offer, network, input_size=(1, 2, 2), place=tmp_path)
