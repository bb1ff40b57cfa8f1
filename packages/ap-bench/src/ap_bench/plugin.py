"""What ap_bench offers: the latency meter, `ap bench` and `ap ablate`."""

from collections.abc import Iterable

from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import CommandOffer, MeterOffer


@hookimpl
def ap_meters() -> Iterable[MeterOffer]:
    """Latency on this machine."""
    return [
        MeterOffer(
            name="latency",
            summary="median seconds of a forward pass at batch 1, on this machine's CPU",
            load="ap_bench.measuring.meter:measure_latency",
        )
    ]


@hookimpl
def ap_commands() -> Iterable[CommandOffer]:
    """Comparing networks on this machine, and strategists."""
    return [
        CommandOffer(
            name="ablate",
            summary="Compare strategists on models, targets and seeds.",
            load="ap_bench.ablate:ablate",
        ),
        CommandOffer(
            name="bench",
            summary="Compare networks on this machine: latency, throughput, memory.",
            load="ap_bench.cli:bench",
        ),
    ]
