"""Batches to train on: which images, in which order, augmented how; all of it decided by seed.

What an image looks like depends on the seed, the epoch and its place in the epoch alone: not on the
number of processes, of passes, of workers, nor on where an interrupted epoch was taken up again.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ap_core.contracts import ImageSet
from ap_core.errors import DataError, UsageError
from ap_train.data.images import IntArray
from ap_train.data.source import FEW, workers
from ap_train.training.options import TrainOptions
from ap_train.training.world import World

if TYPE_CHECKING:
    from PIL.Image import Image

Ticket: TypeAlias = tuple[int, int]
"""Place of an image in its split, and the seed of what is done to it."""


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

    def seeds(self, epoch: int) -> IntArray:
        """Seeds of what is done to each of them, (updates x batch,)."""
        generator = np.random.default_rng((self.seed, epoch, 1))
        return generator.integers(2**63, size=self.updates * self.batch)

    def passes(self, epoch: int, world: World, *, accumulate: int, start: int) -> "Passes":
        """Passes of one process, from an update on."""
        return Passes(
            order=self.order(epoch),
            seeds=self.seeds(epoch),
            slots=self._slots(world, accumulate),
            batch=self.batch,
            start=start,
        )

    def _slots(self, world: World, accumulate: int) -> IntArray:
        """Which images of an update each pass of a process takes, (passes, images).

        The first image goes with the last one, the second with the last but one, and so on: timm
        mixes such pairs, so that it mixes the same ones however the update is split.
        """
        up = np.arange(self.batch)
        paired = np.stack([up, up[::-1]], axis=1).ravel()[: self.batch]
        slots: IntArray = paired.reshape(accumulate, world.size, -1)[:, world.rank]
        return np.sort(slots, axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Passes:
    """Tickets of every pass (micro-batch) of one process, drawn up when their turn comes.

    order, seeds: (updates x batch,), of the whole epoch. slots: (passes, images), of an update.
    """

    order: IntArray
    seeds: IntArray
    slots: IntArray
    batch: int
    start: int

    def __len__(self) -> int:
        return (len(self.order) // self.batch - self.start) * len(self.slots)

    def __iter__(self) -> Iterator[list[Ticket]]:
        for first in range(self.start * self.batch, len(self.order), self.batch):
            for slots in self.slots:
                places = first + slots
                order, seeds = self.order[places].tolist(), self.seeds[places].tolist()
                yield list(zip(order, seeds, strict=True))


def schedule_of(options: TrainOptions, count: int, world: World) -> Schedule:
    """Schedule of an image set of this size. Raises: UsageError, DataError."""
    parts = world.size * options.accumulate
    if options.batch_size % parts:
        raise UsageError(
            f"a batch of {options.batch_size} images cannot be split into {parts} equal parts "
            f"({world.size} processes, {options.accumulate} passes)",
            hint=f"give a --batch-size that is a multiple of {parts}",
        )
    if options.mixes and options.batch_size // parts % 2:
        raise UsageError(
            f"mixup and cutmix mix pairs of images, and a pass would have "
            f"{options.batch_size // parts}",
            hint=f"give a --batch-size that is a multiple of {2 * parts}",
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


class Batch(NamedTuple):
    """Images (n, channels, height, width), labels (n,), and names of images that were left out.

    A tuple, so that torch knows how to pin it.
    """

    images: Tensor
    labels: Tensor
    skipped: tuple[str, ...]


def loader_of(
    augmented: Augmented,
    passes: Passes,
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
        seed_torch(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def seed_torch(seed: int, device: torch.device | None = None) -> None:
    """Seed what torch draws from on the CPU, and on a device.

    torch.manual_seed would also queue a call, with the stack that it came from, for every kind of
    device that is not in use: slower than making an image, and never freed.
    """
    torch.default_generator.manual_seed(seed)
    if device is not None and device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device is not None and device.type == "mps":
        torch.mps.manual_seed(seed)


def seed_of(*numbers: int) -> int:
    """One seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
