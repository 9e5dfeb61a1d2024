"""The first lesson with the keyboard alone: each stop shows its focus, and each key has its effect.

The keys are Tab, Shift+Tab, arrows, Enter, Space and Escape, and digits to type.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from test_lesson import LESSON, PANEL, Lesson
from watched_page import batches_in_caption

MAX_STOPS = 60
# The focused element of a panel if it shows no ring, and no option under its cursor does.
FIND_MISSING_RING = """() => {
    const focused = document.activeElement;
    if (!focused.closest('.mw-panel')) return null;  // JupyterLab's own
    const option = document.getElementById(focused.getAttribute('aria-activedescendant'));
    const hasRing = [focused, option].filter(Boolean).some(element => {
        const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(element);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 || boxShadow !== 'none';
    });
    return hasRing ? null : focused.outerHTML;
}"""
# Of the loss chart's footer, in the kernel.
SHOWS_DATA = """next(each.shows_data for box in chart.children
    for each in getattr(box, "children", ()) if hasattr(each, "shows_data"))"""
SELECTED_CELL = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"


class Keyboard:
    """Moves the focus, and presses keys."""

    def __init__(self, lab) -> None:
        self.page = lab.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def select_cell(self, selector: str) -> None:
        """Select the cell that shows a panel, from the command mode."""
        cells = self.page.locator(".jp-Notebook .jp-Cell")
        position = cells.evaluate_all(
            "(cells, selector) => cells.findIndex(cell => cell.querySelector(selector))", selector
        )
        distance = position - self.page.evaluate(SELECTED_CELL)
        self.press(*["ArrowDown" if distance > 0 else "ArrowUp"] * abs(distance))
        assert self.page.evaluate(SELECTED_CELL) == position

    def go_to(self, target, key: str = "Tab") -> None:
        """Press a key until an element has the focus; each stop in a panel must show its focus."""
        for _ in range(MAX_STOPS):
            self.press(key)
            fault = self.page.evaluate(FIND_MISSING_RING)
            assert not fault, f"no sign of the focus: {fault}"
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{MAX_STOPS} times {key} did not lead to {target}")


@pytest.fixture
def lesson(lab):
    """The first lesson after Run All."""
    lab.open_notebook(LESSON)
    lab.run_all()
    return Lesson(lab)


@pytest.fixture
def keyboard(lesson):
    return Keyboard(lesson.lab)


def test_the_keyboard_steers_the_training(lesson, keyboard):
    panel = lesson.lab.page.locator(PANEL)
    start, pause, step, stop = (
        panel.locator(f".mw-{name}") for name in ("start", "pause", "step", "stop")
    )
    keyboard.select_cell(PANEL)
    keyboard.go_to(lesson.epochs)
    keyboard.press("Control+a")
    keyboard.press(*"2000", "Enter")
    keyboard.go_to(start, "Shift+Tab")
    keyboard.press("Enter")
    lesson.expect_state("Training")
    expect(pause).to_be_focused()  # Start cannot be pressed any more
    keyboard.press("Space")
    lesson.expect_state("Paused")
    num_batches, _ = lesson.look()
    keyboard.go_to(step)
    keyboard.press("Enter")
    expect(lesson.caption).to_contain_text(batches_in_caption(num_batches + 1))
    lesson.lab.screenshot("keyboard-step")
    for number in (2, 3):
        expect(step).to_be_enabled()
        expect(step).to_be_focused()
        keyboard.press("Enter")
        expect(lesson.caption).to_contain_text(batches_in_caption(num_batches + number))
    keyboard.go_to(stop)
    keyboard.press("Space")
    lesson.expect_state("Stopped")
    expect(step).to_be_focused()


def test_the_focus_stays_in_the_row_when_a_training_ends(lesson, keyboard):
    panel = lesson.lab.page.locator(PANEL)
    start, pause = panel.locator(".mw-start"), panel.locator(".mw-pause")
    lesson.epochs.fill("2000")
    lesson.epochs.press("Enter")
    start.focus()
    keyboard.press("Enter")
    expect(pause).to_be_focused()
    lesson.lab.run_cell("session.stop()")
    expect(start).to_be_focused()
    keyboard.press("Enter")
    keyboard.go_to(panel.locator(".mw-reset"))
    lesson.lab.run_cell("session.stop()")
    lesson.expect_state("Stopped")
    expect(panel.locator(".mw-reset")).to_be_focused()


def test_the_focus_stays_beside_the_gallery_at_its_last_page(lesson, keyboard):
    back, forward = (
        lesson.gallery.get_by_role("button", name=name) for name in ("Previous", "Next")
    )
    matrix = lesson.lab.page.locator(".mw-confusion-chart")
    matrix.locator("select").nth(-2).select_option("4")
    matrix.locator("select").nth(-1).select_option("4")
    expect(back).to_be_disabled()
    forward.focus()
    keyboard.press("Enter")
    expect(forward).to_be_disabled()
    expect(back).to_be_focused()


def test_the_keyboard_selects_an_image_and_a_cell_of_the_matrix(lesson, keyboard):
    page = lesson.lab.page
    keyboard.select_cell(".mw-image-gallery")
    keyboard.go_to(lesson.gallery.get_by_role("listbox"))
    keyboard.press("ArrowRight", "ArrowRight", "ArrowDown", "Enter")
    lesson.expect_answer(12)

    matrix = page.locator(".mw-confusion-chart")
    true, predicted = matrix.locator("select").nth(-2), matrix.locator("select").nth(-1)
    keyboard.go_to(true)
    keyboard.press("4")
    keyboard.go_to(predicted)
    keyboard.press("4")
    counted = lesson.lab.run_cell("print(int(confusion._counts[4, 4]))").strip()
    expect(matrix).to_contain_text(f"{counted} images")
    names = re.compile("true 4, predicted 4")
    expect(lesson.images).to_have_count(min(30, int(counted)))
    for image in lesson.images.all():
        expect(image).to_have_accessible_name(names)
    keyboard.go_to(lesson.gallery.get_by_role("listbox"))
    keyboard.press("End", "Enter")
    expect(lesson.gallery.locator("[aria-selected=true]")).to_have_accessible_name(names)
    lesson.lab.screenshot("keyboard-matrix")


def test_the_keyboard_opens_a_table_and_saves_a_file(lesson, keyboard):
    page = lesson.lab.page
    chart = page.locator(".mw-loss-chart")
    data, save = chart.get_by_role("button", name="Data"), chart.locator("summary")
    table = chart.get_by_role("region")
    keyboard.select_cell(".mw-loss-chart")
    keyboard.go_to(data)
    keyboard.press("Enter")
    expect(table.get_by_role("table")).to_be_visible()
    keyboard.go_to(table)
    for key in ("ArrowDown", "End"):
        before = table.evaluate("table => table.scrollTop")
        keyboard.press(key)
        page.wait_for_function("top => document.activeElement.scrollTop > top", arg=before)
    assert table.bounding_box()["height"] > 100  # some rows
    lesson.lab.screenshot("keyboard-table")
    keyboard.go_to(data, "Shift+Tab")
    keyboard.press("Space")
    expect(table).to_be_hidden()
    # close and open before the kernel has answered: the table, and the focus in it, stay
    keyboard.press("Space", "Space", "Space")
    keyboard.go_to(table)
    lesson.lab.expect_in_kernel(SHOWS_DATA, "True")
    expect(table).to_be_focused()
    keyboard.press("Escape")
    expect(table).to_be_hidden()
    expect(data).to_be_focused()

    keyboard.go_to(save)
    keyboard.press("Enter")
    keyboard.go_to(chart.get_by_role("button", name="Numbers (CSV)"))
    lesson.lab.screenshot("keyboard-save")
    with page.expect_download() as download:
        keyboard.press("Enter")
    assert download.value.suggested_filename == "loss_chart.csv"
    assert len(download.value.path().read_text().splitlines()) > 3 * 45
    expect(save).to_be_focused()
    keyboard.press("Space")
    expect(chart.get_by_role("button", name="Numbers (CSV)")).to_be_visible()
    keyboard.press("Escape")
    expect(chart.get_by_role("button", name="Numbers (CSV)")).to_be_hidden()
