"""Scores: what an importance says of every channel of every group."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Raw scores, before any normalisation; higher is kept.

    importance: its name, with the reduction over a group's layers ("taylor", "mean").
    additive: whether scores are changes of the loss: on one scale over the whole network.
    values: for every group that is not locked, float64 of shape (lanes, width), finite and >= 0.
        A heads group has none: a head is worth what its head-size lanes are worth.
    """

    importance: str
    reduction: str
    values: Mapping[str, FloatArray] = field(repr=False)
    additive: bool = False
