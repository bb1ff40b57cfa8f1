"""What tests do on several processes: each runs every scenario, and writes what came of it.

torchrun --nproc_per_node 2 scenarios.py PLACE writes PLACE/RANK.json: by scenario, what it
returned, or the error that it ended with.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

from ap_core.contracts import DataRequest, Split
from ap_core.errors import ApError, RunError
from ap_core.pipeline.progress import Silent
from ap_train.data.digits import open_digits
from ap_train.data.folder import open_folder
from ap_train.data.source import IndexedSource
from ap_train.training.batches import schedule_of
from ap_train.training.keeping import InMemory
from ap_train.training.loop import Fitted, fit
from ap_train.training.options import TrainOptions
from ap_train.training.presets import options_of
from ap_train.training.setup import accelerator_of
from ap_train.training.state import Parts, Standing
from ap_train.training.world import World
from conftest import ARCHITECTURE

QUICK = {
    "epochs": 1, "max_steps": 4, "batch_size": 32, "lr": 1e-2, "distillation": "none",
    "min_scale": 0.8, "opt": "sgd", "workers": 0,
}  # fmt: skip
CLASSES = 10
Result = dict[str, object]


class Warned(Silent):
    """Writes down what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str, *, hint: str = "") -> None:
        self.warnings.append(text)


class Saved(InMemory):
    """Counts the states that it was given; refuses where it is told to."""

    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self.states: list[Standing] = []
        self.full = full

    def save(self, parts: Parts, standing: Standing) -> None:
        if self.full:
            raise RunError("the disk is full")
        self.states.append(standing)


class Faulty(torch.nn.Module):
    """A network that on one process has memory for few images only, or is not a number."""

    def __init__(self, inner: torch.nn.Module, *, room: int = 99, fails_at: int = 99) -> None:
        super().__init__()
        self.inner = inner
        self.room = room
        self.left = fails_at

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.inner(images)
        self.left -= 1
        if len(images) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.inner(images) * (float("nan") if self.left == 0 else 1.0)


def network(name: str = "test_convnext") -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=CLASSES)


def digest(module: torch.nn.Module) -> str:
    tensors = module.state_dict().values()
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in tensors)).hexdigest()


def digits() -> IndexedSource:
    return open_digits(
        DataRequest(name="digits", root=None, architecture=ARCHITECTURE, calibration=64)
    )


def trained(module: torch.nn.Module, source: IndexedSource, **more: object) -> Result:
    """What a training comes to: on every process, and its losses and weights."""
    handed = {name: more.pop(name) for name in ("keeper", "on_epoch", "progress") if name in more}
    fitted: Fitted = fit(
        module, source, ARCHITECTURE, options_of("short", {**QUICK, **more}), **handed
    )
    return {
        "weights": digest(module),
        "best": fitted.best,
        "accumulate": fitted.accumulate,
        "skipped": fitted.skipped,
        "losses": [epoch.loss for epoch in fitted.history],
    }


def best_before_last(rank: int, place: Path) -> Result:
    """The second epoch is spoilt: the weights of the first are the best."""
    module = network()

    def spoil(_epoch: object) -> None:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()

    more = {"epochs": 2, "max_steps": None, "opt": "adamw", "lr": 2e-3, "on_epoch": spoil}
    return trained(module, digits(), **more)


def mixed(rank: int, place: Path) -> Result:
    """Weights of a training with mixup, as they are."""
    module = network()
    found = trained(module, digits(), mixup=0.8, cutmix=1.0)
    torch.save(module.state_dict(), place / f"mixed-{rank}.pt")
    return found


def different_weights_to_begin_with(rank: int, place: Path) -> Result:
    module = network()
    with torch.no_grad():
        next(module.parameters()).add_(rank)
    return trained(module, digits())


def batch_norms(rank: int, place: Path) -> Result:
    saved = Saved()
    module = network("test_resnet")
    return trained(module, digits(), keeper=saved, ema_decay=0.9)


def pictures(place: Path) -> IndexedSource:
    """A folder of noise; the same on every process, and its own."""
    generator = np.random.default_rng(0)
    for label in range(CLASSES):
        (place / str(label)).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / str(label) / f"{number}.png")
    request = DataRequest(
        name="folder", root=place, architecture=ARCHITECTURE, calibration=8, held_out=20
    )
    return open_folder(request)


def broken_on_the_second(rank: int, place: Path) -> tuple[IndexedSource, str]:
    """Images, one of which the second process alone cannot read, as its third one."""
    source = pictures(place / f"pictures-{rank}")
    images = source.split(Split.TRAIN)
    schedule = schedule_of(options_of("short", {**QUICK, "batch_size": 8}), len(images), World())
    second = next(iter(schedule.passes(0, World(rank=1, size=2), accumulate=1, start=0)))
    name = images.name(second[2][0])
    if rank == 1:
        Path(name).write_bytes(b"no image")
    return source, Path(name).name


def unreadable(rank: int, place: Path) -> Result:
    source, _ = broken_on_the_second(rank, place / "unreadable")
    saved = Saved()
    try:
        trained(network(), source, batch_size=8, keeper=saved)
    except ApError as error:
        return {"error": error.message, "states": len(saved.states)}
    return {}


def skipped(rank: int, place: Path) -> Result:
    source, name = broken_on_the_second(rank, place / "skipped")
    source = replace(source, request=replace(source.request, on_corrupt="skip"))
    heard, saved = Warned(), Saved()
    found = trained(network(), source, batch_size=8, keeper=saved, progress=heard)
    return {
        "skipped": [Path(each).name for each in found["skipped"]] == [name],
        "warnings": len(heard.warnings),
        "saved": [len(state.skipped) for state in saved.states],
    }


def memory(rank: int, place: Path) -> Result:
    return trained(Faulty(network(), room=16 - 11 * rank), digits())


def memory_made(rank: int, place: Path) -> Result:
    heard = Warned()
    module = Faulty(network(), room=16 - 12 * rank)
    return {**trained(module, digits(), auto_batch=True, progress=heard), "heard": heard.warnings}


def no_number(rank: int, place: Path) -> Result:
    return trained(Faulty(network(), fails_at=3 if rank else 99), digits())


def full_disk(rank: int, place: Path) -> Result:
    return trained(network(), digits(), keeper=Saved(full=rank == 0))


SCENARIOS: tuple[Callable[[int, Path], Result], ...] = (
    best_before_last, mixed, different_weights_to_begin_with, batch_norms, unreadable, skipped,
    memory, memory_made, no_number, full_disk,
)  # fmt: skip


def main(place: Path) -> None:
    rank = accelerator_of(TrainOptions()).process_index
    found = {}
    for scenario in SCENARIOS:
        try:
            found[scenario.__name__] = scenario(rank, place)
        except ApError as error:
            kind = type(error).__name__
            found[scenario.__name__] = {"kind": kind, "error": error.message, "hint": error.hint}
    (place / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
