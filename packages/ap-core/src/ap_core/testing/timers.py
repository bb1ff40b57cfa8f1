"""Conformance of timers."""

from math import isfinite
from typing import TYPE_CHECKING

from ap_core.contracts import Stack
from ap_core.plugins.offers import TimerOffer
from ap_core.testing.requirement import fingerprint, require, require_unchanged

if TYPE_CHECKING:
    from torch.nn import Module

ROUNDS = 3


def check_timer(
    offer: TimerOffer,
    whole: "Module",
    other: "Module",
    *,
    input_size: tuple[int, int, int],
    stack: Stack | None = None,
) -> None:
    """Demand of a timer that it gives as many pairs of times as it is asked for, and changes
    nothing.

    other: a network of the same kind, with fewer channels. stack: None for the timer's own, on the
    CPU.
    """
    before = fingerprint(whole), fingerprint(other)
    timer = offer.make()(stack or Stack(backend=offer.name), whole, input_size)
    about = dict(timer.about())
    require(about, "it says nothing of what its times depend on")
    for name, text in about.items():
        require(isinstance(name, str) and isinstance(text, str), f"{name!r}: {text!r} is no text")
    for module in (other, whole):
        pairs = list(timer.beside(module, rounds=ROUNDS))
        require(len(pairs) == ROUNDS, f"asked for {ROUNDS} rounds, it made {len(pairs)}")
        for seconds in (each for pair in pairs for each in (pair.whole, pair.other)):
            require(type(seconds) is float, f"{seconds!r} is no float")
            require(isfinite(seconds) and seconds > 0, f"{seconds} are no seconds")
    require(dict(timer.about()) == about, "what it says of itself has changed")
    require_unchanged(before[0], whole, "the timer")
    require_unchanged(before[1], other, "the timer")
