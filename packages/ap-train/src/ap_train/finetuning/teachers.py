"""Whom a pruned network learns from: the uncut one, another, or nobody."""

from pathlib import Path

from torch.nn import Module

from ap_core.contracts import ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import ApError, UsageError
from ap_core.pipeline.opening.reload import load_model, request_again
from ap_core.pipeline.opening.subject import load_subject, made_by_function
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, RunDirectory
from ap_core.runs.records import RunRecord
from ap_train.finetuning.options import NOBODY, FinetuneOptions, architecture_of
from ap_train.training.criterion import Teacher


def choose_teacher(
    registry: Registry,
    record: RunRecord,
    options: FinetuneOptions,
    *,
    whole: Module | None,
    progress: Progress,
) -> Teacher | None:
    """The teacher that was chosen. whole: the uncut network, where the caller made it.

    Raises: UsageError where the uncut network cannot be had; as loading does for a named one.
    """
    if options.teacher == NOBODY:
        return None
    if options.teacher is not None:
        return _named(registry, record, options.teacher, options.teacher_checkpoint, progress)
    if record.weights.origin == WeightsOrigin.RANDOM:
        return None
    if whole is not None:
        return Teacher(module=whole, architecture=architecture_of(record))
    return _uncut(registry, record, progress)


def uncut_of(
    registry: Registry, record: RunRecord, teacher: Teacher | None, *, progress: Progress
) -> Module | None:
    """The uncut network, to compare with; None where it is not trained or cannot be had."""
    if record.weights.origin == WeightsOrigin.RANDOM:
        return None
    if teacher is not None and teacher.architecture == architecture_of(record):
        return teacher.module
    try:
        return _uncut(registry, record, progress).module
    except ApError as error:
        progress.note(f"no comparison with the uncut network: {error.message}")
        return None


def _uncut(registry: Registry, record: RunRecord, progress: Progress) -> Teacher:
    """The uncut network, with the very weights that it was pruned with."""
    if made_by_function(record.architecture.name):
        raise UsageError(
            f"{record.architecture.name} made the uncut network, and a run never imports it",
            hint="give it from Python: finetune(..., whole=...); or say --teacher",
        )
    again = request_again(record.architecture)
    checkpoint = Path(record.weights.checkpoint) if record.weights.checkpoint else None
    request = ModelRequest(
        name=again.name,
        num_classes=again.num_classes,
        input_size=again.input_size,
        weights=WeightsPolicy.PRETRAINED,
        checkpoint=checkpoint,
    )
    try:
        loaded = load_subject(registry, request, progress).loaded
    except ApError as error:
        raise UsageError(
            f"the uncut network cannot be had to learn from: {error.message}",
            hint="put its weights back, name another --teacher, or give --teacher none",
        ) from error
    if loaded.weights_sha256 != record.weights.sha256:
        raise UsageError(
            "the weights of the uncut network are not those that the run was pruned with",
            hint="put them back, name another --teacher, or give --teacher none",
        )
    return Teacher(module=loaded.module, architecture=architecture_of(record))


def _named(
    registry: Registry,
    record: RunRecord,
    name: str,
    checkpoint: Path | None,
    progress: Progress,
) -> Teacher:
    path = Path(name)
    if (path / RECORD).is_file():
        theirs = RunDirectory.open(path).record()
        return Teacher(
            module=load_model(path, registry=registry), architecture=architecture_of(theirs)
        )
    request = ModelRequest(
        name=name,
        num_classes=record.architecture.num_classes if checkpoint else None,
        input_size=record.architecture.input_size,
        weights=WeightsPolicy.PRETRAINED,
        checkpoint=checkpoint,
    )
    loaded = load_subject(registry, request, progress).loaded
    return Teacher(module=loaded.module, architecture=loaded.architecture)
