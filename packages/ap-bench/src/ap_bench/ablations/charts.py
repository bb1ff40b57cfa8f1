"""Charts of a comparison as geometry: what contenders come to, and how the searches go."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import fmean

from ap_bench.ablations.records import CellRecord
from ap_bench.ablations.summary import Summary
from ap_bench.ablations.tables import spelt
from ap_core.report.amounts import shorten
from ap_core.report.bars import GAP, HEADING, LABEL_LENGTH, Bar, BarChart, Section
from ap_core.report.curve import Curve, Point, curve

ROW = 22


def contender_chart(summaries: Sequence[Summary]) -> BarChart:
    """Accuracy of every contender beside the uncut network's; without images, shares within."""
    accurate = any(each.top1 for each in summaries)
    sections, y = [], 0.0
    for (model, target), members in groupby(summaries, key=lambda each: (each.model, each.target)):
        top = y + HEADING
        bars = tuple(_bar(each, top + n * ROW, accurate=accurate) for n, each in enumerate(members))
        sections.append(Section(y=top, heading=f"{model} at {target}", bars=bars))
        y = top + ROW * len(bars) + GAP
    return BarChart(
        title="Top-1 at the budget" if accurate else "Cells within the band",
        summary="; ".join(_said(each, accurate=accurate) for each in summaries),
        height=max(0.0, y - GAP),
        row=ROW,
        sections=tuple(sections),
        legend=(("macs", "at the budget"), ("macs before", "uncut")) if accurate else (),
    )


def search_curves(cells: Sequence[CellRecord], contenders: Sequence[str]) -> tuple[Curve, ...]:
    """For each model and target, the held-out loss of the best so far over the trials."""
    places = dict.fromkeys((cell.model, cell.target) for cell in cells)
    found = []
    for model, target in places:
        here = [cell for cell in cells if (cell.model, cell.target) == (model, target)]
        points = [point for name in contenders for point in _points(name, here)]
        if points:
            found.append(
                curve(
                    points,
                    title=f"{model} at {target}",
                    x_label="trials",
                    y_label="held-out loss of the best within the band, mean over seeds",
                )
            )
    return tuple(found)


def _points(contender: str, cells: Sequence[CellRecord]) -> Iterator[Point]:
    """Mean over the seeds, once all are within; a search that has ended keeps its last."""
    histories = [cell.history for cell in cells if cell.contender == contender and cell.history]
    if not histories:
        return
    for number in range(max(map(len, histories))):
        losses = [history[min(number, len(history) - 1)] for history in histories]
        there = [loss for loss in losses if loss is not None]
        if len(there) == len(losses):
            yield Point(series=contender, x=number + 1, y=fmean(there), label="")


def _bar(each: Summary, y: float, *, accurate: bool) -> Bar:
    share = each.within / each.cells
    after = (each.top1.mean if each.top1 else 0.0) if accurate else share
    before = (each.uncut_top1.mean if each.uncut_top1 else after) if accurate else 1.0
    return Bar(
        y=y,
        label=shorten(each.contender, LABEL_LENGTH),
        title=_said(each, accurate=accurate),
        numbers=f"{spelt(each.top1, scale=100)} %" if accurate and each.top1 else "",
        share=f"{each.within}/{each.cells} within",
        before=max(before, after),
        after=after,
        tone="macs",
    )


def _said(each: Summary, *, accurate: bool) -> str:
    top1 = f", top-1 {spelt(each.top1, scale=100)} %" if accurate and each.top1 else ""
    place = f"{each.model} at {each.target}, {each.contender}"
    return f"{place}: {each.within} of {each.cells} within the band{top1}"
