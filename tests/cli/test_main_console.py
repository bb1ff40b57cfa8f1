"""The console: what goes where, on a terminal and elsewhere."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ap_core.console import Console, bars, printable


class Terminal(io.StringIO):
    def isatty(self):
        return True


def console_on(stream_type=io.StringIO, *, columns=80, **environment):
    return Console.from_environment(
        environment, out=stream_type(), err=stream_type(), columns=columns
    )


def seen(console):
    return console.out.getvalue(), console.err.getvalue()


def without_color(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_results_go_to_stdout_and_everything_else_to_stderr():
    console = console_on()
    console.result("42")
    console.note("measuring")
    console.warn("odd", hint="mend it")
    console.error("broken")
    assert seen(console) == ("42\n", "measuring\nwarning: odd\nhint: mend it\nerror: broken\n")


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(-1, "warning: w\n"), (0, "warning: w\nn\n"), (1, "warning: w\nn\nd\n")],
)
def test_verbosity_decides_on_notes_but_not_on_warnings(verbosity, expected):
    console = Console(out=io.StringIO(), err=io.StringIO(), verbosity=verbosity)
    console.warn("w")
    console.note("n")
    console.detail("d")
    assert console.err.getvalue() == expected


def test_json_is_one_document():
    console = console_on()
    console.json({"schema": 1, "name": "é"})
    assert json.loads(console.out.getvalue()) == {"schema": 1, "name": "é"}


def test_json_never_holds_a_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        console_on().json({"loss": float("nan")})


def test_a_plain_table_is_aligned_numbers_to_the_right():
    console = console_on()
    console.table(
        ("layer", "MACs", "share"), [("conv1", 1234567, 0.25), ("fc", 8, None)], title="costs"
    )
    assert console.out.getvalue() == (
        "costs\n"
        "layer       MACs  share\n"
        "conv1  1,234,567   0.25\n"
        "fc             8      -\n"
    )  # fmt: skip


def test_a_table_without_rows_shows_its_columns():
    console = console_on()
    console.table(("model", "adapter"), [])
    assert console.out.getvalue() == "model  adapter\n"


def test_a_table_on_a_terminal_holds_the_same_cells():
    console = console_on(Terminal, COLUMNS="60")
    console.table(("layer", "MACs"), [("[bold]conv1[/bold]", 1234)], title="costs [red]")
    shown = without_color(console.out.getvalue())
    assert "[bold]conv1[/bold]" in shown
    assert "costs [red]" in shown
    assert "1,234" in shown
    assert max(map(len, shown.splitlines())) <= 60


def terminal_table(width, **settings):
    """Lines of a wide table on a terminal."""
    console = console_on(Terminal, COLUMNS=str(width))
    columns = ("run", "MACs", "params", "status")
    path = "runs/resnet50-with-a-long-name-that-folds"
    console.table(columns, [(path, 1_229_376, 196_482, "done, training interrupted")], **settings)
    return [line.rstrip() for line in without_color(console.out.getvalue()).splitlines()]


def test_a_narrow_terminal_folds_long_texts_but_no_number_and_no_word():
    head, _, first, second, *_ = terminal_table(60)
    assert first.split()[1:] == ["1,229,376", "196,482", "done,", "training"]
    assert second.split()[-1] == "interrupted"
    assert max(map(len, (head, first, second))) <= 60


def test_a_narrow_terminal_is_not_shown_spare_columns():
    assert terminal_table(52, spare=("params", "MACs"))[0].split() == ["run", "MACs", "status"]
    assert terminal_table(45, spare=("params", "MACs"))[0].split() == ["run", "status"]


def test_a_wide_terminal_is_shown_every_column():
    head, _, row = terminal_table(100, spare=("params", "MACs"))
    assert head.split() == ["run", "MACs", "params", "status"]
    assert "runs/resnet50-with-a-long-name-that-folds" in row


def test_no_number_is_cut_off_where_there_is_no_room_at_all():
    _, _, first, *_ = terminal_table(20)
    assert first.split()[1:3] == ["1,229,376", "196,482"]


def test_no_color_is_heeded():
    plain, colored = console_on(Terminal, NO_COLOR="1"), console_on(Terminal)
    for console in (plain, colored):
        console.warn("odd")
    assert plain.err.getvalue() == "warning: odd\n"
    assert colored.err.getvalue() == "\x1b[33;1mwarning:\x1b[0m odd\n"


def test_an_empty_no_color_is_none():
    assert console_on(Terminal, NO_COLOR="").color


def test_a_dumb_terminal_gets_plain_text():
    console = console_on(Terminal, TERM="dumb")
    console.table(("a",), [("b",)])
    console.warn("odd")
    assert seen(console) == ("a\nb\n", "warning: odd\n")


@pytest.mark.parametrize(("given", "width"), [("120", 120), ("", 80), ("0", 80), ("wide", 80)])
def test_columns_is_heeded_where_it_is_a_number(given, width):
    assert console_on(COLUMNS=given).width == width


def test_progress_elsewhere_is_one_line_at_the_end():
    console = console_on()
    with console.progress(3, "scoring") as advance:
        advance(1)
        advance(2)
        assert console.err.getvalue() == ""
    assert re.fullmatch(r"scoring: 3/3, \d+\.\d s\n", console.err.getvalue())
    assert console.out.getvalue() == ""


def test_progress_of_unknown_length_says_how_long_it_took():
    console = console_on()
    with console.progress(None, "tracing"):
        pass
    assert re.fullmatch(r"tracing: \d+\.\d s\n", console.err.getvalue())


def test_progress_on_a_terminal_draws_on_stderr_only():
    console = console_on(Terminal)
    with console.progress(2, "scoring [x]") as advance:
        advance(2)
    assert "scoring [x]" in without_color(console.err.getvalue())
    assert console.out.getvalue() == ""


def test_progress_is_silent_where_quiet():
    console = Console(out=io.StringIO(), err=io.StringIO(), verbosity=-1)
    with console.progress(2, "scoring") as advance:
        advance(2)
    assert seen(console) == ("", "")


def test_a_stage_that_fails_is_not_said_to_be_done():
    console = console_on()
    with pytest.raises(KeyError), console.progress(2, "scoring"):
        raise KeyError
    assert console.err.getvalue() == ""


def test_foreign_text_cannot_steer_the_terminal():
    console = console_on()
    console.warn("\x1b[2Jgone\r")
    assert console.err.getvalue() == "warning: \\x1b[2Jgone\\r\n"


def test_text_that_the_stream_cannot_encode_is_spelt_out():
    raw = io.BytesIO()
    console = Console(out=io.TextIOWrapper(raw, encoding="ascii"), err=io.StringIO())
    console.result("café")
    console.picture([("stage", 1.0)])
    first, picture = raw.getvalue().decode("ascii").splitlines()
    assert first == "caf\\xe9"
    assert picture == f"stage  {'#' * 40}  100.0%"


def test_a_picture_shows_shares_as_bars():
    console = console_on()
    console.picture([("layer1", 0.5), ("fc", 0.25)], title="where the MACs are")
    assert console.out.getvalue().splitlines() == [
        "where the MACs are",
        f"layer1  {'█' * 40}   50.0%",
        f"fc      {'█' * 20}{' ' * 20}   25.0%",
    ]


def test_nothing_to_picture_is_no_picture():
    assert bars([], width=80) == []
    assert bars([("a", 0.0)], width=80) == [f"a  {' ' * 40}    0.0%"]


@given(
    st.lists(st.tuples(st.text(max_size=20), st.floats(0, 1)), min_size=1, max_size=9),
    st.integers(40, 200),
    st.booleans(),
)
def test_bars_are_equally_long_lines_with_ends_that_agree(shares, width, blocks):
    lines = bars(shares, width=width, blocks=blocks)
    assert len(lines) == len(shares)
    assert len({len(line) for line in lines if "\n" not in line and "\t" not in line}) <= 1


@given(st.text())
def test_printable_text_holds_no_control_characters(text):
    assert all(c.isprintable() or c in "\n\t" for c in printable(text))
