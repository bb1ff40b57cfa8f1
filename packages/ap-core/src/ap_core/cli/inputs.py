"""Kinds of values on the command line."""

from collections.abc import Container, Iterable
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

import click

from ap_core.errors import UsageError
from ap_core.input_size import parse_input_size


class Share(click.ParamType[float]):
    """A share above 0: "0.005" or "0.5%". whole: whether it may be all, 1."""

    name = "share"

    def __init__(self, *, whole: bool = True) -> None:
        self.whole = whole

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Share as a float."""
        number = _number(str(value))
        if number is not None and 0 < number <= 1 and (number < 1 or self.whole):
            return number
        range_ = "above 0 and at most 1" if self.whole else "above 0 and below 1"
        return self.fail(f"{value!r} is not a share {range_}; write it like 0.1 or 10%", param, ctx)


class InputSize(click.ParamType[tuple[int, int, int]]):
    """Size of one image: "224" is (3, 224, 224); else "channels,height,width"."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """(channels, height, width)."""
        if isinstance(value, tuple):
            return value
        try:
            return parse_input_size(str(value))
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class Several(click.ParamType[tuple[Any, ...]]):
    """Values with commas between them: "1,8". each: kind of one of them."""

    name = "list"

    def __init__(self, each: click.ParamType[Any]) -> None:
        self.each = each

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Values as a tuple."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        return tuple(self.each.convert(word, param, ctx) for word in words)


class Multiple(click.ParamType[int | str]):
    """Multiple of widths, or "auto"."""

    name = "multiple"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """A number, or "auto"."""
        if str(value).lower() == AUTO:
            return AUTO
        return click.IntRange(1, 512)(value, param, ctx)


AUTO = "auto"
"""A multiple that is measured."""

MOST = 1_000_000
"""Bytes of a file that holds something small."""

WITH_RESUME = ("resume", "as_json", "quiet", "verbose", "no_color")
"""Options that change what is shown, not what is done."""

SHARE = Share()
PART = Share(whole=False)
INPUT_SIZE = InputSize()
MULTIPLE = Multiple()


def typed_options(*, allowed: Container[str] = ()) -> list[str]:
    """Options of this command that are on the command line, by their first spelling.

    allowed: names of parameters to leave out.
    """
    context = click.get_current_context()
    return [
        param.opts[0]
        for param in context.command.params
        if param.name
        and param.name not in allowed
        and context.get_parameter_source(param.name) is click.core.ParameterSource.COMMANDLINE
    ]


def check_resume_alone(command: str, run: Path) -> None:
    """Refuse options beside --resume. Raises: UsageError."""
    if typed := typed_options(allowed=WITH_RESUME):
        raise UsageError(
            f"--resume goes on with the run's own options; {typed[0]} cannot be given",
            hint=f"leave it out: {command} --resume {run}",
        )


def text_of(what: str, file: BinaryIO) -> str:
    """Text of a small file, or of stdin; no more is read than can be of use. Raises: UsageError.

    what: for the error, such as "the proposal".
    """
    content = file.read(MOST + 1)
    if len(content) > MOST:
        raise UsageError(f"{what} has more than {MOST} bytes", hint="make it shorter")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{what} is no text in UTF-8: byte {error.start + 1} makes no sense",
            hint="write it as UTF-8",
        ) from error


def table_of(option: str, pairs: Iterable[str], *, low: float, high: float) -> dict[str, float]:
    """Numbers by glob, of pairs like "layer4.*=0.5" or "heads=50%". Raises: UsageError.

    low, high: of the numbers; zero is never among them.
    """
    span = f"from {low:g} to {high:g}" if low else f"above 0 and at most {high:g}"
    table = {}
    for pair in pairs:
        glob, equals, text = pair.rpartition("=")
        number = _number(text)
        if not equals or not glob or number is None or not low <= number <= high or number <= 0:
            raise UsageError(
                f"{option} {pair!r} is not of the form GLOB=NUMBER with a number {span}",
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
