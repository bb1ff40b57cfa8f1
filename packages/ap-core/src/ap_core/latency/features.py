"""What the latency of a network is made of: sums of products of widths, each with one rate.

There are more rates than a few dozen cuts tell apart. So what the whole network does at one rate
comes first, and every stage has rates of its own besides, which the fit pulls to none: a stage is
as fast as the others until measurements say that it is slower. With one level alone, a fit gives
the time of one stage to the next, and the solver cuts where nothing is gained.

Kernels work on 8 or 16 channels at a time, or more: within a multiple of these, channels cost
nothing, and the next one costs as much as a whole multiple. So what the whole network does is there
with its widths rounded up to multiples, too, and the fit finds which of them it takes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from ap_core.cost import evaluate, merged
from ap_core.network import GroupKind, LayerCost, Network, Term

MULTIPLES = (1, 4, 8, 16, 32, 64)
"""Of channels, that hardware may work on at a time."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A part of the latency that one rate says the time of.

    terms: how much of it there is at any widths. local: of one stage alone, where another feature
    has it of the whole network. rounds: of widths that are rounded up, where another has them as
    they are.
    """

    name: str
    terms: tuple[Term, ...] = field(repr=False)
    local: bool = False
    rounds: bool = False

    def at(self, widths: Mapping[str, int]) -> int:
        """How much of it there is."""
        return evaluate(self.terms, widths)


def features_of(network: Network) -> tuple[Feature, ...]:
    """Every part of a network's latency.

    Of the whole network: one pass, whatever the widths; blocks that can be dropped;
    multiply-accumulates by kind of layer; and values that layers read and write, as much of what a
    network does besides is limited by memory; all of these once more for each multiple of channels
    that hardware may work on at a time. Of its stages: every block; multiply-accumulates by
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
    whole = [Feature(name=name, terms=merged(found)) for name, found in shared.items() if found]
    return (
        *whole,
        *_rounding(network, whole),
        *(Feature(name=n, terms=merged(found), local=True) for n, found in local.items() if found),
    )


def _positions(layer: LayerCost, whole: Mapping[str, int]) -> int:
    """About how many positions of an image the channels of a layer have; 0 where it has no MACs."""
    params = evaluate(layer.params, whole)
    return ceil(evaluate(layer.macs, whole) / params) if params else 0


def _rounding(network: Network, features: Iterable[Feature]) -> Iterator[Feature]:
    """Features of the whole network, as if channels came in multiples alone."""
    channels = {group.name for group in network.groups if group.kind is not GroupKind.HEADS}
    for feature in features:
        if not any(name in channels for term in feature.terms for name in term.groups):
            continue
        for multiple in MULTIPLES[1:]:
            terms = tuple(
                replace(
                    term, multiples=tuple(multiple if g in channels else 1 for g in term.groups)
                )
                for term in feature.terms
            )
            yield Feature(name=f"{feature.name}, {multiple} at a time", terms=terms, rounds=True)


def _channels(layer: LayerCost, blocks: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Groups whose channels a layer has, each with the blocks around the layer.

    In an order of their own: the order of features decides the last digits of a fit, and so a plan.
    """
    every = {name for term in (*layer.macs, *layer.params) for name in term.groups}
    around = tuple(sorted(every & blocks))
    return [(name, around) for name in sorted(every - blocks)]
