"""Tracing a network: skeleton, structure, groups, costs, and a check against a counter."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ap_core.cost import CostModel
from ap_core.errors import ModelError
from ap_core.network import Group, Network
from ap_core.plan import Plan
from torch import nn

from ap_models.attention import Attention, StandIn
from ap_models.skeleton import meta_copy
from ap_models.tracing.costs import layer_costs
from ap_models.tracing.graph import read_structure
from ap_models.tracing.groups import (
    Layout,
    StageOf,
    attention_groups,
    find_groups,
    resolve_ports,
)
from ap_models.tracing.ports import IntArray, Port


@dataclass(frozen=True, kw_only=True, eq=False)
class DependencyTracing:
    """What tracing found; the ports and layouts are what the surgery needs."""

    network: Network
    ports: tuple[Port, ...] = field(repr=False)
    layouts: tuple[Layout, ...] = field(repr=False)
    attentions: tuple[tuple[Attention, Group, Group], ...] = field(repr=False)

    def kept(self, plan: Plan) -> dict[int, IntArray]:
        """Positions that stay, ascending, of every port (by `id`)."""
        count = 1 + max((int(p.channels.max()) for p in self.ports), default=-1)
        stays = np.ones(count, bool)
        for layout in self.layouts:
            if layout.group.name in plan.kept:
                stays[layout.components] = False
                stays[layout.components[np.asarray(plan.kept[layout.group.name], np.int64)]] = True
        return {id(port): np.flatnonzero(stays[port.channels]) for port in self.ports}


def trace(
    module: nn.Module,
    attentions: Sequence[Attention],
    *,
    model: str,
    input_size: tuple[int, int, int],
    stage_of: StageOf,
) -> DependencyTracing:
    """Groups and exact costs of a network; it is neither changed nor run with its weights.

    Raises: ModelError where it does not run, cannot be traced, or the cost model disagrees with
    the counter.
    """
    skeleton = meta_copy(module).eval()
    for attention in attentions:
        skeleton.set_submodule(attention.path, StandIn(attention))
    structure = read_structure(skeleton, attentions, input_size)
    ports = resolve_ports(structure)
    layouts = find_groups(structure, ports, stage_of)
    inner = tuple((a, *attention_groups(a, stage_of)) for a in attentions)
    groups = tuple(layout.group for layout in layouts)
    groups += tuple(group for _, heads, size in inner for group in (heads, size))
    layers = layer_costs(module, ports, layouts, inner, structure.calls, stage_of)
    network = Network(model=model, input_size=input_size, groups=groups, layers=layers)
    _check(network, module)
    return DependencyTracing(network=network, ports=ports, layouts=layouts, attentions=inner)


def _check(network: Network, module: nn.Module) -> None:
    """Compare the cost model with a counter on the untouched network, as integers."""
    from ap_models.counters import count_macs, count_params

    model = CostModel(network)
    for what, predicted, counted in (
        ("MACs", model.macs(network.whole), count_macs(module, network.input_size)),
        ("parameters", model.params(network.whole), count_params(module)),
    ):
        if predicted != counted:
            raise ModelError(
                f"the cost model finds {predicted} {what} in {network.model}, a counter {counted}",
                hint="its arithmetic is not all in convolutions, linear layers and known "
                "attentions; write a model adapter for it: see the plugin tutorial",
            )
