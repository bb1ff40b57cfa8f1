"""What the page of several runs shows: a row for each, and how quality falls with the cost."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ap_core.report.amounts import shorten
from ap_core.report.bench_file import BenchFile
from ap_core.report.caps import distances
from ap_core.report.documents import Documents
from ap_core.report.latency import latencies, latencies_in, told_apart
from ap_core.report.settings import Setting
from ap_core.report.tradeoff import CurveRun, TradeOff, cost_curve, latency_curve, series_of
from ap_core.runs.directory import REPORT
from ap_core.runs.listing import spell_budget
from ap_core.runs.records import ResultRecord, RunRecord

NAME_LENGTH = 48


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """One run. name: its path, with the middle left out where it is long.

    distance: from its first cap. link: to its own page, relative and escaped.
    """

    name: str
    distance: str
    link: str
    run: CurveRun


@dataclass(frozen=True, kw_only=True)
class TargetsPage:
    """Several runs. settings: of their latencies, with the names of the columns.

    unfinished: paths of runs without a result, which are left out.
    """

    title: str
    rows: tuple[TargetRow, ...]
    curves: tuple[TradeOff, ...]
    settings: Mapping[Setting, str]
    unfinished: tuple[Path, ...]
    random: bool


def targets_page(
    runs: Sequence[Documents], *, beside: Path, bench: BenchFile | None = None
) -> TargetsPage:
    """Page of several runs, largest budget first. Raises: RunError, UsageError."""
    done: list[tuple[Path, RunRecord, ResultRecord]] = []
    unfinished = []
    for run in runs:
        record = run.record()
        if record.result is None:
            unfinished.append(run.path)
        else:
            done.append((run.path, record, record.result))
    done.sort(key=lambda each: (each[1].model, -each[2].macs, each[2].params))
    drawn = tuple(_drawn(done, bench))
    names = told_apart(run.latencies for run in drawn)
    models = list(dict.fromkeys(run.record.model for run in drawn))
    return TargetsPage(
        title=", ".join(models) or "no finished run",
        rows=tuple(_row(run, beside) for run in drawn),
        curves=tuple(_curves(drawn, names)),
        settings=names,
        unfinished=tuple(unfinished),
        random=any(run.record.weights.origin == "random" for run in drawn),
    )


def _drawn(
    done: Sequence[tuple[Path, RunRecord, ResultRecord]], bench: BenchFile | None
) -> Iterator[CurveRun]:
    every = series_of([(record, result) for _, record, result in done])
    for series, (path, record, result) in zip(every, done, strict=True):
        known = latencies(path, record, result, bench)
        yield CurveRun(
            path=path,
            series=series,
            budget=spell_budget(record.budget),
            record=record,
            result=result,
            latencies=known,
            together={**known, **latencies_in(bench, path, record, result)},
        )


def _row(run: CurveRun, beside: Path) -> TargetRow:
    return TargetRow(
        name=shorten(str(run.path), NAME_LENGTH),
        distance=distances(run.record.budget.caps, run.result),
        link=quote(os.path.relpath(run.path / REPORT, beside)),
        run=run,
    )


def _curves(runs: Sequence[CurveRun], names: Mapping[Setting, str]) -> Iterator[TradeOff]:
    if runs:
        yield cost_curve(runs)
    for setting, name in names.items():
        yield latency_curve(runs, setting, name=name)
