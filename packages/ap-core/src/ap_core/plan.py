"""A plan: for every group, the channels that stay."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ap_core.cost import CostModel
from ap_core.network import Block, Group, GroupKind, Metric, Network


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Channels that stay, and what the network costs with them.

    widths: kept channels per lane, for every group of the network, locked ones included; for every
        block 1 where it stays, and 0 where it is dropped, as for the groups inside it.
    kept: for every group that is not locked, the flat indices (`lane * width + channel` in the
        whole network) that stay, ascending. Of a head size, only lanes of kept heads appear.
    macs, params: of the cut network, by the cost model.
    latency: femtoseconds of a forward pass, by the fit; 0 where nothing was measured.
    value: kept share of the value that the strategy puts on all channels, 0 to 1.
    bound: share that no plan within the budget can exceed, by the multiplier; None where the
        network's products are too entangled to prove one.
    """

    widths: Mapping[str, int]
    kept: Mapping[str, tuple[int, ...]] = field(repr=False)
    macs: int
    params: int
    value: float
    bound: float | None
    latency: int = 0

    def cost(self, metric: Metric) -> int:
        """What the cut network costs: MACs, parameters, or femtoseconds."""
        costs = {
            Metric.MACS: self.macs,
            Metric.PARAMS: self.params,
            Metric.LATENCY: self.latency,
        }
        return costs[metric]

    @property
    def gap(self) -> float | None:
        """How far the value is from the proven bound, as a share of all value."""
        return None if self.bound is None else max(0.0, self.bound - self.value)


def plan_at(
    network: Network,
    widths: Mapping[str, int],
    choose: Callable[[int, int], Sequence[int]] = lambda _whole, width: range(width),
    *,
    value: float = 1.0,
) -> Plan:
    """Plan of these widths, whatever the channels are worth: the first of each group.

    widths: of all groups and blocks. choose: gives the channels that stay, ascending, of how many
    there are and how many stay.
    """
    heads = {
        group.name: tuple(choose(group.width, widths[group.name]))
        for group in network.free
        if group.kind is GroupKind.HEADS
    }
    kept = {
        group.name: heads[group.name]
        if group.name in heads
        else tuple(
            lane * group.width + channel
            for lane in _lanes(group, network, heads)
            for channel in choose(group.width, widths[group.name])
        )
        for group in network.free
    }
    costs = CostModel(network)
    return Plan(
        widths={name: widths[name] for name in network.whole},
        kept=kept,
        macs=costs.macs(widths),
        params=costs.params(widths),
        value=value,
        bound=None,
        latency=costs.latency(widths),
    )


def _lanes(group: Group, network: Network, heads: Mapping[str, tuple[int, ...]]) -> Sequence[int]:
    """Lanes that are there to be cut: those of removed heads go with them."""
    if not group.inside:
        return range(group.lanes)
    owner = network.by_name[group.inside]
    kept = heads.get(owner.name, range(owner.width))
    return [lane for head in kept for lane in (2 * head, 2 * head + 1)]


def dropped_blocks(network: Network, plan: Plan) -> tuple[Block, ...]:
    """Blocks that a plan drops whole, in the network's order."""
    return tuple(block for block in network.blocks if not plan.widths[block.name])


def kept_shares(network: Network, widths: Mapping[str, int]) -> dict[str, float]:
    """Share of the channels that stay at these widths, by scope; of scopes that can be cut."""
    kept: dict[str, int] = defaultdict(int)
    whole: dict[str, int] = defaultdict(int)
    for group in network.free:
        kept[group.scope] += widths[group.name] * group.lanes
        whole[group.scope] += group.width * group.lanes
    return {scope: kept[scope] / whole[scope] for scope in whole}


def digest(plan: Plan) -> str:
    """SHA-256 of what stays: plans that cut alike have the same, however they are valued."""
    stays = {
        "kept": {name: list(indices) for name, indices in plan.kept.items()},
        "widths": dict(plan.widths),
    }
    text = json.dumps(stays, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
