"""The layout of widgets on a page: texts that are cut, outside of their panel, or overlapping."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def find_lasting_faults(page: Page, selector: str) -> list[str]:
    """Return the layout faults in the first match of a selector, one sentence each.

    Each text, control, image and mark must lie within the element, no text may be cut, and no two
    of them may overlap. Rounding may move an edge by a pixel. Faults that disappear do not count:
    bqplot lays out its charts again some time after the window changes.
    """
    for _ in range(NUM_TRIES):
        if not (faults := page.evaluate(FIND_FAULTS, selector)):
            break
        page.wait_for_timeout(100)
    return faults


NUM_TRIES = 50
FIND_FAULTS = Path(__file__).with_name("layout_faults.js").read_text(encoding="utf-8")
