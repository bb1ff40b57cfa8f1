"""What a cut buys on a GPU, and a fine-tuning of a network of full size.

Training: images a second in bf16, channels last, forward, loss, backward and update of AdamW, on
images that lie on the device, so that no loader is measured. Inference: likewise, of a forward pass
at several batch sizes, eager. Networks with random weights, whole and cut to the budgets of the
shipped recipes. Fine-tuning: a ResNet-50 that was trained on generated glyphs, as JPEG files in
folders, is cut to half its MACs with Taylor scores and fine-tuned with the uncut network as its
teacher, by the commands that users type. Top-1 is of images that nothing was chosen on; images a
second there are of a whole epoch, loader included.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.benchmark import Timer

from ap_core import load_model
from ap_core.contracts import Architecture, DataRequest
from ap_models.counters import count_macs
from ap_train.data.folder import open_folder
from ap_train.data.glyphs import Glyphs
from ap_train.training.loop import fit
from ap_train.training.presets import options_of
from ap_train.training.setup import accelerator_of, machinery_of
from ap_train.training.world import World
from benchmarks.output import Row, show

AP = (sys.executable, "-m", "ap_core")
TARGETS = {"resnet50": "2.06", "convnext_base": "8.17", "deit_base_distilled_patch16_224": "4.16"}
SIZE = (3, 224, 224)
FORMAT: dict[str, object] = {"amp": "bf16", "channels_last": True}
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
TUNED = "resnet50"
QUALITY = 95
"""Of the JPEG files."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is done.

    batch: images in a pass of training whose speed is measured; batches: of inference.
    seconds: that one speed is measured for. side: pixels of a glyph. count: of glyphs; held_out of
    them choose, and as many report. first, again: epochs before the cut and after it.
    """

    batch: int
    batches: tuple[int, ...]
    seconds: float
    side: int
    count: int
    held_out: int
    update: int
    first: int
    again: int


WHOLE = Extent(
    batch=256, batches=(1, 64, 256), seconds=0.5,
    side=224, count=3200, held_out=160, update=64, first=9, again=3,
)  # fmt: skip
SMALL = Extent(
    batch=2, batches=(1,), seconds=0.1,
    side=32, count=400, held_out=40, update=16, first=1, again=1,
)  # fmt: skip


def main(words: Sequence[str] = ()) -> None:
    """Speeds, then a fine-tuning; what is not measured happens at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="see that it runs, anywhere")
    given = parser.parse_args(words)
    extent = SMALL if given.small else WHOLE
    device = torch.accelerator.current_accelerator()
    if not given.small and (device is None or device.type != "cuda"):
        raise SystemExit("no CUDA device is there; --small only sees that this runs")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        place = Path(folder)
        draw(place / "glyphs", extent)
        cuts = [pool.submit(cut, name, place) for name in TARGETS]
        train_whole(place, extent)
        networks = {
            name: (timm.create_model(name), load_model(run.result()))
            for name, run in zip(TARGETS, cuts, strict=True)
        }
        save("training", rows_of(networks, train, extent), f"bf16, batch {extent.batch}")
        save("inference", rows_of(networks, infer, extent), "images a second")
        save("finetune", tune(place, extent), f"{TUNED} at {extent.side} px")


def save(name: str, rows: Sequence[Row], note: str) -> None:
    """Show a table and write it."""
    show(f"gpu-{name}", rows, about=__doc__ or "", note=note)


def rows_of(
    networks: Mapping[str, tuple[nn.Module, nn.Module]],
    measure: Callable[[nn.Module, Extent], dict[str, float]],
    extent: Extent,
) -> list[Row]:
    """For each network a row of the whole one, one of the cut one, and one of cut over whole."""
    rows: list[Row] = []
    for name, modules in networks.items():
        whole, pruned = (
            {"MACs G": count_macs(module, SIZE) / 1e9, **measure(module, extent)}
            for module in modules
        )
        ratios = {key: pruned[key] / (whole[key] or math.nan) for key in whole}
        for what, values in {"whole": whole, "cut": pruned, "ratio": ratios}.items():
            rows.append({"network": name, "weights": what, **values})
    return rows


def train(module: nn.Module, extent: Extent) -> dict[str, float]:
    """Images a second of training, and the memory that it takes."""
    options = options_of("short", {**FORMAT, "distillation": "none"})
    accelerator = accelerator_of(options)
    with machinery_of(module, options, accelerator, World()) as machinery:
        images = torch.randn(extent.batch, *SIZE, device=accelerator.device)
        images = images.contiguous(memory_format=torch.channels_last)
        labels = torch.zeros(extent.batch, dtype=torch.int64, device=accelerator.device)

        def update() -> None:
            logits = machinery.forward(images)
            assert isinstance(logits, Tensor)
            accelerator.backward(cross_entropy(logits, labels))
            machinery.update(0, None)

        module.train()
        allocated()
        return {"images/s": rate(update, extent.batch, extent), "memory GB": allocated() / 1e9}


