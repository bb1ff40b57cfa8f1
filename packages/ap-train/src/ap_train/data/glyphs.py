"""Glyphs: generated pictures of letters and figures in clutter; 32 classes, no download.

Harder than digits: colours, texture, clutter, blur and grain, turned and sheared characters.
"""

import hashlib
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ap_core.contracts import DataRequest
from ap_core.errors import DataError
from ap_train.data.images import NONE, IntArray
from ap_train.data.painter import CHARACTERS, Painter
from ap_train.data.source import IndexedSource

COUNT = 8000
SEED = 20_260
"""What every image is drawn from, with its number; the seed of a request draws splits only."""

SMALLEST = 16
KEPT = 256 * 10**6
"""Bytes that all images may take in memory; larger ones are painted whenever they are read."""

SAMPLE = 16
"""Images that the digest is taken over: another FreeType or numpy may paint others."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Glyphs:
    """Glyphs of (height, width) pixels; what an image shows depends on its number alone."""

    size: tuple[int, int]
    count: int = COUNT
    classes: tuple[str, ...] = tuple(CHARACTERS)
    reserved: IntArray = field(default_factory=NONE.copy)
    sized: bool = True
    mirrors: bool = False

    @cached_property
    def labels(self) -> IntArray:
        """Place in CHARACTERS of what every image shows, (count,)."""
        return np.arange(self.count) % len(self.classes)

    def read(self, index: int) -> Image.Image:
        """The image, in colour."""
        if self._kept is None:
            return Image.fromarray(self._painted(index))
        images, there = self._kept
        if not there[index]:
            images[index] = self._painted(index)
            there[index] = True
        return Image.fromarray(images[index])

    def name(self, index: int) -> str:
        """Its number, and what it shows."""
        return f"glyph {index} ({CHARACTERS[self.labels[index]]})"

    def details(self) -> dict[str, object]:
        """How many there are, and a digest of the first ones."""
        state = hashlib.sha256()
        for index in range(min(SAMPLE, self.count)):
            state.update(self.read(index).tobytes())
        return {"name": "glyphs", "count": self.count, "sha256": state.hexdigest()}

    def __getstate__(self) -> dict[str, object]:
        """What travels to another process: how to paint, no pictures."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _painted(self, index: int) -> NDArray[np.uint8]:
        generator = np.random.default_rng((SEED, index))
        return self._painter.paint(int(self.labels[index]), generator)

    @cached_property
    def _painter(self) -> Painter:
        return Painter(size=self.size)

    @cached_property
    def _kept(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
        """Images that were painted, (count, height, width, 3), and which; None where too large."""
        shape = (self.count, *self.size, 3)
        if np.prod(shape) > KEPT:
            return None
        return np.empty(shape, np.uint8), np.zeros(self.count, bool)


def open_glyphs(request: DataRequest) -> IndexedSource:
    """Glyphs, painted at the network's input size. Raises: DataError where that is too small."""
    _, height, width = request.architecture.input_size
    if min(height, width) < SMALLEST:
        raise DataError(
            f"glyphs of {height} x {width} pixels could not be told apart",
            hint=f"give an --input-size of {SMALLEST} or more",
        )
    return IndexedSource.open(Glyphs(size=(height, width)), request)
