"""What a network is made of, for cutting it: groups of channels, and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Width = TypeVar("Width", int, NDArray[np.int64])


class GroupKind(StrEnum):
    """What the channels of a group are."""

    RESIDUAL = "residual"
    HIDDEN = "hidden"
    HEADS = "heads"
    HEAD_SIZE = "head_size"


SECOND = 10**15
"""In femtoseconds, which latencies are counted in."""


class Metric(StrEnum):
    """What a budget limits."""

    MACS = "macs"
    PARAMS = "params"
    LATENCY = "latency"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Channels, of one or more layers, that can only be removed together.

    A plain group has one lane. A group of several lanes has `lanes` ranges of `width` channels
    that must all keep equally many, each its own choice: the slices of a grouped convolution, the
    (query-key, value) dimensions of every head. Channel `i` of lane `l` has the flat index
    `l * width + i`.

    inside: for a head size, the name of the heads group: its head `h` owns the lanes `2 * h`
        (query and key) and `2 * h + 1` (value), and takes them along when it is removed.
    producers, consumers: layers whose output, or input, channels these are, in execution order.
    locked: why every channel must stay; empty where channels can be removed.
    """

    name: str
    kind: GroupKind
    scope: str
    stage: str
    width: int
    lanes: int = 1
    inside: str = ""
    producers: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    locked: str = ""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Layers beside a shortcut, which can be dropped whole: what goes in comes out.

    groups: names of the groups that are all inside, and go with it.
    layers: paths of the modules that go.
    """

    name: str
    scope: str
    stage: str
    groups: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


def rounded_up(width: Width, multiple: int) -> Width:
    """Least multiple that is no smaller. width: one, or an array of them."""
    return -(-width // multiple) * multiple


@dataclass(frozen=True, kw_only=True)
class Term:
    """`coefficient` times the widths of `groups` (sorted; a repeated name is a power).

    A block counts as a group of one channel: 1 where it stays, 0 where it is dropped.

    multiples: what each of these widths is rounded up to a multiple of, as hardware does it; empty
        where none is.
    """

    coefficient: int
    groups: tuple[str, ...] = ()
    multiples: tuple[int, ...] = ()

    def size(self, widths: Mapping[str, int]) -> int:
        """Product of the widths, as the term rounds them."""
        if not self.multiples:
            return prod(widths[name] for name in self.groups)
        factors = zip(self.groups, self.multiples, strict=True)
        return prod(rounded_up(widths[name], multiple) for name, multiple in factors)


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """Cost of one module that owns weights, or of the two products of an attention.

    macs, params: sums of terms; an empty sum is zero.
    """

    layer: str
    kind: str
    stage: str
    macs: tuple[Term, ...] = ()
    params: tuple[Term, ...] = ()

    def terms(self, metric: Metric) -> tuple[Term, ...]:
        """Terms of MACs or parameters; latency is no sum over layers."""
        return {Metric.MACS: self.macs, Metric.PARAMS: self.params}.get(metric, ())


@dataclass(frozen=True, kw_only=True)
class Network:
    """Groups and costs of one network at one input size: all that the search needs to know.

    blocks: those that can be dropped whole; their names differ from the groups'.
    input_size: (channels, height, width) of one image.
    uncounted: operators that do arithmetic and that no counter knows; their cost is not in it.
    counters: MACs of the whole network by others' definitions, by the counter's name.
    latency: time of one forward pass, in femtoseconds, as a sum of terms that measurements were
        fitted by (`ap_core.latency`); empty where nothing was measured.
    """

    model: str
    input_size: tuple[int, int, int]
    groups: tuple[Group, ...]
    layers: tuple[LayerCost, ...]
    blocks: tuple[Block, ...] = ()
    uncounted: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[Term, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Group]:
        """Groups by their names."""
        return {group.name: group for group in self.groups}

    @cached_property
    def whole(self) -> dict[str, int]:
        """Widths of the untouched network; 1 for every block."""
        widths = {group.name: group.width for group in self.groups}
        return widths | {block.name: 1 for block in self.blocks}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is known of the network's cost."""
        return tuple(each for each in Metric if each is not Metric.LATENCY or self.latency)

    @property
    def free(self) -> tuple[Group, ...]:
        """Groups whose channels can be removed."""
        return tuple(group for group in self.groups if not group.locked)
