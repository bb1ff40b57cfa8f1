"""Caps of a budget as pages spell them, and what was spent of each."""

from ap_core.budget import NAMES
from ap_core.network import Metric
from ap_core.report.amounts import amount, below, integer
from ap_core.report.latency import milliseconds
from ap_core.runs.records import CapRecord, ResultRecord

LATENCY = "latency"

FEMTOSECONDS = 10**15
"""In a second: latencies are limited in whole femtoseconds."""


def is_of_latency(metric: str) -> bool:
    """Whether a cap of this metric limits the latency."""
    return metric == LATENCY


def limit_text(cap: CapRecord) -> str:
    """Limit in short: "2.050 M MACs", "4.000 ms"."""
    if is_of_latency(cap.metric):
        return milliseconds(cap.limit / FEMTOSECONDS)
    return f"{amount(cap.limit)} {NAMES[Metric(cap.metric)]}"


def limit_in_full(cap: CapRecord) -> str:
    """Limit without rounding: "2,049,504 MACs", "4 ms a pass"."""
    if is_of_latency(cap.metric):
        return f"{1000 * cap.limit / FEMTOSECONDS:.12g} ms a pass"
    return f"{integer(cap.limit)} {NAMES[Metric(cap.metric)]}"


def distance(cap: CapRecord, result: ResultRecord) -> str:
    """How far below a cap a network is; "" where that is not known."""
    got = _spent(cap, result)
    return "" if got is None else below(cap.limit, got)


def _spent(cap: CapRecord, result: ResultRecord) -> int | None:
    if is_of_latency(cap.metric):
        found = result.latency
        return None if found is None else round(FEMTOSECONDS * found.seconds)
    return result.macs if cap.metric == Metric.MACS.value else result.params
