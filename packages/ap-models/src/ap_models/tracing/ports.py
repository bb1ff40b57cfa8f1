"""Ports: one side of one layer, and which channel stands at each of its positions."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Port:
    """One side of a layer, or a parameter outside of layers.

    layer: path of the module; of the parameter where the role is "parameter".
    kind: "conv", "dwconv", "linear", "bn", "ln", "gn", "prelu", "attention", "parameter".
    role: "out", "in", "norm" (channels go through: normalisations, depthwise convolutions) or
        "parameter".
    channels: (positions,) number of the channel at every position. Equal numbers, here or in any
        other port, are one channel: they can only be removed together.
    tensors: (path of a parameter or buffer, axis) of everything that this side slices.
    lanes: ranges of positions that must keep equally many channels.
    order: place in the order of execution.
    """

    layer: str
    kind: str
    role: str
    channels: IntArray = field(repr=False)
    tensors: tuple[tuple[str, int], ...]
    lanes: int = 1
    order: int = 0
