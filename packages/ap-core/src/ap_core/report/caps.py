"""Caps of a budget as pages spell them, and what was spent of each."""

from collections.abc import Callable, Iterable, Mapping

from ap_core.budget import NAMES
from ap_core.network import SECOND, Metric
from ap_core.report.amounts import amount, below, integer, percent, time_taken
from ap_core.runs.records import BudgetRecord, CapRecord, ResultRecord

SHOWN: Mapping[Metric, Callable[[int], str]] = {
    Metric.MACS: amount,
    Metric.PARAMS: amount,
    Metric.LATENCY: time_taken,
}
"""How an amount of a metric is written where its name stands beside it."""


def limit_text(cap: CapRecord) -> str:
    """Limit in short: "2.050 M MACs", "4.000 ms"."""
    metric = Metric(cap.metric)
    return short(cap) if metric is Metric.LATENCY else f"{short(cap)} {NAMES[metric]}"


def budget_in_full(budget: BudgetRecord) -> str:
    """All caps, and the band, which is of counts alone."""
    caps = " and ".join(map(_in_full, budget.caps))
    if any(cap.metric == Metric.LATENCY.value for cap in budget.caps):
        return f"at most {caps}"
    return f"at most {caps}, and at most {percent(budget.band, 3)} below"


def distance(cap: CapRecord, result: ResultRecord) -> str:
    """How far below a cap a network is; "" where that is not known."""
    got = _spent(Metric(cap.metric), result)
    return "" if got is None else below(cap.limit, got)


def distances(caps: Iterable[CapRecord], result: ResultRecord) -> str:
    """How far below each of several caps a network is, as far as that is known."""
    return " and ".join(filter(None, (distance(cap, result) for cap in caps)))


def short(cap: CapRecord) -> str:
    """Limit where its name stands beside it: "2.050 M", "4.000 ms"."""
    return SHOWN[Metric(cap.metric)](cap.limit)


def _in_full(cap: CapRecord) -> str:
    """Limit in all digits that mean something: "2,049,504 MACs", "4.0625 ms a pass"."""
    metric = Metric(cap.metric)
    if metric is Metric.LATENCY:
        return f"{1000 * cap.limit / SECOND:.6g} ms a pass"
    return f"{integer(cap.limit)} {NAMES[metric]}"


def _spent(metric: Metric, result: ResultRecord) -> int | None:
    match metric:
        case Metric.MACS:
            return result.macs
        case Metric.PARAMS:
            return result.params
        case Metric.LATENCY:
            found = result.latency
            return None if found is None else round(SECOND * found.seconds)
