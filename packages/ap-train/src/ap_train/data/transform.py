"""Preparing an image as a network's own configuration wants it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ap_core.contracts import Architecture

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

KEYS = ("interpolation", "mean", "std", "crop_pct", "crop_mode")


def transform_of(architecture: Architecture) -> "Callable[[Image], Tensor]":
    """timm's evaluation transform: resize, centre crop, normalise; no randomness."""
    from timm.data import create_transform

    known = {
        key: architecture.preprocessing[key] for key in KEYS if key in architecture.preprocessing
    }
    made: Callable[[Image], Tensor] = create_transform(
        architecture.input_size, is_training=False, **known
    )
    return made
