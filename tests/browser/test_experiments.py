"""The second lesson in a real JupyterLab: runs in code, and runs in the lab."""

from __future__ import annotations

import json
import re
from pathlib import Path

from layout import set_window_size
from playwright.sync_api import expect

LESSON = Path(__file__).parents[2] / "notebooks" / "02_experiments.ipynb"
LAB, CHART, KEY = ".mw-dashboard", ".mw-loss-chart", ".mw-key-of-runs span"


def test_runs_made_by_code_and_in_the_lab_share_one_chart(lab):
    lab.open_notebook(LESSON)
    lab.run_all()
    page = lab.page
    by_code = page.locator(CHART).first
    expect(by_code.locator(KEY)).to_have_text(
        ["lr 0.00001", "lr 0.0001", "lr 0.001 (this run, smoothed)"]
    )
    drawn = by_code.locator(".bqplot path.line[style*='--mw-run']")
    lengths = drawn.evaluate_all("paths => paths.map(path => path.getAttribute('d').length)")
    assert len([length for length in lengths if length > 100]) == 2
    table = json.loads(lab.run_cell("import json; print(json.dumps(accuracies))"))
    for accuracy in table.values():
        expect(page.get_by_role("cell", name=f"{accuracy:.1%}", exact=True)).to_be_visible()
    lab.scroll_to(CHART)
    lab.screenshot("experiments-code-light")

    in_lab = page.locator(LAB)
    state, reset, start = (in_lab.locator(f".mw-{name}") for name in ("state", "reset", "start"))
    expect(state).to_have_text("Ready")
    epochs = in_lab.get_by_label("Epochs")
    epochs.fill("2")
    epochs.press("Enter")
    start.click()
    expect(state).to_have_text("Finished")
    in_lab.get_by_label("Optimizer").select_option("SGD with momentum")
    reset.click()
    expect(state).to_have_text("Ready")
    start.click()
    expect(state).to_have_text("Finished")
    best = r", best epoch's test accuracy \d+\.\d\s%"
    labels = [f"run 1: Adam{best}$", rf"run 2: SGD with momentum{best} \(this run, smoothed\)$"]
    expect(in_lab.locator(KEY)).to_have_text([re.compile(label) for label in labels])
    expect(in_lab.locator(".mw-run-table .mw-run")).to_have_count(3)  # the header among them
    set_window_size(page, 1280, 1300)
    lab.scroll_to(LAB)
    lab.screenshot("experiments-lab-light")
    lab.set_theme(dark=True)
    lab.scroll_to(LAB)
    lab.screenshot("experiments-lab-dark")
