"""Bar charts as geometry: what is drawn where, before any markup."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ap_core.network import GroupKind, Network
from ap_core.plan import Plan
from ap_core.report.amounts import amount, counted, percent, shorten
from ap_core.report.summary import KINDS, ROOT, GroupWidth, Part, group_widths

WIDTH = 720
LEFT, RIGHT = 190, 540
"""Where bars begin and end; labels stand before, numbers behind."""

LABEL_LENGTH = 28
MOST_CELLS = 32
HEADING = 26
GAP = 10


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row: a long bar for what was, a short one in it for what stays.

    before, after: lengths, as shares of the room for bars.
    cells: for a few things that are countable, which of them stay; empty for a plain bar.
    tone: class of the colour. title: shown by a browser under the pointer.
    """

    y: float
    label: str
    title: str
    numbers: str
    share: str
    before: float
    after: float
    tone: str
    cells: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows under one heading; an empty heading takes no room."""

    y: float
    heading: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class BarChart:
    """A whole chart; lengths in the units of its viewBox.

    legend: (tone, text) pairs. summary: what the chart shows, in words.
    """

    title: str
    summary: str
    height: float
    row: float
    sections: tuple[Section, ...]
    legend: tuple[tuple[str, str], ...] = ()


def stage_chart(parts: Sequence[Part], *, params: bool = False) -> BarChart:
    """MACs, or parameters, per stage before and after; stages without any are left out."""
    what = "Parameters" if params else "MACs"
    costs = [
        (part.name, part.params, part.params_left)
        if params
        else (part.name, part.macs, part.macs_left)
        for part in parts
    ]
    costs = [cost for cost in costs if cost[1]]
    largest = max((before for _, before, _ in costs), default=1)
    cut = any(after != before for _, before, after in costs)
    all_before = sum(before for _, before, _ in costs)
    row = _row_height(len(costs))
    bars = tuple(
        Bar(
            y=i * row,
            label=shorten(name, LABEL_LENGTH),
            title=f"{name}: {before:,} {what} before, {after:,} after",
            numbers=f"{amount(before)} → {amount(after)}" if cut else amount(before),
            share=percent(after / before, 0) if cut else percent(before / all_before),
            before=before / largest,
            after=after / largest,
            tone="macs",
        )
        for i, (name, before, after) in enumerate(costs)
    )
    return BarChart(
        title=f"{what} per stage" + (", before and after" if cut else ""),
        summary="; ".join(f"{name}: {_change(b, a, cut=cut)}" for name, b, a in costs),
        height=row * len(bars),
        row=row,
        sections=(Section(y=0, heading="", bars=bars),),
        legend=(("macs", "left"), ("macs before", "before")) if cut else (),
    )


def width_chart(network: Network, plan: Plan | None) -> BarChart:
    """Widths of all groups before and after, by stage; of heads, which ones stay.

    A bar's full length is the widest group of its kind. plan: None for the whole network.
    """
    every = group_widths(network, plan.widths if plan else None)
    widest: dict[GroupKind, int] = {}
    for each in every:
        widest[each.group.kind] = max(widest.get(each.group.kind, 1), each.group.width)
    row = _row_height(len(every))
    sections = []
    y = 0.0
    for stage, members in groupby(every, key=lambda each: each.group.stage):
        y += HEADING
        bars = []
        for each in members:
            bars.append(_width_bar(each, y, stage, widest[each.group.kind], plan))
            y += row
        sections.append(Section(y=y - row * len(bars), heading=stage or ROOT, bars=tuple(bars)))
        y += GAP
    return BarChart(
        title="Width of every group" + (", before and after" if plan else ""),
        summary=_summary(every) if plan else counted(len(every), "group"),
        height=max(0.0, y - GAP),
        row=row,
        sections=tuple(sections),
        legend=tuple(_legend(widest)),
    )


def _width_bar(each: GroupWidth, y: float, stage: str, widest: int, plan: Plan | None) -> Bar:
    group = each.group
    within = group.name.removeprefix(f"{stage}.")
    times = f"{KINDS[group.kind]}, {group.lanes} lanes" if group.lanes > 1 else KINDS[group.kind]
    locked = f"; locked: {group.locked}" if group.locked else ""
    return Bar(
        y=y,
        label=shorten(within, LABEL_LENGTH),
        title=f"{group.name} ({times}): {each.left} of {group.width} stay{locked}",
        numbers=_numbers(each) if plan else str(group.width),
        share=percent(each.share, 0) if plan else ("locked" if group.locked else ""),
        before=group.width / widest,
        after=each.left / widest,
        tone="locked" if group.locked else group.kind.value,
        cells=_cells(each, plan),
    )


def _numbers(each: GroupWidth) -> str:
    return f"{each.left} of {each.group.width}" if each.left else "dropped"


def _cells(each: GroupWidth, plan: Plan | None) -> tuple[bool, ...]:
    group = each.group
    if group.kind is not GroupKind.HEADS or group.width > MOST_CELLS:
        return ()
    every = range(group.width)
    kept = set(every if plan is None else plan.kept.get(group.name, every))
    return tuple(i in kept for i in every)


def _legend(widest: Mapping[GroupKind, int]) -> Iterator[tuple[str, str]]:
    for kind in GroupKind:
        if kind in widest:
            yield kind.value, f"{KINDS[kind]} (full length: {widest[kind]})"


def _summary(every: Sequence[GroupWidth]) -> str:
    cut = [each for each in every if each.left < each.group.width]
    if not cut:
        return f"{counted(len(every), 'group')}, none of them cut"
    least = min(cut, key=lambda each: each.share)
    return (
        f"{len(cut)} of {len(every)} groups are cut; the most is taken from {least.group.name}, "
        f"which keeps {least.left} of {least.group.width}"
    )


def _change(before: int, after: int, *, cut: bool) -> str:
    return f"{amount(before)} to {amount(after)}" if cut else amount(before)


def _row_height(rows: int) -> float:
    """Height of a row; many rows stand closer together."""
    if rows <= 60:
        return 22
    return 17 if rows <= 160 else 13
