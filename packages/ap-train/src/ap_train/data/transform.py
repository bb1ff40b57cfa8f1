"""Preparing an image as a network's own configuration wants it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ap_core.contracts import Architecture
from ap_core.preprocessing import preprocessing_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


def transform_of(architecture: Architecture, *, sized: bool = False) -> "Callable[[Image], Tensor]":
    """timm's evaluation transform: resize, centre crop, normalise; no randomness.

    sized: whether images come in the input size already; they are not cropped then.
    """
    from timm.data import create_transform

    known = preprocessing_of(architecture) | ({"crop_pct": 1.0} if sized else {})
    made: Callable[[Image], Tensor] = create_transform(
        architecture.input_size, is_training=False, **known
    )
    return made
