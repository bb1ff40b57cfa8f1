"""Preparing an image as a network's own configuration wants it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ap_core.contracts import Architecture

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

KEYS = ("interpolation", "mean", "std", "crop_pct", "crop_mode")


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


def preprocessing_of(architecture: Architecture) -> dict[str, object]:
    """What timm's transforms want to know of a network; mean and std for each of its channels."""
    known = {
        key: architecture.preprocessing[key] for key in KEYS if key in architecture.preprocessing
    }
    channels = architecture.input_size[0]
    for key in ("mean", "std"):
        values = known.get(key, (0.5,))
        numbers = tuple(values) if isinstance(values, list | tuple) else (0.5,)
        known[key] = (numbers * channels)[:channels]
    return known
