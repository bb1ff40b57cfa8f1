"""A criterion that scores channels."""

import torch
from torch import Generator, Tensor

from ap_core.contracts import LayerSlice


def filter_distance(part: LayerSlice, generator: Generator) -> Tensor | None:
    """Sum of a filter's distances to all filters of its layer; the most replaceable are nearest.

    It says nothing of what a layer does with its inputs, nor of normalisations.
    Source: He et al. 2019, arXiv:1811.00250, section 3.3.
    """
    if part.role != "out":
        return None
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(part.weight, part.weight, compute_mode=exact).sum(dim=1)
