"""The fifth lesson in a real JupyterLab: a network overfits, and a remedy narrows the gap."""

from __future__ import annotations

import re
from pathlib import Path

from layout import set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "05_overfitting.ipynb"
LAB, IMAGES = ".mw-dashboard", ".mw-training-images"
TRAINED_MS = 120_000  # 40 epochs take about two seconds on an idle computer
GAP = re.compile(r"(-?[\d.]+) points")
MEMORIZED = re.compile(r"Of 100 wrong labels, the network repeats (\d+) ")


def test_a_remedy_chosen_in_the_lab_narrows_the_gap(lab):
    set_window_size(lab.page, 1440, 900)
    lab.open_notebook(LESSON)
    lab.run_all(timeout_s=600)
    in_lab, images = lab.page.locator(LAB), lab.page.locator(IMAGES)
    state, reset, start = (in_lab.locator(f".mw-{name}") for name in ("state", "reset", "start"))
    runs = in_lab.locator(".mw-run-table .mw-run:not(.mw-run-header)")
    guess = in_lab.get_by_label("I expect a test accuracy of")
    guess.fill("90")
    start.click()
    expect(state).to_have_text("Finished", timeout=TRAINED_MS)
    expect(runs).to_have_count(1)
    expect(runs.first).to_contain_text(GAP)
    in_lab.get_by_label("Show", exact=True).select_option("Accuracy")
    expect(in_lab.locator(".mw-loss-chart .mw-caption").first).to_contain_text("a gap of")

    in_lab.get_by_role("button", name="Look at training images").click()
    counts = images.locator(".mw-caption").first
    expect(counts).to_contain_text(MEMORIZED)
    many = int(MEMORIZED.search(counts.inner_text())[1])
    images.get_by_label("Show", exact=True).select_option("Wrong, memorized")
    expect(images.locator(".mw-page")).to_contain_text(f"{many} images")
    for theme in ("light", "dark"):
        lab.set_theme(theme == "dark")
        lab.scroll_to(IMAGES)
        lab.screenshot(f"overfitting-images-{theme}")

    in_lab.get_by_role("button", name="More settings").click()
    presets = in_lab.get_by_label("Preset")
    presets.select_option("Overfitting with dropout")
    expect(in_lab.get_by_label("Text", exact=True)).to_have_value(re.compile("dropout=0.7"))
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
    presets.select_option("Overfitting")
    expect(in_lab.get_by_label("Dropout", exact=True)).to_have_value("0")
    for theme in ("light", "dark"):
        lab.set_theme(theme == "dark")
        lab.scroll_to(LAB)
        lab.screenshot(f"overfitting-lab-{theme}")
