"""The networks that `eval` compares: from a run, by name, or live."""

from dataclasses import dataclass
from pathlib import Path

from torch.nn import Module

from ap_core.contracts import Architecture, ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import RunError, UnknownNameError, UsageError
from ap_core.pipeline.opening.reload import load_model
from ap_core.pipeline.opening.subject import (
    builder_of,
    live_subject,
    load_subject,
    made_by_function,
)
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, RunDirectory
from ap_core.runs.records import RunRecord
from ap_train.evaluation.options import EvalOptions
from ap_train.finetuning.options import architecture_of
from ap_train.finetuning.teachers import uncut_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A network to be measured.

    name: what it is called in a table. weights: where they came from, and what was done to them.
    run: directory of the run that made it. live: whether it is the caller's, to stay where it is.
    """

    name: str
    module: Module
    architecture: Architecture
    weights: str
    run: Path | None = None
    live: bool = False


def is_run(name: str) -> bool:
    """Whether a name is that of a run directory."""
    return (Path(name) / RECORD).is_file()


def of_run(
    registry: Registry,
    path: Path,
    *,
    pruned_only: bool = False,
    pruned: Module | None = None,
    progress: Progress,
) -> Candidate:
    """Network of a run. pruned: given, where the caller's own code made it.

    Raises: RunError, CheckpointError as `load_model`; UsageError where there is no other state of
    the weights than the one before training.
    """
    record = RunDirectory.open(path).record()
    if pruned_only and not record.finetuned:
        progress.note(f"{path} was not trained again: its weights are those after pruning anyway")
    trained = bool(record.finetuned) and not pruned_only
    module = pruned or load_model(path, finetuned=trained, registry=registry)
    if record.weights.origin == WeightsOrigin.RANDOM and not trained:
        progress.warn(
            f"RANDOM WEIGHTS, accuracy means nothing: {path} was pruned without trained ones"
        )
    return Candidate(
        name=f"{path.name}, fine-tuned" if trained else f"{path.name}, pruned",
        module=module,
        architecture=architecture_of(record),
        weights="fine-tuned" if trained else record.weights.origin,
        run=path,
        live=pruned is not None,
    )


def of_model(registry: Registry, name: str, options: EvalOptions, progress: Progress) -> Candidate:
    """Network of a name. Its weights are random only where that was asked for.

    Raises: UsageError, CheckpointError where there are no others; as loading does.
    """
    policy = options.weights or WeightsPolicy.AUTO
    if policy is WeightsPolicy.AUTO and not made_by_function(name):
        policy = WeightsPolicy.PRETRAINED
    request = ModelRequest(
        name=name,
        num_classes=options.num_classes,
        input_size=options.input_size,
        weights=policy,
        checkpoint=options.checkpoint,
        seed=options.seed or 0,
    )
    loaded = load_subject(registry, request, progress).loaded
    if loaded.origin is WeightsOrigin.RANDOM and policy is not WeightsPolicy.RANDOM:
        raise UsageError(
            f"the weights of {name} are random: its accuracy would mean nothing",
            hint="give some with --checkpoint, or say --weights random",
        )
    for warning in loaded.warnings:
        progress.warn(warning)
    return Candidate(
        name=name, module=loaded.module, architecture=loaded.architecture, weights=loaded.origin
    )


def check_known(registry: Registry, name: str, progress: Progress) -> None:
    """See that a name is a model's. Raises: UnknownNameError; RunError for another directory."""
    try:
        builder_of(registry, name, progress)
    except UnknownNameError as error:
        if Path(name).is_dir():
            raise RunError(f"{name} holds no run: there is no {RECORD} in it") from error
        raise UnknownNameError(
            f"{name!r} is neither a run directory nor a model", hint=error.hint
        ) from error


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


def named_baseline(
    registry: Registry, name: str, like: Candidate, options: EvalOptions, progress: Progress
) -> Candidate:
    """A run or a model to compare with; a model sees images of the other network's size.

    Raises: UsageError where --baseline-checkpoint makes no sense; as loading does.
    """
    if is_run(name):
        if options.baseline_checkpoint is not None:
            raise UsageError(
                "--baseline-checkpoint cannot be given: the baseline is a run",
                hint="leave it out",
            )
        return of_run(registry, Path(name), progress=progress)
    check_known(registry, name, progress)
    request = ModelRequest(
        name=name,
        num_classes=like.architecture.num_classes if options.baseline_checkpoint else None,
        input_size=like.architecture.input_size,
        weights=WeightsPolicy.PRETRAINED,
        checkpoint=options.baseline_checkpoint,
    )
    loaded = load_subject(registry, request, progress).loaded
    return Candidate(
        name=name, module=loaded.module, architecture=loaded.architecture, weights=loaded.origin
    )


def uncut(
    registry: Registry, record: RunRecord, whole: Module | None, progress: Progress
) -> Candidate | None:
    """The uncut network of a run; None, and said so, where it cannot be had.

    whole: given, where the caller has it.
    """
    if record.weights.origin == WeightsOrigin.RANDOM:
        progress.note("no comparison with the uncut network: its weights are random")
        return None
    module = whole or uncut_of(registry, record, None, progress=progress)
    if module is None:
        return None
    return Candidate(
        name="uncut",
        module=module,
        architecture=architecture_of(record),
        weights=record.weights.origin,
        live=whole is not None,
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
