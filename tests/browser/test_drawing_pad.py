"""The drawing pad in a page: draw, read, add, save, load; while training; layout and access."""

from __future__ import annotations

import json
import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import read_drawings, save_drawings

PAD = ".mw-drawing-pad"
SETUP = """
import torch
from mnist_widgets import RunConfig, TrainingSession, load_bundled_digits
from mnist_widgets.widgets import DrawingPad
torch.manual_seed(0)
config = RunConfig(batch_size=32, hidden_units=64)
session = TrainingSession(config.build(*load_bundled_digits()))
session.start(3)
session.join()
pad = DrawingPad(session)
"""
CELLS = [SETUP, "pad"]
FLUSH = """
from mnist_widgets.widgets.redraws import scheduler
session.between_batches(lambda: None).result()
scheduler.flush()
"""
SEVEN = [(0.2, 0.2), (0.8, 0.2), (0.4, 0.9)]
ONE = [(0.5, 0.15), (0.5, 0.85)]
# The heights of the ten bars.
READ_BARS = """pad => [...pad.querySelectorAll('rect.bar')].slice(1, 11)
    .map(bar => Number(bar.getAttribute('height')))"""

# As fast as can be: two drawings are drawn, labeled and added, and a third one is begun, before the
# kernel can answer anything.
HURRY = """root => {
    const area = root.querySelector('canvas'), list = root.querySelector('select');
    const {left, top, width, height} = area.getBoundingClientRect();
    const send = (type, [x, y]) => area.dispatchEvent(new PointerEvent(type, {
        pointerId: 1, button: 0, bubbles: true, isPrimary: true,
        clientX: left + x * width, clientY: top + y * height}));
    area.setPointerCapture = () => {};  // there is no real pointer
    const draw = points => {
        send('pointerdown', points[0]);
        for (const point of points.slice(1)) send('pointermove', point);
        send('pointerup', points.at(-1));
    };
    const press = words =>
        [...root.querySelectorAll('button')].find(each => each.textContent === words).click();
    const choose = name => {
        list.value = name;
        list.dispatchEvent(new Event('change', {bubbles: true}));
    };
    draw([[0.5, 0.1], [0.5, 0.5], [0.5, 0.9]]);
    draw([[0.1, 0.1], [0.9, 0.9]]);
    press('Undo');
    choose('1');
    press('Add to my set');
    draw([[0.2, 0.2], [0.8, 0.2], [0.4, 0.9]]);
    choose('7');
    press('Add to my set');
    draw([[0.1, 0.5], [0.9, 0.5]]);
}"""


