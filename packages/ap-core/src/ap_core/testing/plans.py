"""Plans that no solver made: half of every group, drawn by seed; to check adapters with."""

from collections.abc import Collection, Sequence
from random import Random

from ap_core.network import Network
from ap_core.plan import Plan, plan_at


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

    def drawn(whole: int, width: int) -> Sequence[int]:
        return sorted(random.sample(range(whole), width))

    return plan_at(network, widths, drawn, value=share)
