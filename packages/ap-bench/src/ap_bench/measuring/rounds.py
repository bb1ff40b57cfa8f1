"""Interleaved rounds: what slows the machine down for a while slows down all networks alike.

In every round each network runs one block of passes in an order that is drawn at random, then
another in the reverse order (B A C C A B): a steady drift favours none. Before either half, all are
laid elsewhere in memory, in the order in which they run next; or a round starts all of them anew.
Who comes first, in memory or in time, can be faster or slower for it by several per mille. As that
is drawn anew for every round, a network beside itself is as likely to be ahead as behind in each.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from math import inf
from random import Random
from statistics import fmean, median
from typing import Protocol

BLOCK = 0.1
"""Seconds that a block of passes takes, at least one pass."""

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

    def release(self) -> None:
        """Give back the memory that it can do without until it is moved."""

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
    draws = Random()
    for _ in range(rounds):
        found.append(_one_round(runnables, passes, draws, before=partial(_move, runnables)))
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
    draws = Random()
    for _ in range(rounds):
        with begin() as runnables:
            passes = [warm_up(each, seconds=seconds) for each in runnables]
            found.append(_one_round(runnables, passes, draws))
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


def _move(runnables: Sequence[Movable], order: Sequence[int]) -> None:
    """Move all of them; none comes back to where it was because no other place is free."""
    for network in order:
        runnables[network].release()
    for network in order:
        runnables[network].move()


def _one_round(
    runnables: Sequence[Runnable],
    passes: Sequence[int],
    draws: Random,
    *,
    before: Callable[[Sequence[int]], None] = lambda _order: None,
) -> Round:
    """before: is called with each order, before the networks run in it."""
    blocks: dict[int, Blocks] = dict.fromkeys(range(len(runnables)), ())
    drawn = draws.sample(range(len(runnables)), len(runnables))
    for order in (drawn, drawn[::-1]):
        before(order)
        for network in order:
            blocks[network] += (_settled(runnables[network], passes[network]),)
    return tuple(blocks.values())


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
