"""Caps of a budget as pages spell them, and what was spent of each."""

from ap_core.budget import NAMES
from ap_core.network import SECOND, Metric
from ap_core.report.amounts import below, integer, percent
from ap_core.report.tables import SHOWN
from ap_core.runs.records import BudgetRecord, CapRecord, ResultRecord


def limit_text(cap: CapRecord) -> str:
    """Limit in short: "2.050 M MACs", "4.000 ms"."""
    metric = Metric(cap.metric)
    shown = SHOWN[metric](cap.limit)
    return shown if metric is Metric.LATENCY else f"{shown} {NAMES[metric]}"


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


def _in_full(cap: CapRecord) -> str:
    """Limit without rounding: "2,049,504 MACs", "4.0625 ms a pass"."""
    metric = Metric(cap.metric)
    if metric is Metric.LATENCY:
        return f"{1000 * cap.limit / SECOND:.12g} ms a pass"
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
