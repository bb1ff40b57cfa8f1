"""Where the names of points are written."""

from hypothesis import given
from hypothesis import strategies as st

from ap_core.report.labels import Room, placed

ROOM = Room(left=50, right=300, top=20, bottom=200)
PLACES = st.tuples(st.floats(50, 300), st.floats(20, 200))


def test_a_label_stands_under_its_point_to_the_right():
    (label,) = placed([(100, 100)], ["8.48G"], ROOM)
    assert (label.x > 100, label.y > 100, label.anchor) == (True, True, "start")


def test_at_the_right_end_it_stands_to_the_left():
    (label,) = placed([(298, 100)], ["8.48G"], ROOM)
    assert (label.x < 298, label.anchor) == (True, "end")


def test_at_the_bottom_it_stands_over_its_point():
    (label,) = placed([(100, 198)], ["8.48G"], ROOM)
    assert label.y < 198


def test_a_point_without_a_text_has_no_label():
    assert placed([(100, 100)], [""], ROOM) == [None]


def test_points_on_each_other_are_named_once():
    first, second = placed([(100, 100), (101, 100)], ["whole", "whole"], ROOM)
    assert first is not None
    assert second is None


def test_where_there_is_no_room_nothing_is_written():
    crowd = [(x, y) for x in range(50, 301, 10) for y in range(20, 201, 10)]
    assert placed([(100, 100), *crowd], ["8.48G", *[""] * len(crowd)], ROOM)[0] is None


@given(st.lists(st.tuples(PLACES, st.text("8.4GM", max_size=9)), max_size=12))
def test_labels_are_neither_over_each_other_nor_over_points(given):
    points, texts = [place for place, _ in given], [text for _, text in given]
    pairs = zip(placed(points, texts, ROOM), texts, strict=True)
    rooms = [label.room(text) for label, text in pairs if label]
    for number, room in enumerate(rooms):
        assert not any(room.meets(each) for each in rooms[:number])
        assert not any(room.left < x < room.right and room.top < y < room.bottom for x, y in points)
