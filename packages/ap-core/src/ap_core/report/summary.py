"""Where a network's MACs and parameters are, and what a plan leaves of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ap_core.cost import evaluate
from ap_core.network import Group, GroupKind, LayerCost, Network

KINDS = {
    GroupKind.RESIDUAL: "residual width",
    GroupKind.HIDDEN: "hidden width",
    GroupKind.HEADS: "attention heads",
    GroupKind.HEAD_SIZE: "head size",
}
"""What people call the kinds of groups."""

BLOCK = "whole block"
"""What they call a block that can be dropped."""

ROOT = "(the network itself)"
"""Name shown for what belongs to no stage or submodule."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Cost of a part of a network; `..._left`: of what the plan leaves of it."""

    name: str
    macs: int
    params: int
    macs_left: int
    params_left: int


@dataclass(frozen=True, kw_only=True)
class GroupWidth:
    """A group, and how many of its channels (per lane) stay."""

    group: Group
    left: int

    @property
    def share(self) -> float:
        """Share of the channels that stays."""
        return self.left / self.group.width


def total(network: Network, widths: Mapping[str, int] | None = None) -> Part:
    """Cost of everything. widths: of the cut network; None for the whole one."""
    return _sum(network.model, by_layer(network, widths))


def by_layer(network: Network, widths: Mapping[str, int] | None = None) -> tuple[Part, ...]:
    """Cost of every layer, in the network's order. widths: as for `total`."""
    left = network.whole if widths is None else widths
    return tuple(_part(layer, network.whole, left) for layer in network.layers)


def by_stage(network: Network, widths: Mapping[str, int] | None = None) -> tuple[Part, ...]:
    """Cost of every stage, in the network's order. widths: as for `total`."""
    return _grouped(network, widths, lambda layer: layer.stage)


def by_kind(network: Network, widths: Mapping[str, int] | None = None) -> tuple[Part, ...]:
    """Cost of every kind of layer, the dearest first. widths: as for `total`."""
    parts = _grouped(network, widths, lambda layer: layer.kind)
    return tuple(sorted(parts, key=lambda part: (-part.macs, -part.params, part.name)))


def group_widths(
    network: Network, widths: Mapping[str, int] | None = None
) -> tuple[GroupWidth, ...]:
    """Every group with its width before and after, in the order of execution."""
    left = network.whole if widths is None else widths
    stages = {layer.stage: i for i, layer in reversed(list(enumerate(network.layers)))}
    layers = {layer.layer: i for i, layer in enumerate(network.layers)}
    kinds = list(GroupKind)
    last = len(network.layers)

    def place(group: Group) -> tuple[int, int, int]:
        first = layers.get(group.producers[0], last) if group.producers else last
        return stages.get(group.stage, first), first, kinds.index(group.kind)

    ordered = sorted(network.groups, key=place)
    return tuple(GroupWidth(group=group, left=left[group.name]) for group in ordered)


def touched_macs(network: Network, names: frozenset[str]) -> int:
    """MACs of the whole network that depend on the widths of at least one of these groups."""
    return sum(
        evaluate((term,), network.whole)
        for layer in network.layers
        for term in layer.macs
        if not names.isdisjoint(term.groups)
    )


def _part(layer: LayerCost, whole: Mapping[str, int], left: Mapping[str, int]) -> Part:
    return Part(
        name=layer.layer or ROOT,
        macs=evaluate(layer.macs, whole),
        params=evaluate(layer.params, whole),
        macs_left=evaluate(layer.macs, left),
        params_left=evaluate(layer.params, left),
    )


def _grouped(
    network: Network, widths: Mapping[str, int] | None, key: Callable[[LayerCost], str]
) -> tuple[Part, ...]:
    members: dict[str, list[Part]] = {}
    for layer, part in zip(network.layers, by_layer(network, widths), strict=True):
        members.setdefault(key(layer) or ROOT, []).append(part)
    return tuple(_sum(name, parts) for name, parts in members.items())


def _sum(name: str, parts: tuple[Part, ...] | list[Part]) -> Part:
    return Part(
        name=name,
        macs=sum(part.macs for part in parts),
        params=sum(part.params for part in parts),
        macs_left=sum(part.macs_left for part in parts),
        params_left=sum(part.params_left for part in parts),
    )
