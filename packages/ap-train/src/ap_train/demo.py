"""The demo: train a small network on digits, halve its MACs, fine-tune it, see what that costs."""

from pathlib import Path

import torch

from ap_core.contracts import DataRequest, ModelRequest, WeightsPolicy
from ap_core.errors import RunError
from ap_core.pipeline.opening.subject import load_subject
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress
from ap_core.pipeline.prune import Pruned, prune
from ap_core.plugins.registry import Registry
from ap_train.data.digits import open_digits
from ap_train.finetuning.finetune import Finetuned, Given, finetune
from ap_train.finetuning.options import FinetuneOptions
from ap_train.training.loop import fit
from ap_train.training.presets import options_of

MODEL = "test_resnet"
SIDE = 32
CHECKPOINT = "trained.safetensors"

GENTLE = {"batch_size": 32, "min_scale": 0.8, "weight_decay": 0.02, "sched": "cosine"}
"""Digits fill their images: a crop of less would cut strokes off."""

FIRST = {**GENTLE, "epochs": 12, "lr": 2e-3, "warmup_epochs": 1, "distillation": "none"}
AGAIN = {**GENTLE, "epochs": 4, "lr": 5e-4}


def run_demo(
    registry: Registry, progress: Progress, output: Path, *, seed: int = 0, target: str = "50%"
) -> tuple[Pruned, Finetuned]:
    """Train, prune with Taylor scores of real images, fine-tune with the uncut network as teacher.

    Everything is below `output`. Raises: RunError where the directory is not empty.
    """
    if output.exists() and any(output.iterdir()):
        raise RunError(f"{output} is not empty", hint="name another directory with --output")
    output.mkdir(parents=True, exist_ok=True)
    options = PruneOptions(
        model=MODEL,
        num_classes=10,
        input_size=(3, SIDE, SIDE),
        checkpoint=output / CHECKPOINT,
        target_macs=target,
        data="digits",
        seed=seed,
    )
    train_small(registry, options, progress)
    command = ("ap", "demo")
    (pruned,) = prune(
        options, output=output / "run", command=command, registry=registry, progress=progress
    )
    finetuned = finetune(
        output / "run",
        FinetuneOptions(training=options_of("short", {**AGAIN, "seed": seed})),
        given=Given(command=command),
        registry=registry,
        progress=progress,
    )
    return pruned, finetuned


def train_small(registry: Registry, options: PruneOptions, progress: Progress) -> None:
    """Train the network that the options name on digits, and write it to their checkpoint."""
    from safetensors.torch import save_model

    assert options.checkpoint is not None
    request = ModelRequest(
        name=options.model,
        num_classes=options.num_classes,
        input_size=options.input_size,
        weights=WeightsPolicy.RANDOM,
        seed=options.seed,
    )
    loaded = load_subject(registry, request).loaded
    source = open_digits(
        DataRequest(
            name="digits",
            root=None,
            architecture=loaded.architecture,
            calibration=options.batch_size * options.calibration_batches,
            seed=options.seed,
        )
    )
    training = options_of("short", {**FIRST, "seed": options.seed})
    fit(loaded.module, source, loaded.architecture, training, progress=progress)
    save_model(loaded.module.to(torch.device("cpu")), str(options.checkpoint))
