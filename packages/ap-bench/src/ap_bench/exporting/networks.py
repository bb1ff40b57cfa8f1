"""The network to export: of a run, of a name, or the caller's own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch.nn import Module

from ap_bench.exporting.options import OF_MODELS, ExportOptions
from ap_core.contracts import Architecture, ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import RunError
from ap_core.pipeline.opening.named import check_known, load_named
from ap_core.pipeline.opening.reload import load_model
from ap_core.pipeline.opening.subject import live_subject, made_by_function
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, RunDirectory, runs_inside


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A network to export. run: directory of the run that made it; None where none did.

    weights: "fine-tuned", "pruned", or where those of a whole network came from.
    """

    module: Module
    architecture: Architecture
    weights: str
    run: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Own:
    """What only the caller has of a run whose network its own code made: the pruned network, or the
    function that makes the whole one.
    """

    module: Module | None = None
    factory: Callable[[], Module] | None = None


def is_run(subject: Path) -> bool:
    """Whether a path is that of a run, or of a directory of runs."""
    return (subject / RECORD).is_file() or bool(runs_inside(subject))


def of_run(
    registry: Registry, path: Path, options: ExportOptions, own: Own, progress: Progress
) -> Source:
    """Pruned network of a run, with the weights after training where there are any.

    Raises: UsageError for options that a run answers itself; RunError where it is not finished, or
    its network cannot be built without the caller; CheckpointError.
    """
    options.refuse((*OF_MODELS, "input_size"), f"{path} is a run, and knows its own")
    record = RunDirectory.open(path).record()
    name = record.architecture.name
    if made_by_function(name) and own == Own():
        raise RunError(
            f"the network of {path} was made by {name}, which a run never imports",
            hint="export it from Python: ap_bench.exporting.export.export(run, factory=...)",
        )
    module = own.module or load_model(path, factory=own.factory, registry=registry)
    if record.weights.origin == WeightsOrigin.RANDOM and not record.finetuned:
        progress.warn(
            f"RANDOM WEIGHTS, outputs mean nothing: {path} was pruned without trained ones"
        )
    return Source(
        module=module,
        architecture=Architecture(**record.architecture.model_dump()),
        weights="fine-tuned" if record.finetuned else "pruned",
        run=path,
    )


def of_model(registry: Registry, name: str, options: ExportOptions, progress: Progress) -> Source:
    """Whole network of a name. Its weights are random only where that was asked for.

    Raises: UnknownNameError; RunError for a directory without a run; UsageError for options that
    would do nothing; CheckpointError where there are no weights; as loading does.
    """
    if options.checkpoint is not None:
        options.refuse(("weights",), "they are in the checkpoint")
    if options.weights is not WeightsPolicy.RANDOM:
        options.refuse(("seed",), "no weights are random; --weights random asks for that")
    check_known(registry, name, progress)
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
        meaningless="its outputs",
    )
    if loaded.origin is WeightsOrigin.RANDOM:
        progress.warn(
            f"RANDOM WEIGHTS, outputs mean nothing: {name} is exported without trained ones"
        )
    return Source(module=loaded.module, architecture=loaded.architecture, weights=loaded.origin)


def of_module(
    registry: Registry, module: Module, options: ExportOptions, progress: Progress
) -> Source:
    """A network that the caller made. Raises: UsageError; ModelError where no adapter knows it."""
    options.refuse(OF_MODELS, "the network is there already")
    loaded = live_subject(registry, module, options.input_size, progress).loaded
    return Source(module=module, architecture=loaded.architecture, weights=loaded.origin)
