"""Interleaved rounds: what slows the machine down for a while slows down all networks alike.

In every round each network runs one block of passes in the order of the list, then another in the
reverse order (A B C C B A), and the next round begins at the other end: neither its place in the
order nor a steady drift favours any. Where passes are short, a round does both, in blocks of half
the passes. Before a round, each is laid elsewhere in memory, or started anew: where it happens to
lie favours none for longer than a round.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from statistics import fmean, median
from typing import Protocol

BLOCK = 0.1
"""Seconds that a block of passes takes, at least one pass."""

SHORT = 4
"""Passes in a block, for every network, from which on blocks are halved."""

WARM = 3.0
"""Seconds after which a network counts as warm, whatever its passes look like."""

FASTER = 0.98
"""A network is warm once a block takes more than this share of the time of the one before."""

WINDOW = 20
"""Most passes in a block of warming up."""


class Runnable(Protocol):
    """A network that is ready to run."""

    def block(self, passes: int) -> Sequence[float]:
        """Run so many passes, each to its end; returns the seconds of each."""


class Movable(Runnable, Protocol):
    """A network that can be moved while it is warm."""

    def move(self) -> None:
        """Lie elsewhere in memory."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Seconds of one network. rounds: one value each. passes: every single pass."""

    rounds: tuple[float, ...]
    passes: tuple[float, ...]


Begin = Callable[[], AbstractContextManager[Sequence[Runnable]]]
"""Starts all networks anew, and ends them."""

Blocks = tuple[tuple[float, ...], ...]
"""Seconds of the passes of every block of one network."""

Round = tuple[Blocks, ...]
"""For every network, its blocks."""


def compare(
    runnables: Sequence[Movable],
    *,
    rounds: int,
    advance: Callable[[int], None] = lambda _rounds: None,
    seconds: float = BLOCK,
) -> tuple[Timings, ...]:
    """Timings of several networks that are warmed up once. advance: is told of every round."""
    passes = [warm_up(each, seconds=seconds) for each in runnables]
    return compare_warm(runnables, passes, rounds=rounds, advance=advance)


def compare_warm(
    runnables: Sequence[Movable],
    passes: Sequence[int],
    *,
    rounds: int,
    advance: Callable[[int], None] = lambda _rounds: None,
) -> tuple[Timings, ...]:
    """Timings of networks that are warm. passes: of each, in a block, as `warm_up` says."""
    found: list[Round] = []
    for number in range(rounds):
        order = _order(len(runnables), number)
        for place in order:
            runnables[place].move()
        found.append(_one_round(runnables, passes, order))
        advance(1)
    return _timings(found)


def compare_anew(
    begin: Begin,
    *,
    rounds: int,
    advance: Callable[[int], None] = lambda _rounds: None,
    seconds: float = BLOCK,
) -> tuple[Timings, ...]:
    """Timings of networks that are started, and warmed up, for every round."""
    found: list[Round] = []
    for number in range(rounds):
        with begin() as runnables:
            passes = [warm_up(each, seconds=seconds) for each in runnables]
            found.append(_one_round(runnables, passes, _order(len(runnables), number)))
        advance(1)
    return _timings(found)


def warm_up(runnable: Runnable, *, seconds: float = BLOCK) -> int:
    """Run until the passes get no faster; returns how many of them fill a block."""
    (spent,) = runnable.block(1)
    (once,) = runnable.block(1)
    window = min(WINDOW, max(1, round(seconds / once)))
    before = inf
    while True:
        times = runnable.block(window)
        spent += sum(times)
        now = median(times)
        if now > FASTER * before or spent > WARM:
            return max(1, round(seconds / now))
        before = now


def _order(networks: int, number: int) -> Sequence[int]:
    """Of the networks in a round: every other begins at the other end."""
    order = range(networks)
    return order[::-1] if number % 2 else order


def _one_round(runnables: Sequence[Runnable], passes: Sequence[int], order: Sequence[int]) -> Round:
    if min(passes) < SHORT:
        return _forth_and_back(runnables, passes, order)
    halves = [each // 2 for each in passes]
    one, other = (_forth_and_back(runnables, halves, each) for each in (order, order[::-1]))
    return tuple(first + second for first, second in zip(one, other, strict=True))


def _forth_and_back(
    runnables: Sequence[Runnable], passes: Sequence[int], order: Sequence[int]
) -> Round:
    forth = {n: _settled(runnables[n], passes[n]) for n in order}
    back = {n: _settled(runnables[n], passes[n]) for n in reversed(order)}
    return tuple((forth[n], back[n]) for n in sorted(order))


def _settled(runnable: Runnable, passes: int) -> tuple[float, ...]:
    """A block after a pass that is not counted: it finds the caches as another network left them.

    Where one pass fills a block, that is of no account.
    """
    if passes > 1:
        runnable.block(1)
    return tuple(runnable.block(passes))


def _timings(rounds: Sequence[Round]) -> tuple[Timings, ...]:
    return tuple(_timing(blocks) for blocks in zip(*rounds, strict=True))


def _timing(rounds: Sequence[Blocks]) -> Timings:
    return Timings(
        rounds=tuple(fmean(median(block) for block in blocks) for blocks in rounds),
        passes=tuple(_all_passes(rounds)),
    )


def _all_passes(rounds: Sequence[Blocks]) -> Iterator[float]:
    for blocks in rounds:
        for block in blocks:
            yield from block
