"""Whom a pruned network learns from: the uncut one, another, or nobody."""

from torch.nn import Module

from ap_core.contracts import WeightsOrigin
from ap_core.errors import UsageError
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.records import RunRecord
from ap_train.finetuning.options import FinetuneOptions
from ap_train.runs.networks import architecture_of, named, uncut_network
from ap_train.runs.options import NOBODY
from ap_train.training.criterion import Teacher

ALONE = "give --teacher none"


def choose_teacher(
    registry: Registry,
    record: RunRecord,
    options: FinetuneOptions,
    *,
    whole: Module | None,
    progress: Progress,
) -> Teacher | None:
    """The teacher that was chosen; None where nothing is learnt from one.

    whole: the uncut network, where the caller made it.
    Raises: UsageError for a teacher without distillation, or the other way round, and where the
    uncut network cannot be had; as loading does for a named one.
    """
    check_teaching(options)
    if options.training.distillation == "none":
        return None
    architecture = architecture_of(record)
    if options.teacher is not None:
        found = named(
            registry,
            options.teacher,
            architecture,
            role="teacher",
            checkpoint=options.teacher_checkpoint,
            progress=progress,
        )
        return Teacher(module=found.module, architecture=found.architecture)
    if record.weights.origin == WeightsOrigin.RANDOM:
        raise UsageError(
            "the weights of the uncut network are random: there is nothing to learn from it",
            hint=f"{ALONE}, or name a trained one",
        )
    try:
        uncut = uncut_network(registry, record, whole, progress)
    except UsageError as error:
        raise UsageError(
            error.message, hint=f"{error.hint}, name another --teacher, or {ALONE}"
        ) from error
    return Teacher(module=uncut.module, architecture=uncut.architecture)


def check_teaching(options: FinetuneOptions) -> None:
    """See that there is a teacher if, and only if, something is learnt from one.

    Raises: UsageError.
    """
    teacher, learnt = options.teacher, options.training.distillation
    if options.teacher_checkpoint is not None and teacher in (None, NOBODY):
        raise UsageError(
            "--teacher-checkpoint cannot be given: no teacher is named", hint="leave it out"
        )
    if teacher == NOBODY and learnt != "none":
        raise UsageError(
            f"--distillation {learnt} cannot be given: there is no teacher", hint="leave it out"
        )
    if teacher not in (None, NOBODY) and learnt == "none":
        raise UsageError(
            f"nothing would be learnt from the teacher {teacher}: distillation is none",
            hint="leave it out, or give --distillation soft or hard",
        )
