"""What scores channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class LayerSlice:
    """What an importance sees of one layer of a group: its weights, channels first.

    role: "out" (its output channels are the group's), "in" (its input channels are), or "norm".
    weight: (channels, everything else), the layer's weight with the group's channels first.
    bias: (channels,) where the role is "out" or "norm" and the layer has one.
    gradient, bias_gradient: of the loss, same shapes; None where the importance needs no data.
    """

    layer: str
    kind: str
    role: str
    weight: Tensor
    bias: Tensor | None
    gradient: Tensor | None = None
    bias_gradient: Tensor | None = None


class Importance(Protocol):
    """A criterion: scores the channels of one layer of a group.

    With data it is called after the backward pass of every calibration batch, and the results are
    summed over batches; without, once. Results over the layers of a group are then reduced.
    """

    def __call__(self, part: LayerSlice, generator: Generator) -> Tensor | None:
        """Scores, shape (channels,), >= 0; None to leave this layer out."""
