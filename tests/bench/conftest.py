"""What tests of measuring share."""

import pytest

from ap_bench.measuring.estimates import Estimate
from ap_bench.measuring.prepared import Memory, MemoryKind
from ap_bench.measuring.results import Bench, Facts, Result
from ap_bench.measuring.settings import Settings
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


@pytest.fixture
def invented():
    """Two subjects, of which one has an accuracy, under two settings."""
    whole, cut = facts("whole"), facts("cut", macs=1_000_000, top1=0.75)
    ratio = Estimate(value=1.6, low=1.5, high=1.7)
    groups = tuple(
        (
            result(whole, settings=Settings(threads=1, batch_size=n)),
            result(cut, settings=Settings(threads=1, batch_size=n), ratio=ratio, outliers=1),
        )
        for n in (1, 8)
    )
    environment = {"processors": "2", "processor": "Model T", "platform": "Linux", "torch": "2.0"}
    return Bench(environment=environment, fresh=False, facts=(whole, cut), groups=groups)


class Heard(Silent):
    """Keeps what is warned of."""

    def __init__(self):
        self.warnings = []

    def warn(self, text, *, hint=""):
        self.warnings.append(text)

    def result(self, denormals):
        return result(denormals=denormals)


@pytest.fixture
def heard():
    return Heard()
