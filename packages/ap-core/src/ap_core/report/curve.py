"""A curve over several runs as geometry: cost to the right, quality upwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from textwrap import wrap

from ap_core.report.labels import CHARACTER, LINE, Label, Room, placed

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
    """A line of the grid, with its number; "" where there is no room for it."""

    place: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A point where it is drawn. text: its label; written where there is room for it."""

    x: float
    y: float
    text: str
    label: Label | None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series: dots in order, and its style's number."""

    name: str
    style: int
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Size of a drawing, in the units of its viewBox. kind: class that says where it is shown."""

    kind: str
    width: float
    height: float


FRAMES = (Frame(kind="wide", width=720, height=380), Frame(kind="narrow", width=340, height=300))
"""A drawing for screens, and one for phones."""

SIDE, BELOW = 24, 50
"""Room to the right of the axes and below them."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A curve in a frame. room: between the axes. y_label: in lines."""

    frame: Frame
    room: Room
    y_label: tuple[str, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A whole picture. x_label: what the axis shows. summary: the same in words.

    drawings: of the same points, one for each frame.
    """

    title: str
    summary: str
    x_label: str
    drawings: tuple[Drawing, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Series and their styles."""
        return self.drawings[0].lines


def curve(
    points: Sequence[Point],
    *,
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[str] = (),
) -> Curve:
    """Picture of at least one point. series: get their styles in this order, drawn or not."""
    names = tuple(dict.fromkeys((*series, *(p.series for p in points))))
    return Curve(
        title=title,
        summary="; ".join(f"{p.series}, {p.label}: {p.x:.4g} {x_label}, {p.y:.4g}" for p in points),
        x_label=x_label,
        drawings=tuple(_drawing(points, frame, y_label, names) for frame in FRAMES),
    )


def _drawing(points: Sequence[Point], frame: Frame, y_label: str, names: Sequence[str]) -> Drawing:
    x_axis = ticks(0, max(p.x for p in points))
    y_axis = ticks(min(p.y for p in points), max(p.y for p in points))
    x_texts, y_texts = _texts(x_axis), _texts(y_axis)
    heading = tuple(wrap(y_label, int(frame.width / CHARACTER)))
    room = Room(
        left=CHARACTER * max(map(len, y_texts)) + 12,
        right=frame.width - SIDE,
        top=LINE * len(heading) + 10,
        bottom=frame.height - BELOW,
    )
    x_places = [room.across(_share(x, x_axis)) for x in x_axis]
    y_places = [room.up(_share(y, y_axis)) for y in y_axis]
    return Drawing(
        frame=frame,
        room=room,
        y_label=heading,
        x_ticks=_ticks(x_places, _sparse(x_texts, room)),
        y_ticks=_ticks(y_places, y_texts),
        lines=_lines(points, names, x_axis, y_axis, room),
    )


def _lines(
    points: Sequence[Point],
    names: Sequence[str],
    x_axis: Sequence[float],
    y_axis: Sequence[float],
    room: Room,
) -> tuple[Line, ...]:
    ordered = sorted(points, key=lambda p: (names.index(p.series), p.x, p.y))
    places = [(room.across(_share(p.x, x_axis)), room.up(_share(p.y, y_axis))) for p in ordered]
    labels = placed(places, [p.label for p in ordered], room)
    dots: dict[str, list[Dot]] = {}
    for point, (x, y), label in zip(ordered, places, labels, strict=True):
        dot = Dot(x=x, y=y, text=point.label, label=label)
        dots.setdefault(point.series, []).append(dot)
    return tuple(
        Line(name=name, style=names.index(name) % STYLES, dots=tuple(every))
        for name, every in dots.items()
    )


def _share(value: float, axis: Sequence[float]) -> float:
    return (value - axis[0]) / (axis[-1] - axis[0])


def _ticks(places: Sequence[float], texts: Sequence[str]) -> tuple[Tick, ...]:
    return tuple(Tick(place=p, text=text) for p, text in zip(places, texts, strict=True))


def _texts(axis: Sequence[float]) -> list[str]:
    """Numbers in as many digits as tell them apart, at least six."""
    digits = next(n for n in range(6, 18) if all(float(f"{t:.{n}g}") == t for t in axis))
    return [f"{t:.{digits}g}" for t in axis]


def _sparse(texts: Sequence[str], room: Room) -> list[str]:
    """Every so many of the numbers of an axis as there is room for, the last one included."""
    wanted = (max(map(len, texts)) + 2) * CHARACTER * (len(texts) - 1)
    every = ceil(wanted / (room.right - room.left))
    last = len(texts) - 1
    return [text if (last - i) % every == 0 else "" for i, text in enumerate(texts)]


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
