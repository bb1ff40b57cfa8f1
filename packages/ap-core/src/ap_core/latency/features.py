"""What the latency of a network is made of: sums of products of widths, each with one rate.

There are more rates than a few dozen cuts tell apart. So what the whole network does at one rate
comes first, and every stage has rates of its own besides, which the fit pulls to none: a stage is
as fast as the others until measurements say that it is slower. With one level alone, a fit gives
the time of one stage to the next, and the solver cuts where nothing is gained.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from ap_core.cost import evaluate
from ap_core.network import LayerCost, Network, Term


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A part of the latency that one rate says the time of.

    terms: how much of it there is at any widths. local: of one stage alone, where another feature
    has it of the whole network.
    """

    name: str
    terms: tuple[Term, ...] = field(repr=False)
    local: bool = False

    def at(self, widths: Mapping[str, int]) -> int:
        """How much of it there is."""
        return evaluate(self.terms, widths)


def features_of(network: Network) -> tuple[Feature, ...]:
    """Every part of a network's latency.

    Of the whole network: one pass, whatever the widths; blocks that can be dropped;
    multiply-accumulates by kind of layer; and values that layers read and write, as much of what a
    network does besides is limited by memory. Of its stages: every block; multiply-accumulates by
    kind of layer, as layers of one kind on images of one size run at one speed; and channels, by
    kind of group.
    """
    blocks = {block.name for block in network.blocks}
    shared: dict[str, list[Term]] = defaultdict(list)
    local: dict[str, list[Term]] = defaultdict(list)
    shared["a pass"].append(Term(coefficient=1))
    for block in network.blocks:
        there = Term(coefficient=1, groups=(block.name,))
        shared[block.scope].append(there)
        local[f"{block.stage}: {block.scope}"].append(there)
    positions = 1
    for layer in network.layers:
        positions = _positions(layer, network.whole) or positions
        shared[f"MACs of {layer.kind}"] += layer.macs
        local[f"{layer.stage}: MACs of {layer.kind}"] += layer.macs
        for name, around in _channels(layer, blocks):
            group = network.by_name[name]
            moved = Term(coefficient=group.lanes, groups=tuple(sorted((name, *around))))
            shared["values"].append(replace(moved, coefficient=group.lanes * positions))
            local[f"{layer.stage}: {group.kind} channels"].append(moved)
    return (
        *(Feature(name=name, terms=merged(found)) for name, found in shared.items() if found),
        *(Feature(name=n, terms=merged(found), local=True) for n, found in local.items() if found),
    )


def _positions(layer: LayerCost, whole: Mapping[str, int]) -> int:
    """About how many positions of an image the channels of a layer have; 0 where it has no MACs."""
    params = evaluate(layer.params, whole)
    return ceil(evaluate(layer.macs, whole) / params) if params else 0


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
