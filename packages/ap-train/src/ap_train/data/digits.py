"""Handwritten digits: 1797 images of 8 x 8, part of scikit-learn; ten classes, no download."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ap_core.contracts import DataRequest
from ap_train.data.images import NONE, IntArray
from ap_train.data.source import IndexedSource

WHITE = 16.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """The digits, enlarged to (height, width)."""

    size: tuple[int, int]
    classes: tuple[str, ...] = tuple("0123456789")
    reserved: IntArray = field(default_factory=NONE.copy)
    sized: bool = True
    mirrors: bool = False

    @cached_property
    def _found(self) -> tuple[NDArray[np.uint8], IntArray]:
        from sklearn.datasets import load_digits

        found = load_digits()
        grey = (found.images * (255 / WHITE)).round().astype(np.uint8)
        return grey, found.target.astype(np.int64)

    @property
    def labels(self) -> IntArray:
        """Digit of every image, (1797,)."""
        return self._found[1]

    def read(self, index: int) -> Image.Image:
        """The image, grey."""
        height, width = self.size
        small = Image.fromarray(self._found[0][index])
        return small.resize((width, height), Image.Resampling.BILINEAR)

    def name(self, index: int) -> str:
        """Its number."""
        return f"digit {index}"

    def details(self) -> dict[str, object]:
        """Where the images come from."""
        return {"name": "digits", "source": "sklearn.datasets.load_digits"}


def open_digits(request: DataRequest) -> IndexedSource:
    """Digits at the network's input size, normalised as it wants."""
    _, height, width = request.architecture.input_size
    return IndexedSource.open(Digits(size=(height, width)), request)
