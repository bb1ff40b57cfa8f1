"""Where the names of the points of a chart are written: not over each other, nor over points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

CHARACTER, LINE = 7.0, 14.0
"""Room that one character takes, and a line: of text of 12 units."""

OWN, OTHERS = 5.0, 9.0
"""How near text comes to its own point, and to others: whose it is must be seen."""

GAP = 3.0
"""Between two texts."""

ASIDE, UNDER, OVER = 9.0, 15.0, -9.0
"""How far from a point its text begins, and how far below it, or above, the base line is."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A rectangle; y grows downwards."""

    left: float
    right: float
    top: float
    bottom: float

    def across(self, share: float) -> float:
        """Place this share of the way from left to right."""
        return self.left + (self.right - self.left) * share

    def up(self, share: float) -> float:
        """Place this share of the way from the bottom to the top."""
        return self.bottom - (self.bottom - self.top) * share

    def meets(self, other: "Room") -> bool:
        """Whether two have some of their insides in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: "Room") -> bool:
        """Whether all of the other is inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where a text stands. anchor: which part of it stands there."""

    x: float
    y: float
    anchor: Literal["start", "middle", "end"]

    def room(self, text: str) -> Room:
        """What the text takes up, with a gap at its sides."""
        width = CHARACTER * len(text)
        left = self.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return Room(left=left - GAP, right=left + width + GAP, top=self.y - 9, bottom=self.y + 3)


def placed(
    points: Sequence[tuple[float, float]], texts: Sequence[str], room: Room
) -> list[Label | None]:
    """Where the text of every point is written; None where there is no text, or no place for it.

    Points that lie on each other are one: of equal texts, one is written.
    room: of the points.
    """
    around = Room(
        left=room.left, right=room.right + 2 * ASIDE, top=room.top - 10, bottom=room.bottom
    )
    written: list[Room] = []
    labels: list[Label | None] = []
    for number, (point, text) in enumerate(zip(points, texts, strict=True)):
        others = (_about(*each, OTHERS) for each in points if not _one(each, point))
        taken = (*written, _about(*point, OWN), *others)
        again = any(
            label and before == text and _one(each, point)
            for each, before, label in zip(points[:number], texts, labels, strict=False)
        )
        label = _free(point, text, taken, around) if text and not again else None
        if label is not None:
            written.append(label.room(text))
        labels.append(label)
    return labels


def _one(point: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(point[0] - other[0]) < OWN and abs(point[1] - other[1]) < OWN


def _about(x: float, y: float, reach: float) -> Room:
    return Room(left=x - reach, right=x + reach, top=y - reach, bottom=y + reach)


def _free(
    point: tuple[float, float], text: str, taken: Sequence[Room], around: Room
) -> Label | None:
    for label in _around(*point):
        room = label.room(text)
        if around.holds(room) and not any(room.meets(each) for each in taken):
            return label
    return None


def _around(x: float, y: float) -> Iterator[Label]:
    """Places beside a point, the best first: under it, then over it."""
    for down in (UNDER, OVER):
        yield Label(x=x + ASIDE, y=y + down, anchor="start")
        yield Label(x=x - ASIDE, y=y + down, anchor="end")
        yield Label(x=x, y=y + down, anchor="middle")
