"""Axes of a chart."""

import pytest

from ap_core.report.curve import Point, curve, ticks


def labels(*heights):
    points = [Point(series="a", x=i, y=y, label="") for i, y in enumerate(heights, start=1)]
    return [tick.text for tick in curve(points, title="", x_label="", y_label="").y_ticks]


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
