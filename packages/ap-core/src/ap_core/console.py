"""The console: the only place that prints. Results go to stdout, everything else to stderr."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, TextIO

EIGHTHS = " ▏▎▍▌▋▊▉█"
DEFAULT_WIDTH = 80
UNFOLDED = 18
"""Longest text that a table never folds; what is longer gets at least as much room."""
GAP = 2
"""Blanks between two columns."""

Cell = str | int | float | None
"""What a table shows; None is shown as a dash."""

Advance = Callable[[int], None]
"""Says that so many more steps are done."""


@dataclass(frozen=True, kw_only=True)
class Console:
    """Where a command shows what it found; passed around, never global.

    verbosity: -1 quiet (result, warnings and errors only), 0, 1 verbose.
    rich: whether stdout, or stderr, is a terminal that tables and progress bars can be drawn on.
    width: columns of the terminal; plain tables are as wide as they need to be.
    """

    out: TextIO
    err: TextIO
    verbosity: int = 0
    rich_out: bool = False
    rich_err: bool = False
    color: bool = False
    width: int = DEFAULT_WIDTH

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, out: TextIO, err: TextIO, columns: int
    ) -> Self:
        """Console for these streams; heeds NO_COLOR, TERM and COLUMNS.

        columns: width of the terminal where COLUMNS does not say.
        """
        capable = environment.get("TERM", "") != "dumb"
        given = environment.get("COLUMNS", "")
        return cls(
            out=out,
            err=err,
            rich_out=capable and out.isatty(),
            rich_err=capable and err.isatty(),
            color=not environment.get("NO_COLOR"),
            width=int(given) if given.isdecimal() and int(given) > 0 else columns,
        )

    def result(self, text: str) -> None:
        """Show one paragraph of the result."""
        _write(self.out, printable(text))

    def json(self, document: object) -> None:
        """Show the result as one JSON document. Raises: ValueError for NaN and infinities."""
        _write(self.out, json.dumps(document, indent=2, allow_nan=False))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        *,
        title: str = "",
        spare: Sequence[str] = (),
    ) -> None:
        """Show a table of the result; numbers are right-aligned.

        spare: columns that a terminal with too little room is not shown, the first of them first.
        """
        cells = [[_text(cell) for cell in row] for row in rows]
        numeric = [
            bool(rows) and all(isinstance(row[i], int | float | None) for row in rows)
            for i in range(len(columns))
        ]
        if self.rich_out:
            self._rich_table(columns, cells, numeric, title, spare)
            return
        if title:
            _write(self.out, printable(title))
        for line in _aligned([list(columns), *cells], numeric):
            _write(self.out, line)

    def picture(self, shares: Sequence[tuple[str, float]], *, title: str = "") -> None:
        """Show shares (0 to 1) as horizontal bars, the result's picture."""
        if title:
            _write(self.out, printable(title))
        for line in bars(shares, width=self.width, blocks=_can_encode(self.out, EIGHTHS)):
            _write(self.out, line)

    def note(self, text: str) -> None:
        """Say what happens, unless quiet."""
        if self.verbosity >= 0:
            _write(self.err, printable(text))

    def detail(self, text: str) -> None:
        """Say what only the curious want to know: where verbose."""
        if self.verbosity >= 1:
            _write(self.err, printable(text))

    def warn(self, text: str, *, hint: str = "") -> None:
        """Warn, quiet or not."""
        self._alarm("warning", text, hint, "33;1")

    def error(self, text: str, *, hint: str = "") -> None:
        """Say why the command failed, and what to do about it."""
        self._alarm("error", text, hint, "31;1")

    @contextmanager
    def progress(self, total: int | None, description: str, *, unit: str = "") -> Iterator[Advance]:
        """Show how far a stage is; yields the function that says how many more steps are done.

        total: steps, None where nobody knows. unit: of the steps, where their speed and the time
        that is left are worth telling. Without a terminal, one line at the end.
        """
        if self.verbosity < 0:
            yield lambda _steps: None
            return
        if self.rich_err:
            with self._rich_progress(total, description, unit) as advance:
                yield advance
            return
        done = 0
        start = time.monotonic()

        def advance_plainly(steps: int) -> None:
            nonlocal done
            done += steps

        yield advance_plainly
        seconds = time.monotonic() - start
        counted = f"{done}/{total}, " if total else ""
        speed = f", {done / seconds:.0f} {unit}/s" if unit and seconds else ""
        self.note(f"{description}: {counted}{seconds:.1f} s{speed}")

    def _alarm(self, word: str, text: str, hint: str, style: str) -> None:
        lead = f"\x1b[{style}m{word}:\x1b[0m" if self.rich_err and self.color else f"{word}:"
        _write(self.err, f"{lead} {printable(text)}")
        if hint:
            _write(self.err, f"hint: {printable(hint)}")

    def _rich_table(
        self,
        columns: Sequence[str],
        cells: Sequence[Sequence[str]],
        numeric: Sequence[bool],
        title: str,
        spare: Sequence[str],
    ) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        lengths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        shown, least = _with_room(columns, lengths, spare, self.width)
        table = Table(
            box=SIMPLE_HEAD,
            title=Text(printable(title)) if title else None,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
        )
        for i in shown:
            table.add_column(
                Text(printable(columns[i])),
                justify="right" if numeric[i] else "left",
                overflow="fold",
                no_wrap=lengths[i] <= UNFOLDED,
            )
        for row in cells:
            table.add_row(*(Text(row[i]) for i in shown))
        # Where even that has no room, the terminal breaks lines: no figure is cut off.
        RichConsole(
            file=self.out,
            no_color=not self.color,
            width=max(self.width, least),
            force_terminal=True,
        ).print(table)

    @contextmanager
    def _rich_progress(self, total: int | None, description: str, unit: str) -> Iterator[Advance]:
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class SpeedColumn(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "")

        target = RichConsole(
            file=self.err, no_color=not self.color, width=self.width, force_terminal=True
        )
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            *((SpeedColumn(), TimeRemainingColumn()) if unit else ()),
        )
        with Progress(*columns, console=target, transient=True) as shown:
            task = shown.add_task(printable(description), total=total)
            yield lambda steps: shown.advance(task, steps)


