"""Which multiples of channels a stack rewards, by measurement."""

from collections.abc import Mapping, Sequence

import numpy as np

from ap_core.latency.features import Feature
from ap_core.latency.fit import Sample
from ap_core.network import GroupKind, Network
from ap_core.scores import FloatArray

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.55, 0.75)
"""Shares of the channels that stay in the cuts that are compared."""

GAIN = 0.02
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


def speeds_of(
    features: Sequence[Feature], rates: FloatArray, timed: Mapping[int, Sequence[Sample]]
) -> dict[int, float]:
    """Speed at every multiple: what the fit says over what was measured; the best is 1.

    The fit is of widths at the default multiples, and heeds how many channels there are: what is
    left is what their multiple does.
    """

    def speed(sample: Sample) -> float:
        amounts = np.array([float(each.at(sample.widths)) for each in features])
        return float(amounts @ rates) / sample.share

    found = {m: float(np.mean([speed(each) for each in samples])) for m, samples in timed.items()}
    best = max(found.values())
    return {multiple: each / best for multiple, each in found.items()}


def rewarded(speeds: Mapping[int, float]) -> int:
    """Least multiple beyond which nothing is gained."""
    return min(multiple for multiple, speed in speeds.items() if speed >= 1 - GAIN)
