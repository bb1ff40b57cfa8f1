"""A picture of the latencies: against MACs, and against accuracy where runs have one."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ap_bench.measuring.outputs import nothing_to_draw
from ap_bench.measuring.results import Bench, Facts, Result
from ap_core.runs.files import replacing

SIDE = 5.0
"""Inches of a panel."""

Place = Callable[[Facts], float | None]


def draw(found: Bench, path: Path) -> None:
    """Write the picture; a line for every combination. Raises: UsageError, RunError."""
    panels: list[tuple[str, Place]] = [
        ("GMACs", lambda facts: None if facts.macs is None else facts.macs / 1e9),
        ("top-1, %", lambda facts: None if facts.top1 is None else 100 * facts.top1),
    ]
    drawn = [(label, place) for label, place in panels if any(map(place, found.facts))]
    if not drawn:
        raise nothing_to_draw(path)
    figure = Figure(figsize=(SIDE * len(drawn) + 1, SIDE), layout="constrained")
    axes = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axis, (label, place) in zip(axes, drawn, strict=True):
        _panel(axis, found.groups, label, place)
    axes[0].legend(fontsize="small")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


def _panel(axis: Axes, groups: Sequence[Sequence[Result]], label: str, place: Place) -> None:
    for group in groups:
        points = sorted(_points(group, place))
        axis.errorbar(
            [x for x, *_ in points],
            [y for _, y, *_ in points],
            yerr=[[below for *_, below, _ in points], [above for *_, above in points]],
            fmt="o-",
            capsize=3,
            label=f"{group[0].settings}, {group[0].settings.backend}",
        )
    for each in groups[-1]:
        x = place(each.facts)
        if x is not None:
            axis.annotate(each.facts.name, (x, 1e3 * each.latency.value), fontsize="x-small")
    axis.set(xlabel=label, ylabel="latency, ms (95 % interval)", ylim=(0, None))
    axis.grid(visible=True, alpha=0.3)


def _points(group: Sequence[Result], place: Place) -> list[tuple[float, float, float, float]]:
    """For every subject: its place, its milliseconds, and how far the interval goes either way."""
    found = []
    for each in group:
        x, latency = place(each.facts), each.latency
        if x is not None:
            low, high = latency.value - latency.low, latency.high - latency.value
            found.append((x, 1e3 * latency.value, 1e3 * low, 1e3 * high))
    return found
