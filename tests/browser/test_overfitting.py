"""The fifth lesson in a real JupyterLab: a network overfits, and a remedy narrows the gap."""

from __future__ import annotations

import re
from pathlib import Path

from layout import set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "05_overfitting.ipynb"
LAB, CHART = ".mw-dashboard", ".mw-loss-chart"
TRAINED_MS = 120_000  # 40 epochs take about two seconds on an idle computer
GAP = re.compile(r"(-?[\d.]+) points")


def test_a_remedy_chosen_in_the_lab_narrows_the_gap(lab):
    set_window_size(lab.page, 1440, 900)
    lab.open_notebook(LESSON)
    lab.run_all(timeout_s=600)
    page = lab.page
    by_code = page.locator(CHART).first
    expect(by_code.get_by_role("img", name="Accuracy chart")).to_be_visible()
    expect(by_code.locator(".mw-caption").first).to_contain_text("a gap of")
    lab.scroll_to(CHART)
    lab.screenshot("overfitting-code-light")

    in_lab = page.locator(LAB)
    state, reset, start = (in_lab.locator(f".mw-{name}") for name in ("state", "reset", "start"))
    runs = in_lab.locator(".mw-run-table .mw-run:not(.mw-run-header)")
    guess = in_lab.get_by_label("I expect a test accuracy of")
    guess.fill("90")
    start.click()
    expect(state).to_have_text("Finished", timeout=TRAINED_MS)
    expect(runs).to_have_count(1)
    expect(runs.first).to_contain_text(GAP)
    in_lab.get_by_role("button", name="More settings").click()
    dropout = in_lab.get_by_label("Dropout")
    dropout.fill("0.7")
    dropout.press("Enter")
    expect(in_lab.get_by_label("Text")).to_have_value(re.compile("dropout=0.7"))
    reset.click()
    expect(state).to_have_text("Ready")
    guess.fill("80")
    start.click()
    expect(state).to_have_text("Finished", timeout=TRAINED_MS)
    expect(runs).to_have_count(2)
    expect(runs.last).to_contain_text(GAP)
    expect(runs.last).to_contain_text("You expected 80 %")
    before, after = (float(GAP.search(text)[1]) for text in runs.all_inner_texts())
    assert after < before
    in_lab.get_by_label("Show", exact=True).select_option("Accuracy")
    for theme in ("light", "dark"):
        lab.set_theme(theme == "dark")
        lab.scroll_to(LAB)
        lab.screenshot(f"overfitting-lab-{theme}")
