"""Latency of forward passes: interleaved rounds, so that a drifting machine hits all alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import Module
from torch.utils.benchmark import Timer

from ap_core.contracts import DataSource

MIN_ROUND = 0.2
"""Seconds that one network runs in one round, at least one pass."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds of one forward pass over the rounds. ratio: median, first network's over this one's.

    rounds: mean of every round, in the order of measuring.
    """

    median: float
    p90: float
    ratio: float
    rounds: tuple[float, ...]


def compare(
    modules: Sequence[Module],
    sizes: Sequence[tuple[int, int, int]],
    *,
    batch_size: int = 1,
    threads: int | None = None,
    rounds: int = 7,
) -> tuple[Latency, ...]:
    """Latencies of several networks, one after the other in every round.

    The ratio is the median over rounds of the first network's time over each one's.
    """
    threads = threads or torch.get_num_threads()
    timers = [_timer(m, s, batch_size, threads) for m, s in zip(modules, sizes, strict=True)]
    passes = [_warm(timer) for timer in timers]
    times: list[list[float]] = [[] for _ in timers]
    for _ in range(rounds):
        for timer, number, found in zip(timers, passes, times, strict=True):
            found.append(timer.timeit(number).mean)
    first = torch.tensor(times[0])
    return tuple(
        Latency(
            median=_quantile(found, 0.5),
            p90=_quantile(found, 0.9),
            ratio=float((first / torch.tensor(found)).median()),
            rounds=tuple(found),
        )
        for found in times
    )


def measure_latency(
    module: Module,
    *,
    input_size: tuple[int, int, int],
    data: DataSource | None,  # noqa: ARG001
) -> Mapping[str, int | float]:
    """Median seconds of a forward pass at batch 1."""
    (found,) = compare([module], [input_size], rounds=5)
    return {"latency": found.median}


def _timer(module: Module, size: tuple[int, int, int], batch_size: int, threads: int) -> Timer:
    images = torch.randn(batch_size, *size, generator=torch.Generator().manual_seed(0))

    def forward() -> None:
        with torch.inference_mode():
            module(images)

    return Timer(stmt="forward()", globals={"forward": forward}, num_threads=threads)


def _warm(timer: Timer) -> int:
    """Passes that fill a round; making them warms caches and allocators."""
    once = timer.timeit(2).mean
    return max(1, round(MIN_ROUND / once))


def _quantile(values: Sequence[float], share: float) -> float:
    return float(torch.quantile(torch.tensor(values, dtype=torch.float64), share))
