"""What a cut buys in time: networks of random weights, whole and cut to published budgets.

Each cut network is measured beside its whole one, in rounds that alternate, as `ap bench` does it:
the speed-up is the median of the ratios of every round, with its 95 % interval, beside the ratio of
the MACs. Then the first network beside itself, many times: the share of the intervals that hold 1,
as they should in 95 %.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ap_bench.measuring.bench import bench
from ap_bench.measuring.options import ROUNDS, BenchOptions
from ap_bench.measuring.results import Result
from ap_core import prune
from ap_core.plugins.registry import Registry
from benchmarks.output import Row, show

TARGETS = {
    "resnet50": "2.06",
    "resnet101": "4.48",
    "convnext_base": "8.17",
    "deit_tiny_distilled_patch16_224": "0.62",
    "deit_base_distilled_patch16_224": "4.16",
}
SAME = 20
"""Comparisons of a network with itself."""


def main(words: Sequence[str] = ()) -> None:
    """Every network under every combination, then one beside itself."""
    given = arguments(words)
    options = BenchOptions.parse(
        {
            "device": (given.device,),
            "dtype": tuple(given.dtypes.split(",")),
            "batch_size": tuple(map(int, given.batches.split(","))),
            "backend": tuple(given.backends.split(",")),
            "rounds": given.rounds,
        }
    )
    registry = Registry.from_entry_points()
    names = given.networks.split(",")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            rows += rows_of(registry, name, Path(folder) / name, options)
    note = f"{given.rounds} rounds, {given.device}"
    show("latency", rows, about=__doc__ or "", note=note, suffix=given.suffix)
    if given.same:
        found = [beside_itself(registry, names[0], options, given.same)]
        show("latency-same", found, about=__doc__ or "", note=note, suffix=given.suffix)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What to measure: in pieces, or on a GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--networks", default=",".join(TARGETS), help="names, or NAME=TARGET")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtypes", default="fp32")
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--backends", default="eager,onnxruntime")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--same", type=int, default=SAME, help="comparisons with itself")
    parser.add_argument("--suffix", default="", help="of the results' names, such as gpu")
    return parser.parse_args(list(words))


def rows_of(registry: Registry, named: str, run: Path, options: BenchOptions) -> Iterator[Row]:
    """A row for each combination."""
    name, _, target = named.partition("=")
    prune(
        name, target_macs=target or TARGETS[name], weights="random", output=run, registry=registry
    )
    for whole, cut in bench([name, str(run)], options, registry=registry).groups:
        yield row_of(name, whole, cut)


def row_of(name: str, whole: Result, cut: Result) -> Row:
    """Both latencies, the speed-up, and what the MACs promise."""
    settings, before, after = whole.settings, whole.facts.macs, cut.facts.macs
    assert cut.ratio is not None
    assert before
    assert after
    return {
        "network": name,
        "backend": str(settings.backend),
        "type": str(settings.dtype),
        "batch": settings.batch_size,
        "GMACs": before / 1e9,
        "cut GMACs": after / 1e9,
        "ms": 1e3 * whole.latency.value,
        "cut ms": 1e3 * cut.latency.value,
        "faster": cut.ratio.value,
        "95 %": f"{cut.ratio.low:.3f} to {cut.ratio.high:.3f}",
        "MAC ratio": before / after,
        "outliers": f"{whole.outliers}, {cut.outliers}",
    }


def beside_itself(registry: Registry, named: str, options: BenchOptions, times: int) -> Row:
    """Share of comparisons of a network with itself whose interval holds 1; first setting alone."""
    name = named.partition("=")[0]
    first = options.model_copy(
        update={"batch_size": options.batch_size[:1], "backend": options.backend[:1]}
    )
    found = [bench([name, name], first, registry=registry).results[1] for _ in range(times)]
    ratios = [each.ratio for each in found if each.ratio is not None]
    held = sum(ratio.low <= 1 <= ratio.high for ratio in ratios)
    return {
        "network": name,
        "comparisons": len(ratios),
        "interval holds 1": held,
        "share %": 100 * held / len(ratios),
        "least": min(ratio.value for ratio in ratios),
        "most": max(ratio.value for ratio in ratios),
        "widest": max(ratio.high / ratio.low for ratio in ratios),
    }


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
