"""Parts: which channels of a group the rows of a layer's slice are about."""

from dataclasses import dataclass

from torch import Tensor

from ap_core.contracts import LayerSlice


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One layer's share in a group.

    slice: rows of the layer's weight, channels first, (rows, everything else).
    index: int64 (rows,), for every row the flat channel (`lane * width + channel`) that it is
        about. A part may cover some of the group's channels only (the query rows of an attention),
        and may hold several rows of one channel.
    """

    slice: LayerSlice
    index: Tensor
