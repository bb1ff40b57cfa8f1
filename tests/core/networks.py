"""Networks made up for tests: groups and costs of the usual shapes, without torch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ap_core.network import Block, Group, GroupKind, LayerCost, Network, Term
from ap_core.scores import Scores


def group(name: str, width: int, kind: GroupKind = GroupKind.HIDDEN, **more: object) -> Group:
    """Group whose scope is its kind and whose stage is the first part of its name."""
    settings: dict[str, object] = {"scope": kind.value, "stage": name.split(".")[0]}
    return Group(name=name, kind=kind, width=width, producers=(name,), **(settings | more))


def layer(name: str, coefficient: int, *groups: str, params: int | None = None) -> LayerCost:
    """Layer of one product; as many parameters as MACs over `params`."""
    term = Term(coefficient=coefficient, groups=tuple(sorted(groups)))
    owned = Term(coefficient=params or 1, groups=tuple(sorted(groups)))
    return LayerCost(
        layer=name, kind="Conv2d", stage=name.split(".")[0], macs=(term,), params=(owned,)
    )


def network(groups: Sequence[Group], layers: Sequence[LayerCost]) -> Network:
    """Network of these groups and layers."""
    return Network(
        model="made-up", input_size=(3, 8, 8), groups=tuple(groups), layers=tuple(layers)
    )


def residual_network(blocks: int = 4, width: int = 64, hidden: int = 256) -> Network:
    """One residual width, a hidden width in every block."""
    groups = [group("stem", width, GroupKind.RESIDUAL)]
    layers = [layer("stem", 27 * 64, "stem"), layer("head", 10, "stem")]
    for number in range(blocks):
        name = f"block{number}.fc1"
        groups.append(group(name, hidden))
        layers.append(layer(name, 64, "stem", name))
        layers.append(layer(f"block{number}.fc2", 64, "stem", name))
    return network(groups, layers)


def vit(blocks: int = 3, width: int = 96, heads: int = 3, size: int = 32) -> Network:
    """A small vision transformer of 50 tokens."""
    groups = [group("embed", width, GroupKind.RESIDUAL)]
    layers = [layer("embed", 768 * 49, "embed"), layer("head", 10, "embed")]
    for number in range(blocks):
        stem = f"block{number}"
        h, d, m = f"{stem}.heads", f"{stem}.head_size", f"{stem}.mlp"
        groups += [
            group(h, heads, GroupKind.HEADS),
            group(d, size, GroupKind.HEAD_SIZE, lanes=2 * heads, inside=h),
            group(m, 4 * width),
        ]
        layers += [
            layer(f"{stem}.qkv", 150, "embed", h, d),
            layer(f"{stem}.products", 5000, h, d),
            layer(f"{stem}.proj", 50, "embed", h, d),
            layer(m, 50, "embed", m),
            layer(f"{stem}.fc2", 50, "embed", m),
        ]
    return network(groups, layers)


def chain(widths: Sequence[int]) -> Network:
    """Plain convolutions one after the other."""
    groups = [group(f"conv{i}", width) for i, width in enumerate(widths)]
    layers = [layer("conv0", 27, "conv0")]
    layers += [layer(f"conv{i}", 9, f"conv{i - 1}", f"conv{i}") for i in range(1, len(widths))]
    layers.append(layer("head", 10, f"conv{len(widths) - 1}"))
    return network(groups, layers)


def dense(count: int = 9, width: int = 300) -> Network:
    """Every group in a product with every other: too entangled to eliminate."""
    groups = [group(f"conv{i}", width) for i in range(count)]
    layers = [
        layer(f"pair{i}.{j}", 3, f"conv{i}", f"conv{j}") for i in range(count) for j in range(i)
    ]
    return network(groups, layers)


def scores(of: Network, seed: int = 0, sigma: float = 0.5) -> Scores:
    """Log-normal scores of every channel that is not locked."""
    generator = np.random.default_rng(seed)
    values = {
        g.name: generator.lognormal(0.0, sigma, (g.lanes, g.width))
        for g in of.free
        if g.kind is not GroupKind.HEADS
    }
    return Scores(importance="made-up", reduction="mean", values=values)


def with_blocks(of: Network) -> Network:
    """The network with a block of every stage whose name begins with "block"."""
    names = dict.fromkeys(g.stage for g in of.groups if g.stage.startswith("block"))
    blocks = tuple(
        Block(
            name=name,
            scope="block",
            stage="",
            groups=tuple(g.name for g in of.groups if g.stage == name),
        )
        for name in names
    )

    def gated(term: Term, stage: str) -> Term:
        return replace(term, groups=tuple(sorted((*term.groups, stage))))

    layers = tuple(
        replace(
            each,
            macs=tuple(gated(term, each.stage) for term in each.macs),
            params=tuple(gated(term, each.stage) for term in each.params),
        )
        if each.stage in names
        else each
        for each in of.layers
    )
    return replace(of, blocks=blocks, layers=layers)
