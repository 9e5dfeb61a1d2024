"""A finding of the health monitor in the lab: shown, explained, dismissed, and nothing moves."""

from __future__ import annotations

import shutil

import pytest
from axe import find_violations
from layout import set_window_size
from playwright.sync_api import expect

from mnist_widgets.lessons import lessons_folder

CELLS = [
    "from mnist_widgets.widgets import dashboard",
    "lab = dashboard(settings='adam lr=1', epochs=1, hide=['gallery', 'confusion', 'runs'])\nlab",
]
PARTS = ".mw-dashboard :is(.mw-panel, button, input, select):visible"
ADDED = ("Dismiss", "Why?")


def measure(page) -> list[dict[str, float]]:
    """Return the boxes of the lab's panels and controls, without those that a finding adds."""
    parts = page.locator(PARTS).all()
    return [part.bounding_box() for part in parts if part.inner_text() not in ADDED]


def expect_to_fit_at_any_width(lab, buttons) -> None:
    """Expect that the buttons have their size and add nothing to the height of the panel."""
    page, panel = lab.page, lab.page.locator(".mw-training-panel")
    for width in (480, 700, 1000, 1440):
        set_window_size(page, width, 900)
        box = panel.bounding_box()
        for button in [each.bounding_box() for each in buttons]:
            assert min(button["width"], button["height"]) >= 24
            assert button["x"] + button["width"] <= box["x"] + box["width"]
        if width == 480:
            lab.screenshot("finding-narrow")
        hidden = page.add_style_tag(content=".mw-dismiss { display: none !important; }")
        assert panel.bounding_box()["height"] == box["height"]
        hidden.evaluate("element => element.remove()")


def test_a_rate_far_too_high_is_named_and_dismissed_by_keyboard_once_in_each_run(lab):
    page = lab.page
    set_window_size(page, 1440, 900)
    lab.open_notebook(CELLS)
    lab.run_all()
    page.locator(".mw-dashboard").wait_for()
    status, start = page.locator(".mw-status"), page.locator(".mw-start")
    dismiss = page.get_by_role("button", name="Dismiss")
    why = status.get_by_role("button", name="About the finding")
    content = status.locator(".mw-popover")
    before = measure(page)
    expect(dismiss).to_be_hidden()

    start.click()
    expect(page.locator(".mw-state")).to_have_text("Finished")
    expect(status).to_contain_text("more.")
    assert [box for box in before if box not in measure(page)] == []
    names = set()
    for dark in (False, True):
        lab.set_theme(dark=dark)
        why.focus()
        page.keyboard.press("Enter")
        expect(content).to_be_visible()
        for words in ("In epoch 1", "03_inside_one_step.ipynb", "Also found"):
            expect(content).to_contain_text(words)
        assert not find_violations(page, ".mw-dashboard")
        lab.screenshot(f"finding-{'dark' if dark else 'light'}")
        page.keyboard.press("Escape")
        expect(content).to_be_hidden()
    lab.set_theme(dark=False)
    expect_to_fit_at_any_width(lab, (why, dismiss))

    while dismiss.is_visible():
        shown = status.locator(".mw-notice").inner_text()
        names.add(shown.partition(".")[0])
        why.focus()
        page.keyboard.press("Tab")
        expect(dismiss).to_be_focused()
        page.keyboard.press("Space")
        expect(status).not_to_contain_text(shown)
    assert "Rate too high" in names
    expect(start).to_be_focused()
    expect(status).to_contain_text("Epoch 1 of 1")
    assert [box for box in before if box not in measure(page)] == []
    lab.run_cell("lab.panels['training'].schedule_redraw(urgent=True)")
    expect(dismiss).to_be_hidden()

    page.locator(".mw-reset").click()
    expect(page.locator(".mw-state")).to_have_text("Ready")
    start.click()
    expect(page.locator(".mw-state")).to_have_text("Finished")
    expect(dismiss).to_be_visible()


@pytest.mark.both_front_ends
def test_a_finding_is_linked_to_the_lesson_beside_the_notebook(lab, lab_server):
    page, lesson = lab.page, "03_inside_one_step.ipynb"
    lab.open_notebook(CELLS)
    shutil.copy(lessons_folder() / lesson, lab_server.notebooks)
    lab.run_all()
    page.locator(".mw-start").click()
    page.get_by_role("button", name="About the finding").focus()
    page.keyboard.press("Enter")
    link = page.locator(".mw-status .mw-popover").get_by_role("link")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    heading = link.get_attribute("href").partition("#")[2].replace("-", " ")
    lab.screenshot(f"finding-link-{lab.front_end}")
    for dark in (False, True):
        lab.set_theme(dark=dark)
        assert not find_violations(page, ".mw-status")
    with page.context.expect_page() as opened:
        link.click()
    tab = opened.value
    expect(tab.locator("h1").filter(has_text="Inside one training step")).to_be_visible()
    expect(tab.locator("h3").filter(has_text=heading).first).to_be_attached()
    assert lesson in tab.url
    tab.screenshot(path=lab.screenshots / f"lesson-of-finding-{lab.front_end}.png")
    tab.close()
    expect(page.locator(".mw-state")).to_have_text("Finished")
