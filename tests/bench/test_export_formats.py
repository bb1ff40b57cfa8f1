"""What `ap export` refuses, and why: formats, packages, operators, runs, weights."""

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from exports import SMALL, Linear, distilled, registry_with

from ap_bench.exporting.capture import captured
from ap_bench.exporting.export import export
from ap_core import load_model, prune
from ap_core.contracts import ExportRequest
from ap_core.errors import ModelError, RunError, UnknownNameError, UsageError
from ap_core.pipeline.progress import Silent
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def registry():
    return Registry.from_entry_points()


@pytest.fixture
def exported(registry, tmp_path, monkeypatch):
    """Exports into an empty directory."""
    monkeypatch.chdir(tmp_path)

    def export_here(subject="test_resnet", **options):
        return export(subject, registry=registry, progress=Silent(), **options)

    return export_here


# ---- formats


def test_an_unknown_format_suggests_near_ones(exported):
    with pytest.raises(UnknownNameError, match="unknown exporter 'torch-exprot'") as caught:
        exported(to="torch-exprot")
    assert caught.value.hint == "did you mean torch-export?"


def test_what_a_format_cannot_hold_is_refused_with_what_can(exported):
    with pytest.raises(UsageError, match="the format onnx cannot hold bf16") as caught:
        exported(to="onnx", dtype="bf16")
    assert caught.value.hint == "--dtype fp32 or fp16, or --to torch-export"


@pytest.mark.parametrize("opset", [0, 17, 24])
def test_an_opset_out_of_range_is_refused_with_the_range(opset, exported):
    with pytest.raises(UsageError, match=f"the opset {opset} is out of range for onnx") as caught:
        exported(to="onnx", opset=opset)
    assert caught.value.hint == "--opset 18 to 23; default: 20"


def test_an_opset_of_a_format_that_has_none_is_refused(exported):
    with pytest.raises(UsageError, match="the format torch-export has none"):
        exported(to="torch-export", opset=20)


def test_a_missing_package_names_the_extra(exported, monkeypatch):
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="needs onnx and onnxruntime, not installed") as caught:
        exported(to="onnx")
    assert caught.value.hint == "pip install 'ap-bench[onnx]'"


def test_the_extra_holds_what_onnx_needs(registry):
    project = tomllib.loads((ROOT / "packages" / "ap-bench" / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["onnx"]
    assert {each.partition(">=")[0] for each in extra} == set(registry.exporters["onnx"].needs)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"dtype": "int8"}, {"opsett": 18}])
def test_wrong_options_are_usage_errors_that_name_them(wrong, exported):
    with pytest.raises(UsageError, match=f"the option '{next(iter(wrong))}' is wrong"):
        exported(**wrong)


# ---- operators


def test_an_operator_that_onnx_lacks_is_named(exported, tmp_path):
    with pytest.raises(ModelError, match="which the Linear uses") as caught:
        exported(Linear(torch.special.bessel_j0), to="onnx", input_size=SMALL)
    assert caught.value.message.startswith("ONNX has no operator for prims.bessel_j0, ")
    assert caught.value.hint == "--to torch-export can hold it"
    assert not list(tmp_path.iterdir())


def look(logits: torch.Tensor) -> torch.Tensor:
    return logits * 2 if logits.sum() > 0 else logits


def test_a_line_that_looks_at_the_values_is_shown_and_torch_is_silent(capfd):
    with pytest.raises(ModelError, match="cannot follow the Linear: Could not guard on") as caught:
        captured(Linear(look), ExportRequest(input_size=SMALL))
    line = "return logits * 2 if logits.sum() > 0 else logits"
    assert f", at `{line}` (test_export_formats.py, line " in caught.value.message
    assert caught.value.hint == (
        "write that line without looking at the values, or a fixed batch: --batch-size 1"
    )
    assert capfd.readouterr() == ("", "")


