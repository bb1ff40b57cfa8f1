"""From channel numbers to groups: which channels go together, in which order and lanes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ap_core.network import Group, GroupKind
from ap_models.attention import Attention
from ap_models.tracing.graph import Structure
from ap_models.tracing.labels import Lock
from ap_models.tracing.ports import IntArray, Port

StageOf = Callable[[str], str]
NONE: IntArray = np.zeros(0, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """Where the channels of a group stand in one port.

    positions: (lanes * width, multiplicity): all positions of every flat channel.
    """

    port: Port
    positions: IntArray = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """A group, and where its channels stand.

    components: (lanes * width,) number of every flat channel, as in `Port.channels`.
    """

    group: Group
    components: IntArray = field(repr=False)
    members: tuple[Member, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """Channels that stand in the same ports equally often, in no order yet."""

    components: IntArray
    ports: tuple[Port, ...]
    reason: str


def resolve_ports(structure: Structure) -> tuple[Port, ...]:
    """Ports with tied channels under one number, in the order of execution."""
    components = structure.labels.resolve()
    ports = [replace(port, channels=components[port.channels]) for port in structure.ports]
    return tuple(sorted(ports, key=lambda port: (port.order, port.role != "in", port.layer)))


def find_groups(
    structure: Structure, ports: Sequence[Port], stage_of: StageOf
) -> tuple[Layout, ...]:
    """Groups of all channels that can be removed, and of those that a trace cannot follow.

    Channels of the network's input and output are in none.
    """
    components = structure.labels.resolve()
    locks = _locks(structure, components)
    added = np.unique(np.concatenate([components[a] for a in structure.labels.added] or [NONE]))
    layouts = [_layout(found, added, stage_of) for found in _same_ports(ports, components, locks)]
    return _named(layouts)


def attention_groups(attention: Attention, stage_of: StageOf) -> tuple[Group, Group]:
    """Heads of an attention, and the size of its heads."""
    stage = stage_of(attention.path)
    layer = attention.below(attention.weight).removesuffix(".weight")
    output = attention.below(attention.projection)
    heads = Group(
        name=f"{attention.path}.heads",
        kind=GroupKind.HEADS,
        scope="heads",
        stage=stage,
        width=attention.heads,
        producers=(layer,),
        consumers=(output,),
        locked=attention.heads_locked,
    )
    size = replace(
        heads,
        name=f"{attention.path}.head_size",
        kind=GroupKind.HEAD_SIZE,
        scope="head_size",
        width=attention.head_size,
        lanes=2 * attention.heads,
        inside=heads.name,
        locked=attention.size_locked,
    )
    return heads, size


def _locks(structure: Structure, components: IntArray) -> dict[int, Lock]:
    locks: dict[int, Lock] = {}
    for lock in structure.labels.locks:
        for component in np.unique(components[lock.channels]):
            locks.setdefault(int(component), lock)
    return locks


def _same_ports(
    ports: Sequence[Port], components: IntArray, locks: dict[int, Lock]
) -> list[_Found]:
    """Channels by the multiset of ports that they stand in, hashed: 64 random bits a port."""
    count = int(components.max()) + 1 if len(components) else 0
    bits = np.random.default_rng(0).integers(1, 2**63, len(ports), dtype=np.uint64)
    signature = np.zeros(count, np.uint64)
    standing: dict[int, list[int]] = defaultdict(list)
    for number, port in enumerate(ports):
        np.add.at(signature, port.channels, bits[number])
    for component, lock in locks.items():
        if lock.outside:
            signature[component] = 0
    used = np.flatnonzero(signature)
    _, which = np.unique(signature[used], return_inverse=True)
    for number, port in enumerate(ports):
        for kind in np.unique(_group_numbers(port.channels, used, which)):
            standing[int(kind)].append(number)
    order = np.argsort(which, kind="stable")
    parts = np.split(used[order], np.cumsum(np.bincount(which))[:-1]) if len(used) else []
    return [
        _Found(
            components=part,
            ports=tuple(ports[n] for n in standing[kind]),
            reason=next((locks[c].reason for c in part.tolist() if c in locks), ""),
        )
        for kind, part in enumerate(parts)
    ]


def _group_numbers(channels: IntArray, used: IntArray, which: IntArray) -> IntArray:
    where = np.searchsorted(used, channels).clip(max=max(len(used) - 1, 0))
    found = used[where] == channels if len(used) else np.zeros(len(channels), bool)
    numbers: IntArray = which[where[found]]
    return numbers


def _layout(found: _Found, added: IntArray, stage_of: StageOf) -> Layout:
    makers = [port for port in found.ports if port.role == "out"]
    takers = [port for port in found.ports if port.role == "in"]
    components = found.components
    first = (makers or list(found.ports))[0]
    order = np.argsort(_first_positions(first, components), kind="stable")
    components = components[order]
    reason = found.reason or ("" if makers and takers else "no layer makes, or none takes, them")
    lanes, components, mismatch = _lanes(found.ports, components)
    reason = reason or mismatch
    members = tuple(
        Member(port=port, positions=_positions(port, components)) for port in found.ports
    )
    is_residual = len(makers) > 1 and bool(np.isin(components, added).all())
    kind = GroupKind.RESIDUAL if is_residual else GroupKind.HIDDEN
    group = Group(
        name=first.layer,
        kind=kind,
        scope=_scope(kind, found.ports),
        stage=stage_of(first.layer),
        width=len(components) // lanes,
        lanes=lanes,
        producers=tuple(port.layer for port in makers),
        consumers=tuple(port.layer for port in takers),
        locked=reason,
    )
    return Layout(group=group, components=components, members=members)


def _positions(port: Port, components: IntArray) -> IntArray:
    """All positions of every component in a port, shape (components, multiplicity)."""
    order = np.argsort(port.channels, kind="stable")
    ranked = port.channels[order]
    start = np.searchsorted(ranked, components)
    stop = np.searchsorted(ranked, components, side="right")
    multiplicity = int(stop[0] - start[0]) if len(start) else 0
    positions: IntArray = order[start[:, None] + np.arange(multiplicity)[None, :]]
    return positions


def _first_positions(port: Port, components: IntArray) -> IntArray:
    first: IntArray = _positions(port, components)[:, 0]
    return first


def _lanes(ports: Sequence[Port], components: IntArray) -> tuple[int, IntArray, str]:
    """Number of lanes, components lane by lane, and why they cannot be laid out so."""
    partition: IntArray | None = None
    for port in ports:
        if port.lanes == 1:
            continue
        positions = _positions(port, components)
        lane = positions[:, 0] * port.lanes // len(port.channels)
        if positions.shape[1] != 1:
            return 1, components, f"slices of {port.layer} repeat channels"
        if partition is not None and not _same_partition(partition, lane):
            return 1, components, f"slices of {port.layer} do not match those before it"
        partition = lane if partition is None else partition
    if partition is None:
        return 1, components, ""
    sizes = np.bincount(partition)
    sizes = sizes[sizes > 0]
    if len(set(sizes.tolist())) > 1:
        return 1, components, "slices of a grouped layer have different widths"
    return len(sizes), components[np.argsort(partition, kind="stable")], ""


def _same_partition(one: IntArray, other: IntArray) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def _scope(kind: GroupKind, ports: Sequence[Port]) -> str:
    """Structure of a group, whatever its widths and place: what is isomorphic has the same."""
    counts: dict[str, int] = defaultdict(int)
    for port in ports:
        role = "" if port.role in (port.kind, "norm") else f".{port.role}"
        counts[f"{port.kind}{role}"] += 1
    inside = " ".join(f"{n}x{what}" if n > 1 else what for what, n in counts.items())
    return f"{kind.value}({inside})"


def _named(layouts: Sequence[Layout]) -> tuple[Layout, ...]:
    """Layouts with unique names, in the order of execution."""
    ordered = sorted(layouts, key=lambda layout: layout.members[0].port.order)
    counts: dict[str, int] = defaultdict(int)
    for layout in ordered:
        counts[layout.group.name] += 1
    seen: dict[str, int] = defaultdict(int)
    named = []
    for layout in ordered:
        name = layout.group.name
        if counts[name] > 1:
            seen[name] += 1
            layout = replace(layout, group=replace(layout.group, name=f"{name}#{seen[name]}"))
        named.append(layout)
    return tuple(named)
