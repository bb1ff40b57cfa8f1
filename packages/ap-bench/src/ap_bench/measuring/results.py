"""What was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ap_bench.measuring.denormals import Denormals
from ap_bench.measuring.prepared import Memory
from ap_bench.measuring.rounds import Timings
from ap_bench.measuring.settings import Settings
from ap_core.estimates import Estimate


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a subject whatever it runs on; None for what is not known.

    macs, params: counted on the very network that runs. counters: MACs by other counters, by their
    names. size: bytes on disk; of the parameters of a model. input_size: (channels, height, width).
    top1: accuracy in a run's record, a share.
    """

    name: str
    macs: int | None
    counters: Mapping[str, int] = field(default_factory=dict)
    params: int | None
    size: int
    input_size: tuple[int, int, int]
    top1: float | None


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One subject as it ran; None for what is not known."""

    timings: Timings
    memory: Memory | None
    denormals: Denormals | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one subject came to under one combination of settings. Times are in seconds of a pass.

    latency: median over the rounds. p90: of all single passes.
    throughput: images a second where every pass waits for the one before.
    ratio: how many times faster than the first subject it is, by the ratios of every round; None
    for the first itself.
    rounds: one time each. outliers: how many of them are far from the rest; none is left out.
    """

    facts: Facts
    settings: Settings
    latency: Estimate
    p90: float
    throughput: float
    memory: Memory | None
    denormals: Denormals | None
    ratio: Estimate | None
    rounds: tuple[float, ...]
    outliers: int


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All that was measured. groups: for every combination, the results of all subjects in order.

    facts: of every subject. environment: versions and machine. fresh: whether every round had new
    processes.
    """

    environment: Mapping[str, str]
    fresh: bool
    facts: tuple[Facts, ...]
    groups: tuple[tuple[Result, ...], ...]

    @property
    def results(self) -> tuple[Result, ...]:
        """Results of all groups, one after the other."""
        return tuple(each for group in self.groups for each in group)
