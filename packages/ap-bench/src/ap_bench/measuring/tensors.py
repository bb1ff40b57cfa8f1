"""Tensors, wherever they are."""

from collections.abc import Iterator

from torch import Tensor
from torch.utils._pytree import tree_leaves


def tensors_of(tree: object) -> Iterator[Tensor]:
    """Tensors in what an operator takes or returns."""
    for leaf in tree_leaves(tree):
        if isinstance(leaf, Tensor):
            yield leaf
