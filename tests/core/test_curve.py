"""Axes of a chart."""

import pytest

from ap_core.report.curve import Point, curve, ticks


def drawn(*places, series=(), y_label=""):
    """Curve through points, each (series, x, y)."""
    points = [Point(series=name, x=x, y=y, label="") for name, x, y in places]
    return curve(points, title="", x_label="", y_label=y_label, series=series)


def labels(*heights):
    wide, _ = drawn(*(("a", i, y) for i, y in enumerate(heights, start=1))).drawings
    return [tick.text for tick in wide.y_ticks]


def test_the_labels_of_a_wide_axis_are_short():
    assert labels(0, 100) == ["0", "20", "40", "60", "80", "100"]


@pytest.mark.parametrize("width", [1e-2, 1e-4, 1e-6])
def test_the_labels_of_a_narrow_axis_differ(width):
    found = labels(92.5, 92.5 + width)
    assert len(set(found)) == len(found)


def test_labels_are_exact():
    assert [float(text) for text in labels(10000, 10001)] == list(ticks(10000, 10001))


def test_numbers_that_differ_by_rounding_alone_are_drawn():
    assert labels(100 * (0.1 + 0.2), 30.0) == labels(30.0, 30.0)


def test_a_series_keeps_its_style_where_others_are_not_drawn():
    every = drawn(("a", 1, 1), ("b", 1, 2))
    some = drawn(("b", 1, 2), series=("a", "b"))
    assert [(line.name, line.style) for line in every.lines] == [("a", 0), ("b", 1)]
    assert [(line.name, line.style) for line in some.lines] == [("b", 1)]


def test_a_drawing_for_phones_shows_the_same_points_within_its_frame():
    wide, narrow = drawn(("a", 1, 10), ("a", 4, 20)).drawings
    assert narrow.frame.width < 360 < wide.frame.width
    for each in (wide, narrow):
        (line,) = each.lines
        assert len(line.dots) == 2
        assert all(each.room.left <= dot.x <= each.room.right for dot in line.dots)
        assert all(each.room.top <= dot.y <= each.room.bottom for dot in line.dots)
        assert 0 < each.room.left < each.room.right < each.frame.width


def test_numbers_that_a_narrow_axis_has_no_room_for_are_left_out():
    wide, narrow = drawn(("a", 0.0012, 1)).drawings
    assert all(tick.text for tick in wide.x_ticks)
    assert 1 < sum(bool(tick.text) for tick in narrow.x_ticks) < len(narrow.x_ticks)
    assert narrow.x_ticks[-1].text


def test_a_long_name_of_an_axis_takes_more_lines_where_there_is_less_room():
    words = "held-out loss of the best within the band, mean over seeds"
    wide, narrow = drawn(("a", 1, 1), y_label=words).drawings
    assert wide.y_label == (words,)
    assert " ".join(narrow.y_label) == words
    assert len(narrow.y_label) == 2
