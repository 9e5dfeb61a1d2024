"""From an overfitted training to a smaller gap, and the labels of settings, in JupyterLab."""

from __future__ import annotations

import re

from axe import find_violations
from layout import find_lasting_faults
from playwright.sync_api import expect

CELLS = [
    """
from mnist_widgets import load_bundled_digits
from mnist_widgets.widgets import dashboard

lab = dashboard(data=load_bundled_digits(), settings="lr=0.003 batch=16", epochs=40)
lab
"""
]
LAB, SETTINGS = ".mw-dashboard", ".mw-settings"
ACCURACIES = re.compile(r"Training accuracy ([\d.]+)\s%, test accuracy ([\d.]+)\s% after epoch 40")
CUT_LABELS = """root => [...root.querySelectorAll('.widget-label')]
    .filter(label => label.scrollWidth > label.clientWidth).map(label => label.textContent)"""


def test_a_remedy_chosen_in_the_settings_makes_the_gap_smaller(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    page, panel = lab.page, lab.page.locator(LAB)
    settings, training = panel.locator(SETTINGS), panel.locator(".mw-training-panel")
    chart = panel.locator(".mw-loss-chart")
    settings.get_by_role("button", name="More settings").click()
    assert settings.evaluate(CUT_LABELS) == []

    def train() -> None:
        training.get_by_role("button", name="Reset").click()
        expect(training).to_contain_text("Ready")
        training.get_by_role("button", name="Start").click()
        expect(training).to_contain_text("Finished", timeout=120_000)

    def read_gap() -> float:
        """Return training minus test accuracy, as the chart says them, in percentage points."""
        caption = chart.locator(".mw-caption").first
        expect(caption).to_contain_text(ACCURACIES)
        train_accuracy, test_accuracy = ACCURACIES.search(caption.inner_text()).groups()
        return float(train_accuracy) - float(test_accuracy)

    settings.get_by_label("Training images").select_option("100")
    noise = settings.get_by_label("Wrong labels")
    noise.fill("0.2")
    noise.press("Enter")
    text = settings.get_by_label("Text", exact=True)
    expect(text).to_have_value(re.compile(r"images=100 noise=0\.2"))
    train()
    chart.get_by_label("Show").select_option("Accuracy")
    overfitted = read_gap()
    assert overfitted > 10
    lab.scroll_to(LAB)
    lab.screenshot("overfitting-light")
    settings.get_by_label("Training images").select_option("1,000")
    expect(text).to_have_value(re.compile(r"images=1000 noise=0\.2"))
    train()
    assert read_gap() < overfitted - 5

    text.fill("images=5000")
    text.press("Enter")
    expect(settings.locator(".mw-alert")).to_contain_text("from 1 to 1,438, not 5000")
    lab.scroll_to(LAB)
    lab.screenshot("overfitting-remedy-light")
    lab.set_theme(dark=True)
    lab.scroll_to(LAB)
    lab.screenshot("overfitting-remedy-dark")
    assert find_violations(page, LAB) == []
    assert find_lasting_faults(page, LAB) == []
