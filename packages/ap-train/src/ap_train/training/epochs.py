"""Epochs of updates, each followed by a look at the selection split."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ap_core.contracts import Architecture, Split, TrainingSource
from ap_core.errors import DataError, ModelError
from ap_core.pipeline.progress import Progress
from ap_core.runs.records import EpochRecord
from ap_train.measuring.across import answers_across
from ap_train.training.augment import augmentation_of
from ap_train.training.batches import Augmented, Batch, loader_of, schedule_of, seed_of, seed_torch
from ap_train.training.keeping import Keeper
from ap_train.training.memory import fits, out_of_memory, ran_out, release
from ap_train.training.options import TrainOptions
from ap_train.training.setup import Machinery
from ap_train.training.state import Standing
from ap_train.training.updates import Failure, Updates

SETTLED = 20
"""Updates after which losses are looked at: looking at each one would make a GPU wait."""


class Training:
    """One training under way. What it decides, it decides alike on every process."""

    def __init__(
        self,
        *,
        machinery: Machinery,
        updates: Updates,
        source: TrainingSource,
        architecture: Architecture,
        options: TrainOptions,
        keeper: Keeper,
        on_epoch: Callable[[EpochRecord], None],
        progress: Progress,
    ) -> None:
        self.machinery = machinery
        self.world = machinery.world
        self.updates = updates
        self.architecture = architecture
        self.options = options
        self.keeper = keeper
        self.on_epoch = on_epoch
        self.progress = progress
        self.selection = source.split(Split.HELD_OUT)
        images = source.split(Split.TRAIN)
        self.schedule = schedule_of(options, len(images), self.world)
        self.augmented = Augmented(
            images=images,
            transform=augmentation_of(options, architecture, images),
            skip=source.record().get("on_corrupt") == "skip",
        )
        self.set_rate = machinery.schedule(options, self.schedule.updates)
        self.standing = Standing(accumulate=options.accumulate)
        self.began = 0.0
        self.unsettled: list[Tensor] = []
        self.skipped: list[str] = []

    def run(self) -> Standing:
        """Train to the end, from where the keeper's state stands; the best weights are put back."""
        parts = self.machinery.parts
        self.standing = self.keeper.load(parts) or self.standing
        while not self._finished():
            self._epoch()
        self.world.on_main(lambda: self.keeper.restore(parts.module))
        self.world.spread(parts.module)
        return self.standing

    @property
    def done(self) -> int:
        """Updates since the beginning."""
        return self.standing.epoch * self.schedule.updates + self.standing.update

    @property
    def pass_size(self) -> int:
        """Images in one pass of one process."""
        return self.schedule.batch // (self.world.size * self.standing.accumulate)

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

    def _more(self) -> bool:
        return self.standing.update < self.schedule.updates and not self._spent()

    def _epoch(self) -> None:
        """The rest of the current epoch, and what the selection split says of it."""
        self.began = time.perf_counter() - self.standing.seconds
        self.machinery.parts.module.train()
        total = self.schedule.updates * self.schedule.batch
        title = f"epoch {self.standing.epoch + 1}/{self.options.epochs}"
        with self.progress.progress(total, title, unit="images") as advance:
            advance(self.standing.update * self.schedule.batch)
            while self._more():
                self._update_on(advance)
        self._judge()

    def _update_on(self, advance: Callable[[int], None]) -> None:
        """Updates until the epoch ends, or memory does."""
        batches = self._batches()
        every = self.options.checkpoint_steps
        while self._more():
            self.set_rate(self.done)
            passes = self.standing.accumulate
            loss = self.updates.gradients(batches, number=self.done, passes=passes)
            failure = self._failure(None if isinstance(loss, Tensor) else loss)
            if failure is not None:
                self._give_way(failure)
                return
            assert isinstance(loss, Tensor)
            self._change_weights()
            self.unsettled.append(loss)
            self._stand(update=self.standing.update + 1)
            advance(self.schedule.batch)
            if len(self.unsettled) >= SETTLED:
                self._settle()
            if every and self.done % every == 0:
                self._settle()
                self._save()
        self._settle()

    def _change_weights(self) -> None:
        """Raises: ModelError where there is no memory for what the optimizer keeps."""
        # Some optimizers draw, and all processes must draw alike.
        seed_torch(seed_of(self.options.seed, self.done), self.machinery.accelerator.device)
        try:
            self.machinery.update(self.done, self.options.clip_grad)
        except RuntimeError as error:
            if not ran_out(error):
                raise
            raise ModelError(
                f"memory runs out in {self.options.opt} itself, beside passes of "
                f"{self.pass_size} images",
                hint="give a larger --accumulate, or an optimizer that keeps less, such as sgd",
            ) from error

    def _batches(self) -> Iterator[Batch]:
        standing = self.standing
        passes = self.schedule.passes(
            standing.epoch, self.world, accumulate=standing.accumulate, start=standing.update
        )
        on_gpu = self.machinery.accelerator.device.type == "cuda"
        for batch in loader_of(self.augmented, passes, self.options, pin=on_gpu):
            if isinstance(batch, DataError):
                raise batch
            self.skipped += batch.skipped
            yield batch

    def _failure(self, mine: Failure | None) -> Failure | None:
        """What failed on any process: an image that cannot be read rather than memory."""
        if mine is not None and self.options.sync_bn and self.world.size > 1:
            # The others wait within the network: what started the processes has to end them.
            raise mine if isinstance(mine, DataError) else mine.untried()
        found = [failure for failure in self.world.gather(mine) if failure is not None]
        unreadable = [failure for failure in found if isinstance(failure, DataError)]
        return next(iter([*unreadable, *found]), None)

    def _give_way(self, failure: Failure) -> None:
        """Drop an update, and split it further if that may help. Raises: DataError, ModelError."""
        self.machinery.parts.optimizer.zero_grad()
        self._settle()
        if isinstance(failure, DataError):
            self._save()
            raise failure
        finer = self._finer()
        if not self.options.auto_batch or not finer:
            self._save()
            raise self._out_of_memory(finer)
        release()
        self._stand(accumulate=finer[0])
        self.progress.warn(
            f"memory ran out: updates are split into {finer[0]} passes of {self.pass_size} images"
        )

    def _finer(self) -> list[int]:
        """Numbers of passes that an update could be split into instead, ascending."""
        whole = self.schedule.batch // self.world.size
        least = 2 if self.options.mixes else 1
        return [
            passes
            for passes in range(self.standing.accumulate + 1, whole // least + 1)
            if whole % (passes * least) == 0
        ]

    def _out_of_memory(self, finer: list[int]) -> ModelError:
        failed, whole = self.pass_size, self.schedule.batch // self.world.size
        for passes in finer:
            images = whole // passes
            if all(self.world.gather(fits(self.updates.attempt, images))):
                return out_of_memory(failed, images, passes)
        return out_of_memory(failed, None, 0)

    def _settle(self) -> None:
        """Add up the losses, and the images that were left out, of all processes.

        Raises: ModelError where a loss is not a number.
        """
        if self.unsettled:
            losses = torch.stack(self.unsettled)
            self.unsettled = []
            self.world.average([losses])
            self._add(losses.tolist())
        known = dict.fromkeys(self.standing.skipped)
        told = [name for names in self.world.gather(self.skipped) for name in names]
        self.skipped = []
        for name in dict.fromkeys(told):
            if name not in known:
                self.progress.warn(f"{name} cannot be read and is left out")
        self._stand(skipped=tuple(known | dict.fromkeys(told)))

    def _add(self, losses: list[float]) -> None:
        standing = self.standing
        for update, loss in enumerate(losses, standing.update - len(losses) + 1):
            if not np.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss} at update {update} of epoch {standing.epoch + 1}",
                    hint="a smaller --lr, or --clip-grad 1, may help",
                )
        self._stand(total=standing.total + sum(losses), updates=standing.updates + len(losses))

    def _judge(self) -> None:
        """Close the epoch: measure on the selection split, keep the best, save the state."""
        standing, parts = self.standing, self.machinery.parts
        seconds = time.perf_counter() - self.began
        self.machinery.level()
        answers = answers_across(
            self.machinery.judged(),
            self.selection,
            self.architecture,
            self.machinery.accelerator,
            batch_size=self.pass_size,
            workers=self.options.workers,
        ).summary()
        record = EpochRecord(
            epoch=standing.epoch,
            loss=standing.total / max(1, standing.updates),
            learning_rate=float(parts.optimizer.param_groups[0]["lr"]),
            selection_loss=float(answers["loss"]),
            selection_top1=float(answers["top1"]),
            seconds=seconds,
            speed=standing.update * self.schedule.batch / seconds,
        )
        history = (*standing.history, record)
        best = max(history, key=lambda each: (each.selection_top1, -each.selection_loss))
        if best is record:
            self.world.on_main(lambda: self.keeper.best(self.machinery.judged()))
        self.standing = Standing(
            epoch=standing.epoch + 1,
            accumulate=standing.accumulate,
            history=history,
            best=best.epoch,
            skipped=standing.skipped,
        )
        self.began = time.perf_counter()
        self._save()
        self.on_epoch(record)
        self.progress.note(
            f"loss {record.loss:.4f}, held out: loss {record.selection_loss:.4f}, "
            f"top-1 {record.selection_top1:.2%}"
        )

    def _save(self) -> None:
        if self.standing.update:
            self._stand(seconds=time.perf_counter() - self.began)
        self.machinery.level()
        self.world.on_main(lambda: self.keeper.save(self.machinery.parts, self.standing))

    def _stand(self, **changes: object) -> None:
        self.standing = self.standing.model_copy(update=changes)
