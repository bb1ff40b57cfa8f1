"""The loop: epochs of updates, each followed by a look at the selection split."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from ap_core.contracts import Architecture, DataSource, Split, TrainingSource
from ap_core.errors import DataError, ModelError
from ap_core.pipeline.progress import Progress, Silent
from ap_core.runs.records import EpochRecord
from ap_train.measuring.across import answers_across
from ap_train.measuring.answers import evaluating
from ap_train.training.augment import augmentation_of, mixing_of
from ap_train.training.batches import Augmented, Batch, Share, loader_of, schedule_of, seed_of
from ap_train.training.criterion import Teacher, check_teacher, loss_of
from ap_train.training.depth import stochastic_depth
from ap_train.training.keeping import InMemory, Keeper
from ap_train.training.memory import fitting, out_of_memory, release
from ap_train.training.options import TrainOptions
from ap_train.training.setup import (
    Machinery,
    accelerator_of,
    check_synchronised,
    machinery_of,
    optimizer_of,
    second_head,
)
from ap_train.training.state import Standing

if TYPE_CHECKING:
    from accelerate import Accelerator

SETTLED = 20
"""Updates after which losses are looked at: looking at each one would make a GPU wait."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training came to.

    history: epochs that were done. best: the one whose weights are kept.
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
    if not isinstance(source, TrainingSource):
        raise DataError(
            f"{type(source).__name__} cannot be trained on: it gives no images by their number",
            hint="the hook's page shows what a data source needs for that: `split`",
        )
    if teacher is not None:
        check_teacher(teacher, architecture)
    with stochastic_depth(module, options.drop_path) as blocks:
        if options.drop_path and not blocks:
            raise ModelError(
                f"{architecture.name} has no residual branches that could be dropped",
                hint="leave out --drop-path",
            )
    check_synchronised(options, accelerator)
    optimizer_of(module, options)
    images = source.split(Split.TRAIN)
    share = Share(index=accelerator.process_index, count=accelerator.num_processes)
    schedule_of(options, len(images), share)
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
    """Train a network in place; it ends in evaluation mode, with the best weights.

    The best epoch is the one with the highest top-1 on the held-out split, which nothing else here
    looks at; of equals, the one with the least loss.
    accelerator: the caller's own; None for one made here. keeper: where states and weights go; None
    for memory alone. on_epoch: is told of every epoch that is done.
    Raises: UsageError for options that do not go together, DataError for data of no use, ModelError
    where the loss is not a number, naming the update, or where memory runs out.
    """
    accelerator = accelerator or accelerator_of(options)
    images = check(module, source, architecture, options, teacher=teacher, accelerator=accelerator)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng())
        stack.enter_context(stochastic_depth(module, options.drop_path))
        stack.enter_context(second_head(module, wanted=teacher is not None))
        if teacher is not None:
            teacher.module.to(accelerator.device)
            stack.enter_context(evaluating(teacher.module))
        training = _Training(
            machinery=stack.enter_context(machinery_of(module, options, accelerator)),
            source=images,
            architecture=architecture,
            options=options,
            teacher=teacher,
            keeper=keeper or InMemory(),
            on_epoch=on_epoch,
            progress=progress if progress and accelerator.is_main_process else Silent(),
        )
        return training.run()


