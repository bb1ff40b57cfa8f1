"""Training a network on images: what can be refused is refused first."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import Module

from ap_core.contracts import Architecture, DataSource, Split, TrainingSource
from ap_core.errors import DataError, ModelError
from ap_core.pipeline.progress import Progress, Silent
from ap_core.runs.records import EpochRecord
from ap_train.measuring.answers import evaluating
from ap_train.training.augment import augmentation_of
from ap_train.training.batches import schedule_of
from ap_train.training.criterion import Teacher, check_teacher, learnt_from
from ap_train.training.depth import stochastic_depth
from ap_train.training.epochs import Training
from ap_train.training.keeping import InMemory, Keeper
from ap_train.training.optimizer import optimizer_of, rehearse
from ap_train.training.options import TrainOptions
from ap_train.training.setup import (
    accelerator_of,
    check_accelerator,
    check_norms,
    machinery_of,
    second_head,
)
from ap_train.training.updates import Updates
from ap_train.training.world import connected, world_of

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training came to.

    history: epochs that were done. best: the one whose weights are kept, counted from 0.
    skipped: images that could not be read and were left out.
    """

    history: tuple[EpochRecord, ...]
    best: int
    accumulate: int
    skipped: tuple[str, ...]


def check(
    module: Module,
    source: DataSource,
    architecture: Architecture,
    options: TrainOptions,
    *,
    teacher: Teacher | None = None,
    accelerator: "Accelerator",
) -> TrainingSource:
    """Refuse all that `fit` would refuse, before anything is trained or written; changes nothing.

    Returns the source, which can be trained on.
    Raises: UsageError, DataError, ModelError.
    """
    check_accelerator(accelerator, options)
    if not isinstance(source, TrainingSource):
        raise DataError(
            f"{type(source).__name__} cannot be trained on: it gives no images by their number",
            hint="the hook's page shows what a data source needs for that: `split`",
        )
    if (heard := learnt_from(teacher, options)) is not None:
        check_teacher(heard, architecture)
    with stochastic_depth(module, options.drop_path) as blocks:
        if options.drop_path and not blocks:
            raise ModelError(
                f"{architecture.name} has no residual branches that could be dropped",
                hint="leave out --drop-path",
            )
    optimizer_of(module, options)
    rehearse(options, accelerator.device)
    images = source.split(Split.TRAIN)
    schedule_of(options, len(images), world_of(accelerator))
    check_norms(module, options, accelerator)
    augmentation_of(options, architecture, images)
    return source


def fit(
    module: Module,
    source: DataSource,
    architecture: Architecture,
    options: TrainOptions,
    *,
    teacher: Teacher | None = None,
    accelerator: "Accelerator | None" = None,
    keeper: Keeper | None = None,
    on_epoch: Callable[[EpochRecord], None] = lambda _epoch: None,
    progress: Progress | None = None,
) -> Fitted:
    """Train a network in place; on every process it ends in evaluation mode, with the best weights.

    The best epoch is the one with the highest top-1 on the held-out split, which nothing else here
    looks at; of equals, the one with the least loss.
    teacher: left alone where the options say that nothing is learnt from one.
    accelerator: the caller's own, left as it was; None for one made here. keeper: where states and
    weights go; None for memory alone. on_epoch: is told of every epoch that is done.
    Raises: as `check`; DataError for an image that cannot be read, ModelError where the loss is not
    a number, naming the update, or where memory runs out. With several processes, what fails on one
    is raised on all, once the state is saved.
    """
    accelerator = accelerator or accelerator_of(options)
    teacher = learnt_from(teacher, options)
    images = check(module, source, architecture, options, teacher=teacher, accelerator=accelerator)
    device = accelerator.device
    with ExitStack() as stack:
        stack.enter_context(
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
        )
        world = stack.enter_context(connected(accelerator))
        stack.enter_context(stochastic_depth(module, options.drop_path))
        stack.enter_context(second_head(module, wanted=teacher is not None))
        if teacher is not None:
            teacher.module.to(device)
            stack.enter_context(evaluating(teacher.module))
        machinery = stack.enter_context(machinery_of(module, options, accelerator, world))
        standing = Training(
            machinery=machinery,
            updates=Updates(machinery, architecture, options, teacher),
            source=images,
            architecture=architecture,
            options=options,
            keeper=keeper or InMemory(),
            on_epoch=on_epoch,
            progress=progress if progress and world.main else Silent(),
        ).run()
    module.eval()
    assert standing.best is not None
    return Fitted(
        history=standing.history,
        best=standing.best,
        accumulate=standing.accumulate,
        skipped=standing.skipped,
    )
