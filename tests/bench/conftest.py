"""What tests of measuring share."""

import pytest
from measured import Heard, facts, result

from ap_bench.measuring.results import Bench
from ap_bench.measuring.settings import Settings
from ap_core.estimates import Estimate


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


@pytest.fixture
def heard():
    return Heard()
