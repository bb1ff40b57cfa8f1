"""A picture of the latencies: against MACs, and accuracy against them where runs have one."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ap_bench.measuring.outputs import nothing_to_draw
from ap_bench.measuring.results import Bench, Facts, Result
from ap_core.report.amounts import UNITS, shorten
from ap_core.runs.files import replacing

SIDE = 5.0
"""Inches of a panel."""

LEGEND_LINE = 0.22
"""Inches of a line below the panels."""

NAME_LENGTH = 28
MILLISECONDS = "latency, ms (95 % interval)"


def draw(found: Bench, path: Path) -> None:
    """Write the picture; a line for every combination. Raises: UsageError, RunError."""
    panels = [panel for panel, of in PANELS if any(of(each) is not None for each in found.facts)]
    if not panels:
        raise nothing_to_draw(path)
    height = SIDE + LEGEND_LINE * len(found.groups)
    figure = Figure(figsize=(SIDE * len(panels) + 1, height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        panel(axis, found)
        axis.grid(visible=True, alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", fontsize="small", frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


def _macs(facts: Facts) -> float | None:
    return None if facts.macs is None else float(facts.macs)


def _top1(facts: Facts) -> float | None:
    return None if facts.top1 is None else 100 * facts.top1


def _by_macs(axis: Axes, found: Bench) -> None:
    """Milliseconds upwards, MACs to the right."""
    most = max(_macs(facts) or 0.0 for facts in found.facts)
    unit, letter = next((each for each in UNITS if most >= each[0]), (1, ""))
    for group in found.groups:
        results = _known(group, _macs)
        axis.errorbar(
            [(_macs(each.facts) or 0.0) / unit for each in results],
            [1e3 * each.latency.value for each in results],
            yerr=_errors(results), fmt="o-", capsize=3, label=_label(group),
        )  # fmt: skip
    for each in _known(found.groups[-1], _macs):
        _name(axis, each, ((_macs(each.facts) or 0.0) / unit, 1e3 * each.latency.value))
    axis.set(xlabel=f"{letter} MACs".strip(), ylabel=MILLISECONDS, ylim=(0, None), xlim=(0, None))


def _by_accuracy(axis: Axes, found: Bench) -> None:
    """Top-1 upwards, milliseconds to the right."""
    for group in found.groups:
        results = _known(group, _top1)
        axis.errorbar(
            [1e3 * each.latency.value for each in results],
            [_top1(each.facts) or 0.0 for each in results],
            xerr=_errors(results), fmt="o-", capsize=3, label=_label(group),
        )  # fmt: skip
    for each in _known(found.groups[-1], _top1):
        _name(axis, each, (1e3 * each.latency.value, _top1(each.facts) or 0.0))
    axis.set(xlabel=MILLISECONDS, ylabel="top-1, %", xlim=(0, None))


PANELS: tuple[tuple[Callable[[Axes, Bench], None], Callable[[Facts], float | None]], ...] = (
    (_by_macs, _macs),
    (_by_accuracy, _top1),
)
"""How to draw each panel, and the fact that it needs of a subject."""


def _known(group: Sequence[Result], of: Callable[[Facts], float | None]) -> list[Result]:
    """Results of subjects that have a fact, by its size."""
    found = [(value, each) for each in group if (value := of(each.facts)) is not None]
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _errors(results: Sequence[Result]) -> list[list[float]]:
    """How far the intervals go down and up, in milliseconds."""
    spans = [(each.latency.low, each.latency.value, each.latency.high) for each in results]
    return [
        [1e3 * (value - low) for low, value, _ in spans],
        [1e3 * (high - value) for _, value, high in spans],
    ]


def _label(group: Sequence[Result]) -> str:
    return f"{group[0].settings}, {group[0].settings.backend}"


def _name(axis: Axes, result: Result, where: tuple[float, float]) -> None:
    """Write a subject's name beside its point, to the side where there is room."""
    middle = sum(axis.get_xlim()) / 2
    side, offset = ("left", 5) if where[0] < middle else ("right", -5)
    axis.annotate(
        shorten(result.facts.name, NAME_LENGTH), where, xytext=(offset, 6),
        textcoords="offset points", fontsize="x-small", ha=side, rotation=12,
    )  # fmt: skip
