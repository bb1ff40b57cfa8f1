"""How well a latency is fitted: cuts that the fit has not seen, as predicted and as timed.

The cuts of a network that its latency is learnt from, in seven folds: each is predicted from those
of the six other folds. Error: root of the mean squared relative one. Columns: without the features
of widths that are rounded up to multiples; and how strongly what is of one stage alone is pulled to
nothing (`LOCAL_RIDGE` of ap_core.latency.fit): at 0, every stage has rates of its own.
"""

import argparse
from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean

from ap_core.contracts import Stack
from ap_core.latency.features import Feature, features_of
from ap_core.latency.fit import LOCAL_RIDGE, Sample, fitted, share_at
from ap_core.latency.table import LatencyTable
from ap_core.network import Network
from ap_core.pipeline.beginning import new_session
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Silent
from ap_core.plugins.registry import Registry
from benchmarks.latency_budgets import LARGE
from benchmarks.output import Row, show

FOLDS = 7
RIDGES = (0.0, 0.03, 0.1, LOCAL_RIDGE, 1.0, 3.0)


def main(words: Sequence[str] = ()) -> None:
    """Networks of random weights, on this machine's CPU; cuts that were timed before are not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency_fit")
    parser.add_argument("--networks", default=",".join(LARGE))
    names = parser.parse_args(list(words)).networks.split(",")
    registry = Registry.from_entry_points()
    show("latency-fit", [row_of(registry, name) for name in names], about=__doc__ or "")


def row_of(registry: Registry, name: str) -> Row:
    """Errors of one network's fits."""
    asked = {"model": name, "weights": "random", "stack": Stack(), "target_latency": "50%"}
    session = new_session(registry, PruneOptions.parse(asked), Silent())
    assert session.timed is not None
    network = session.tracing.network
    table = LatencyTable.of(network, session.timed.stack, session.timed.told).samples()
    samples = [table[name] for name in sorted(table)]
    features = features_of(network)
    plain = [each for each in features if not each.rounds]
    return {
        "network": name,
        "ms": 1e3 * session.timed.seconds,
        "cuts": len(samples),
        "error % without multiples": error(network, samples, plain, LOCAL_RIDGE),
        **{f"error % at {r:g}": error(network, samples, features, r) for r in RIDGES},
    }


def error(
    network: Network, samples: Sequence[Sample], features: Sequence[Feature], ridge: float
) -> float:
    """Per cent by which cuts are mistaken that are left out of the fit."""
    found = [e for fold in range(FOLDS) for e in missed(network, samples, features, ridge, fold)]
    return 100 * sqrt(fmean(each**2 for each in found))


def missed(
    network: Network,
    samples: Sequence[Sample],
    features: Sequence[Feature],
    ridge: float,
    fold: int,
) -> Iterator[float]:
    """Relative errors of the cuts of one fold."""
    seen = [each for number, each in enumerate(samples) if number % FOLDS != fold]
    rates = fitted(features, network.whole, seen, local_ridge=ridge)
    for sample in samples[fold::FOLDS]:
        yield share_at(features, rates, sample.widths) / sample.share - 1


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
