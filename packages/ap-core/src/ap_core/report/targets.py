"""What the page of several runs shows: a row for each, and how quality falls with the budget."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ap_core.budget import NAMES
from ap_core.network import Metric
from ap_core.report.amounts import UNITS, shorten
from ap_core.report.curve import Curve, Point, curve
from ap_core.report.documents import Documents
from ap_core.runs.directory import REPORT
from ap_core.runs.listing import spell_budget
from ap_core.runs.records import ResultRecord, RunRecord

NAME_LENGTH = 48
DIGEST_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """One run. name: its path, with the middle left out where it is long.

    limit, got: of its first cap. link: to its own page, relative and escaped.
    """

    name: str
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
        name=shorten(str(path), NAME_LENGTH),
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
    accurate = all(row.record.quality for row in rows)
    unit, letter = _unit(rows, by_params=by_params)
    points = []
    whole: dict[str, TargetRow] = {}
    for series, row in zip(_series(rows), rows, strict=True):
        result, quality = row.result, row.record.quality
        points.append(
            Point(
                series=series,
                x=(result.params if by_params else result.macs) / unit,
                y=100 * (quality.top1 if accurate and quality else result.value),
                label=row.budget,
            )
        )
        # The whole network is the same for all runs of a series.
        whole.setdefault(series, row)
    for series, row in whole.items():
        points += _whole(series, row.result, unit, by_params=by_params, accurate=accurate)
    metric = NAMES[Metric.PARAMS if by_params else Metric.MACS]
    return curve(
        points,
        title=f"{'Accuracy' if accurate else 'Value kept'} by {metric}",
        x_label=f"{letter} {metric}".strip(),
        y_label="top-1, %" if accurate else "value kept, %",
    )


def _series(rows: Sequence[TargetRow]) -> Iterator[str]:
    """Series of every row: runs that are alike in all that the name says but for the budget.

    The second run of one budget is of another series than the first.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        record, weights = row.record, row.record.weights
        name = (
            f"{record.model}, {weights.origin} weights {weights.sha256[:DIGEST_LENGTH]}, "
            f"{row.result.importance}, {row.result.strategist}"
            f"{', fine-tuned' if record.finetuned else ''}"
        )
        seen[name, row.budget] += 1
        number = seen[name, row.budget]
        yield f"{name} ({number})" if number > 1 else name


def _unit(rows: Sequence[TargetRow], *, by_params: bool) -> tuple[int, str]:
    """Unit of the costs that the largest network is at least one of, and its letter."""
    largest = max(row.result.base_params if by_params else row.result.base_macs for row in rows)
    return next((unit for unit in UNITS if largest >= unit[0]), (1, ""))


def _whole(
    series: str, result: ResultRecord, unit: int, *, by_params: bool, accurate: bool
) -> Iterator[Point]:
    """Point of the uncut network, where its quality is known."""
    if accurate and result.baseline is None:
        return
    yield Point(
        series=series,
        x=(result.base_params if by_params else result.base_macs) / unit,
        y=100 * (result.baseline.top1 if accurate and result.baseline else 1.0),
        label="whole",
    )
