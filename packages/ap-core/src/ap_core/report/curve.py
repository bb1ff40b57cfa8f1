"""A curve over several runs as geometry: cost to the right, quality upwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 696, 24, 330
STYLES = 6


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run. series: points of one series are joined. x, y: in their own units."""

    series: str
    x: float
    y: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A line of the grid, with its number."""

    place: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A point where it is drawn; `end`: whether its label goes to the left of it."""

    x: float
    y: float
    label: str
    end: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series: dots in order, and its style's number."""

    name: str
    style: int
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A whole picture. x_label, y_label: what the axes show. summary: the same in words."""

    title: str
    summary: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


def curve(points: Sequence[Point], *, title: str, x_label: str, y_label: str) -> Curve:
    """Picture of at least one point."""
    x_axis = ticks(0, max(p.x for p in points))
    y_axis = ticks(min(p.y for p in points), max(p.y for p in points))

    def right(x: float) -> float:
        return LEFT + (RIGHT - LEFT) * (x - x_axis[0]) / (x_axis[-1] - x_axis[0])

    def up(y: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (y - y_axis[0]) / (y_axis[-1] - y_axis[0])

    names = list(dict.fromkeys(p.series for p in points))
    lines = tuple(
        Line(
            name=name,
            style=i % STYLES,
            dots=tuple(
                Dot(x=right(p.x), y=up(p.y), label=p.label, end=right(p.x) > RIGHT - 90)
                for p in sorted(points, key=lambda p: (p.x, p.y))
                if p.series == name
            ),
        )
        for i, name in enumerate(names)
    )
    return Curve(
        title=title,
        summary="; ".join(f"{p.series}, {p.label}: {p.x:.4g} {x_label}, {p.y:.4g}" for p in points),
        x_label=x_label,
        y_label=y_label,
        x_ticks=_labelled(x_axis, right),
        y_ticks=_labelled(y_axis, up),
        lines=lines,
    )


def _labelled(axis: Sequence[float], place: Callable[[float], float]) -> tuple[Tick, ...]:
    """Ticks at their places, in as many digits as tell them apart, at least six."""
    digits = next(n for n in range(6, 18) if all(float(f"{t:.{n}g}") == t for t in axis))
    return tuple(Tick(place=place(t), text=f"{t:.{digits}g}") for t in axis)


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers from at most `low` to at least `high`, four to eight steps apart.

    Numbers that differ by no more than what arithmetic leaves behind are one.
    """
    if high - low <= 1e-9 * abs(high):
        spread = abs(low) / 10 or 1.0
        low, high = low - spread / 2, low + spread / 2
    rough = (high - low) / 6
    power = 10 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))
