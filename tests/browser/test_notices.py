"""Notices, tracebacks and explanations: nothing moves, and a keyboard is enough."""

from __future__ import annotations

import pytest
from layout import set_window_size
from playwright.sync_api import expect

LAB = [
    "from mnist_widgets.widgets import dashboard",
    "lab = dashboard(epochs=1, hide=['gallery', 'prediction', 'confusion', 'runs'])\nlab",
]
CRASH = """
def crash(*_):
    raise ValueError("the planted error " * 30)
lab.session.trainer.train_step = crash
"""
FOCUSED = "document.activeElement.getAttribute('aria-label')"


@pytest.fixture
def page(lab):
    """JupyterLab's page, with a lab on it."""
    lab.open_notebook(LAB)
    lab.run_all()
    set_window_size(lab.page, 1440, 900)
    lab.page.locator(".mw-dashboard").wait_for()
    return lab.page


def measure(page) -> list[dict[str, float]]:
    """Return the boxes of the lab's panels and controls."""
    parts = page.locator(".mw-dashboard :is(.mw-panel, button, input, select, .mw-status):visible")
    return [
        part.bounding_box() for part in parts.all() if part.get_attribute("popovertarget") is None
    ]


def expect_to_open_by_keyboard(page, opener, content, shown: str) -> None:
    """Open content with a button, close it in each way, and expect that nothing else moves."""
    before = measure(page)
    opener.focus()
    for opening, closing in (("Enter", "Escape"), ("Space", "Space"), ("Enter", "Enter")):
        page.keyboard.press(opening)
        expect(content).to_be_visible()
        expect(content).to_contain_text(shown)
        box, window = content.bounding_box(), page.viewport_size
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= window["width"]
        assert box["y"] + box["height"] <= window["height"]
        assert measure(page) == before
        page.keyboard.press(closing)
        expect(content).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == opener.get_attribute("aria-label")  # of the content, now
    page.keyboard.press("Escape")
    expect(content).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    expect(content).to_be_visible()
    opener.click()
    expect(content).to_be_hidden()


def test_a_question_mark_explains_the_settings_at_any_width(page):
    opener = page.get_by_role("button", name="About the settings")
    content = page.locator(".mw-settings .mw-popover")
    for width, height in ((1440, 900), (480, 500)):
        set_window_size(page, width, height)
        opener.scroll_into_view_if_needed()
        expect_to_open_by_keyboard(page, opener, content, "How far each update moves")


def test_a_crash_shows_its_message_and_its_traceback_and_nothing_moves(lab, page):
    before = measure(page)
    lab.run_cell(CRASH)
    page.locator(".mw-start").click()
    expect(page.locator(".mw-state")).to_have_text("Failed")
    expect(page.locator(".mw-status")).to_contain_text("the planted error")
    assert measure(page) == before
    content = page.locator(".mw-status .mw-popover")
    opener = page.get_by_role("button", name="Traceback")
    expect_to_open_by_keyboard(page, opener, content, "in crash")
    opener.click()
    code = content.locator("pre")
    assert code.evaluate("pre => pre.scrollHeight <= pre.clientHeight")  # only its box scrolls
    lab.screenshot("traceback")


def test_a_long_notice_is_read_by_scrolling_with_the_arrow_keys(lab, page):
    before = measure(page)
    lab.run_cell("lab.panels['training'].show_error_message('A sentence. ' * 100)")
    notice = page.locator(".mw-status .mw-notice")
    expect(notice).to_contain_text("A sentence.")
    assert measure(page) == before
    page.get_by_label("Epochs").focus()
    page.keyboard.press("Tab")
    expect(notice).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.scrollTop > 0")
    expect(notice).to_be_focused()
    assert measure(page) == before


def test_screen_readers_get_the_state_in_an_element_that_stays(lab, page):
    region = page.locator(".mw-training-panel").get_by_role("status")
    element = region.element_handle()
    page.locator(".mw-start").click()
    expect(region).to_contain_text("Finished")
    lab.run_cell("lab.panels['training'].show_error_message('A sentence.')")
    expect(region).to_contain_text("A sentence.")
    assert element.evaluate("element => element.isConnected")


def test_more_settings_say_whether_they_are_shown_and_code_scrolls_sideways(page):
    button = page.locator(".mw-settings .mw-more button")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_label("Seed")).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Seed")).to_be_visible()
    page.get_by_label("Show the settings as code").check()
    code = page.locator(".mw-settings pre")
    expect(code).to_contain_text("torch.optim.Adam")
    set_window_size(page, 480, 900)
    assert code.evaluate("pre => getComputedStyle(pre).whiteSpace") == "pre"
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    box, panel = code.bounding_box(), page.locator(".mw-settings").bounding_box()
    assert box["x"] + box["width"] <= panel["x"] + panel["width"]
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Seed")).to_be_hidden()
