"""What the latency of a network is made of: sums of products of widths, each with one rate."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ap_core.cost import evaluate
from ap_core.network import LayerCost, Network, Term


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A part of the latency that one rate says the time of.

    terms: how much of it there is at any widths.
    """

    name: str
    terms: tuple[Term, ...] = field(repr=False)

    def at(self, widths: Mapping[str, int]) -> int:
        """How much of it there is."""
        return evaluate(self.terms, widths)


def features_of(network: Network) -> tuple[Feature, ...]:
    """Every part of a network's latency.

    One pass, whatever the widths; every block that can be dropped; multiply-accumulates by stage
    and kind of layer, as layers of one kind on images of one size run at one speed; and channels
    that layers read and write, by stage and kind of group, as much of what a network does besides
    is limited by memory.
    """
    blocks = {block.name for block in network.blocks}
    terms: dict[str, list[Term]] = defaultdict(list)
    terms["a pass"].append(Term(coefficient=1))
    for block in network.blocks:
        terms[block.scope].append(Term(coefficient=1, groups=(block.name,)))
    for layer in network.layers:
        terms[f"{layer.stage}: MACs of {layer.kind}"] += layer.macs
        for name, around in _channels(layer, blocks):
            group = network.by_name[name]
            moved = Term(coefficient=group.lanes, groups=tuple(sorted((name, *around))))
            terms[f"{layer.stage}: {group.kind} channels"].append(moved)
    return tuple(Feature(name=name, terms=merged(found)) for name, found in terms.items() if found)


def merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms over the same groups added up."""
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    for term in terms:
        sums[term.groups] += term.coefficient
    return tuple(Term(coefficient=c, groups=groups) for groups, c in sums.items())


def _channels(layer: LayerCost, blocks: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Groups whose channels a layer has, each with the blocks around the layer.

    In an order of their own: the order of features decides the last digits of a fit, and so a plan.
    """
    every = {name for term in (*layer.macs, *layer.params) for name in term.groups}
    around = tuple(sorted(every & blocks))
    return [(name, around) for name in sorted(every - blocks)]
