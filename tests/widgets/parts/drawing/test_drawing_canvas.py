"""The canvas in the kernel: what the page sends, and clearing it."""

from mnist_widgets.widgets.parts.drawing.drawing_canvas import DrawingCanvas

LINE = [[0.1, 0.2], [0.9, 0.8]]


def send_from_page(canvas, number, *strokes):
    """Write the traits as the page's message does, all in one."""
    with canvas.hold_trait_notifications():
        canvas.drawing_number, canvas.strokes = number, list(strokes)


def test_the_newest_drawing_is_shown_until_it_is_cleared():
    canvas = DrawingCanvas()
    assert canvas.current_strokes == []
    send_from_page(canvas, 1, LINE)
    assert canvas.current_strokes == [LINE]
    canvas.clear()
    assert canvas.current_strokes == []
    send_from_page(canvas, 2, LINE, LINE)
    assert canvas.current_strokes == [LINE, LINE]


def test_what_was_still_on_its_way_when_the_drawing_was_cleared_is_cleared():
    canvas = DrawingCanvas()
    send_from_page(canvas, 1, LINE)
    canvas.clear()
    send_from_page(canvas, 1, LINE, LINE)
    assert canvas.current_strokes == []


def test_clearing_writes_no_trait_of_the_page():
    canvas, changes = DrawingCanvas(), []
    send_from_page(canvas, 1, LINE)
    canvas.observe(lambda change: changes.append(change.name))
    canvas.clear()
    canvas.clear()
    assert changes == ["cleared"]


def test_an_observer_sees_strokes_and_number_together():
    canvas, seen = DrawingCanvas(), []
    canvas.observe(lambda _change: seen.append(canvas.current_strokes), "strokes")
    canvas.set_state({"strokes": [LINE], "drawing_number": 1})
    assert seen == [[LINE]]
