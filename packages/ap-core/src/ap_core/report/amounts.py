"""Numbers as people read them."""

from typing import Literal

UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
TIMES = ((10**15, "s"), (10**12, "ms"), (10**9, "us"), (10**6, "ns"), (10**3, "ps"))

Direction = Literal["nearest", "up", "down"]
Units = tuple[tuple[int, str], ...]


def amount(number: int, towards: Direction = "nearest", *, units: Units = UNITS) -> str:
    """Number to four digits with its unit: "8.480 G"; small ones in full.

    towards: where the digits that are left out go: a limit is rounded so that it holds.
    """
    for unit, letter in units:
        if number >= unit:
            digits = max(0, 4 - len(str(number // unit)))
            step = unit // 10**digits
            add = {"nearest": step // 2, "up": step - 1, "down": 0}[towards]
            return f"{(number + add) // step * step / unit:.{digits}f} {letter}"
    return str(number)


def time_taken(femtoseconds: int, towards: Direction = "nearest") -> str:
    """Time to four digits with its unit: "4.105 ms"."""
    shown = amount(femtoseconds, towards, units=TIMES)
    return shown if femtoseconds >= TIMES[-1][0] else f"{shown} fs"


def counted(number: int, noun: str, plural: str = "") -> str:
    """So many of something: "1 image", "2 images". plural: where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def integer(number: int) -> str:
    """Number in full, thousands apart."""
    return f"{number:,}"


def percent(share: float, digits: int = 1) -> str:
    """Share as per cent: 0.4821 is "48.2 %"."""
    return f"{100 * share:.{digits}f} %"


def below(limit: int, got: int) -> str:
    """How far a number is below its limit, to two digits that count: "0.0031 % below"."""
    if got == limit:
        return "exactly at it"
    share = 100 * abs(limit - got) / limit
    side = "below" if got < limit else "OVER"
    if share >= 1:
        return f"{share:.1f} % {side}"
    return f"{share:.2g} % {side}" if share >= 1e-4 else f"less than 0.0001 % {side}"


def duration(seconds: float) -> str:
    """Time as "1 h 02 min", "3 min 20 s", "4.2 s" or "35 ms"."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def shorten(text: str, length: int) -> str:
    """Text with its middle left out where it is longer than that."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
