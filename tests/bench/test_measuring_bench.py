"""Models, runs and files beside each other; what cannot be measured is refused before."""

import json
import resource
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from measured import facts
from run_samples import record, result
from torch import nn

from ap_bench.exporting.export import export
from ap_bench.exporting.onnx_format import write_onnx
from ap_bench.exporting.opset import OPSET
from ap_bench.measuring.bench import bench, named
from ap_bench.measuring.cautions import warn_of_sizes
from ap_bench.measuring.fresh import measure_fresh
from ap_bench.measuring.memory import available
from ap_bench.measuring.options import BenchOptions
from ap_bench.measuring.settings import Settings
from ap_bench.measuring.subjects import Named
from ap_core import load_model, prune
from ap_core.contracts import ExportRequest
from ap_core.errors import ApError, ModelError, UnknownNameError, UsageError
from ap_core.pipeline.progress import Silent
from ap_core.plugins.registry import Registry
from ap_core.runs.records import ArchitectureRecord

needs_room = pytest.mark.skipif(
    available() is None, reason="the system does not say how much memory there is"
)
needs_onnx = pytest.mark.skipif(
    find_spec("onnxscript") is None, reason="ap-bench[onnx] is not here"
)
QUICK = BenchOptions(rounds=6, threads=(1,))
MANY = 10**9


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A run of a small network, and the same network as files."""
    place = tmp_path_factory.mktemp("bench")
    prune(
        "test_resnet", num_classes=10, input_size=(3, 32, 32), target_macs="50%",
        weights="random", output=place / "run",
    )  # fmt: skip
    module, images = load_model(place / "run"), torch.randn(2, 3, 32, 32)
    batch = {0: torch.export.Dim("batch", min=1, max=MANY)}
    any_batch = torch.export.export(module, (images,), dynamic_shapes=(batch,))
    torch.export.save(any_batch, place / "any.pt2")
    torch.export.save(torch.export.export(module, (images,)), place / "two.pt2")
    half = torch.export.export(module.bfloat16(), (images.bfloat16(),))
    torch.export.save(half, place / "half.pt2")
    return place


@pytest.fixture(scope="module")
def onnx(place) -> Path:
    output = place / "run.onnx"
    return export(place / "run", output=output, batch_size=1, progress=Silent()).path


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.from_entry_points()


def refused(registry, *subjects, **options) -> ApError:
    with pytest.raises(ApError) as caught:
        bench([str(each) for each in subjects], BenchOptions(**options), registry=registry)
    return caught.value


def test_a_run_alone_is_measured_beside_its_whole_network(place, registry):
    found = bench([str(place / "run")], QUICK, registry=registry)
    ((whole, cut),) = found.groups
    assert whole.facts.name == "timm/test_resnet.r160_in1k"
    assert cut.facts.macs < whole.facts.macs / 2 + 1
    assert cut.facts.params < whole.facts.params
    assert set(cut.facts.counters) == {"torch_pruning_macs"}
    assert cut.facts.size == (place / "run" / "model.safetensors").stat().st_size
    assert whole.facts.size == 4 * whole.facts.params
    assert whole.ratio is None
    assert cut.ratio.low <= cut.ratio.value <= cut.ratio.high
    assert cut.memory.peak < whole.memory.peak
    assert len(cut.rounds) == 6
    assert cut.throughput > 0
    assert cut.settings.threads == 1
    assert found.environment["torch"] == torch.__version__.partition("+")[0]
    assert found.environment["processor"]


def test_every_combination_is_a_group_and_ratios_are_over_the_first_that_is_named(
    place, registry, heard
):
    options = BenchOptions(rounds=6, batch_size=(1, 2))
    subjects = [str(place / "run"), "test_vit"]
    found = bench(subjects, options, registry=registry, progress=heard)
    assert [group[0].settings.batch_size for group in found.groups] == [1, 2]
    assert found.groups[0][0].facts.name == str(place / "run")
    assert all(group[0].ratio is None and group[1].ratio for group in found.groups)


def test_images_of_different_sizes_are_warned_of(heard):
    warn_of_sizes([facts("one"), facts("other")], heard)
    assert heard.warnings == []
    warn_of_sizes([facts("one"), facts("other", input_size=(3, 64, 64))], heard)
    (said,) = heard.warnings
    assert said == "the images are not of one size: one 3 x 32 x 32, other 3 x 64 x 64"


def test_models_see_images_of_the_size_that_is_given(registry):
    options = BenchOptions(rounds=6, input_size=(3, 32, 32))
    found = bench(["test_resnet", "test_resnet"], options, registry=registry)
    assert {each.input_size for each in found.facts} == {(3, 32, 32)}


def test_a_file_of_torch_export_is_the_network_that_was_written(place, registry):
    found = bench([str(place / "run"), str(place / "any.pt2")], QUICK, registry=registry)
    run, file = found.facts
    assert (file.macs, file.params) == (run.macs, run.params)
    assert file.counters == {}
    assert file.size == (place / "any.pt2").stat().st_size


def test_a_file_in_bf16_is_measured_in_bf16(place, registry):
    options = BenchOptions(rounds=6, dtype=("bf16",), batch_size=(2,))
    found = bench([str(place / "half.pt2")], options, registry=registry)
    assert found.results[0].settings.dtype == "bf16"


@needs_onnx
def test_an_onnx_file_runs_beside_a_network_each_by_its_own_backend(place, onnx, registry):
    found = bench([str(place / "run"), str(onnx)], QUICK, registry=registry)
    run, file = found.results
    assert (run.settings.backend, file.settings.backend) == ("eager", "onnxruntime")
    assert (file.facts.macs, file.facts.params, file.memory) == (None, None, None)
    beside = onnx.with_name("run.onnx.data")
    assert file.facts.size == onnx.stat().st_size + (
        beside.stat().st_size if beside.exists() else 0
    )


def test_in_fresh_processes_a_network_is_measured_likewise(place):
    names = [Named(text=str(place / "run")), Named(text=str(place / "run"), whole=True)]
    told = []
    found = measure_fresh(
        names, [Settings(threads=1, batch_size=2)] * 2, rounds=1, advance=told.append
    )
    assert told == [1]
    for each in found:
        assert len(each.timings.rounds) == 1
        assert each.timings.rounds[0] > 0
        assert each.memory is None or each.memory.kind == "resident"
        assert each.denormals is not None


def told_by(program: str) -> ModelError:
    names, python = [Named(text="small")], (sys.executable, "-S", "-c", program)
    with pytest.raises(ModelError) as caught:
        measure_fresh(names, [Settings()], rounds=1, advance=lambda _n: None, program=python)
    return caught.value


def test_what_goes_wrong_in_a_fresh_process_is_told():
    error = told_by("""input(); print('{"failure": "it burns", "hint": "run"}', flush=True)""")
    assert (error.message, error.hint) == ("it burns", "run")


def test_a_fresh_process_that_dies_is_no_traceback():
    error = told_by("import sys; input(); sys.exit('it burns')")
    assert error.message == "the process that measured small ended with code 1: it burns"
    error = told_by("import os; input(); os.kill(os.getpid(), 9)")
    assert error.message == "the process that measured small ended with signal 9"
    assert error.hint.endswith("take a smaller --batch-size")


def test_a_fresh_process_that_dies_between_two_rounds_is_no_traceback():
    error = told_by("import os; input(); print('{}', flush=True); os.close(0); os._exit(3)")
    assert error.message == "the process that measured small ended with code 3"


def test_a_fresh_process_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("ap_bench.measuring.fresh.PATIENCE", 0.1)
    stuck = """if True:
        import time; input(); print('{}', flush=True)
        while True:
            try: input(); print('{"times": [1.0]}', flush=True)
            except EOFError: time.sleep(600)
    """
    python = (sys.executable, "-S", "-c", stuck)
    (found,) = measure_fresh(
        [Named(text="small")], [Settings()], rounds=1, advance=lambda _n: None, program=python
    )
    assert found.timings.rounds == (1.0,)


# ---- what is refused


def test_a_run_names_no_code_to_import(place, registry, tmp_path, monkeypatch):
    shutil.copytree(place / "run", tmp_path / "run")
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')")
    record = tmp_path / "run" / "run.json"
    document = json.loads(record.read_text())
    document["architecture"]["name"] = "mine:network"
    record.write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    error = refused(registry, "run")
    assert (
        error.message
        == "the whole network of run was made by mine:network, which a run never imports"
    )
    assert "compare_modules" in error.hint


def test_the_whole_network_comes_before_a_run_that_is_alone(place):
    run = str(place / "run")
    assert [each.whole for each in named([run], BenchOptions())] == [True, False]
    assert [each.whole for each in named([run, run], BenchOptions())] == [False, False]


def test_nothing_to_measure_is_refused(registry):
    assert refused(registry).message == "nothing to measure"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
@pytest.mark.parametrize("name", ["cuda", "cuda:3", "mps"])
def test_a_device_that_is_not_there_is_refused_naming_those_that_are(registry, name):
    error = refused(registry, "test_resnet", device=(name,))
    assert (error.message, error.hint) == (f"there is no {name} here", "there are: cpu")
    assert error.exit_code == 2


def test_what_is_no_device_is_refused(registry):
    assert refused(registry, "test_resnet", device=("gpu",)).message == "'gpu' is no device"


def test_a_name_that_nobody_knows_is_refused_with_near_ones(registry):
    error = refused(registry, "test_resnet_")
    assert isinstance(error, UnknownNameError)
    assert "test_resnet" in error.hint


def test_an_input_size_for_no_model_is_refused(place, registry):
    error = refused(registry, place / "run", input_size=(3, 64, 64))
    assert error.message == "--input-size does nothing: no model is named"


def test_a_file_takes_its_own_batch_type_and_backend_alone(place, registry):
    two, path = place / "two.pt2", str(place / "two.pt2")
    assert refused(registry, two, batch_size=(3,)).message == (
        f"{path} takes batches of 2 only, not of 3"
    )
    assert refused(registry, two, dtype=("bf16",), batch_size=(2,)).message == (
        f"{path} is of fp32: it cannot be run in bf16"
    )
    assert refused(registry, two, backend=("onnxruntime",), batch_size=(2,)).message == (
        f"{path} is run by torch, not by --backend onnxruntime"
    )


@needs_room
def test_a_batch_that_memory_cannot_hold_is_refused_of_a_file_of_torch_export(place, registry):
    error = refused(registry, place / "any.pt2", batch_size=(MANY,))
    assert error.message == f"{place / 'any.pt2'} with a batch of {MANY:,} does not fit in memory"
    fits = int(error.hint.split()[1])
    assert error.hint == f"--batch-size {fits} fits"
    assert 1 < fits < MANY


@needs_room
@needs_onnx
def test_what_memory_cannot_hold_is_refused_of_an_onnx_file_whose_images_are_small(
    registry, tmp_path
):
    path = tmp_path / "wide.onnx"
    image = 4 * 2**12 * 2**12
    batch = 2 * available() // image
    wide = nn.Sequential(nn.Conv2d(3, 2**12, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    write_onnx(wide.eval(), ExportRequest(input_size=(3, 64, 64), opset=OPSET), path)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    error = refused(registry, path, batch_size=(batch,))
    assert error.message == f"{path} with a batch of {batch:,} does not fit in memory"
    assert error.hint == "take a smaller --batch-size"
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


@needs_onnx
def test_an_onnx_file_takes_its_own_batch_type_and_backend_alone(onnx, registry):
    assert refused(registry, onnx, batch_size=(3,)).message == (
        f"{onnx} takes batches of 1 only, not of 3"
    )
    assert refused(registry, onnx, dtype=("fp16",)).message == (
        f"{onnx} is of fp32: it cannot be run in fp16"
    )
    assert refused(registry, onnx, backend=("eager",)).message == (
        f"{onnx} is run by onnxruntime, not by --backend eager"
    )


def test_without_onnxruntime_the_extra_is_named(registry, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "some.onnx").write_bytes(b"")
    for error in (
        refused(registry, "test_resnet", backend=("onnxruntime",)),
        refused(registry, tmp_path / "some.onnx"),
    ):
        assert isinstance(error, UsageError)
        assert error.message.startswith("onnxruntime must be installed to ")
        assert error.hint == "pip install 'ap-bench[onnx]' installs it"


@needs_onnx
@pytest.mark.parametrize("content", [b"", b"no network"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.onnx", "is no ONNX file that onnxruntime can run"),
        ("a.pt2", "is no file of torch.export that can be loaded: File is not a zip file"),
        ("a.txt", "is no network that can be measured"),
    ],
)
def test_a_file_that_is_no_network_is_refused(registry, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    error = refused(registry, tmp_path / name)
    assert isinstance(error, ModelError)
    assert f"{tmp_path / name} {words}" in error.message
    assert error.hint


def test_a_file_that_does_not_take_images_is_refused(registry, tmp_path):
    program = torch.export.export(nn.Linear(4, 2), (torch.zeros(1, 4),))
    torch.export.save(program, tmp_path / "flat.pt2")
    error = refused(registry, tmp_path / "flat.pt2")
    assert error.message == f"{tmp_path / 'flat.pt2'} does not take images alone"


def test_a_file_whose_loading_would_run_code_is_refused(registry, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "evil.pt2", "w") as archive:
        archive.writestr("evil/data/constants/custom_obj_0", b"")
    error = refused(registry, tmp_path / "evil.pt2")
    assert "loading that would run code from the file" in error.message


def test_a_file_that_is_not_there_is_refused(registry, tmp_path):
    assert refused(registry, tmp_path / "a.onnx").message == f"there is no file {tmp_path}/a.onnx"


def test_macs_that_cannot_be_counted_are_warned_of_and_not_invented(registry, heard):
    from ap_bench.measuring.facts import facts_of
    from ap_bench.measuring.networks import Network
    from ap_bench.measuring.subjects import Subject

    class ReadsValues(nn.Module):
        def forward(self, images):
            return images * float(images.sum())

    module = ReadsValues()
    source = Network(name="odd", module=module, input_size=(3, 8, 8))
    subject = Subject(named=Named(text="odd"), source=source, module=module, size=0)
    found = facts_of(registry, subject, heard)
    assert (found.macs, found.params) == (None, 0)
    assert heard.warnings[0].startswith("the macs of odd cannot be counted: ")


def test_a_run_whose_whole_network_had_an_accuracy_keeps_it(registry, tmp_path):
    from ap_bench.measuring.subjects import open_subject
    from ap_core.budget import Budget, Cap
    from ap_core.network import Metric
    from ap_core.runs.directory import RunDirectory

    budget = Budget(caps=(Cap(metric=Metric.MACS, limit=48),))
    architecture = ArchitectureRecord(
        adapter="resnet", name="timm/test_resnet.r160_in1k", num_classes=2, input_size=(3, 32, 32)
    )
    with RunDirectory.create(tmp_path / "run", model="toy", budget=budget) as run:
        run.write_record(record(status="done", result=result(), architecture=architecture))
    whole = open_subject(registry, Named(text=str(tmp_path / "run"), whole=True))
    assert whole.top1 == 0.9
