"""Stochastic depth for a network that was built without: residual branches are left out at random.

Source: Huang et al. 2016, arXiv:1603.09382; the rate rises linearly with depth.
Which branches are left out is drawn for each pass of each process.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

BRANCHES = ("drop_path", "drop_path1", "drop_path2")
"""What timm's blocks call the module at the end of a residual branch; None in ResNets without."""


@contextmanager
def stochastic_depth(module: nn.Module, rate: float | None) -> Iterator[int]:
    """Drop branches inside the block, and as it was afterwards; yields how many blocks drop.

    rate: of the deepest block; None to leave the network as it is.
    """
    blocks = [] if rate is None else [(b, n) for b in module.modules() for n in _branches(b)]
    before = [(block, name, getattr(block, name)) for block, name in blocks]
    depths = list(dict.fromkeys(id(block) for block, _ in blocks))
    for block, name in blocks:
        share = depths.index(id(block)) / max(1, len(depths) - 1)
        setattr(block, name, _dropping((rate or 0.0) * share))
    try:
        yield len(depths)
    finally:
        for block, name, was in before:
            if was is None:
                # Else it would stay among the block's modules, as nothing.
                delattr(block, name)
            setattr(block, name, was)


def _branches(block: nn.Module) -> list[str]:
    return [name for name in BRANCHES if hasattr(block, name)]


def _dropping(rate: float) -> nn.Module:
    from timm.layers import DropPath

    dropping: nn.Module = DropPath(rate)
    return dropping
