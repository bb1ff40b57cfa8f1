"""What gives images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from ap_core.contracts.models import Architecture

    Labels = NDArray[np.int64]

    ImageBatch = tuple[Tensor, Tensor]
    """Images (n, c, h, w) float32, labels (n,) int64."""


class Split(StrEnum):
    """What images are for; no image is in two."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HELD_OUT = "held_out"
    REPORT = "report"


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """Which data, and how to prepare it.

    name: of the offer, or the whole name that one of its prefixes begins.
    root: the folder of images, or where the data set lies; None for the data set's own place.
    architecture: of the network; its preprocessing is how the images are prepared.
    calibration: how many images score the channels, at most half of those that are not set apart.
    held_out: how many judge trials, and as many again report; None for a share, and for all that
        the data set itself sets apart for reporting.
    on_corrupt: "skip" or "refuse".
    before: record of the source that was opened for the same images before: of splits that are the
        same, nothing needs to be found out again; None where there is none.
    """

    name: str
    root: Path | None
    architecture: Architecture
    batch_size: int = 32
    calibration: int = 256
    held_out: int | None = None
    seed: int = 0
    on_corrupt: str = "refuse"
    before: Mapping[str, object] | None = None


@runtime_checkable
class DataSource(Protocol):
    """Images for calibrating and for judging; the two are disjoint and drawn by seed."""

    @property
    def num_classes(self) -> int:
        """How many classes the labels name."""

    def calibration(self) -> Iterator[ImageBatch]:
        """Batches to score channels and to re-estimate statistics with, same order every time."""

    def held_out(self) -> Iterator[ImageBatch]:
        """Batches to judge a trial with, same order every time."""

    def report(self) -> Iterator[ImageBatch]:
        """Batches to report with, disjoint from both others: nothing is selected on them."""

    def record(self) -> Mapping[str, object]:
        """What the run keeps: name, root, sizes, seed, digests of the splits; under `skipped`, the
        list of images that could not be read and were left out.
        """


class ImageSet(Protocol):
    """Images of one split that can be had by their place in it: a map-style data set.

    sized: whether they come in the network's input size, to be neither resized nor cropped.
    mirrors: whether an image seen in a mirror still is of its class.
    """

    @property
    def sized(self) -> bool: ...
    @property
    def mirrors(self) -> bool: ...

    @property
    def labels(self) -> Labels:
        """Class of every image, (n,) int64."""

    def name(self, place: int) -> str:
        """What an image is called, for messages."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> tuple[Image, int]:
        """Pillow image, as yet neither resized nor normalised, and its class.

        Raises: DataError where it cannot be read.
        """


@runtime_checkable
class TrainingSource(DataSource, Protocol):
    """A data source that can be trained on: it also gives images by their place.

    classes: names of the classes, in the order of their labels.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    def split(self, split: Split) -> ImageSet:
        """Images of one split."""