class _Training:
    """One training under way."""

    def __init__(
        self,
        *,
        machinery: Machinery,
        source: TrainingSource,
        architecture: Architecture,
        options: TrainOptions,
        teacher: Teacher | None,
        keeper: Keeper,
        on_epoch: Callable[[EpochRecord], None],
        progress: Progress,
    ) -> None:
        self.machinery = machinery
        self.accelerator = machinery.accelerator
        self.architecture = architecture
        self.options = options
        self.teacher = teacher
        self.keeper = keeper
        self.on_epoch = on_epoch
        self.progress = progress
        self.selection = source.split(Split.HELD_OUT)
        images = source.split(Split.TRAIN)
        self.share = Share(
            index=self.accelerator.process_index, count=self.accelerator.num_processes
        )
        self.schedule = schedule_of(options, len(images), self.share)
        self.augmented = Augmented(
            images=images,
            transform=augmentation_of(options, architecture, images),
            skip=source.record().get("on_corrupt") == "skip",
        )
        self.mix = mixing_of(options, architecture.num_classes)
        self.step_rate = machinery.schedule(options, self.schedule.updates)
        self.standing = Standing(accumulate=options.accumulate)
        self.unsettled: list[Tensor] = []

    def run(self) -> Fitted:
        """Train to the end, from where the keeper's state stands."""
        self.standing = self.keeper.load(self.machinery.parts) or self.standing
        while not self._finished():
            self._epoch()
        self.keeper.restore(self.machinery.parts.module)
        self.machinery.parts.module.eval()
        standing = self.standing
        assert standing.best is not None
        return Fitted(
            history=standing.history,
            best=standing.best,
            accumulate=standing.accumulate,
            skipped=standing.skipped,
        )

    @property
    def done(self) -> int:
        """Updates since the beginning."""
        return self.standing.epoch * self.schedule.updates + self.standing.update

    def _finished(self) -> bool:
        standing, patience = self.standing, self.options.patience
        if standing.update:
            # Taken up again within an epoch: that one is still to be judged.
            return False
        if standing.epoch >= self.options.epochs or self._spent():
            return True
        if patience is None or standing.best is None:
            return False
        return standing.epoch - 1 - standing.best >= patience

    def _spent(self) -> bool:
        return self.options.max_steps is not None and self.done >= self.options.max_steps

    def _epoch(self) -> None:
        """The rest of the current epoch, and what the selection split says of it."""
        started, first = time.perf_counter(), self.standing.update
        self.machinery.parts.module.train()
        total = self.schedule.updates * self.schedule.batch
        title = f"epoch {self.standing.epoch + 1}/{self.options.epochs}"
        with self.progress.progress(total, title, unit="images") as advance:
            advance(first * self.schedule.batch)
            while self.standing.update < self.schedule.updates and not self._spent():
                self._updates(advance)
        seconds = time.perf_counter() - started
        seen = (self.standing.update - first) * self.schedule.batch
        self._judge(seconds, seen / seconds)

    def _updates(self, advance: Callable[[int], None]) -> None:
        """Updates until the epoch ends, or memory does."""
        batches = self._batches()
        while self.standing.update < self.schedule.updates and not self._spent():
            try:
                loss = self._update(batches)
            except torch.OutOfMemoryError as error:
                self._split_further(error)
                return
            except DataError:
                # The other processes are waiting elsewhere: no waiting for them here.
                self._settle()
                self._save(wait=False)
                raise
            self.unsettled.append(loss)
            self.standing = self.standing.model_copy(update={"update": self.standing.update + 1})
            advance(self.schedule.batch)
            if len(self.unsettled) >= SETTLED:
                self._settle()
            every = self.options.checkpoint_steps
            if every and self.done % every == 0:
                self._settle()
                self._save()
        self._settle()

    def _batches(self) -> Iterator[Batch]:
        passes = self.schedule.passes(
            self.standing.epoch,
            self.share,
            accumulate=self.standing.accumulate,
            start=self.standing.update,
        )
        on_gpu = self.accelerator.device.type == "cuda"
        for batch in loader_of(self.augmented, list(passes), self.options, pin=on_gpu):
            if isinstance(batch, DataError):
                raise batch
            if batch.skipped:
                self._note_skipped(batch.skipped)
            yield batch

    def _update(self, batches: Iterator[Batch]) -> Tensor:
        """One update of the weights; returns the mean loss of this process's images, a scalar."""
        network, optimizer = self.machinery.network, self.machinery.optimizer
        passes = self.standing.accumulate
        self.step_rate(self.done)
        losses = []
        for step in range(passes):
            batch = next(batches)
            last = step == passes - 1
            with nullcontext() if last else self.accelerator.no_sync(network):
                loss = self._loss(batch.images, batch.labels, step) / passes
                self.accelerator.backward(loss)
            losses.append(loss.detach())
        if self.options.clip_grad is not None:
            self.accelerator.clip_grad_norm_(network.parameters(), self.options.clip_grad)
        optimizer.step()
        optimizer.zero_grad()
        self.machinery.follow(self.done)
        return torch.stack(losses).sum()

    def _loss(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Loss of one pass. Chance in it depends on the seed and the place of the pass alone."""
        device = self.accelerator.device
        images = images.to(device, non_blocking=True, memory_format=self.machinery.layout)
        targets = labels.to(device, non_blocking=True)
        seed = seed_of(self.options.seed, self.done, step, self.share.index)
        if self.mix is not None:
            images, targets = self.mix(images, targets, seed)
        taught = None
        if self.teacher is not None:
            with self.accelerator.autocast():
                taught = self.teacher.logits(images, self.architecture)
        torch.manual_seed(seed)
        return loss_of(self.machinery.network(images), targets, taught, self.options)

    def _settle(self) -> None:
        """Add the losses up. Raises: ModelError where one is not a number."""
        if not self.unsettled:
            return
        losses = torch.stack(self.unsettled).tolist()
        first = self.standing.update - len(losses)
        self.unsettled = []
        for place, loss in enumerate(losses):
            if not np.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss} at update {first + place} of epoch "
                    f"{self.standing.epoch + 1}",
                    hint="a smaller --lr, or --clip-grad 1, may help",
                )
        counted = {
            "total": self.standing.total + sum(losses),
            "updates": self.standing.updates + len(losses),
        }
        self.standing = self.standing.model_copy(update=counted)

    def _judge(self, seconds: float, speed: float) -> None:
        """Close the epoch: measure on the selection split, keep the best, save the state."""
        standing, parts = self.standing, self.machinery.parts
        # On every process: statistics of batch norms are made the same.
        judged = self.machinery.judged()
        answers = answers_across(
            judged,
            self.selection,
            self.architecture,
            self.accelerator,
            batch_size=self.schedule.batch // (self.share.count * standing.accumulate),
            workers=self.options.workers,
        ).summary()
        loss = torch.tensor(standing.total / max(1, standing.updates))
        record = EpochRecord(
            epoch=standing.epoch,
            loss=float(self.accelerator.reduce(loss.to(self.accelerator.device), "mean")),
            learning_rate=float(parts.optimizer.param_groups[0]["lr"]),
            selection_loss=float(answers["loss"]),
            selection_top1=float(answers["top1"]),
            seconds=seconds,
            speed=speed,
        )
        history = (*standing.history, record)
        best = max(history, key=lambda each: (each.selection_top1, -each.selection_loss))
        if best is record and self.accelerator.is_main_process:
            self.keeper.best(judged)
        self.standing = Standing(
            epoch=standing.epoch + 1,
            accumulate=standing.accumulate,
            history=history,
            best=best.epoch,
            skipped=standing.skipped,
        )
        self._save()
        self.on_epoch(record)
        self.progress.note(
            f"loss {record.loss:.4f}, held out: loss {record.selection_loss:.4f}, "
            f"top-1 {record.selection_top1:.2%}"
        )

    def _save(self, *, wait: bool = True) -> None:
        if self.accelerator.is_main_process:
            self.keeper.save(self.machinery.parts, self.standing)
        if wait:
            self.accelerator.wait_for_everyone()

    def _split_further(self, error: torch.OutOfMemoryError) -> None:
        """Split updates into twice as many passes. Raises: ModelError where that is not wanted."""
        self.machinery.optimizer.zero_grad()
        self._settle()
        passes = self.standing.accumulate
        size = self.schedule.batch // (self.share.count * passes)
        if self.options.auto_batch and self.share.count == 1 and size % 2 == 0:
            release()
            self.progress.warn(
                f"memory ran out: updates are split into {2 * passes} passes of {size // 2} images"
            )
            self.standing = self.standing.model_copy(update={"accumulate": 2 * passes})
            return
        raise out_of_memory(size, fitting(self._attempt, size), passes) from error

    def _attempt(self, images: int) -> None:
        shape = (images, *self.architecture.input_size)
        labels = torch.zeros(images, dtype=torch.int64)
        self.accelerator.backward(self._loss(torch.zeros(shape), labels, 0))
        self.machinery.optimizer.zero_grad()

    def _note_skipped(self, names: tuple[str, ...]) -> None:
        fresh = tuple(name for name in names if name not in self.standing.skipped)
        for name in fresh:
            self.progress.warn(f"{name} cannot be read and is left out")
        skipped = (*self.standing.skipped, *fresh)
        self.standing = self.standing.model_copy(update={"skipped": skipped})
