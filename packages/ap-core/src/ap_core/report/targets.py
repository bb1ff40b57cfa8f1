"""What the page of several runs shows: a row for each, and how quality falls with the budget."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ap_core.budget import NAMES
from ap_core.network import Metric
from ap_core.report.curve import Curve, Point, curve
from ap_core.report.documents import Documents
from ap_core.runs.directory import REPORT
from ap_core.runs.listing import spell_budget
from ap_core.runs.records import ResultRecord, RunRecord


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """One run. limit, got: of its first cap. link: to its own page, relative and escaped."""

    budget: str
    limit: int
    got: int
    record: RunRecord
    result: ResultRecord
    link: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class TargetsPage:
    """Several runs. unfinished: paths of runs without a result, which are left out."""

    title: str
    rows: tuple[TargetRow, ...]
    curve: Curve | None
    unfinished: tuple[Path, ...]
    random: bool


def targets_page(runs: Sequence[Documents], *, beside: Path) -> TargetsPage:
    """Page of several runs, largest budget first. Raises: RunError."""
    rows = []
    unfinished = []
    for run in runs:
        record = run.record()
        if record.result is None:
            unfinished.append(run.path)
            continue
        rows.append(_row(run.path, record, record.result, beside))
    rows.sort(key=lambda row: (row.record.model, -row.result.macs, row.result.params))
    models = list(dict.fromkeys(row.record.model for row in rows))
    return TargetsPage(
        title=", ".join(models) or "no finished run",
        rows=tuple(rows),
        curve=_curve(rows) if rows else None,
        unfinished=tuple(unfinished),
        random=any(row.record.weights.origin == "random" for row in rows),
    )


def _row(path: Path, record: RunRecord, result: ResultRecord, beside: Path) -> TargetRow:
    cap = record.budget.caps[0]
    return TargetRow(
        budget=spell_budget(record.budget),
        limit=cap.limit,
        got=result.macs if cap.metric == Metric.MACS.value else result.params,
        record=record,
        result=result,
        link=quote(os.path.relpath(path / REPORT, beside)),
        path=path,
    )


def _curve(rows: Sequence[TargetRow]) -> Curve:
    """Accuracy where every run has one, else the value that was kept."""
    metrics = {cap.metric for row in rows for cap in row.record.budget.caps}
    by_params = metrics == {Metric.PARAMS.value}
    accurate = all(row.result.quality for row in rows)
    points = []
    for row in rows:
        result = row.result
        quality = result.quality
        series = f"{row.record.model}, {result.importance}"
        points.append(
            Point(
                series=series,
                x=result.params / 1e6 if by_params else result.macs / 1e9,
                y=100 * (quality.top1 if accurate and quality else result.value),
                label=row.budget,
            )
        )
    for row in _first_of(rows):
        points += _whole(row, by_params=by_params, accurate=accurate)
    metric = NAMES[Metric.PARAMS if by_params else Metric.MACS]
    return curve(
        points,
        title=f"{'Accuracy' if accurate else 'Value kept'} by {metric}",
        x_label=f"{'M' if by_params else 'G'} {metric}",
        y_label="top-1, %" if accurate else "value kept, %",
    )


def _first_of(rows: Sequence[TargetRow]) -> list[TargetRow]:
    """One row of every series: the whole network is the same for all of them."""
    first: dict[tuple[str, str], TargetRow] = {}
    for row in rows:
        first.setdefault((row.record.model, row.result.importance), row)
    return list(first.values())


def _whole(row: TargetRow, *, by_params: bool, accurate: bool) -> list[Point]:
    """Point of the uncut network, where its quality is known."""
    result = row.result
    if accurate and result.baseline is None:
        return []
    return [
        Point(
            series=f"{row.record.model}, {result.importance}",
            x=result.base_params / 1e6 if by_params else result.base_macs / 1e9,
            y=100 * (result.baseline.top1 if accurate and result.baseline else 1.0),
            label="whole",
        )
    ]
