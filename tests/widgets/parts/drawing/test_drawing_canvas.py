"""The canvas in the kernel: what the page sends, and what it adds to the set."""

import pytest

from mnist_widgets.widgets.parts.drawing.drawing_canvas import DrawingCanvas

LINE = [[0.1, 0.2], [0.9, 0.8]]


@pytest.fixture
def added():
    return []


@pytest.fixture
def canvas(added):
    return DrawingCanvas("0123456789", lambda strokes, label: added.append((strokes, label)))


def send_state(canvas, number, *strokes):
    """Write the traits as the page's message does, all in one."""
    canvas.set_state({"strokes": list(strokes), "drawing_number": number})


def send_addition(canvas, number, label, *strokes):
    content = {"drawing_number": number, "strokes": list(strokes), "label": label}
    message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
    canvas._handle_msg(message)


def test_the_newest_drawing_is_shown_until_it_is_added(canvas, added):
    assert canvas.current_strokes == []
    send_state(canvas, 1, LINE)
    assert canvas.current_strokes == [LINE]
    send_addition(canvas, 1, 4, LINE)
    assert canvas.current_strokes == []
    assert added == [([LINE], 4)]
    send_state(canvas, 2, LINE, LINE)
    assert canvas.current_strokes == [LINE, LINE]


def test_an_addition_that_overtakes_the_newest_strokes_has_them(canvas, added):
    send_state(canvas, 1, LINE)
    send_addition(canvas, 1, 4, LINE, LINE)
    send_state(canvas, 1, LINE, LINE)  # still on its way at the addition
    assert canvas.current_strokes == []
    assert added == [([LINE, LINE], 4)]


def test_additions_that_overtake_all_strokes_are_all_kept(canvas, added):
    for number in (1, 2, 3):
        send_addition(canvas, number, number, LINE)
    assert added == [([LINE], 1), ([LINE], 2), ([LINE], 3)]
    send_state(canvas, 4, LINE)
    assert canvas.current_strokes == [LINE]


def test_an_addition_that_comes_after_a_newer_one_is_kept_too(canvas, added):
    for number in (2, 1, 2, 1):  # each twice, as from two pages
        send_addition(canvas, number, number, LINE)
    assert added == [([LINE], 2), ([LINE], 1)]
    assert canvas.last_added == 2


def test_an_addition_writes_no_trait_of_the_page(canvas):
    changes = []
    send_state(canvas, 1, LINE)
    canvas.observe(lambda change: changes.append(change.name))
    for _ in range(2):
        send_addition(canvas, 1, 4, LINE)
    assert sorted(changes) == ["current_strokes", "last_added"]


def test_an_observer_sees_strokes_and_number_together(canvas):
    seen = []
    canvas.observe(lambda _change: seen.append(canvas.current_strokes), "strokes")
    send_state(canvas, 1, LINE)
    assert seen == [[LINE]]
