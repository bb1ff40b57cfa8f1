"""Plans that no solver made: half of every group, drawn by seed; to check adapters with."""

from collections.abc import Collection
from random import Random

from ap_core.cost import CostModel
from ap_core.network import Group, GroupKind, Network
from ap_core.plan import Plan


def random_plan(network: Network, *, share: float, seed: int, drop: Collection[str] = ()) -> Plan:
    """Plan that keeps this share of the channels of every free group, at least one of each.

    drop: names of blocks that go whole.
    """
    random = Random(seed)
    widths = dict(network.whole)
    for group in network.free:
        widths[group.name] = max(1, round(group.width * share))
    for block in network.blocks:
        if block.name in drop:
            widths |= dict.fromkeys((block.name, *block.groups), 0)
    heads = {
        group.name: tuple(sorted(random.sample(range(group.width), widths[group.name])))
        for group in network.free
        if group.kind is GroupKind.HEADS
    }
    kept = {
        group.name: heads[group.name]
        if group.name in heads
        else _draw(group, _lanes(group, network, heads), widths[group.name], random)
        for group in network.free
    }
    costs = CostModel(network)
    return Plan(
        widths=widths,
        kept=kept,
        macs=costs.macs(widths),
        params=costs.params(widths),
        value=share,
        bound=None,
    )


def _lanes(group: Group, network: Network, heads: dict[str, tuple[int, ...]]) -> list[int]:
    """Lanes that are there to be cut: those of removed heads go with them."""
    if not group.inside:
        return list(range(group.lanes))
    owner = network.by_name[group.inside]
    kept = heads.get(owner.name, tuple(range(owner.width)))
    return [lane for head in kept for lane in (2 * head, 2 * head + 1)]


def _draw(group: Group, lanes: list[int], width: int, random: Random) -> tuple[int, ...]:
    return tuple(
        lane * group.width + channel
        for lane in lanes
        for channel in sorted(random.sample(range(group.width), width))
    )
