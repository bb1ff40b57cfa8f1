"""The results as JSON, and as rows of one table."""

import csv
import io
from collections.abc import Mapping

from ap_bench.measuring.results import Bench, Facts, Result
from ap_core.estimates import CONFIDENCE, Estimate
from ap_core.runs.schema import SCHEMA

PAIRS = ("median_interval", "ratio_interval")
"""What is two columns of the table: low and high."""

APART = ("counters", "denormals", "rounds", "input_size")
"""What is no column of its own; the first two are one for each of their names."""


def bench_document(found: Bench) -> dict[str, object]:
    """JSON: times in seconds, memory and sizes in bytes, intervals as [low, high]."""
    return {
        "schema": SCHEMA,
        "environment": dict(found.environment),
        "confidence": CONFIDENCE,
        "fresh": found.fresh,
        "results": [_result(each) for each in found.results],
    }


def bench_csv(found: Bench) -> str:
    """The same results, a line each, without the single rounds."""
    rows = [_row(_result(each)) for each in found.results]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _result(each: Result) -> dict[str, object]:
    settings, memory, denormals = each.settings, each.memory, each.denormals
    return {
        **_facts(each.facts),
        "device": settings.device,
        "dtype": settings.dtype.value,
        "batch_size": settings.batch_size,
        "threads": settings.threads,
        "memory_format": settings.memory_format.value,
        "backend": settings.backend.value,
        "median": each.latency.value,
        "median_interval": _interval(each.latency),
        "p90": each.p90,
        "throughput": each.throughput,
        "memory": None if memory is None else memory.peak,
        "memory_kind": None if memory is None else memory.kind.value,
        "ratio": 1.0 if each.ratio is None else each.ratio.value,
        "ratio_interval": _interval(each.ratio),
        "outliers": each.outliers,
        "denormals": None
        if denormals is None
        else {"weights": denormals.weights, "activations": denormals.activations},
        "rounds": list(each.rounds),
    }


def _facts(facts: Facts) -> dict[str, object]:
    return {
        "name": facts.name,
        "macs": facts.macs,
        "counters": dict(facts.counters),
        "params": facts.params,
        "size": facts.size,
        "input_size": list(facts.input_size),
        "top1": facts.top1,
    }


def _interval(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.low, estimate.high]


def _row(document: Mapping[str, object]) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, value in document.items():
        if name in PAIRS:
            low, high = value if isinstance(value, list) else (None, None)
            row |= {f"{name[:-9]}_low": low, f"{name[:-9]}_high": high}
        elif name == "input_size":
            row[name] = "x".join(map(str, value)) if isinstance(value, list) else None
        elif isinstance(value, dict):
            row |= {key if name == "counters" else f"denormal_{key}": v for key, v in value.items()}
        elif name not in APART:
            row[name] = value
    return row
