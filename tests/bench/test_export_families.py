"""Pruned networks of every family as files: they run without ap, and compute what they should."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from exports import CLASSES, FAMILIES, SIZE, factory_of, pruned, python_with

from ap_bench.exporting.export import export
from ap_bench.exporting.program_format import write_program
from ap_core.contracts import ExportRequest
from ap_core.pipeline.progress import Silent

BATCHES = (1, 7)

BY_ONNXRUNTIME = """
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
for name in ("ap_core", "ap_models", "ap_bench", "torch", "timm", "onnx"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is there")
with np.load(sys.argv[2]) as batches:
    np.savez(sys.argv[3], **{n: session.run(None, {"images": batches[n]})[0] for n in batches})
(images,), (logits,) = session.get_inputs(), session.get_outputs()
print(json.dumps({
    "about": session.get_modelmeta().custom_metadata_map,
    "images": [images.name, images.type, images.shape],
    "logits": [logits.name, logits.type, logits.shape],
}))
"""

BY_TORCH = """
import json, sys
sys.modules |= dict.fromkeys(("ap_core", "ap_models", "ap_bench", "ap_train", "timm"))
import numpy as np
import torch

about = {}
for file in sys.argv[2:]:
    extra = {"ap.json": ""}
    network = torch.export.load(file, extra_files=extra).module()
    about[file] = json.loads(extra["ap.json"])
    with np.load(sys.argv[1]) as batches, torch.no_grad():
        answers = {n: network(torch.from_numpy(batches[n])).numpy() for n in batches}
    np.savez(f"{file}.npz", **answers)
print(json.dumps(about))
"""


@pytest.fixture(scope="module")
def batches():
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, *SIZE, generator=generator) for size in BATCHES]


@pytest.fixture(scope="module")
def asked(tmp_path_factory, batches) -> Path:
    """The images in a file."""
    path = tmp_path_factory.mktemp("asked") / "images.npz"
    np.savez(path, *(batch.numpy() for batch in batches))
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Run and pruned network of every family."""
    home = tmp_path_factory.mktemp("runs")
    return {family: (home / family, pruned(family, home / family)) for family in FAMILIES}


def assert_close(answered: Path, network, batches) -> None:
    with np.load(answered) as found, torch.no_grad():
        for name, batch in zip(found, batches, strict=True):
            expected = network(batch).numpy()
            assert found[name].shape == (len(batch), CLASSES)
            assert np.abs(expected - found[name]).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_onnxruntime_and_numpy_alone_run_a_pruned_network(
    family, networks, batches, asked, tmp_path
):
    run, network = networks[family]
    done = export(run, to="onnx", factory=factory_of(family), progress=Silent())
    assert done.difference is not None
    assert done.difference <= done.tolerance == 1e-4
    assert done.path == run / "export" / "model.onnx"
    assert [path.name for path in done.path.parent.iterdir()] == ["model.onnx"]
    packages = ("onnxruntime", "numpy")
    answered = tmp_path / "outputs.npz"
    said = python_with(packages, tmp_path / "site", BY_ONNXRUNTIME, done.path, asked, answered)
    found = json.loads(said)
    assert found["images"] == ["images", "tensor(float)", ["batch", *SIZE]]
    assert found["logits"] == ["logits", "tensor(float)", ["batch", CLASSES]]
    record = json.loads((run / "run.json").read_text())
    about = found["about"]
    assert json.loads(about["ap.input_size"]) == list(SIZE)
    assert int(about["ap.macs"]) == record["result"]["macs"]
    assert int(about["ap.params"]) == record["result"]["params"]
    assert int(about["ap.num_classes"]) == CLASSES
    assert about["ap.model"] == record["architecture"]["name"]
    assert about["ap.version"] == record["version"]
    assert len(json.loads(about["ap.mean"])) == len(json.loads(about["ap.std"])) == 3
    assert_close(answered, network, batches)


def test_torch_alone_runs_every_pruned_network(networks, batches, asked, tmp_path):
    files = [tmp_path / f"{family}.pt2" for family in networks]
    for file, (_, network) in zip(files, networks.values(), strict=True):
        write_program(network, ExportRequest(input_size=SIZE, about={"model": file.stem}), file)
    packages = tuple(path for path in sys.path if path.endswith("site-packages"))
    code = f"sys.path += {packages!r}\n{BY_TORCH}"
    found = json.loads(python_with((), tmp_path / "site", code, asked, *files))
    assert found == {str(file): {"model": file.stem} for file in files}
    for file, (_, network) in zip(files, networks.values(), strict=True):
        assert_close(file.with_suffix(".pt2.npz"), network, batches)


def test_blocks_and_heads_of_the_vit_are_gone_from_what_is_exported(networks):
    _, network = networks["vit"]
    assert network.blocks[0].attn.num_heads == 1
    assert len([p for p in network.blocks[2].parameters() if p.numel()]) == 0


def test_half_precision_and_a_fixed_batch(networks, tmp_path):
    run, _ = networks["resnet"]
    before = (run / "run.json").read_bytes()
    done = export(run, to="onnx", dtype="fp16", batch_size=3, opset=18, progress=Silent())
    assert done.path == run / "export" / "model-fp16-batch3.onnx"
    assert done.difference is not None
    assert 0 < done.difference <= done.tolerance == 1e-2
    assert done.bytes < 0.7 * done.about["params"] * 4
    code = """
import json
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
(images,), (logits,) = session.get_inputs(), session.get_outputs()
print(json.dumps([images.type, images.shape, logits.type, logits.shape]))
"""
    said = python_with(("onnxruntime", "numpy"), tmp_path / "site", code, done.path)
    assert json.loads(said) == ["tensor(float16)", [3, *SIZE], "tensor(float16)", [3, CLASSES]]
    assert (run / "run.json").read_bytes() == before


def test_a_file_says_nothing_of_the_machine_that_made_it(networks):
    run, _ = networks["resnet"]
    content = (run / "export" / "model.onnx").read_bytes()
    for word in ("site-packages", "forward", ".py", str(run.parent)):
        assert word.encode() not in content
