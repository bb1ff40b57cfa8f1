"""Invented results, and one who listens to warnings."""

from ap_bench.measuring.prepared import Memory, MemoryKind
from ap_bench.measuring.results import Facts, Result
from ap_bench.measuring.settings import Settings
from ap_core.estimates import Estimate
from ap_core.pipeline.progress import Silent


def facts(name="small", **changes):
    given = {
        "name": name, "macs": 2_000_000, "counters": {"torch_pruning_macs": 2_100_000},
        "params": 1000, "size": 4000, "input_size": (3, 32, 32), "top1": None,
    }  # fmt: skip
    return Facts(**given | changes)


def result(of=None, **changes):
    given = {
        "facts": of or facts(), "settings": Settings(threads=1),
        "latency": Estimate(value=0.002, low=0.0019, high=0.0022), "p90": 0.0025,
        "throughput": 480.0, "memory": Memory(peak=5000, kind=MemoryKind.TENSORS),
        "denormals": None, "ratio": None, "rounds": (0.002,) * 6, "outliers": 0,
    }  # fmt: skip
    return Result(**given | changes)


class Heard(Silent):
    """Keeps what is warned of."""

    def __init__(self):
        self.warnings = []

    def warn(self, text, *, hint=""):
        self.warnings.append(text)