def infer(module: nn.Module, extent: Extent) -> dict[str, float]:
    """Images a second of inference, by precision and batch size."""
    device = accelerator_of(options_of("short", FORMAT)).device
    module.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    found = {}
    for name, dtype in DTYPES.items():
        module.to(dtype)
        for batch in extent.batches:
            images = torch.randn(batch, *SIZE, device=device, dtype=dtype)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                found[f"{name} {batch}"] = rate(lambda: module(images), batch, extent)  # noqa: B023
        module.float()
    return found


def rate(call: Callable[[], object], images: int, extent: Extent) -> float:
    """Images a second, by the median of the rounds."""
    timer = Timer("call()", globals={"call": call})
    timer.timeit(3)
    return images / timer.blocked_autorange(min_run_time=extent.seconds).median


def allocated() -> int:
    """Most bytes that tensors took on the GPU since this was asked last; 0 without one."""
    if not torch.cuda.is_available():
        return 0
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak


def tune(place: Path, extent: Extent) -> list[Row]:
    """The network that was trained, cut, fine-tuned and measured."""
    run = place / "tuned"
    pruning = (
        "--model", TUNED, "--num-classes", 32, "--input-size", extent.side,
        "--checkpoint", place / "whole.safetensors", "--data", place / "glyphs",
        "--held-out", extent.held_out, "--calibration-batches", 1, "--target-macs", "50%",
    )  # fmt: skip
    training = (
        "--epochs", extent.again, "--batch-size", extent.update, "--lr", 2e-4, "--weight-decay",
        0.02, "--min-scale", 0.8, "--amp", "bf16", "--channels-last",
    )  # fmt: skip
    pruned = ap("prune", *pruning, "--output", run)
    tuned = ap("finetune", run, *training)
    record = json.loads((run / "finetune" / "training.json").read_text())
    speed = record["history"][-1]["speed"]
    return [
        {"step": "trained", "seconds": "", "images/s": "", "top-1": top1(record["baseline"])},
        {"step": "cut", "seconds": pruned, "images/s": "", "top-1": top1(record["before"])},
        {
            "step": "fine-tuned", "seconds": tuned, "images/s": speed,
            "top-1": top1(record["after"]),
        },
    ]  # fmt: skip


def top1(quality: dict[str, float]) -> float:
    """In per cent."""
    return 100 * quality["top1"]


def cut(name: str, place: Path) -> Path:
    """Run of a network of random weights."""
    target = ("--target-macs", TARGETS[name], "--weights", "random")
    ap("prune", "--model", name, *target, "--output", place / name)
    return place / name


def train_whole(place: Path, extent: Extent) -> None:
    """Train the network from the beginning, and write its weights."""
    torch.manual_seed(0)
    network = timm.create_model(TUNED, num_classes=32)
    architecture = Architecture(
        adapter="resnet", name=TUNED, num_classes=32, input_size=(3, extent.side, extent.side)
    )
    images = DataRequest(name="folder", root=place / "glyphs", architecture=architecture)
    given = {
        "epochs": extent.first, "batch_size": extent.update, "lr": 1e-3, "weight_decay": 0.02,
        "warmup_epochs": extent.first // 8, "min_scale": 0.8, "distillation": "none", **FORMAT,
    }  # fmt: skip
    fit(network, open_folder(images), architecture, options_of("short", given))
    save_model(network.cpu(), str(place / "whole.safetensors"))


def draw(place: Path, extent: Extent) -> None:
    """Glyphs as files, in a folder for each class."""
    glyphs = Glyphs(size=(extent.side, extent.side), count=extent.count)
    for label in set(glyphs.labels):
        (place / f"{label:02d}").mkdir(parents=True)
    files = [place / f"{label:02d}" / f"{n}.jpg" for n, label in enumerate(glyphs.labels)]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(_write, [glyphs] * len(files), files, chunksize=50):
            pass


def _write(glyphs: Glyphs, file: Path) -> None:
    glyphs.read(int(file.stem)).save(file, quality=QUALITY)


def ap(*arguments: object) -> float:
    """Seconds that the command takes."""
    start = time.perf_counter()
    found = subprocess.run([*AP, *map(str, arguments)], capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(found.stderr)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
