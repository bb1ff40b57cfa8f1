"""From cells to what is said of contenders: means and spreads over seeds, and ranks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean, stdev

from ap_bench.ablations.records import CellRecord

SEARCH = frozenset({"propose", "score", "sensitivity", "solve", "judge"})
"""Stages of a run that are the search's; the rest is machinery that no strategist changes."""

Group = tuple[str, str, int]
"""Model, target and seed: cells of one group differ in the contender alone."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean of the cells that have the figure, and how far they spread.

    deviation: of the sample; None where one cell has it. count: how many have it.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A contender over several cells: all seeds of one model and target, or all there are.

    model, target: "" over all. within, failed: so many of the cells.
    macs: as a share of the budget. top1, uncut_top1: on the images that report.
    held_out_loss: of the best trials within the band.
    rank: among the contenders in the same model, target and seed, 1 the best; by whether it was
        within, then by accuracy (without images by the value retained), else by how near it came.
    machinery_seconds: loading, tracing, opening images, cutting, verifying, recovering, saving.
    """

    model: str
    target: str
    contender: str
    cells: int
    within: int
    failed: int
    stand_ins: int
    trials: Spread | None
    trials_to_band: Spread | None
    macs: Spread | None
    held_out_loss: Spread | None
    top1: Spread | None
    uncut_top1: Spread | None
    rank: Spread | None
    calls: Spread | None
    tokens: Spread | None
    search_seconds: Spread | None
    machinery_seconds: Spread | None


def by_target(cells: Sequence[CellRecord], contenders: Sequence[str]) -> tuple[Summary, ...]:
    """One for each model, target and contender, in the order of the cells."""
    ranks = _ranks(cells, contenders)
    grouped: dict[tuple[str, str, str], list[CellRecord]] = defaultdict(list)
    for cell in cells:
        grouped[cell.model, cell.target, cell.contender].append(cell)
    places = dict.fromkeys((model, target) for model, target, _ in grouped)
    return tuple(
        _summary(model, target, contender, grouped[model, target, contender], ranks)
        for model, target in places
        for contender in contenders
        if (model, target, contender) in grouped
    )


def overall(cells: Sequence[CellRecord], contenders: Sequence[str]) -> tuple[Summary, ...]:
    """One for each contender, over all its cells."""
    ranks = _ranks(cells, contenders)
    grouped: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in cells:
        grouped[cell.contender].append(cell)
    return tuple(
        _summary("", "", contender, grouped[contender], ranks)
        for contender in contenders
        if contender in grouped
    )


def spread(values: Iterable[float | None]) -> Spread | None:
    """Mean and deviation of those that are there; None where none is."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    deviation = stdev(there) if len(there) > 1 else None
    return Spread(mean=fmean(there), deviation=deviation, count=len(there))


def _summary(
    model: str,
    target: str,
    contender: str,
    cells: Sequence[CellRecord],
    ranks: Mapping[tuple[str, str, int, str], float],
) -> Summary:
    llms = [cell.llm for cell in cells if cell.llm is not None]
    return Summary(
        model=model,
        target=target,
        contender=contender,
        cells=len(cells),
        within=sum(cell.within for cell in cells),
        failed=sum(cell.status == "failed" for cell in cells),
        stand_ins=sum(cell.stand_ins for cell in cells),
        trials=spread(cell.trials for cell in cells if cell.status != "failed"),
        trials_to_band=spread(cell.trials_to_band for cell in cells),
        macs=spread(cell.macs / cell.limit for cell in cells if cell.macs and cell.limit),
        held_out_loss=spread(cell.held_out_loss for cell in cells if cell.within),
        top1=spread(cell.quality.top1 for cell in cells if cell.quality),
        uncut_top1=spread(cell.baseline.top1 for cell in cells if cell.baseline),
        rank=spread(ranks.get(cell.key) for cell in cells),
        calls=spread(llm.calls for llm in llms),
        tokens=spread(llm.input_tokens + llm.output_tokens for llm in llms),
        search_seconds=spread(cell.search_seconds for cell in cells),
        machinery_seconds=spread(_machinery(cell) for cell in cells if cell.seconds),
    )


def _machinery(cell: CellRecord) -> float:
    return sum(seconds for stage, seconds in cell.seconds.items() if stage not in SEARCH)


def _ranks(
    cells: Sequence[CellRecord], contenders: Sequence[str]
) -> dict[tuple[str, str, int, str], float]:
    """Rank of every cell whose group is whole; equals share the mean of their ranks."""
    groups: dict[Group, list[CellRecord]] = defaultdict(list)
    for cell in cells:
        groups[cell.model, cell.target, cell.seed].append(cell)
    ranks = {}
    for members in groups.values():
        if len(members) < len(contenders):
            continue
        merits = [_merit(cell) for cell in members]
        for cell, merit in zip(members, merits, strict=True):
            better = sum(other > merit for other in merits)
            ranks[cell.key] = better + (merits.count(merit) + 1) / 2
    return ranks


def _merit(cell: CellRecord) -> tuple[bool, float]:
    """Sort key of a cell within its group: the larger, the better."""
    if not cell.within:
        return False, -inf if cell.missed is None else -cell.missed
    worth = cell.quality.top1 if cell.quality else cell.retained
    return True, -inf if worth is None else worth
