"""What it costs that memory is handed back between two layers: networks on a CPU in new processes,
where the C library decides, beside such where it keeps what is freed, as all that ap times has it.

The processes take turns, and differ in nothing else; "mapped" is what a pass has mapped anew. One
thread, eager, random weights; medians over the processes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.output import Row, show

NETWORKS = (
    "test_resnet:64x32", "resnet50:1x224", "convnext_tiny:1x224", "deit_small_patch16_224:8x224",
)  # fmt: skip
"""Name, batch, and height of the images."""

PROCESSES = 3
SECONDS = 3.0
"""Of passes in each, after as many passes as fill a second."""

PROGRAM = """
import json, resource, statistics, sys, time
import timm, torch
from ap_bench.measuring.allocator import keep_freed_memory

name, batch, size, seconds, keep = sys.argv[1:]
if keep == "kept":
    keep_freed_memory()
torch.set_num_threads(1)
module = timm.create_model(name, pretrained=False).eval()
images = torch.randn(int(batch), 3, int(size), int(size))

def run(seconds):
    times, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        module(images)
        times.append(time.perf_counter() - start)
    return times

with torch.inference_mode():
    run(1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    times = run(float(seconds))
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
mapped = faults * resource.getpagesize() / len(times)
print(json.dumps([1e3 * statistics.median(times), mapped / 1e6]))
"""


def main(words: Sequence[str] = ()) -> None:
    """A row for each network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.allocator")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    given = parser.parse_args(list(words))
    rows = [row_of(each) for each in given.networks.split(",")]
    show("allocator", rows, about=__doc__ or "", note=f"{PROCESSES} processes each")


def row_of(named: str) -> Row:
    """Both ways, in turns."""
    name, _, shape = named.partition(":")
    batch, _, size = shape.partition("x")
    ways = ("decides", "kept")
    found = [[one(name, batch, size, way) for way in ways] for _ in range(PROCESSES)]
    (ms, mapped), (kept_ms, kept_mapped) = (
        (median(each[0] for each in way), median(each[1] for each in way))
        for way in zip(*found, strict=True)
    )
    row: dict[str, object] = {
        "network": name,
        "batch": int(batch),
        "ms": ms,
        "mapped MB": mapped,
        "kept: ms": kept_ms,
        "kept: mapped MB": kept_mapped,
        "faster": median(decides[0] / kept[0] for decides, kept in found),
    }
    print(row, flush=True)
    return row


def one(name: str, batch: str, size: str, way: str) -> tuple[float, float]:
    """Milliseconds of a pass, and megabytes that it has mapped anew, in a new process."""
    words = [name, batch, size, str(SECONDS), way]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, check=True
    )
    ms, mapped = json.loads(done.stdout)
    return ms, mapped


if __name__ == "__main__":
    main(sys.argv[1:])
