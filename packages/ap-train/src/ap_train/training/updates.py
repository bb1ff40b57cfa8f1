"""One update of the weights: the gradients of its passes, or why there are none."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ap_core.contracts import Architecture
from ap_core.errors import DataError
from ap_train.training.augment import mixing_of
from ap_train.training.batches import Batch, seed_of, seed_torch
from ap_train.training.criterion import Teacher, loss_of
from ap_train.training.memory import OutOfMemory, ran_out
from ap_train.training.options import TrainOptions
from ap_train.training.setup import Machinery

Failure = DataError | OutOfMemory
"""What may happen to one process alone."""


class Updates:
    """What an update is made of. Chance depends on the seed and the place in the training alone."""

    def __init__(
        self,
        machinery: Machinery,
        architecture: Architecture,
        options: TrainOptions,
        teacher: Teacher | None,
    ) -> None:
        self._machinery = machinery
        self._architecture = architecture
        self._options = options
        self._teacher = teacher
        self._mix = mixing_of(options, architecture.num_classes)

    def gradients(self, batches: Iterator[Batch], *, number: int, passes: int) -> Tensor | Failure:
        """Add up the gradients of the passes of an update.

        number: of the update. Returns the mean loss of this process's images, a scalar; or what
        failed, once nothing holds on to the pass in which it did.
        """
        losses, images = [], 0
        try:
            for step in range(passes):
                batch = next(batches)
                images = len(batch.labels)
                losses.append(self._backward(batch, number, step, passes))
        except DataError as error:
            return error
        except RuntimeError as error:
            if not ran_out(error):
                raise
            return OutOfMemory(images=images)
        return torch.stack(losses).sum()

    def attempt(self, images: int) -> None:
        """See that a pass has memory for so many images. Raises: as torch does where not."""
        shape = (images, *self._architecture.input_size)
        blank = Batch(torch.zeros(shape), torch.zeros(images, dtype=torch.int64), ())
        try:
            self._backward(blank, 0, 0, 1)
        finally:
            self._machinery.parts.optimizer.zero_grad()

    def _backward(self, batch: Batch, number: int, step: int, passes: int) -> Tensor:
        loss = self._loss(batch, number, step) / passes
        self._machinery.accelerator.backward(loss)
        return loss.detach()

    def _loss(self, batch: Batch, number: int, step: int) -> Tensor:
        """Mean loss of one pass, a scalar."""
        machinery, seed = self._machinery, self._options.seed
        device = machinery.accelerator.device
        images = batch.images.to(device, non_blocking=True, memory_format=machinery.layout)
        targets = batch.labels.to(device, non_blocking=True)
        if self._mix is not None:
            # Alike for all passes of an update: how it is split must not matter.
            images, targets = self._mix(images, targets, seed_of(seed, number))
        taught = None
        if self._teacher is not None:
            with machinery.accelerator.autocast():
                taught = self._teacher.logits(images, self._architecture)
        seed_torch(seed_of(seed, number, step, machinery.world.rank), device)
        return loss_of(machinery.forward(images), targets, taught, self._options)
