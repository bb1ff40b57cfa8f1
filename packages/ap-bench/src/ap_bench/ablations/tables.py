"""What the terminal and the page show of a comparison: columns and rows of text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from ap_bench.ablations.records import CellRecord
from ap_bench.ablations.summary import Spread, Summary
from ap_core.report.amounts import amount, percent

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
Column = Callable[[Summary], str]
NOTHING = "-"

NAMES: Mapping[str, Column] = {
    "model": lambda each: each.model,
    "target": lambda each: each.target,
    "contender": lambda each: each.contender,
}
FIGURES: Mapping[str, Column] = {
    "within": lambda each: f"{each.within}/{each.cells}",
    "rank": lambda each: spelt(each.rank),
    "top-1, %": lambda each: spelt(each.top1, scale=100),
    "uncut, %": lambda each: spelt(each.uncut_top1, scale=100),
    "of the budget, %": lambda each: spelt(each.macs, scale=100, digits=2),
    "trials": lambda each: spelt(each.trials),
    "to the band": lambda each: spelt(each.trials_to_band),
    "calls": lambda each: spelt(each.calls),
    "tokens": lambda each: spelt(each.tokens, digits=0),
    "search, s": lambda each: spelt(each.search_seconds),
    "the rest, s": lambda each: spelt(each.machinery_seconds),
    "stand-ins": lambda each: str(each.stand_ins or NOTHING),
    "failed": lambda each: str(each.failed or NOTHING),
}
LEFT_OUT = ("uncut, %", "of the budget, %", "trials", "the rest, s")
"""Figures that a terminal has no room for; the page has them."""


def target_tables(summaries: Sequence[Summary]) -> Iterator[tuple[str, Table]]:
    """A title and the main figures for each model and target, one row a contender."""
    for (model, target), members in groupby(summaries, key=lambda each: (each.model, each.target)):
        here = list(members)
        uncut = next((each.uncut_top1 for each in here if each.uncut_top1), None)
        more = f"; uncut, top-1 is {spelt(uncut, scale=100)} %" if uncut else ""
        yield f"{model} at {target}{more}", _table(here, ["contender", *_main()])


def main_table(summaries: Sequence[Summary]) -> Table:
    """Main figures, one row for each contender."""
    return _table(summaries, ["contender", *_main()])


def overall_table(summaries: Sequence[Summary]) -> Table:
    """All figures, one row for each contender."""
    return _table(summaries, ["contender", *FIGURES])


def target_table(summaries: Sequence[Summary]) -> Table:
    """All figures, one row for each model, target and contender."""
    return _table(summaries, [*NAMES, *FIGURES])


def cell_table(cells: Sequence[CellRecord]) -> Table:
    """One row for each cell."""
    columns = (
        "model", "target", "seed", "contender", "status", "MACs", "of the budget", "trials",
        "to the band", "held-out loss", "top-1", "remark",
    )  # fmt: skip
    return columns, [_cell_row(each) for each in cells]


def spelt(found: Spread | None, *, scale: float = 1.0, digits: int = 1) -> str:
    """Mean and, of several cells, deviation: "63.1 ± 1.2"."""
    if found is None:
        return NOTHING
    mean = f"{scale * found.mean:,.{digits}f}"
    if found.deviation is None:
        return mean
    return f"{mean} ± {scale * found.deviation:,.{digits}f}"


def _main() -> list[str]:
    return [name for name in FIGURES if name not in LEFT_OUT]


def _table(summaries: Iterable[Summary], names: Sequence[str]) -> Table:
    """Table of these columns, without figures that no row has."""
    known = {**NAMES, **FIGURES}
    rows = [{name: known[name](each) for name in names} for each in summaries]
    kept = [n for n in names if n in NAMES or any(row[n] != NOTHING for row in rows)]
    return tuple(kept), [tuple(row[name] for name in kept) for row in rows]


def _cell_row(cell: CellRecord) -> tuple[str, ...]:
    return (
        cell.model,
        cell.target,
        str(cell.seed),
        cell.contender,
        cell.status,
        NOTHING if cell.macs is None else amount(cell.macs),
        percent(cell.macs / cell.limit, 2) if cell.macs and cell.limit else NOTHING,
        str(cell.trials),
        NOTHING if cell.trials_to_band is None else str(cell.trials_to_band),
        NOTHING if cell.held_out_loss is None else f"{cell.held_out_loss:.4f}",
        percent(cell.quality.top1) if cell.quality else NOTHING,
        cell.failure or (f"{cell.stand_ins} stand-ins" if cell.stand_ins else ""),
    )
