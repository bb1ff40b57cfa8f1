"""What a data set is to the rest: labelled images that can be had by their number."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import DecompressionBombError, Image

IntArray = NDArray[np.int64]


class Images(Protocol):
    """Labelled images, read one at a time; may travel to another process.

    classes: their names, in the order of the labels.
    labels: class of every image, (n,).
    reserved: numbers of the images that the data set itself sets apart for reporting; may be empty.
    sized: whether images come in the network's input size, to be neither resized nor cropped.
    mirrors: whether an image seen in a mirror still is of its class.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> IntArray: ...
    @property
    def reserved(self) -> IntArray: ...
    @property
    def sized(self) -> bool: ...
    @property
    def mirrors(self) -> bool: ...

    def read(self, index: int) -> Image:
        """The image. Raises: what Pillow raises where it cannot be decoded."""

    def name(self, index: int) -> str:
        """What the image is called, for messages."""

    def details(self) -> dict[str, object]:
        """What a run keeps of the data set: its name, place, and a digest of what is in it."""


UNREADABLE = (OSError, SyntaxError, ValueError, DecompressionBombError)
"""What Pillow and readers of data sets raise for a damaged image; UnidentifiedImageError is an
OSError."""

NONE = np.empty(0, np.int64)
