"""Which multiples of channels a stack rewards, by measurement."""

from collections.abc import Mapping, Sequence

import numpy as np

from ap_core.latency.features import Feature
from ap_core.latency.fit import Sample, fitted
from ap_core.network import GroupKind, Network, Term

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.55, 0.75)
"""Shares of the channels that stay in the cuts that are compared."""

GAIN = 0.03
"""A coarser multiple must be faster by more than this share to be worth its coarseness."""


def cuts_at(network: Network, multiple: int) -> list[dict[str, int]]:
    """Widths that are multiples of just this number, and of no larger power of two."""
    return [_cut_at(network, multiple, share) for share in SHARES]


def _cut_at(network: Network, multiple: int, share: float) -> dict[str, int]:
    widths = dict(network.whole)
    for group in network.free:
        if group.kind is GroupKind.HEADS or group.width < 2 * multiple:
            continue
        times = 2 * round((share * group.width / multiple - 1) / 2) + 1
        widths[group.name] = min(group.width, multiple * max(1, times))
    return widths


def speeds_of(network: Network, timed: Mapping[int, Sequence[Sample]]) -> dict[int, float]:
    """Speed at every multiple; the best is 1.

    What a pass and its multiply-accumulates take is fitted to all cuts together: what is left is
    what their multiples do.
    """
    macs = tuple(term for layer in network.layers for term in layer.macs)
    features = (
        Feature(name="a pass", terms=(Term(coefficient=1),)),
        Feature(name="MACs", terms=macs),
    )
    every = [sample for samples in timed.values() for sample in samples]
    rates = fitted(features, network.whole, every)

    def speed(sample: Sample) -> float:
        amounts = np.array([float(each.at(sample.widths)) for each in features])
        return float(amounts @ rates) / sample.share

    found = {m: float(np.mean([speed(each) for each in samples])) for m, samples in timed.items()}
    best = max(found.values())
    return {multiple: each / best for multiple, each in found.items()}


def rewarded(speeds: Mapping[int, float]) -> int:
    """Least multiple beyond which nothing is gained."""
    return min(multiple for multiple, speed in speeds.items() if speed >= 1 - GAIN)
