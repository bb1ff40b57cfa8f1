"""Networks that a run is compared with, or learns from: its uncut one, another run's, a model's."""

from dataclasses import dataclass
from pathlib import Path

from torch.nn import Module

from ap_core.contracts import Architecture, ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import (
    ApError,
    CheckpointError,
    UsageError,
    hinted,
)
from ap_core.pipeline.opening.named import check_known
from ap_core.pipeline.opening.reload import load_model, request_again
from ap_core.pipeline.opening.subject import load_subject, made_by_function
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, RunDirectory
from ap_core.runs.records import RunRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A network to be measured, or to learn from.

    name: what it is called in a table. weights: where they came from, and what was done to them.
    run: directory of the run that made it. live: whether it is the caller's, to stay where it is.
    """

    name: str
    module: Module
    architecture: Architecture
    weights: str
    run: Path | None = None
    live: bool = False


def architecture_of(record: RunRecord) -> Architecture:
    """Architecture of a run's whole network."""
    return Architecture(**record.architecture.model_dump())


def is_run(name: str | Path) -> bool:
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

    Raises: RunError, CheckpointError as `load_model`.
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


def named(
    registry: Registry,
    name: str,
    like: Architecture,
    *,
    role: str,
    checkpoint: Path | None,
    progress: Progress,
) -> Candidate:
    """A run, or a model with published weights, or with those of a checkpoint.

    like: the network beside which it is put: a model sees images of the same size.
    role: what it is there, for messages: "baseline", "teacher".
    Raises: UsageError for the checkpoint of a run; UnknownNameError; as loading does.
    """
    if is_run(name):
        if checkpoint is not None:
            raise UsageError(
                f"--{role}-checkpoint cannot be given: the {role} is a run", hint="leave it out"
            )
        return of_run(registry, Path(name), progress=progress)
    check_known(registry, name, progress)
    request = ModelRequest(
        name=name,
        num_classes=like.num_classes if checkpoint else None,
        input_size=like.input_size,
        weights=WeightsPolicy.PRETRAINED,
        checkpoint=checkpoint,
    )
    with hinted(CheckpointError, lambda _hint: f"give its weights with --{role}-checkpoint"):
        loaded = load_subject(registry, request, progress).loaded
    return Candidate(
        name=name, module=loaded.module, architecture=loaded.architecture, weights=loaded.origin
    )


def uncut_network(
    registry: Registry, record: RunRecord, whole: Module | None, progress: Progress
) -> Candidate:
    """The uncut network of a run, with the very weights that it was pruned with.

    whole: given, where the caller has it. Raises: UsageError where it cannot be had.
    """
    module = whole or _loaded_again(registry, record, progress)
    return Candidate(
        name="uncut",
        module=module,
        architecture=architecture_of(record),
        weights=record.weights.origin,
        live=whole is not None,
    )


def uncut_to_compare(
    registry: Registry, record: RunRecord, whole: Module | None, progress: Progress
) -> Candidate | None:
    """The uncut network of a run; None, and said so, where it is not trained or cannot be had."""
    if record.weights.origin == WeightsOrigin.RANDOM:
        progress.note("no comparison with the uncut network: its weights are random")
        return None
    try:
        return uncut_network(registry, record, whole, progress)
    except UsageError as error:
        progress.note(f"no comparison with the uncut network: {error.message}")
        return None


def _loaded_again(registry: Registry, record: RunRecord, progress: Progress) -> Module:
    if made_by_function(record.architecture.name):
        raise UsageError(
            f"{record.architecture.name} made the uncut network, and a run never imports it",
            hint="give it from Python: whole=...",
        )
    again = request_again(record.architecture)
    request = ModelRequest(
        name=again.name,
        num_classes=again.num_classes,
        input_size=again.input_size,
        weights=WeightsPolicy.PRETRAINED,
        checkpoint=Path(record.weights.checkpoint) if record.weights.checkpoint else None,
    )
    try:
        loaded = load_subject(registry, request, progress).loaded
    except ApError as error:
        raise UsageError(
            f"the uncut network cannot be had: {error.message}", hint="put its weights back"
        ) from error
    if loaded.weights_sha256 != record.weights.sha256:
        raise UsageError(
            "the weights of the uncut network are not those that the run was pruned with",
            hint="put them back",
        )
    return loaded.module
