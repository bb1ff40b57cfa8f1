"""Cuts of a network that are timed to learn how its latency depends on the widths."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from ap_core.network import Group, Network
from ap_core.solver.options import multiple

LEAST = 0.15
"""Share of a group's channels, at the least."""

SPREAD = (0.8, 1.25)
"""How far a group may be from the others of its stage and structure: a factor."""

DROPPED = 0.25
"""Share of the blocks that go, in every other cut."""


def random_cuts(
    network: Network, *, number: int, seed: int, grain: int = 8
) -> Iterator[dict[str, int]]:
    """Widths of so many cuts: groups of one stage and structure are cut about alike, as solvers do.

    grain: of the widths, as a strategy has it. In every other cut, blocks are dropped where any can
    be.
    """
    generator = np.random.default_rng(seed)
    alike: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in network.free:
        alike[group.stage, group.scope].append(group)
    for cut in range(number):
        widths = dict(network.whole)
        for groups in alike.values():
            share = generator.uniform(LEAST, 1.0)
            for group in groups:
                wanted = share * generator.uniform(*SPREAD)
                widths[group.name] = _width(group, wanted, multiple(group, None, grain=grain))
        yield _without_blocks(network, widths, generator) if cut % 2 else widths


def _width(group: Group, share: float, step: int) -> int:
    least = max(LEAST, share) * group.width
    return int(min(group.width, step * max(1, round(least / step))))


def _without_blocks(
    network: Network, widths: Mapping[str, int], generator: np.random.Generator
) -> dict[str, int]:
    gone: dict[str, int] = {}
    for block in network.blocks:
        if generator.random() < DROPPED:
            gone |= dict.fromkeys((block.name, *block.groups), 0)
    return {**widths, **gone}
