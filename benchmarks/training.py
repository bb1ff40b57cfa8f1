"""What training costs beside the arithmetic, and what it must not depend on.

Overhead: seconds of an epoch of our loop against a bare PyTorch loop on the same network, images
and loader, in turns; of both, from the first batch that is asked for to the last update. Processes
and passes: the largest difference of any weight after 50 updates with the same images in every
update. Kills: `kill -9` at ten random moments; whether the weights of a training that was resumed
have the same bytes as those of one that was not disturbed.
"""

import copy
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file, save_model
from torch.nn.functional import cross_entropy

from ap_core.contracts import Architecture, DataRequest, Split
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.prune import prune
from ap_train.data.digits import open_digits
from ap_train.data.source import IndexedSource
from ap_train.training.augment import augmentation_of
from ap_train.training.batches import Augmented, Batch, loader_of, schedule_of
from ap_train.training.loop import fit
from ap_train.training.options import TrainOptions
from ap_train.training.presets import options_of
from ap_train.training.world import World
from benchmarks.output import Row, show

MODEL, SIZE = "test_convnext", (3, 32, 32)
GIVEN: dict[str, object] = {
    "batch_size": 32, "min_scale": 0.8, "lr": 1e-2, "opt": "sgd", "distillation": "none",
    "sched": "constant", "workers": 0,
}  # fmt: skip
ROUNDS = 5
UPDATES = 50
KILLS = 10
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
AP = (sys.executable, "-m", "ap_core")
TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
    "-m", "ap_core",
)  # fmt: skip


def main() -> None:
    """Overhead, then sameness, then kills."""
    rows: list[Row] = [overhead()]
    with tempfile.TemporaryDirectory() as place:
        run = pruned(Path(place))
        rows += sameness(run, Path(place))
        rows.append(kills(run, Path(place)))
    show("training", rows, about=__doc__ or "", note=f"{MODEL} on digits at 32 px")


def overhead() -> Row:
    """Median over rounds of our time over theirs."""
    architecture = Architecture(
        adapter="convnext", name=MODEL, num_classes=10, input_size=SIZE,
    )  # fmt: skip
    source = open_digits(DataRequest(name="digits", root=None, architecture=architecture))
    network = timm.create_model(MODEL, num_classes=10)
    options = options_of("short", {**GIVEN, "epochs": 1})
    ratios = []
    for _ in range(ROUNDS):
        bare = bare_epoch(copy.deepcopy(network), source, architecture, options)
        history = fit(copy.deepcopy(network), source, architecture, options).history
        ratios.append(history[0].seconds / bare)
    return {"what": "an epoch: ours / bare loop", "value": statistics.median(ratios)}


def bare_epoch(
    network: torch.nn.Module,
    source: IndexedSource,
    architecture: Architecture,
    options: TrainOptions,
) -> float:
    """Seconds of the least that trains; what is set up once for all epochs is not in them."""
    images = source.split(Split.TRAIN)
    augmented = Augmented(
        images=images, transform=augmentation_of(options, architecture, images), skip=False
    )
    schedule = schedule_of(options, len(images), World())
    passes = schedule.passes(0, World(), accumulate=1, start=0)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=options.lr, momentum=options.momentum, nesterov=True,
        weight_decay=options.weight_decay,
    )  # fmt: skip
    start = time.perf_counter()
    network.train()
    for batch in loader_of(augmented, passes, options, pin=False):
        assert isinstance(batch, Batch)
        loss = cross_entropy(network(batch.images), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return time.perf_counter() - start


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def pruned(place: Path) -> Path:
    """A run to train."""
    torch.manual_seed(0)
    save_model(timm.create_model(MODEL, num_classes=10), str(place / "trained.safetensors"))
    options = PruneOptions(
        model=MODEL, num_classes=10, input_size=SIZE, target_macs="60%", data="digits",
        checkpoint=place / "trained.safetensors",
    )  # fmt: skip
    prune(options, output=place / "run")
    return place / "run"


def sameness(run: Path, place: Path) -> list[Row]:
    """Largest difference of any weight from those of one process in one pass."""
    alone = trained(run, place / "alone", AP)
    return [
        {"what": f"{UPDATES} updates, {name}: largest difference", "value": distance(alone, other)}
        for name, other in (
            ("two processes", trained(run, place / "two", TORCHRUN)),
            ("four passes", trained(run, place / "four", AP, "--accumulate", "4")),
        )
    ]


def trained(run: Path, place: Path, start: tuple[str, ...], *more: str) -> Path:
    """A copy of the run, trained."""
    shutil.copytree(run, place)
    words = ["--max-steps", str(UPDATES), "--epochs", "9", *_settings(), *more]
    subprocess.run(
        [*start, "finetune", str(place), *words], check=True, capture_output=True, env=ENVIRONMENT
    )
    return place


def distance(one: Path, other: Path) -> float:
    """Largest difference of any weight."""
    mine, theirs = (load_file(run / "finetune" / "last.safetensors") for run in (one, other))
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)


def kills(run: Path, place: Path) -> Row:
    """How many of the killed and resumed trainings end with the same bytes."""
    words = ["--epochs", "4", "--checkpoint-steps", "5", "--auto-augment", "rand-m9-mstd0.5"]
    words += [*_settings(), "--ema-decay", "0.9"]
    whole = place / "whole"
    shutil.copytree(run, whole)
    command = [*AP, "finetune"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT}
    seconds = timed(lambda: subprocess.run([*command, str(whole), *words], check=True, **quiet))  # type: ignore[call-overload]
    generator, same, done = np.random.default_rng(0), 0, 0
    while done < KILLS:
        victim = place / f"victim-{done}"
        shutil.rmtree(victim, ignore_errors=True)
        shutil.copytree(run, victim)
        running = subprocess.Popen([*command, str(victim), *words], **quiet)  # type: ignore[call-overload]
        time.sleep(generator.uniform(0.3, 1.0) * seconds)
        running.kill()
        if running.wait() == 0 or not (victim / "finetune" / "training.json").exists():
            continue
        done += 1
        subprocess.run([*command, str(victim), "--resume"], check=True, **quiet)  # type: ignore[call-overload]
        same += all(
            (victim / "finetune" / name).read_bytes() == (whole / "finetune" / name).read_bytes()
            for name in ("best.safetensors", "last.safetensors")
        )
    return {"what": f"of {KILLS} killed trainings, end with the same bytes", "value": same}


def _settings() -> list[str]:
    return [
        word
        for name, value in GIVEN.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


if __name__ == "__main__":
    main()
