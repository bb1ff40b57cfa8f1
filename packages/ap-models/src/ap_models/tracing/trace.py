"""Tracing a network: skeleton, structure, groups, costs, and a check against a counter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from torch import nn

from ap_core.cost import CostModel
from ap_core.errors import ModelError
from ap_core.network import Group, LayerCost, Network, Term
from ap_core.plan import Plan
from ap_models.attention import Attention, StandIn
from ap_models.branches import Branch, droppable
from ap_models.counters import count, count_params
from ap_models.skeleton import meta_copy
from ap_models.tracing.blocks import with_blocks
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

OTHER = "(other)"
"""Layer that stands for products outside of convolutions, linear layers and known attentions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DependencyTracing:
    """What tracing found; the ports and layouts are what the surgery needs."""

    network: Network
    ports: tuple[Port, ...] = field(repr=False)
    layouts: tuple[Layout, ...] = field(repr=False)
    attentions: tuple[tuple[Attention, Group, Group], ...] = field(repr=False)
    branches: tuple[Branch, ...] = ()

    def dropped(self, plan: Plan) -> tuple[Branch, ...]:
        """Branches that a plan drops whole."""
        return tuple(branch for branch in self.branches if not plan.widths[branch.path])

    @cached_property
    def layout_of(self) -> dict[str, Layout]:
        """Layouts by the names of their groups."""
        return {layout.group.name: layout for layout in self.layouts}

    @cached_property
    def attention_of(self) -> dict[str, tuple[Attention, Group]]:
        """Attentions, each with its head size, by the name of the head size's group."""
        return {size.name: (attention, size) for attention, _, size in self.attentions}

    def kept(self, plan: Plan) -> dict[int, IntArray]:
        """Positions that stay, ascending, of every port (by `id`).

        All of those that go with a dropped branch: nothing is left of it to be cut.
        """
        count = 1 + max((int(p.channels.max()) for p in self.ports), default=-1)
        stays = np.ones(count, bool)
        for layout in self.layouts:
            if layout.group.name in plan.kept and plan.widths[layout.group.name]:
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
    branches: Iterable[Branch] = (),
) -> DependencyTracing:
    """Groups and exact costs of a network; it is neither changed nor run with its weights.

    Products that the cost model does not explain (attentions of unknown kinds) count as constant;
    whether they are shows when the network is cut. Where there are any, no branch can be dropped.
    branches: those that the family knows how to drop.
    Raises: ModelError where it does not run or cannot be traced.
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
    network = _complete(network, module)
    explained = all(layer.layer != OTHER for layer in network.layers)
    found = droppable(module, branches) if explained else ()
    return DependencyTracing(
        network=with_blocks(network, found, stage_of),
        ports=ports,
        layouts=layouts,
        attentions=inner,
        branches=found,
    )


def _complete(network: Network, module: nn.Module) -> Network:
    """The network with what a counter finds in it beyond what its layers explain.

    Raises: ModelError where the counter finds less, or other parameters.
    """
    model, counted = CostModel(network), count(module, network.input_size)
    macs = counted.macs - model.macs(network.whole)
    params = count_params(module) - model.params(network.whole)
    if macs < 0 or params:
        raise ModelError(
            f"the cost model of {network.model} is {macs} MACs and {params} parameters short of "
            "what a counter finds",
            hint="this is a bug of the tracing: please report the network",
        )
    other = LayerCost(
        layer=OTHER, kind="other products", stage=OTHER, macs=(Term(coefficient=macs),)
    )
    layers = (*network.layers, other) if macs else network.layers
    return replace(network, layers=layers, uncounted=counted.uncounted, counters=counted.others)
