"""The layout of widgets on a page: their widths, and texts that are cut or overlap."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def set_window_size(page: Page, width_px: int, height_px: int) -> None:
    """Resize the window, and wait until the page is laid out for it.

    JupyterLab sets the widths of its parts in JavaScript when the page hears of the new size, which
    on a busy computer is some time after the browser has it.
    """
    page.set_viewport_size({"width": width_px, "height": height_px})
    page.wait_for_function(HAS_SIZE, arg=[width_px, height_px])
    page.evaluate(WAIT_FOR_FRAMES)


def set_output_width(page: Page, selector: str, output_px: int, height_px: int) -> None:
    """Resize the window so that the first match of a selector has a width; scroll it to the top."""
    element = page.locator(selector).first
    for _ in range(3):  # parts of the front end change their widths, too
        window_px, width_px = page.viewport_size["width"], element.bounding_box()["width"]
        set_window_size(page, round(window_px + output_px - width_px), height_px)
    element.evaluate("element => element.scrollIntoView({block: 'start'})")


def find_lasting_faults(page: Page, selector: str) -> list[str]:
    """Return the layout faults in the first match of a selector, one sentence each.

    Each text, control, image and mark must lie within the element, no text may be cut, and no two
    of them may overlap. Rounding may move an edge by a pixel. Faults that disappear do not count:
    bqplot lays out its charts again some time after the window changes.

    All charts must be in view: bqplot leaves one that is not as it was until it is scrolled there.
    """
    faults, num_clean = [], 0
    for _ in range(NUM_TRIES):
        faults = page.evaluate(FIND_FAULTS, selector)
        num_clean = 0 if faults else num_clean + 1
        if num_clean == 2:
            break
        page.wait_for_timeout(100)
    return faults


NUM_TRIES = 50

HAS_SIZE = "([width, height]) => innerWidth === width && innerHeight === height"
# The event `resize` comes in a frame before its callbacks; then observers of sizes are called.
WAIT_FOR_FRAMES = """async () => {
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
}"""
FIND_FAULTS = Path(__file__).with_name("layout_faults.js").read_text(encoding="utf-8")
