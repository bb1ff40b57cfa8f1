"""The networks that `eval` compares, besides those of runs: by name, or live."""

from torch.nn import Module

from ap_core.contracts import Architecture, ModelRequest, WeightsOrigin
from ap_core.errors import UsageError
from ap_core.pipeline.opening.named import load_named
from ap_core.pipeline.opening.subject import live_subject
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_train.evaluation.options import EvalOptions
from ap_train.runs.networks import Candidate


def of_model(registry: Registry, name: str, options: EvalOptions, progress: Progress) -> Candidate:
    """Network of a name. Its weights are random only where that was asked for.

    Raises: UsageError, CheckpointError where there are no others; as loading does.
    """
    loaded = load_named(
        registry,
        lambda policy: ModelRequest(
            name=name,
            num_classes=options.num_classes,
            input_size=options.input_size,
            weights=policy,
            checkpoint=options.checkpoint,
            seed=options.seed or 0,
        ),
        options.weights,
        progress,
        meaningless="its accuracy",
    )
    return Candidate(
        name=name, module=loaded.module, architecture=loaded.architecture, weights=loaded.origin
    )


def of_module(
    registry: Registry,
    module: Module,
    known: Architecture | None,
    input_size: tuple[int, int, int] | None,
    progress: Progress,
) -> Candidate:
    """A network that the caller made. known: None for what can be read off the network.

    Raises: ModelError where no adapter knows it.
    """
    architecture = known or live_subject(registry, module, input_size, progress).loaded.architecture
    return Candidate(
        name=type(module).__name__,
        module=module,
        architecture=architecture,
        weights=WeightsOrigin.LIVE,
        live=True,
    )


def check_alike(baseline: Candidate, network: Candidate) -> None:
    """Refuse a baseline of other classes, or that sees other channels. Raises: UsageError."""
    theirs, ours, name = baseline.architecture, network.architecture, baseline.name
    if theirs.num_classes != ours.num_classes:
        raise UsageError(
            f"the baseline {name} knows {theirs.num_classes} classes, the network "
            f"{ours.num_classes}",
            hint="take a baseline that was trained on the same classes, or --baseline none",
        )
    if theirs.input_size[0] != ours.input_size[0]:
        raise UsageError(
            f"the baseline {name} sees {theirs.input_size[0]} channels, the network "
            f"{ours.input_size[0]}",
            hint="take a baseline that sees the same images, or --baseline none",
        )
