"""A plan: for every group, the channels that stay."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ap_core.network import Block, Network


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Channels that stay, and what the network costs with them.

    widths: kept channels per lane, for every group of the network, locked ones included; for every
        block 1 where it stays, and 0 where it is dropped, as for the groups inside it.
    kept: for every group that is not locked, the flat indices (`lane * width + channel` in the
        whole network) that stay, ascending. Of a head size, only lanes of kept heads appear.
    macs, params: of the cut network, by the cost model.
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

    @property
    def gap(self) -> float | None:
        """How far the value is from the proven bound, as a share of all value."""
        return None if self.bound is None else max(0.0, self.bound - self.value)


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
