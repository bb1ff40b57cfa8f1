"""Kinds of values on the command line."""

from collections.abc import Iterable
from math import isfinite

import click

from ap_core.errors import UsageError


class Share(click.ParamType[float]):
    """A share above 0 and at most 1: "0.005" or "0.5%"."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Share as a float."""
        try:
            return share(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a share; write it like 0.1 or 10%", param, ctx)


class InputSize(click.ParamType[tuple[int, int, int]]):
    """Size of one image: "224" is (3, 224, 224); else "channels,height,width"."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """(channels, height, width)."""
        if isinstance(value, tuple):
            return value
        parts = str(value).replace("x", ",").split(",")
        if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is not a size; write it like 224 or 3,224,224", param, ctx)
        numbers = [int(part) for part in parts]
        if len(numbers) == 1:
            return (3, numbers[0], numbers[0])
        if len(numbers) == 3:
            return (numbers[0], numbers[1], numbers[2])
        return self.fail(f"{value!r} is not a size; write it like 224 or 3,224,224", param, ctx)


SHARE = Share()
INPUT_SIZE = InputSize()


def share(text: str) -> float:
    """Share above 0 and at most 1. Raises: ValueError."""
    number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < number <= 1:
        raise ValueError(text)
    return number


def table_of(option: str, pairs: Iterable[str], *, low: float, high: float) -> dict[str, float]:
    """Numbers by glob, of pairs like "layer4.*=0.5" or "heads=50%". Raises: UsageError."""
    table = {}
    for pair in pairs:
        glob, equals, text = pair.rpartition("=")
        number = _number(text)
        if not equals or not glob or number is None or not low <= number <= high or number <= 0:
            raise UsageError(
                f"{option} {pair!r} is not of the form GLOB=NUMBER with a number up to {high:g}",
                hint=f"write it like {option} 'layer4.*=0.5'",
            )
        table[glob] = number
    return table


def _number(text: str) -> float | None:
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return number if isfinite(number) else None
