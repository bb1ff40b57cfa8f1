"""Pruned runs to train again, and the program in a process of its own."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_model
from warm import warm_ap, warm_python

from ap_core import prune
from ap_core.cli.main import run
from ap_core.contracts import Architecture
from ap_train.data.source import IndexedSource
from ap_train.training.loop import fit
from ap_train.training.presets import options_of

QUICK = {
    "batch_size": 32, "lr": 1e-3, "distillation": "none", "min_scale": 0.8, "opt": "adamw",
    "sched": "constant",
}  # fmt: skip

WAIT = 300
"""Seconds after which a process must have hung."""

TERSE = ("--batch-size", "32", "--min-scale", "0.8")


def pruned_run(name: str, digits: IndexedSource, architecture: Architecture, place: Path) -> Path:
    """A network trained on digits for one epoch, and cut to 60 % of its MACs."""
    import timm

    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=10, **_size(name))
    fit(network, digits, architecture, options_of("short", {**QUICK, "epochs": 1}))
    save_model(network, str(place / "trained.safetensors"))
    prune(
        name, num_classes=10, input_size=(3, 32, 32), checkpoint=place / "trained.safetensors",
        target_macs="60%", data="digits", calibration_batches=2, output=place / "run",
    )  # fmt: skip
    return place / "run"


def _size(name: str) -> dict[str, int]:
    return {"img_size": 32} if "vit" in name else {}


def copied(path: Path, place: Path) -> Path:
    """A copy of a run, to be trained."""
    shutil.copytree(path, place / "run")
    return place / "run"


def save_noise(place: Path) -> None:
    """Pictures of noise in ten folders: as many classes as there are digits."""
    generator = np.random.default_rng(0)
    for number in range(10 * 12):
        (place / str(number % 10)).mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / str(number % 10) / f"{number}.png")


def environment(**more: str) -> dict[str, str]:
    # Processes on CPUs find each other by themselves; beside a GPU they are told to.
    cpu = {"ACCELERATE_USE_CPU": "1"} if torch.accelerator.is_available() else {}
    return os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "160"} | cpu | more


def ap(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [warm_ap(), *map(str, arguments)],
        capture_output=True, timeout=WAIT, text=True, env=environment(**more), check=False,
    )  # fmt: skip


def assert_refused(code: int, words: str, *arguments: object) -> str:
    """See that the command, in this process, ends with this code and says so; returns stderr."""
    out, err = io.StringIO(), io.StringIO()
    found = run([*map(str, arguments)], environment={"COLUMNS": "160"}, out=out, err=err)
    assert (found, out.getvalue()) == (code, ""), err.getvalue()
    assert words in err.getvalue()
    assert "Traceback" not in err.getvalue()
    return err.getvalue()


def torchrun(processes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command on several processes."""
    return launched(processes, "-m", "ap_core", *arguments)


def launched(processes: int, *program: object) -> subprocess.CompletedProcess[str]:
    """A program on several processes."""
    return subprocess.run(
        [
            warm_python(), "-m", "torch.distributed.run", "--standalone", "--no-python",
            "--nproc_per_node", str(processes), warm_python(), *map(str, program),
        ],
        capture_output=True, timeout=WAIT, text=True, env=environment(), check=False,
    )  # fmt: skip


def weights(path: Path, name: str = "best") -> dict[str, torch.Tensor]:
    return load_file(path / "finetune" / f"{name}.safetensors")


def training(path: Path) -> dict[str, Any]:
    return json.loads((path / "finetune" / "training.json").read_text())
