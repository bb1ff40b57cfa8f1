"""The demo: train a small network on digits, halve its MACs, see what that costs."""

from collections.abc import Callable
from pathlib import Path

import torch

from ap_core.contracts import DataRequest, ModelRequest, WeightsPolicy
from ap_core.errors import RunError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress
from ap_core.pipeline.prune import Pruned, prune
from ap_core.pipeline.subject import load_subject
from ap_core.plugins.registry import Registry
from ap_train.data.digits import open_digits
from ap_train.training import Recipe, train

MODEL = "test_resnet"
SIDE = 32
RECIPE = Recipe(epochs=10)
CHECKPOINT = "trained.safetensors"


def run_demo(
    registry: Registry, progress: Progress, output: Path, *, seed: int = 0, target: str = "50%"
) -> Pruned:
    """Train, prune with Taylor scores of real images, measure; everything is below `output`.

    Raises: RunError where the directory is not empty.
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
    with progress.progress(RECIPE.epochs, f"training {MODEL} on digits") as advance:
        _train(registry, options, output / CHECKPOINT, advance)
    (pruned,) = prune(
        options, output=output / "run", command=("ap", "demo"), registry=registry, progress=progress
    )
    return pruned


def _train(
    registry: Registry, options: PruneOptions, checkpoint: Path, advance: Callable[[int], None]
) -> None:
    from safetensors.torch import save_model

    request = ModelRequest(
        name=options.model,
        num_classes=options.num_classes,
        input_size=options.input_size,
        weights=WeightsPolicy.RANDOM,
        seed=options.seed,
    )
    subject = load_subject(registry, request)
    source = open_digits(
        DataRequest(
            name="digits",
            root=None,
            architecture=subject.loaded.architecture,
            calibration=options.batch_size * options.calibration_batches,
            seed=options.seed,
        )
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        train(subject.loaded.module, source, RECIPE, on_epoch=lambda _epoch, _loss: advance(1))
    save_model(subject.loaded.module, str(checkpoint))
