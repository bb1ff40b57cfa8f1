"""The meter `latency`, and comparing modules that are at hand."""

from collections.abc import Mapping, Sequence
from statistics import median

from torch.nn import Module

from ap_bench.measuring.devices import measuring
from ap_bench.measuring.networks import Network
from ap_bench.measuring.rounds import Timings, compare
from ap_bench.measuring.settings import Settings
from ap_core.contracts import DataSource

ROUNDS = 5
"""Of the meter, which gives no interval."""


def compare_modules(
    modules: Sequence[Module],
    input_size: tuple[int, int, int],
    settings: Settings,
    *,
    rounds: int,
) -> tuple[Timings, ...]:
    """Timings of modules on the CPU, in fp32, that all see images of one size.

    input_size: (channels, height, width). Raises: UsageError, ModelError.
    """
    networks = [
        Network(name=type(module).__name__, module=module, input_size=input_size)
        for module in modules
    ]
    with measuring(settings.threads):
        for network in networks:
            network.check(settings)
        return compare([network.prepare(settings) for network in networks], rounds=rounds)


def measure_latency(
    module: Module,
    *,
    input_size: tuple[int, int, int],
    data: DataSource | None,  # noqa: ARG001
) -> Mapping[str, int | float]:
    """Median seconds of a forward pass at batch 1, on the CPU."""
    (found,) = compare_modules([module], input_size, Settings(), rounds=ROUNDS)
    return {"latency": median(found.rounds)}
