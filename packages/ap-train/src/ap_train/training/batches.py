"""Batches to train on: which images, in which order, augmented how; all of it decided by seed.

What an image looks like depends on the seed, the epoch and its place in the epoch alone: not on the
number of processes, of passes, of workers, nor on where an interrupted epoch was taken up again.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ap_core.contracts import ImageSet
from ap_core.errors import DataError, UsageError
from ap_train.data.images import IntArray
from ap_train.data.source import FEW, workers
from ap_train.training.options import TrainOptions

if TYPE_CHECKING:
    from PIL.Image import Image

Ticket: TypeAlias = tuple[int, int]
"""Place of an image in its split, and the seed of what is done to it."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Which part of every update a process does: the `index`th of `count`."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Which images every update of every epoch sees.

    count: images of the split. batch: images in one update, over all processes.
    """

    count: int
    batch: int
    repeats: int
    seed: int

    @property
    def updates(self) -> int:
        """Updates in one epoch; images that do not fill a last one wait for the next epoch."""
        return self.count // self.batch

    def order(self, epoch: int) -> IntArray:
        """Places of the images of one epoch, (updates x batch,).

        Repeated augmentation (Hoffer et al. 2020, arXiv:1901.09335) shows an image several times
        running, and as many fewer images in an epoch.
        """
        drawn = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        shown: IntArray = np.repeat(drawn, self.repeats)[: self.updates * self.batch]
        return shown

    def passes(
        self, epoch: int, share: Share, *, accumulate: int, start: int
    ) -> Iterator[list[Ticket]]:
        """Tickets of every pass of one process, from an update on."""
        order = self.order(epoch)
        size = self.batch // (share.count * accumulate)
        for update in range(start, self.updates):
            for step in range(accumulate):
                first = update * self.batch + (step * share.count + share.index) * size
                yield [
                    (int(order[place]), seed_of(self.seed, epoch, place))
                    for place in range(first, first + size)
                ]


def schedule_of(options: TrainOptions, count: int, share: Share) -> Schedule:
    """Schedule of an image set of this size. Raises: UsageError, DataError."""
    parts = share.count * options.accumulate
    if options.batch_size % parts:
        raise UsageError(
            f"a batch of {options.batch_size} images cannot be split into {parts} equal parts "
            f"({share.count} processes, {options.accumulate} passes)",
            hint=f"give a --batch-size that is a multiple of {parts}",
        )
    if count < options.batch_size:
        raise DataError(
            f"{count} images to train on do not fill a batch of {options.batch_size}",
            hint=f"give a smaller --batch-size, {max(1, count // 2)} at most, or more images",
        )
    return Schedule(
        count=count, batch=options.batch_size, repeats=options.repeats, seed=options.seed
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmented(Dataset["tuple[Tensor, int, str] | DataError"]):
    """Images to train on, prepared by ticket.

    skip: whether an image that cannot be read is left out, another one in its place.
    """

    images: ImageSet
    transform: "Callable[[Image], Tensor]"
    skip: bool

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, ticket: Ticket) -> "tuple[Tensor, int, str] | DataError":
        """Tensor (channels, height, width), class, and the name of an image that was left out.

        An error is returned, not raised: it would lose its kind on the way from another process.
        """
        place, seed = ticket
        skipped = ""
        for attempt in range(len(self.images)):
            where = (place + attempt) % len(self.images)
            try:
                image, label = self.images[where]
            except DataError as error:
                if not self.skip:
                    return error
                skipped = skipped or self.images.name(where)
                continue
            with seeded(seed):
                return self.transform(image), label, skipped
        return DataError("no image to train on can be read")


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Images (n, channels, height, width), labels (n,), and names of images that were left out."""

    images: Tensor
    labels: Tensor
    skipped: tuple[str, ...]


def loader_of(
    augmented: Augmented,
    passes: Sequence[list[Ticket]],
    options: TrainOptions,
    *,
    pin: bool,
) -> "DataLoader[Batch | DataError]":
    """Loader of these passes."""
    automatic = 0 if augmented.images.sized or len(augmented) < FEW else workers()
    return DataLoader(
        augmented,  # type: ignore[arg-type]
        batch_sampler=passes,
        num_workers=automatic if options.workers is None else options.workers,
        collate_fn=_collated,
        pin_memory=pin,
    )


def _collated(samples: Sequence["tuple[Tensor, int, str] | DataError"]) -> "Batch | DataError":
    whole = []
    for sample in samples:
        if isinstance(sample, DataError):
            return sample
        whole.append(sample)
    return Batch(
        images=torch.stack([image for image, _, _ in whole]),
        labels=torch.tensor([label for _, label, _ in whole]),
        skipped=tuple(skipped for _, _, skipped in whole if skipped),
    )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All that augmentations draw from is seeded inside the block, and as it was afterwards."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def seed_of(*numbers: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
