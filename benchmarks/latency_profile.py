"""Where the time goes, before and after a cut: what of a pass follows the MACs, and what does not.

The networks and budgets of the latency benchmark, in eager mode on this machine's CPU. Operators
are timed by torch's profiler, and put together by what they do. "needed" is how many times faster a
part had to be for the MACs' promise to hold.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from ap_bench.measuring.devices import measuring
from ap_core import load_model, prune
from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.pipeline.opening.subject import load_subject
from ap_core.plugins.registry import Registry
from benchmarks.latency import TARGETS
from benchmarks.output import Row, show

PASSES = 12
PARTS = {
    "products": (
        "convolution", "addmm", "mm", "bmm", "linear", "attention", "mkldnn", "baddbmm", "conv",
    ),
    "normalisation": ("norm",),
    "activation": ("relu", "gelu", "softmax", "hardswish", "silu"),
    "elementwise, copies": ("add", "mul", "copy", "clone", "cat", "contiguous", "pool", "mean"),
}  # fmt: skip
"""Parts of operators' names, in the order in which they are looked for."""
ELSE = "everything else"


def main(words: Sequence[str] = ()) -> None:
    """Every network and batch."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency_profile")
    parser.add_argument("--networks", default=",".join(TARGETS))
    parser.add_argument("--batches", default="1,8")
    given = parser.parse_args(list(words))
    registry = Registry.from_entry_points()
    rows: list[Row] = []
    with measuring(None), tempfile.TemporaryDirectory() as folder:
        for name in given.networks.split(","):
            run = Path(folder) / name
            pruned = prune(
                name, target_macs=TARGETS[name], weights="random", output=run, registry=registry
            )
            assert pruned.record.result
            ratio = pruned.record.result.base_macs / pruned.record.result.macs
            request = ModelRequest(name=name, weights=WeightsPolicy.RANDOM)
            whole = load_subject(registry, request).loaded.module
            for batch in map(int, given.batches.split(",")):
                rows += rows_of(name, batch, whole, load_model(run), ratio)
    show("latency-profile", rows, about=__doc__ or "", note=f"{PASSES} passes, eager, fp32")


def rows_of(name: str, batch: int, whole: nn.Module, cut: nn.Module, ratio: float) -> Iterator[Row]:
    """A row for every part of a pass. ratio: of the MACs."""
    images = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    before, after = parts_of(whole, images), parts_of(cut, images)
    total = sum(before.values())
    for part in (*PARTS, ELSE):
        if before[part] < 0.01 * total and after[part] < 0.01 * total:
            continue
        yield {
            "network": name,
            "batch": batch,
            "part": part,
            "ms": 1e3 * before[part],
            "of the whole %": 100 * before[part] / total,
            "cut ms": 1e3 * after[part],
            "faster": before[part] / max(after[part], 1e-9),
            "needed": ratio,
        }


def parts_of(module: nn.Module, images: torch.Tensor) -> dict[str, float]:
    """Seconds of one pass in every part; operators as the profiler saw them, scaled to a pass that
    nothing watches.
    """
    with torch.inference_mode():
        for _ in range(3):
            module(images)
        start = time.perf_counter()
        for _ in range(PASSES):
            module(images)
        seconds = (time.perf_counter() - start) / PASSES
        with profile(activities=[ProfilerActivity.CPU]) as found:
            for _ in range(PASSES):
                module(images)
    times: dict[str, float] = defaultdict(float)
    for event in found.key_averages():
        times[part_of(event.key)] += event.self_cpu_time_total / 1e6 / PASSES
    seen = sum(times.values())
    return defaultdict(float, {part: each * seconds / seen for part, each in times.items()})


def part_of(operator: str) -> str:
    """Which part an operator belongs to."""
    name = operator.removeprefix("aten::")
    return next(
        (part for part, words in PARTS.items() if any(word in name for word in words)), ELSE
    )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
