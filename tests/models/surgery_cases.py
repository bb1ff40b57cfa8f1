"""Plans drawn at random, and networks whose every weight counts, for tests of the surgery."""

import numpy as np
import torch
from torch import nn

from ap_core.cost import CostModel
from ap_core.network import Group, Network
from ap_core.plan import Plan


def random_plan(network: Network, seed: int = 0, low: float = 0.3, high: float = 0.9) -> Plan:
    """Plan that keeps a random share of every group that is not locked."""
    rng = np.random.default_rng(seed)
    widths, kept = dict(network.whole), {}
    for group in sorted(network.free, key=lambda g: bool(g.inside)):
        widths[group.name] = max(1, int(group.width * rng.uniform(low, high)))
        lanes = _lanes(group, kept)
        kept[group.name] = tuple(
            int(lane * group.width + i)
            for lane in lanes
            for i in sorted(rng.choice(group.width, widths[group.name], replace=False))
        )
    model = CostModel(network)
    return Plan(
        widths=widths,
        kept=kept,
        macs=model.macs(widths),
        params=model.params(widths),
        value=0.5,
        bound=None,
    )


def _lanes(group: Group, kept: dict[str, tuple[int, ...]]) -> list[int]:
    if not group.inside:
        return list(range(group.lanes))
    heads = kept.get(group.inside, tuple(range(group.lanes // 2)))
    return [lane for head in heads for lane in (2 * head, 2 * head + 1)]


def disturb(module: nn.Module, seed: int = 0) -> nn.Module:
    """The network with nothing at zero or one: biases, scales and statistics all count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * (0.02 if parameter.ndim > 1 else 0.1))
        for child in module.modules():
            if getattr(child, "running_var", None) is not None:
                child.running_var.copy_(
                    0.5 + torch.rand(len(child.running_var), generator=generator)
                )
                child.running_mean.copy_(torch.randn(len(child.running_mean), generator=generator))
    return module
