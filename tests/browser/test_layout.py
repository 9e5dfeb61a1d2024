"""The layout of the lab and of its panels: nothing cut, nothing overlapping, all in one view."""

from __future__ import annotations

import pytest
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

LAB = ["from mnist_widgets.widgets import dashboard\nlab = dashboard(epochs=3)\nlab"]
SHOWN_AT_ONCE = [
    ".mw-training-panel",
    ".mw-settings",
    ".mw-loss-chart",
    ".mw-confusion-chart",
    ".mw-image-gallery",
    ".mw-probability-chart",
]
NUM_IMAGES = 30

PLANT_FAULTS = """document.querySelector(".mw-dashboard").insertAdjacentHTML("afterbegin",
  "<p style='width: 40px; overflow: hidden; white-space: nowrap'>a text that is cut</p>"
  + "<b style='position: absolute; top: 0; left: 600px'>one</b>"
  + "<b style='position: absolute; top: 2px; left: 602px'>two</b>")"""


@pytest.fixture
def trained(lab):
    """A lab after three epochs, with a selected image, and the file list beside the notebook."""
    lab.open_notebook(LAB)
    lab.run_all()
    lab.page.locator(".mw-dashboard .mw-start").click()
    expect(lab.page.locator(".mw-state")).to_have_text("Finished")
    num_right = lab.run_cell("print(int(lab.session.trainer.evaluator.confusion.trace()))").strip()
    # drawn after the end; a longer caption has more lines
    caption = lab.page.locator(".mw-confusion-chart .mw-chart .mw-caption")
    expect(caption).to_contain_text(f"{num_right} of 359 right")
    lab.page.locator(".mw-grid-image").nth(3).click()
    expect(lab.page.locator(".mw-probability-chart .mw-caption").first).to_contain_text("True")
    return lab


def resize(lab, output_px: int, height_px: int) -> None:
    set_output_width(lab.page, ".mw-dashboard", output_px, height_px)


def count_columns(lab) -> int:
    tops = [
        lab.page.locator(selector).bounding_box()["x"]
        for selector in (".mw-loss-chart", ".mw-confusion-chart", ".mw-probability-chart")
    ]
    return len({round(left) for left in tops})


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_of_the_lab_is_cut_or_overlaps_at_any_width(trained, dark):
    trained.set_theme(dark=dark)
    found = []
    for output_px in (400, 480, 720, 800, 934, 1008, 1250, 1500, 1800):
        resize(trained, output_px, 2600)
        faults = find_lasting_faults(trained.page, ".mw-dashboard")
        trained.screenshot(f"layout-{output_px}-{'dark' if dark else 'light'}")
        found += [f"at {output_px} px: {fault}" for fault in faults]
    assert not found, "\n".join(found)


def test_all_but_the_runs_is_visible_at_once(trained):
    # JupyterLab with its file list at 1440 x 900, and at 1366 x 768 with 150 px of scrolling
    for output_px, visible_px in ((1008, 775), (934, 643 + 150)):
        resize(trained, output_px, 900)
        top = trained.page.locator(".mw-dashboard").bounding_box()["y"]
        for selector in SHOWN_AT_ONCE:
            box = trained.page.locator(selector).bounding_box()
            assert box["y"] + box["height"] - top <= visible_px, (output_px, selector, box)
        assert trained.page.locator(".mw-grid-image:visible").count() == NUM_IMAGES


def test_the_width_of_the_output_decides_the_number_of_columns(trained):
    for output_px, num_columns in ((790, 1), (815, 2), (1430, 2), (1475, 3)):
        resize(trained, output_px, 900)
        assert count_columns(trained) == num_columns, output_px


def test_a_panel_opened_by_a_click_comes_into_view_and_one_opened_by_code_does_not(trained):
    resize(trained, 1008, 800)
    page, openers = trained.page, trained.page.locator(".mw-openers")
    panels = {
        "Look inside one step": ("steps", ".mw-step-explorer"),
        "Draw a digit": ("drawing", ".mw-drawing-pad"),
        "Look at training images": ("training_images", ".mw-training-images"),
    }
    for words, (name, selector) in panels.items():
        opener = openers.get_by_role("button", name=words)
        opener.evaluate("button => button.scrollIntoView({block: 'end'})")
        opener.click()
        expect(page.locator(selector)).to_be_in_viewport(ratio=0.5)
        trained.screenshot(f"opened-{name}")
        openers.get_by_role("button", name="Close").click()
        expect(page.locator(selector)).to_be_hidden()
    opener.evaluate("button => button.scrollIntoView({block: 'end'})")
    before = opener.bounding_box()
    trained.run_cell("lab._openers['drawing'].is_open = True")
    expect(page.locator(".mw-drawing-pad")).to_be_visible()
    assert opener.bounding_box() == before


def test_no_height_changes_when_a_notice_comes(trained):
    resize(trained, 1008, 900)
    expect(trained.page.locator(".mw-runs")).to_contain_text("lr=0.001")  # drawn after the end
    height = trained.page.locator(".mw-dashboard").bounding_box()["height"]
    trained.run_cell("lab.panels['training'].show_error_message('A sentence. ' * 30)")
    expect(trained.page.locator(".mw-status")).to_contain_text("A sentence.")
    assert trained.page.locator(".mw-dashboard").bounding_box()["height"] == height


def test_a_text_that_is_cut_and_two_that_overlap_are_found(trained):
    trained.page.evaluate(PLANT_FAULTS)
    found = "\n".join(find_lasting_faults(trained.page, ".mw-dashboard"))
    assert "cut: <p" in found
    assert "overlapping: <b" in found