class Pad:
    """A pad of the notebook."""

    def __init__(self, lab, index=0) -> None:
        self.lab, self.page = lab, lab.page
        self.root = lab.page.locator(PAD).nth(index)
        self.area = self.root.locator(".mw-canvas-area")
        self.caption = self.root.locator(".mw-chart-footer .mw-caption")
        self.status = self.root.locator(".mw-set-status")
        self.alert = self.root.locator(".mw-own-set .mw-alert")
        self.words = self.root.locator(".mw-canvas-words")
        self.label = self.root.get_by_label("Label", exact=True)
        self.stages = self.root.locator(".mw-stage-pictures img")

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def to_window(self, point):
        box = self.area.bounding_box()
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    def press(self, points) -> None:
        self.area.scroll_into_view_if_needed()
        self.page.mouse.move(*self.to_window(points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.to_window(point), steps=4)

    def draw(self, points) -> None:
        self.press(points)
        self.page.mouse.up()

    def draw_and_settle(self, points) -> None:
        """Draw, and wait until the page shows what is read in the whole stroke."""
        self.draw(points)
        end = f"any(abs(each[-1][1] - {points[-1][1]}) < 0.02 for each in pad.drawing.strokes)"
        self.lab.expect_in_kernel(end, "True")
        self.lab.run_cell(FLUSH)

    def add(self, points, label) -> None:
        before = self.status.inner_text()
        self.draw(points)
        expect(self.caption).to_contain_text("%")
        self.label.select_option(str(label))
        self.button("Add to my set").click()
        expect(self.status).not_to_have_text(before)
        expect(self.caption).to_contain_text("Draw a digit")

    def load(self, *files) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.button("Load").click()
        chooser.value.set_files(list(map(str, files)))


@pytest.fixture
def pad(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    pad = Pad(lab)
    expect(pad.caption).to_contain_text("Draw a digit")
    return pad


@pytest.mark.both_front_ends
def test_what_is_drawn_is_read_during_the_stroke_and_after_it(pad):
    empty = pad.stages.first.get_attribute("src")
    assert max(pad.root.evaluate(READ_BARS), default=0) == 0
    pad.press(SEVEN[:2])
    expect(pad.caption).to_contain_text("%")  # the button of the mouse is still down
    expect(pad.stages.first).not_to_have_attribute("src", empty)
    pad.page.mouse.move(*pad.to_window(SEVEN[2]), steps=4)
    pad.page.mouse.up()
    pad.lab.expect_in_kernel(
        "len(pad.drawing.strokes), pad.drawing.strokes[0][-1][1] > 0.8", "1 True"
    )
    pad.page.wait_for_function(f"Math.max(...({READ_BARS})(document.querySelector('{PAD}'))) > 0")
    pad.button("Clear").click()
    expect(pad.caption).to_contain_text("Draw a digit")
    pad.page.wait_for_function(f"Math.max(...({READ_BARS})(document.querySelector('{PAD}'))) === 0")
    expect(pad.stages.first).to_have_attribute("src", empty)


def test_a_drawing_is_read_while_the_network_trains(pad):
    pad.lab.run_cell("session.start(100_000)")
    pad.draw(SEVEN)
    expect(pad.caption).to_contain_text("%")
    pad.button("Clear").click()
    expect(pad.caption).to_contain_text("Draw a digit")
    pad.draw(ONE)
    expect(pad.caption).to_contain_text("%")
    assert "running" in pad.lab.run_cell("print(session.state)")
    pad.lab.run_cell("session.stop(); session.join()")


def test_switches_show_the_stages_of_the_preprocessing(pad):
    pad.draw_and_settle([(0.1, 0.1), (0.1, 0.3)])
    expect(pad.caption).to_contain_text("%")
    sources = [image.get_attribute("src") for image in pad.stages.all()]
    assert len(set(sources)) == 3
    pad.root.get_by_label("Scale").uncheck()
    pad.root.get_by_label("Center").uncheck()
    for image in pad.stages.all():
        expect(image).to_have_attribute("src", sources[0])
    expect(pad.stages.last).to_have_accessible_name(re.compile("off"))


@pytest.mark.both_front_ends
def test_additions_that_overtake_the_kernel_have_their_own_points_and_labels(pad):
    pad.area.scroll_into_view_if_needed()
    pad.root.evaluate(HURRY)
    pad.lab.expect_in_kernel("pad.drawing.strokes", "(((0.1, 0.5), (0.9, 0.5)),)")
    expect(pad.status).to_contain_text("2 drawings")
    expect(pad.area).to_have_accessible_name(re.compile("1 stroke is drawn"))
    code = "import json; print(json.dumps([[each.strokes, label] for each, label in pad.drawings]))"
    additions = json.loads(pad.lab.run_cell(code))
    assert sorted(additions, key=lambda addition: addition[1]) == [
        [[[[0.5, 0.1], [0.5, 0.5], [0.5, 0.9]]], 1],
        [[[[0.2, 0.2], [0.8, 0.2], [0.4, 0.9]]], 7],
    ]


def test_the_pad_of_a_model_shows_what_a_cell_has_taught_it(pad):
    model = "model = config.build(*load_bundled_digits()).model"
    pad.lab.open_notebook([SETUP, model, "pad = DrawingPad(model)\npad"])
    pad.lab.run_all()
    expect(pad.caption).to_contain_text("Draw a digit")
    pad.draw(SEVEN)
    expect(pad.caption).to_contain_text("%")
    pad.lab.run_cell(
        "with torch.no_grad():\n    for each in model.parameters(): each.zero_()\n"
        "    [*model.parameters()][-1][3] = 5.0"
    )
    expect(pad.caption).to_contain_text("The network says 3")


def test_two_pads_have_two_canvases_and_share_one_set(lab):
    lab.open_notebook([*CELLS, "other = DrawingPad(session)\nother"])
    lab.run_all()
    first, second = Pad(lab), Pad(lab, index=1)
    first.add(SEVEN, 7)
    second.draw(ONE)
    expect(second.caption).to_contain_text("%")
    expect(first.caption).to_contain_text("Draw a digit")
    for pad in (first, second):
        expect(pad.status).to_contain_text("1 drawing")


def test_the_drawings_are_there_when_the_cells_are_run_again(pad):
    pad.add(SEVEN, 7)
    pad.lab.run_all()
    expect(pad.status).to_contain_text("1 drawing")
    pad.add(ONE, 1)
    expect(pad.status).to_contain_text("2 drawings")


def test_drawing_and_set_are_there_when_the_page_is_loaded_again(pad):
    pad.add(SEVEN, 7)
    pad.draw_and_settle(ONE)
    expect(pad.caption).to_contain_text("%")
    words = pad.caption.inner_text()
    pad.lab.save()
    pad.page.reload()
    expect(pad.caption).to_have_text(words)
    expect(pad.status).to_contain_text("1 drawing")
    pad.lab.wait_until_idle()
    pad.label.select_option("1")
    pad.button("Add to my set").click()
    expect(pad.status).to_contain_text("2 drawings")


def test_a_set_is_saved_loaded_and_merged_and_a_bad_file_is_refused(pad, tmp_path):
    pad.add(SEVEN, 7)
    pad.add(ONE, 1)
    with pad.page.expect_download() as download:
        pad.button("Save").click()
    assert re.fullmatch(r"my_digits_\w{6}\.json", download.value.suggested_filename)
    mine = tmp_path / "mine.json"
    download.value.save_as(mine)
    assert [label for _, label in read_drawings(mine)] == [7, 1]
    for _ in range(2):
        pad.button("Undo add").click()
    expect(pad.status).to_contain_text("empty")
    pad.load(mine)
    expect(pad.status).to_contain_text("2 drawings")
    other, bad = tmp_path / "other.json", tmp_path / "bad.json"
    save_drawings(other, [Drawing([ONE])] * 4, [1] * 4)
    bad.write_text("no drawings")
    pad.load(other, mine, bad)
    expect(pad.status).to_contain_text("6 drawings")
    expect(pad.alert).to_contain_text("bad.json")
    expect(pad.alert).to_contain_text("left out: 2")
    pad.load(mine)  # the same file again
    expect(pad.alert).to_have_count(0)
    expect(pad.root.locator(".mw-own-set .mw-notice")).to_contain_text("left out: 2")
    pad.lab.scroll_to(PAD)
    pad.lab.screenshot("drawing-pad-left-out")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 8_000_001)
    pad.load(large)
    expect(pad.alert).to_contain_text("8 MB")
    assert json.loads(pad.lab.run_cell("print(len(pad.drawings))")) == 6  # still connected


def test_a_file_that_cannot_be_read_any_more_is_named(pad, tmp_path):
    gone, there = tmp_path / "gone.json", tmp_path / "there.json"
    save_drawings(gone, [Drawing([ONE])], [1])
    save_drawings(there, [Drawing([SEVEN])], [7])
    pad.load(gone, there)
    expect(pad.status).to_contain_text("2 drawings")
    gone.unlink()
    # as if the file went away between its choice and its reading
    pad.root.locator("input[type=file]").evaluate("each => each.dispatchEvent(new Event('change'))")
    expect(pad.alert).to_contain_text("cannot read gone.json")
    expect(pad.alert).to_contain_text("left out: 1")


@pytest.mark.both_front_ends
def test_a_drawing_is_made_and_added_with_keys_alone(pad):
    keyboard = pad.page.keyboard
    pad.area.focus()
    for key in ("ArrowUp", "ArrowUp", "Space", "ArrowDown", "ArrowDown", "ArrowDown", "Space"):
        keyboard.press(key)
    expect(pad.caption).to_contain_text("%")
    pad.label.focus()
    keyboard.press("1")
    pad.lab.expect_in_kernel("pad.drawing.is_empty", "False")
    keyboard.press("Tab")
    expect(pad.button("Add to my set")).to_be_focused()
    keyboard.press("Enter")
    expect(pad.status).to_contain_text("1 of 1")
    expect(pad.button("Add to my set")).to_be_focused()


def test_the_lab_opens_the_pad_hides_it_and_shows_it_again(lab):
    lab.open_notebook(["from mnist_widgets.widgets import dashboard\nlab = dashboard()\nlab"])
    lab.run_all()
    opener = lab.page.locator(".mw-dashboard").get_by_role("button", name="Draw a digit")
    other = lab.page.locator(".mw-dashboard").get_by_role("button", name="Look inside one step")
    left, right = other.bounding_box(), opener.bounding_box()
    assert right["x"] >= left["x"] + left["width"] + 6  # they do not touch
    opener.click()
    pad = Pad(lab)
    pad.draw(SEVEN)
    expect(pad.caption).to_contain_text("%")
    closer = lab.page.get_by_role("button", name="Close the drawing")
    lab.scroll_to(PAD)
    lab.screenshot("drawing-pad-in-lab")
    closer.click()
    expect(pad.root).to_be_hidden()
    opener.click()
    expect(pad.caption).to_contain_text("%")
    expect(pad.area).to_have_accessible_name(re.compile("1 stroke is drawn"))


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_overlaps_or_is_hard_to_reach(pad, dark):
    pad.lab.set_theme(dark=dark)
    pad.add(SEVEN, 7)
    pad.button("Add to my set").click()
    expect(pad.words).to_contain_text("Nothing is drawn")
    pad.draw(SEVEN)
    expect(pad.caption).to_contain_text("%")
    found = []
    for output_px in (1020, 600, 330, 270):
        set_output_width(pad.page, PAD, output_px, 1400)
        faults = find_lasting_faults(pad.page, PAD)
        pad.lab.screenshot(f"drawing-pad-{output_px}-{'dark' if dark else 'light'}")
        found += [f"at {output_px} px: {fault}" for fault in faults]
        found += find_violations(pad.page, PAD)
        for control in pad.root.locator(
            "button:visible, select, input:visible, label:visible"
        ).all():
            box = control.bounding_box()
            if control.evaluate("each => each.matches('input[type=checkbox]')"):
                continue  # its label is the target
            if min(box["width"], box["height"]) < 24:
                found.append(f"at {output_px} px: {control.inner_text()} is {box}")
    assert not found, "\n".join(found)
