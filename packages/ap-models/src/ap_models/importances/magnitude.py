"""Importances that look at the weights alone."""

import torch
from torch import Generator, Tensor

from ap_core.contracts import LayerSlice

MAPS = frozenset({"out", "in"})
"""Roles of convolutions and linear layers; norms and bare parameters have scales of their own."""


def l1(part: LayerSlice, generator: Generator) -> Tensor | None:  # noqa: ARG001
    """Sum of absolute weights of every channel; biases, norms and bare parameters are left out.

    Source: Li et al. 2017, arXiv:1608.08710, section 3.1, for the layer that makes a channel;
    Fang et al. 2023, arXiv:2301.12900, section 3.3, for the layers that read it as well.
    """
    return part.weight.abs().sum(dim=1) if part.role in MAPS else None


def l2(part: LayerSlice, generator: Generator) -> Tensor | None:  # noqa: ARG001
    """Euclidean norm of every channel's weights; biases, norms and bare parameters are left out.

    Source: Fang et al. 2023, arXiv:2301.12900, section 3.3.
    """
    # `norm` takes ten times as long where the channels are the columns of a matrix.
    return part.weight.square().sum(dim=1).sqrt() if part.role in MAPS else None


def bn_scale(part: LayerSlice, generator: Generator) -> Tensor | None:  # noqa: ARG001
    """Absolute scale of the batch norms on every channel.

    Layer norms are left out: they have no scale that training would drive to zero with a channel.
    Source: Liu et al. 2017, "network slimming", arXiv:1708.06519, section 3.
    """
    if part.role != "norm" or part.kind != "bn":
        return None
    return part.weight.flatten(start_dim=1).abs().sum(dim=1)


def uniform(part: LayerSlice, generator: Generator) -> Tensor | None:
    """Uniform noise from 0 to 1, for convolutions and linear layers; the same for the same seed."""
    if part.role not in MAPS:
        return None
    return torch.rand(len(part.weight), generator=generator).to(part.weight.device)