def test_a_line_that_takes_one_number_of_images_asks_for_a_fixed_batch():
    network = Linear(lambda logits: logits.reshape(2, 5) + 0)
    with pytest.raises(ModelError, match="your code specialized it to be a constant") as caught:
        captured(network, ExportRequest(input_size=SMALL))
    assert "or a fixed batch" in caught.value.hint
    assert captured(network, ExportRequest(input_size=SMALL, batch_size=2))


# ---- runs


def test_a_directory_without_a_run_and_a_name_of_nothing_are_refused(exported, tmp_path):
    with pytest.raises(RunError, match=r"holds no run: there is no run\.json in it"):
        exported(tmp_path)
    with pytest.raises(UnknownNameError, match="neither a run directory nor a model") as caught:
        exported("test_resnt")
    assert "test_resnet" in caught.value.hint
    with pytest.raises(UnknownNameError, match="'runs/none' is neither a run directory nor a"):
        exported("runs/none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose network was made here."""
    path = tmp_path_factory.mktemp("own") / "run"
    prune(distilled(), input_size=(3, 32, 32), target_macs="60%", output=path, progress=Silent())
    return path


def test_a_run_of_the_callers_own_code_says_how_to_export_it(run, exported):
    with pytest.raises(RunError, match="made by live:VisionTransformerDist") as caught:
        exported(run)
    assert "export(run, factory=...)" in caught.value.hint


def test_a_run_answers_for_its_network_itself(run, exported):
    for option in ({"input_size": (3, 64, 64)}, {"num_classes": 3}, {"weights": "random"}):
        with pytest.raises(UsageError, match="is a run, and knows its own"):
            exported(run, factory=distilled, **option)


def test_the_weights_after_training_are_exported_where_there_are_any(run, registry, tmp_path):
    path = tmp_path / "trained"
    shutil.copytree(run, path)
    trained = load_model(run, factory=distilled)
    with torch.no_grad():
        trained.head.bias += 1
    (path / "finetune").mkdir()
    registry.model_adapters["vit"].make().save(trained, path / "finetune" / "best.safetensors")
    document = json.loads((path / "run.json").read_text())
    document["finetuned"] = {"images": 9, "loss": 1.0, "top1": 0.5, "top5": 1.0}
    (path / "run.json").write_text(json.dumps(document))
    seen = []

    def record(module, request, path):
        seen.append(module.head.bias.detach().clone())
        path.write_bytes(b"file")

    for each, weights in ((run, "pruned"), (path, "fine-tuned")):
        done = export(
            each, to="plain", factory=distilled, output=tmp_path / f"{each.name}.npz",
            registry=registry_with(record), progress=Silent(),
        )  # fmt: skip
        assert (done.weights, done.about["weights"], done.run) == (weights, weights, each)
    assert torch.equal(seen[1], trained.head.bias)
    assert torch.equal(seen[1], seen[0] + 1)


def test_an_interrupted_run_is_refused_with_how_to_go_on(run, exported, tmp_path):
    path = tmp_path / "stopped"
    path.mkdir()
    content = (run / "run.json").read_text().replace('"status": "done"', '"status": "running"')
    (path / "run.json").write_text(content)
    with pytest.raises(RunError, match="is not finished: interrupted") as caught:
        exported(path, factory=distilled)
    assert caught.value.hint == f"go on with: ap prune --resume {path}"


def test_a_directory_of_several_runs_names_them(run, exported):
    with pytest.raises(RunError, match="holds no run") as caught:
        exported(run.parent)
    assert caught.value.hint == f"the runs in it: {run}"


def test_a_run_that_another_process_works_on_is_left_alone(run, exported):
    with (
        RunDirectory.resume(run, note=lambda _text: None),
        pytest.raises(RunError, match="is in use by process"),
    ):
        exported(run, factory=distilled, to="torch-export")
    assert not (run / "export").exists()


# ---- weights


def test_random_weights_are_not_taken_unless_asked_for(exported, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    with pytest.raises(ModelError) as caught:
        exported("test_resnet", to="torch-export")
    assert "say --weights random" in caught.value.hint


def test_a_function_of_ones_own_is_for_runs(exported):
    with pytest.raises(UsageError, match="module and factory are for the network of a run"):
        exported("test_resnet", factory=Linear)
