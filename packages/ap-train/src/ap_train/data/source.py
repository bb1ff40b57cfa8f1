"""A data source over images that can be had by their number."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL.Image import Image
from torch.utils.data import DataLoader, Dataset

from ap_core.contracts import DataRequest, ImageSet, Split
from ap_core.errors import DataError
from ap_train.data.images import UNREADABLE, Images, IntArray
from ap_train.data.splits import Splits, draw
from ap_train.data.transform import transform_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ap_core.contracts import ImageBatch

SHOWN = 3
FEW = 1000
"""Images that are read faster by one process than others are started."""

WORKERS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexedSource:
    """Batches of images of disjoint splits, prepared as the network wants them.

    skipped: names of images that could not be read and are in no split.
    """

    images: Images
    request: DataRequest
    splits: Splits
    skipped: tuple[str, ...] = ()

    @classmethod
    def open(cls, images: Images, request: DataRequest) -> Self:
        """Draw the splits, and see that the images to measure with can be read.

        Images to train on are read when their turn comes, and what is known of the same images is
        not found out again.
        Raises: DataError where there are too few, or some cannot be read and are not to be skipped.
        """
        splits = draw(images.labels, images.reserved, request)
        measured = np.concatenate([splits.calibration, splits.held_out, splits.report])
        broken = _known_unreadable(images, splits, request.before)
        if broken is None:
            broken = _unreadable(images, measured)
        names = tuple(images.name(index) for index in broken)
        if names and request.on_corrupt != "skip":
            raise DataError(
                f"{len(names)} of {len(measured)} images cannot be read: {some(names)}",
                hint="remove them, or leave them out with --on-corrupt skip",
            )
        splits = splits.without(broken)
        _check_classes(images, splits)
        return cls(images=images, request=request, splits=splits, skipped=names)

    @property
    def num_classes(self) -> int:
        """How many classes the labels name."""
        return len(self.images.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the labels."""
        return self.images.classes

    def calibration(self) -> Iterator["ImageBatch"]:
        """Batches to score channels and to re-estimate statistics with, in an order of the seed."""
        order = np.random.default_rng(self.request.seed).permutation(self.splits.calibration)
        return self._batches(order)

    def held_out(self) -> Iterator["ImageBatch"]:
        """Batches to judge trials with."""
        return self._batches(self.splits.held_out)

    def report(self) -> Iterator["ImageBatch"]:
        """Batches to report with."""
        return self._batches(self.splits.report)

    def split(self, split: Split) -> "SplitImages":
        """Images of one split, undone, by their number."""
        return SplitImages(
            images=self.images,
            numbers=self.splits.of(split),
            mode="L" if self.request.architecture.input_size[0] == 1 else "RGB",
        )

    def record(self) -> Mapping[str, object]:
        """Name, place, seed, sizes and digests of the splits; the images that were left out."""
        return {
            **self.images.details(),
            "images": len(self.images.labels),
            "seed": self.request.seed,
            "on_corrupt": self.request.on_corrupt,
            "splits": self.splits.record(),
            "skipped": list(self.skipped),
        }

    def _batches(self, numbers: IntArray) -> Iterator["ImageBatch"]:
        prepared = Prepared(
            images=self.split(Split.REPORT).over(numbers),
            transform=transform_of(self.request.architecture, sized=self.images.sized),
        )
        loader = DataLoader(
            prepared,
            batch_size=self.request.batch_size,
            num_workers=0 if len(numbers) < FEW or self.images.sized else workers(),
        )
        return iter(loader)


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitImages:
    """Images of one split by their place in it: Pillow images in the mode that is wanted."""

    images: Images
    numbers: IntArray
    mode: str

    @property
    def sized(self) -> bool:
        """Whether images come in the network's input size."""
        return self.images.sized

    @property
    def mirrors(self) -> bool:
        """Whether an image seen in a mirror still is of its class."""
        return self.images.mirrors

    @property
    def labels(self) -> IntArray:
        """Class of every image, (n,)."""
        found: IntArray = self.images.labels[self.numbers]
        return found

    def over(self, numbers: IntArray) -> "SplitImages":
        """Same, of other images."""
        return SplitImages(images=self.images, numbers=numbers, mode=self.mode)

    def name(self, place: int) -> str:
        """What the image is called."""
        return self.images.name(int(self.numbers[place]))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> tuple[Image, int]:
        """The image and its class. Raises: DataError where it cannot be read."""
        number = int(self.numbers[place])
        try:
            image = self.images.read(number).convert(self.mode)
        except UNREADABLE as error:
            raise DataError(
                f"the image {self.images.name(number)} cannot be read: {error}",
                hint="remove it, or leave it out with --on-corrupt skip",
            ) from error
        return image, int(self.images.labels[number])


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared(Dataset["tuple[Tensor, int]"]):
    """Images as tensors, (channels, height, width)."""

    images: ImageSet
    transform: "Callable[[Image], Tensor]"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> "tuple[Tensor, int]":
        """The prepared image and its class."""
        image, label = self.images[place]
        return self.transform(image), label


def workers() -> int:
    """Processes that read images."""
    return min(WORKERS, os.cpu_count() or 1)


def _known_unreadable(
    images: Images, splits: Splits, before: Mapping[str, object] | None
) -> IntArray | None:
    """Images that were left out of the same splits before; None where nothing is known of them."""
    if before is None or {**before, **images.details()} != before:
        return None
    measured = np.concatenate([splits.calibration, splits.held_out, splits.report])
    skipped = before.get("skipped")
    names = set(skipped) if isinstance(skipped, list) else set()
    broken: IntArray = np.sort([n for n in measured if names and images.name(int(n)) in names])
    broken = broken.astype(np.int64)
    return broken if splits.without(broken).record() == before.get("splits") else None


def _unreadable(images: Images, numbers: IntArray) -> IntArray:
    """Images that do not decode to their end, ascending."""
    if images.sized:
        return np.empty(0, np.int64)
    with ThreadPoolExecutor(max_workers=workers()) as pool:
        readable = list(pool.map(lambda number: _decodes(images, int(number)), numbers))
    broken: IntArray = np.sort(numbers[~np.array(readable, bool)])
    return broken


def _decodes(images: Images, number: int) -> bool:
    try:
        images.read(number).load()
    except UNREADABLE:
        return False
    return True


def _check_classes(images: Images, splits: Splits) -> None:
    used = np.concatenate(list(vars(splits).values()))
    missing = np.setdiff1d(np.arange(len(images.classes)), images.labels[used])
    if len(missing):
        name = images.classes[missing[0]]
        raise DataError(f"no image of class {name} can be read, or there are none")


def some(names: Sequence[str]) -> str:
    """The first few of these names, for a message."""
    shown = ", ".join(names[:SHOWN])
    return f"{shown}, ..." if len(names) > SHOWN else shown