def bars(shares: Sequence[tuple[str, float]], *, width: int, blocks: bool = True) -> list[str]:
    """One line per share: name, bar, per cent; the widest bar is the largest share.

    blocks: eighths of unicode blocks, else number signs.
    """
    if not shares:
        return []
    names = [printable(name) for name, _ in shares]
    room = max(10, min(40, width - max(map(len, names)) - 11))
    largest = max(max(share for _, share in shares), 1e-12)
    lines = []
    for name, (_, share) in zip(names, shares, strict=True):
        length = room * share / largest
        bar = _blocks(length) if blocks else "#" * round(length)
        lines.append(f"{name:<{max(map(len, names))}}  {bar:<{room}}  {share:6.1%}")
    return lines


def printable(text: str) -> str:
    """Same text with control characters spelt out, so that foreign text cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _blocks(length: float) -> str:
    whole, eighths = divmod(round(length * 8), 8)
    return EIGHTHS[-1] * whole + (EIGHTHS[eighths] if eighths else "")


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case bool() | str():
            return printable(str(cell))
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.4g}"


def _with_room(
    columns: Sequence[str], lengths: Sequence[int], spare: Sequence[str], width: int
) -> tuple[list[int], int]:
    """Columns to show, by number, and the least width that they need.

    lengths: of the longest text of every column.
    """
    shown = list(range(len(columns)))

    def least() -> int:
        return sum(min(lengths[i], UNFOLDED) + GAP for i in shown) - GAP

    for name in spare:
        if least() <= width:
            break
        shown.remove(columns.index(name))
    return shown, least()


def _aligned(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(numeric))]
    for row in rows:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        yield (" " * GAP).join(cells).rstrip()


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    stream.write(f"{safe}\n")
    stream.flush()
