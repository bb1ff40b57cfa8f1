"""Which multiples of channels a stack rewards, by measurement."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from ap_core.latency.features import Feature
from ap_core.latency.fit import Sample, fitted, share_at
from ap_core.network import GroupKind, Network, Term
from ap_core.solver.options import multiple

SHARES = (0.5, 0.65, 0.8)
"""Shares of the channels that stay in the cuts that are compared."""

GAIN = 0.02
"""A coarser multiple must be faster by more than this share to be worth its coarseness."""


def cuts_at(network: Network, grain: int) -> list[dict[str, int]]:
    """Widths that are multiples of just this number, and of no larger power of two; of narrow
    groups, of what solvers take in its place, so that all cuts are of about the same MACs.
    """
    return [_cut_at(network, grain, share) for share in SHARES]


def _cut_at(network: Network, grain: int, share: float) -> dict[str, int]:
    widths = dict(network.whole)
    for group in network.free:
        if group.kind is GroupKind.HEADS:
            continue
        step = multiple(group, None, grain=grain)
        times = 2 * round((share * group.width / step - 1) / 2) + 1
        widths[group.name] = min(group.width, step * max(1, times))
    return widths


def speeds_of(network: Network, timed: Mapping[int, Sequence[Sample]]) -> dict[int, float]:
    """Speed at every multiple, in rising order of these; the best is 1.

    What a pass and its multiply-accumulates take is fitted to all cuts together: what is left is
    what their multiples do. A coarser multiple is one of every finer one, too, and so no slower:
    where it was measured to be, that is noise, and all of them have the mean.
    """
    macs = tuple(term for layer in network.layers for term in layer.macs)
    features = (
        Feature(name="a pass", terms=(Term(coefficient=1),)),
        Feature(name="MACs", terms=macs),
    )
    every = [sample for samples in timed.values() for sample in samples]
    rates = fitted(features, network.whole, every)

    def speed(sample: Sample) -> float:
        return share_at(features, rates, sample.widths) / sample.share

    found = _rising([fmean(map(speed, samples)) for samples in timed.values()])
    return {m: each / found[-1] for m, each in zip(timed, found, strict=True)}


def _rising(values: Iterable[float]) -> list[float]:
    """The nearest values, by least squares, that never fall.

    Source: Ayer et al. 1955, Ann. Math. Stat. 26, 641: pool adjacent violators.
    """
    pools: list[list[float]] = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return [fmean(pool) for pool in pools for _ in pool]


def rewarded(speeds: Mapping[int, float]) -> int:
    """Least multiple beyond which nothing is gained."""
    return min(m for m, speed in speeds.items() if speed >= 1 - GAIN)
