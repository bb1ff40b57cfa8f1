"""Data sets that timm takes by prefix, and that give images by their number."""

import hashlib
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL.Image import Image
from platformdirs import user_cache_path

from ap_core.contracts import DataRequest
from ap_core.errors import DataError
from ap_train.data.images import IntArray
from ap_train.data.source import IndexedSource

STREAMS = ("wds/", "tfds/", "hfids/")
"""Beginnings of names for which timm gives a stream."""

REPORTING = ("validation", "test")
UNAVAILABLE = (ImportError, OSError, RuntimeError, ValueError, AssertionError, AttributeError)
"""What timm and the libraries below raise where a data set, or a split, cannot be had."""


class Indexed(Sized, Protocol):
    """A map-style data set of images and labels."""

    def __getitem__(self, index: int, /) -> tuple[Image, int]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TimmImages:
    """Training split of a data set that timm knows, then its validation split where it has one."""

    dataset: str
    training: Indexed
    reporting: Indexed | None
    labels: IntArray
    classes: tuple[str, ...]
    sized: bool = False
    mirrors: bool = True

    @property
    def reserved(self) -> IntArray:
        """Numbers of the images of the validation split."""
        return np.arange(len(self.training), len(self.labels))

    def read(self, index: int) -> Image:
        """The image."""
        if index < len(self.training):
            return self.training[index][0]
        assert self.reporting is not None
        return self.reporting[index - len(self.training)][0]

    def name(self, index: int) -> str:
        """Number of the image in its split."""
        number = index - len(self.training)
        return f"{self.dataset}, {f'training image {index}' if number < 0 else number}"

    def details(self) -> dict[str, object]:
        """Name, and a digest of the labels."""
        return {
            "name": self.dataset,
            "sha256": hashlib.sha256(self.labels.tobytes()).hexdigest(),
        }


def open_timm(request: DataRequest) -> IndexedSource:
    """Data set that timm's `create_dataset` knows, image by image; its validation split reports.

    request.root: where it lies, or is downloaded to; None for the user's cache.
    Raises: DataError where it cannot be had, or cannot be read by index (a stream).
    """
    if request.name.startswith(STREAMS):
        raise DataError(
            f"{request.name} is a stream: splits, and a training that can be taken up again, need "
            "images that can be had by their number",
            hint="unpack it to a folder with one folder of images for each class, or take it from "
            "hfds/",
        )
    root = request.root or user_cache_path("ap") / "data"
    training = _create(request.name, root, "train")
    reporting = _reporting(request.name, root, training)
    labels = [_labels(dataset) for dataset in (training, reporting) if dataset is not None]
    joined = np.concatenate(labels)
    images = TimmImages(
        dataset=request.name,
        training=training,
        reporting=reporting,
        labels=joined,
        classes=_classes(training, int(joined.max()) + 1),
    )
    return IndexedSource.open(images, request)


def _reporting(name: str, root: Path, training: Indexed) -> Indexed | None:
    for split in REPORTING:
        try:
            found = _create(name, root, split)
        except DataError:
            continue
        # An image folder without folders of these names is found again, whole.
        same = getattr(found, "samples", None)
        if same is None or same != getattr(training, "samples", None):
            return found
    return None


def _create(name: str, root: Path, split: str) -> Indexed:
    from timm.data import create_dataset

    try:
        dataset: Indexed = create_dataset(name, root=str(root), split=split, download=True)
    except UNAVAILABLE as error:
        raise DataError(
            f"{name} cannot be had: {type(error).__name__}: {error}",
            hint="it needs its library and, the first time, a network; a folder of images needs "
            "neither",
        ) from error
    return dataset


def _classes(dataset: Indexed, count: int) -> tuple[str, ...]:
    """Names that the data set has for its classes, else their numbers."""
    reader = getattr(dataset, "reader", None)
    features = getattr(getattr(reader, "dataset", None), "features", None) or {}
    column = features.get(getattr(reader, "label_key", None))
    names = getattr(dataset, "classes", None) or getattr(column, "names", None)
    found = [str(name) for name in names or ()]
    return tuple(found if len(found) == count else map(str, range(count)))


def _labels(dataset: Indexed) -> IntArray:
    """Labels without decoding images, where the data set has them apart."""
    reader = getattr(dataset, "reader", None)
    column = getattr(reader, "label_key", None)
    if reader is not None and column is not None and hasattr(reader, "dataset"):
        return np.asarray(reader.dataset[column], np.int64)
    apart = getattr(dataset, "targets", None)
    if apart is not None:
        return np.asarray(apart, np.int64)
    return np.array([int(dataset[i][1]) for i in range(len(dataset))], np.int64)
