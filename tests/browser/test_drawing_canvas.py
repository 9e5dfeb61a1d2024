"""The drawing canvas in a page: mouse, touch, clicks and keys, several views, layout."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from axe import find_violations
from layout import WAIT_FOR_FRAMES, find_lasting_faults, set_window_size
from playwright.sync_api import expect

PANEL = ".mw-test-panel"
SETUP = """
from ipywidgets import VBox
from mnist_widgets.widgets.parts.drawing.drawing_canvas import DrawingCanvas
from mnist_widgets.widgets.theme import style_sheet
def show(canvas):
    panel = VBox([style_sheet(), canvas])
    panel.add_class("mw-panel").add_class("mw-test-panel")
    return panel
added = []
canvas = DrawingCanvas("0123456789", lambda strokes, label: added.append([strokes, label]))
other = DrawingCanvas("0123456789", print)
"""
CELLS = [SETUP, "show(canvas)"]
ADDED_ELSEWHERE = (
    "canvas.last_added = canvas.drawing_number"  # as after the message of another page
)

# The share of bright pixels, in a square around a point of the canvas.
BRIGHT_SHARE = """([canvas, x, y, radius]) => {
    const size = canvas.width, around = Math.max(1, Math.round(radius * size));
    const data = canvas.getContext('2d').getImageData(
        Math.round(x * size) - around, Math.round(y * size) - around, 2 * around, 2 * around).data;
    let bright = 0;
    for (let at = 0; at < data.length; at += 4) bright += data[at] > 200;
    return bright / (data.length / 4);
}"""
# Whether a vertical line in the middle has a radius, in pixels of a 28 x 28 image.
HAS_RADIUS = """([canvas, radius]) => {
    const size = canvas.width;
    const brightness = x => canvas.getContext('2d').getImageData(
        Math.round(x * size), Math.round(size / 2), 1, 1).data[0];
    return brightness(0.5 + (radius - 0.15) / 28) > 200
        && brightness(0.5 + (radius + 0.15) / 28) < 50;
}"""
# Events that a browser groups when they come faster than its frames.
SEND_COALESCED = """([canvas, points]) => {
    const {left, top, width, height} = canvas.getBoundingClientRect();
    const events = points.map(([x, y]) => new PointerEvent('pointermove', {
        pointerId: 1, clientX: left + x * width, clientY: top + y * height}));
    const last = events.at(-1);
    canvas.dispatchEvent(new PointerEvent('pointermove', {
        pointerId: 1, clientX: last.clientX, clientY: last.clientY, coalescedEvents: events}));
}"""
# How often the text changes.
COUNT_CHANGES = """element => {
    let number = 0;
    new MutationObserver(() => (element.dataset.changes = ++number))
        .observe(element, {childList: true, characterData: true, subtree: true});
}"""


class Canvas:
    """A canvas of the notebook, and its controls."""

    def __init__(self, lab, name="canvas", index=0) -> None:
        self.lab = lab
        self.page = lab.page
        self.name = name
        self.root = lab.page.locator(".mw-canvas").nth(index)
        self.area = self.root.locator("canvas")
        self.words = self.root.get_by_role("status")
        self.clicks = self.root.get_by_label("Draw with clicks")
        self.label = self.root.get_by_label("Label", exact=True)

    def button(self, name):
        return self.root.get_by_role("button", name=name)

    def to_window(self, point):
        box = self.area.bounding_box()
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    def draw(self, *points) -> None:
        self.area.scroll_into_view_if_needed()
        self.page.mouse.move(*self.to_window(points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.to_window(point))
        self.page.mouse.up()

    def click(self, point) -> None:
        self.area.scroll_into_view_if_needed()
        self.page.mouse.click(*self.to_window(point))

    def expect_count(self, count) -> None:
        """Wait until the kernel knows this number of strokes with all points of the page."""
        self.expect_shown(count)
        self.page.evaluate(WAIT_FOR_FRAMES)  # the page writes its count when it draws
        strokes = f"{self.name}.current_strokes"
        expression = f"len({strokes}), sum(map(len, {strokes}))"
        self.lab.expect_in_kernel(expression, f"{count} {self.area.get_attribute('data-points')}")

    def strokes(self):
        code = f"import json; print(json.dumps({self.name}.current_strokes))"
        return json.loads(self.lab.run_cell(code))

    def expect_shown(self, count) -> None:
        """Wait until the page shows this number of strokes."""
        number = "Nothing is" if count == 0 else f"{count} strokes? (is|are)"
        name = re.compile(f"Drawing area. {number} drawn")
        expect(self.area).to_have_accessible_name(name)

    def bright_share(self, x, y, radius=0.01):
        return self.area.evaluate(
            f"(canvas, at) => ({BRIGHT_SHARE})([canvas, ...at])", [x, y, radius]
        )


@pytest.fixture
def canvas(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    canvas = Canvas(lab)
    canvas.expect_shown(0)
    return canvas


@pytest.mark.both_front_ends
def test_a_fast_mouse_stroke_has_no_gaps(canvas):
    start, end = (0.2, 0.1), (0.8, 0.9)
    canvas.draw(start, end)  # two events
    canvas.expect_count(1)
    (stroke,) = canvas.strokes()
    assert stroke[0] == pytest.approx(start, abs=0.01)
    assert stroke[-1] == pytest.approx(end, abs=0.01)
    canvas.expect_shown(1)
    for step in range(21):
        share = step / 20
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        assert canvas.bright_share(x, y) > 0.9, share
    assert canvas.bright_share(0.8, 0.1) == 0


def test_events_that_come_together_are_all_used(canvas):
    canvas.area.scroll_into_view_if_needed()
    canvas.page.mouse.move(*canvas.to_window((0.1, 0.5)))
    canvas.page.mouse.down()
    zigzag = [[0.1 + 0.05 * step, 0.3 + 0.4 * (step % 2)] for step in range(1, 15)]
    canvas.area.evaluate(f"(canvas, points) => ({SEND_COALESCED})([canvas, points])", zigzag)
    canvas.page.mouse.up()
    canvas.expect_count(1)
    (stroke,) = canvas.strokes()
    for point in zigzag:
        assert any(found == pytest.approx(point, abs=0.001) for found in stroke), point


def test_the_kernel_receives_the_stroke_while_the_mouse_is_down(canvas):
    canvas.area.scroll_into_view_if_needed()
    canvas.page.mouse.move(*canvas.to_window((0.2, 0.2)))
    canvas.page.mouse.down()
    canvas.page.mouse.move(*canvas.to_window((0.2, 0.8)))
    canvas.lab.expect_in_kernel("len(canvas.current_strokes[0])", "2")
    canvas.page.mouse.move(*canvas.to_window((1.5, 0.8)))  # outside
    canvas.page.mouse.up()
    canvas.expect_count(1)
    assert canvas.strokes()[0][-1] == [1, pytest.approx(0.8, abs=0.01)]


def test_a_finger_draws_and_neither_scrolls_nor_is_disturbed_by_a_second_one(lab):
    lab.open_notebook([*CELLS, *["print('line\\n' * 30)"] * 3])
    lab.run_all()
    canvas = Canvas(lab)
    canvas.area.scroll_into_view_if_needed()
    before = canvas.area.bounding_box()
    client = lab.page.context.new_cdp_session(lab.page)

    def touch(kind, *fingers):
        points = [
            dict(zip(("x", "y"), canvas.to_window(point), strict=True), id=finger)
            for finger, point in enumerate(fingers)
        ]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.5, 0.9))
    touch("touchMove", (0.5, 0.6))
    touch("touchStart", (0.5, 0.6), (0.1, 0.1))
    touch("touchMove", (0.5, 0.3), (0.9, 0.1))
    touch("touchMove", (0.5, 0.1), (0.9, 0.2))
    touch("touchEnd")
    canvas.expect_count(1)
    (stroke,) = canvas.strokes()
    assert all(x == pytest.approx(0.5, abs=0.01) for x, _y in stroke)
    assert all(below[1] > above[1] for below, above in pairwise(stroke))
    assert stroke[-1][1] == pytest.approx(0.1, abs=0.01)
    assert canvas.area.bounding_box() == before
    touch("touchStart", (0.2, 0.2))
    touch("touchMove", (0.2, 0.4))
    touch("touchCancel")
    canvas.expect_count(2)
    client.detach()


@pytest.mark.both_front_ends
def test_a_drawing_is_made_with_keys_alone(canvas):
    keyboard = canvas.page.keyboard
    canvas.area.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowUp"):
        keyboard.press(key)
    expect(canvas.words).to_have_text("row 2, column 5, pen up")
    expect(canvas.area).to_be_focused()
    keyboard.press("Space")
    expect(canvas.words).to_contain_text("Stroke 1 begun at row 2, column 5")
    for _ in range(6):
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(canvas.words).to_contain_text("row 8, column 5")
    canvas.expect_shown(1)
    assert canvas.bright_share(0.5, 0.5) > 0.9
    keyboard.press("Escape")
    keyboard.press("ArrowLeft")
    keyboard.press("Space")
    canvas.expect_count(2)
    assert canvas.strokes() == [[[0.5, 0.2], [0.5, 0.8]], [[0.4, 0.8]]]
    keyboard.press("Control+z")
    canvas.expect_count(1)
    expect(canvas.area).to_be_focused()
    keyboard.press("Tab")
    expect(canvas.button("Undo")).to_be_focused()
    keyboard.press("Enter")
    canvas.expect_count(0)


def test_single_clicks_draw_lines_from_point_to_point(canvas):
    canvas.clicks.check()
    for point in ((0.22, 0.19), (0.79, 0.21), (0.4, 0.78)):
        canvas.click(point)
    canvas.click((0.41, 0.81))  # the last point again
    canvas.click((0.3, 0.5))
    canvas.expect_count(2)
    assert canvas.strokes() == [[[0.2, 0.2], [0.8, 0.2], [0.4, 0.8]], [[0.3, 0.5]]]
    canvas.clicks.uncheck()
    canvas.click((0.8, 0.8))
    canvas.expect_count(3)
    canvas.expect_shown(3)
    assert canvas.bright_share(0.8, 0.8, radius=0.02) > 0.9  # a dot


def test_undo_and_clear_take_back(canvas):
    canvas.draw((0.2, 0.2), (0.2, 0.8))
    canvas.draw((0.8, 0.2), (0.8, 0.8))
    canvas.expect_count(2)
    canvas.button("Undo").click()
    canvas.expect_count(1)
    canvas.expect_shown(1)
    assert canvas.bright_share(0.2, 0.5) > 0.9
    assert canvas.bright_share(0.8, 0.5) == 0
    canvas.button("Clear").click()
    canvas.expect_count(0)
    canvas.expect_shown(0)
    canvas.button("Undo").click()
    canvas.expect_count(1)
    canvas.lab.run_cell(ADDED_ELSEWHERE)
    canvas.expect_shown(0)
    canvas.button("Undo").click()
    expect(canvas.words).to_have_text("There is nothing to undo.")
    canvas.draw((0.2, 0.2), (0.2, 0.8))
    canvas.expect_count(1)


def test_a_canvas_that_is_loaded_again_after_an_addition_is_empty_and_keeps_the_label(canvas):
    canvas.draw((0.5, 0.1), (0.5, 0.9))
    canvas.label.select_option("4")
    canvas.button("Add to my set").click()
    canvas.expect_shown(0)
    canvas.lab.expect_in_kernel("len(added), canvas.label", "1 4")
    canvas.lab.save()
    canvas.page.reload()
    canvas.expect_shown(0)
    expect(canvas.label).to_have_value("4")
    canvas.lab.wait_until_idle()
    canvas.draw((0.1, 0.5), (0.9, 0.5))
    canvas.button("Add to my set").click()
    canvas.lab.expect_in_kernel("[label for _strokes, label in added]", "[4, 4]")


def test_a_refusal_is_read_again_each_time_and_goes_when_it_is_mended(canvas):
    canvas.words.evaluate(COUNT_CHANGES)
    for number in (1, 2, 3):
        canvas.button("Add to my set").click()
        expect(canvas.words).to_contain_text("Nothing is drawn")
        expect(canvas.words).to_have_attribute("data-changes", str(number))
    expect(canvas.words).to_have_class(re.compile("mw-alert"))
    canvas.draw((0.5, 0.1), (0.5, 0.9))
    expect(canvas.words).not_to_have_class(re.compile("mw-alert"))
    canvas.button("Add to my set").click()
    expect(canvas.words).to_contain_text("Choose the label")
    canvas.label.select_option("1")
    expect(canvas.words).to_have_text("")
    canvas.expect_count(1)


def test_an_addition_in_another_page_ends_the_stroke_that_is_being_drawn(canvas):
    canvas.area.scroll_into_view_if_needed()
    canvas.page.mouse.move(*canvas.to_window((0.2, 0.2)))
    canvas.page.mouse.down()
    canvas.page.mouse.move(*canvas.to_window((0.2, 0.8)))
    canvas.lab.expect_in_kernel("len(canvas.current_strokes[0])", "2")
    canvas.lab.run_cell(ADDED_ELSEWHERE)
    canvas.expect_shown(0)
    canvas.page.mouse.move(*canvas.to_window((0.8, 0.8)))
    canvas.page.mouse.up()
    canvas.expect_count(0)
    canvas.expect_shown(0)


def test_a_full_drawing_says_so(canvas):
    canvas.lab.run_cell("canvas.max_points = 3")
    canvas.draw((0.1, 0.1), (0.3, 0.3), (0.5, 0.3), (0.7, 0.7), (0.9, 0.9))
    expect(canvas.words).to_contain_text("3 points")
    canvas.expect_count(1)
    assert len(canvas.strokes()[0]) == 3


def test_the_pen_is_shown_to_scale(canvas):
    canvas.draw((0.5, 0.1), (0.5, 0.9))
    canvas.expect_shown(1)
    slider = canvas.root.get_by_role("slider", name="Pen")
    for key, radius in (("Home", 0.9), ("End", 1.8)):
        slider.press(key)
        canvas.lab.expect_in_kernel("canvas.pen", str(radius))
        expect(slider).to_be_focused()
        canvas.page.wait_for_function(
            HAS_RADIUS,
            arg=[canvas.area.element_handle(), radius],
        )


def test_dense_screens_get_more_pixels_and_the_same_points(canvas):
    client = canvas.page.context.new_cdp_session(canvas.page)
    window = canvas.page.viewport_size
    canvas.draw((0.2, 0.5), (0.8, 0.5))
    canvas.expect_count(1)
    before, width_px = canvas.strokes()[0], canvas.area.evaluate("canvas => canvas.width")
    metrics = {**window, "deviceScaleFactor": 2, "mobile": False}
    client.send("Emulation.setDeviceMetricsOverride", metrics)
    canvas.draw((0.2, 0.5), (0.8, 0.5))  # the emulated screen sends no event of its own
    canvas.page.wait_for_function(
        "([canvas, width]) => canvas.width === width",
        arg=[canvas.area.element_handle(), 2 * width_px],
    )
    assert canvas.bright_share(0.5, 0.5) > 0.9
    canvas.expect_count(2)
    assert canvas.strokes()[1] == before
    client.detach()  # which ends Playwright's emulation of the window, too
    set_window_size(canvas.page, window["width"] - 1, window["height"])  # it sends new sizes only


def test_all_views_show_one_drawing_and_two_canvases_two(lab):
    lab.open_notebook([*CELLS, "show(canvas)", "show(other)"])
    lab.run_all()
    first, second = Canvas(lab), Canvas(lab, index=1)
    other = Canvas(lab, "other", index=2)
    first.draw((0.2, 0.2), (0.2, 0.8))
    second.draw((0.8, 0.2), (0.8, 0.8))
    other.draw((0.5, 0.5), (0.7, 0.5))
    first.expect_count(2)
    other.expect_count(1)
    for view in (first, second):
        view.expect_shown(2)
        assert view.bright_share(0.2, 0.5) > 0.9
        assert view.bright_share(0.8, 0.5) > 0.9
    other.expect_shown(1)
    first.button("Undo").click()
    second.expect_shown(1)
    other.expect_shown(1)


def test_the_drawing_is_there_when_the_page_is_loaded_again(canvas):
    canvas.draw((0.2, 0.2), (0.2, 0.8))
    canvas.expect_count(1)
    canvas.lab.save()
    canvas.page.reload()
    canvas.expect_shown(1)
    assert canvas.bright_share(0.2, 0.5) > 0.9
    canvas.lab.wait_until_idle()
    canvas.draw((0.6, 0.2), (0.6, 0.8))
    canvas.expect_count(2)


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_overlaps_or_is_hard_to_reach(canvas, dark):
    canvas.lab.set_theme(dark=dark)
    canvas.draw((0.3, 0.2), (0.7, 0.2), (0.4, 0.8))
    found = []
    for width_px in (1440, 480, 320):
        set_window_size(canvas.page, width_px, 900)
        for is_clicking in (False, True):
            canvas.clicks.set_checked(is_clicking)
            faults = find_lasting_faults(canvas.page, PANEL)
            found += [f"{width_px} px, clicks {is_clicking}: {fault}" for fault in faults]
            found += find_violations(canvas.page, PANEL)
        canvas.area.focus()
        canvas.page.keyboard.press("ArrowUp")
        canvas.page.keyboard.press("Space")
        canvas.lab.screenshot(f"drawing-canvas-{'dark' if dark else 'light'}-{width_px}")
        canvas.page.keyboard.press("Control+z")
        for control in canvas.root.locator(
            "canvas, button, select, input[type=range], label"
        ).all():
            box = control.bounding_box()
            assert box["width"] >= 24, control.inner_text()
            assert box["height"] >= 24, control.inner_text()
    assert not found, "\n".join(found)
