"""The loss chart's view of accuracies, and what a person expects of a run, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

CELLS = [
    """
from mnist_widgets import DigitSet, Evaluator, load_bundled_digits, predict_probabilities
from mnist_widgets.widgets import dashboard

train_set, test_set = load_bundled_digits()
few = DigitSet(train_set.images[:60], train_set.labels[:60], train_set.class_names, "Sixty")

class BothAccuracies(Evaluator):
    def evaluate(self, model, device):
        predicted = predict_probabilities(model, few.images).argmax(1)
        train_accuracy = (predicted == few.labels).float().mean().item()
        return {"train_accuracy": train_accuracy, **super().evaluate(model, device)}
""",
    """
lab = dashboard(data=(few, test_set), epochs=12, guess=True)
trainer = lab.session.trainer
trainer.evaluator = BothAccuracies(test_set.batches(512), trainer.loss_fn)
lab
""",
]
ADD_FINDINGS = """
from mnist_widgets import HealthMonitor
from mnist_widgets.training.health.finding import Finding
for monitor in lab.session.trainer.callbacks:
    if isinstance(monitor, HealthMonitor):
        for name in ("overfitting", "trainable parameters missing from the optimizer"):
            monitor.findings.append(Finding(name, 1, 1, "Evidence.", "Advice."))
lab.panels["training"].schedule_redraw()
"""
CHART, TRAINING, LAB = ".mw-loss-chart", ".mw-training-panel", ".mw-dashboard"
LOWEST = (".mw-image-gallery", ".mw-probability-chart")
VISIBLE_PX = 775  # of the lab in JupyterLab at 1440 x 900, with its file list
CAPTION = re.compile(
    r"Training accuracy [\d.]+\s%, test accuracy [\d.]+\s% after epoch 12: "
    r"a gap of [\d.]+ percentage"
)
# The lines of epochs as the browser draws them: colour, dashes, and whether there is a line.
LINES = """paths => paths.map(path => [path.style.stroke,
    getComputedStyle(path).strokeDasharray, path.getAttribute('d')?.length > 0])"""


class AccuracyLab:
    """The lab on the page."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.chart, self.training = lab.page.locator(CHART), lab.page.locator(TRAINING)
        self.switch = self.chart.get_by_label("Show")
        self.guess = self.training.get_by_label("I expect a test accuracy of")

    def train(self) -> None:
        self.training.get_by_role("button", name="Start").click()
        expect(self.training).to_contain_text("Finished")

    def lines(self) -> dict[str, tuple[str, bool]]:
        paths = self.chart.locator(".bqplot path.line").evaluate_all(LINES)
        return {color: (dashes, is_drawn) for color, dashes, is_drawn in paths}


@pytest.fixture
def accuracy(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    lab.scroll_to(LAB)
    return AccuracyLab(lab)


def test_the_chart_switches_between_losses_and_accuracies_without_a_jump(accuracy):
    lab, page, chart = accuracy.lab, accuracy.page, accuracy.chart
    expect(accuracy.switch).to_be_hidden()  # no epoch has an accuracy yet
    accuracy.train()
    expect(accuracy.switch).to_be_visible()
    expect(chart.locator(".mw-caption").first).to_contain_text("Loss")
    height = chart.bounding_box()["height"]
    accuracy.switch.select_option("Accuracy")
    expect(chart.locator(".mw-caption").first).to_have_text(CAPTION)
    expect(chart.get_by_role("img", name="Accuracy chart")).to_be_visible()
    expect(chart.locator(".mw-key").first).to_have_text(re.compile("training accuracy *test acc"))
    expect(chart.get_by_label("Smoothing")).to_be_disabled()
    expect(chart.get_by_label("Log scale")).to_be_disabled()
    expect(chart.get_by_text("100", exact=True)).to_have_count(1)  # per cent, at the axis
    train, test = "var(--mw-train)", "var(--mw-test)"
    page.wait_for_function(
        f"document.querySelector({CHART!r} + ' path.line[style*=\"--mw-train\"]')"
        ".getAttribute('d').length > 0"
    )
    lines = accuracy.lines()
    assert lines[train][1]
    assert lines[test][1]
    assert lines[train][0] != lines[test][0]  # not by colour alone
    assert chart.bounding_box()["height"] == height
    chart.get_by_role("button", name="Data of the accuracy chart").click()
    table = chart.get_by_role("table")
    expect(table).to_contain_text("Train accuracy")
    expect(table).to_contain_text("Test accuracy")
    assert chart.bounding_box()["height"] == height
    chart.get_by_role("button", name="Data of the accuracy chart").click()
    for dark in (False, True):
        lab.set_theme(dark)
        lab.scroll_to(LAB)
        assert find_violations(page, CHART) == []
        lab.screenshot(f"accuracy{'-dark' if dark else ''}", LAB)
    lab.set_theme(False)
    set_output_width(page, LAB, 1020, 900)
    assert find_lasting_faults(page, LAB) == []
    accuracy.switch.select_option("Loss")
    expect(chart.get_by_role("img", name="Loss chart")).to_be_visible()
    expect(chart.get_by_label("Smoothing")).to_be_enabled()


def test_an_expected_accuracy_is_locked_during_the_run_and_compared_at_its_end(accuracy):
    lab, training, guess = accuracy.lab, accuracy.training, accuracy.guess
    guess.fill("a lot")
    training.get_by_role("button", name="Start").click()
    expect(training.get_by_label("Error")).to_contain_text("'a lot'")
    expect(training).to_contain_text("Ready")  # refused: nothing has begun
    lab.screenshot("guess-refused", TRAINING)
    guess.fill("90")
    guess.blur()
    # a click can overtake the change
    lab.expect_in_kernel("lab.panels['training']._guess._text.value", "90")
    training.get_by_role("button", name="Step").click()
    expect(training).to_contain_text("Paused")
    expect(guess).to_be_disabled()
    training.get_by_role("button", name="Resume").click()
    expect(training).to_contain_text("Finished")
    sentence = re.compile(r"You expected 90\s%; it is [\d.]+\s%\.")
    expect(training.locator(".mw-status")).to_contain_text(sentence)
    expect(guess).to_be_enabled()
    row = lab.page.locator(".mw-run-table .mw-run:not(.mw-run-header)")
    expect(row).to_contain_text(sentence)
    expect(row).to_contain_text(re.compile(r"[\d.]+ points"))
    for dark in (False, True):
        lab.set_theme(dark)
        lab.scroll_to(LAB)
        assert find_violations(lab.page, TRAINING) == []
        lab.screenshot(f"guess{'-dark' if dark else ''}", LAB)
    lab.set_theme(False)
    set_output_width(lab.page, LAB, 1008, 900)
    assert find_lasting_faults(lab.page, LAB) == []
    boxes = [lab.page.locator(panel).bounding_box() for panel in (LAB, *LOWEST)]
    bottom = max(box["y"] + box["height"] for box in boxes[1:])
    assert bottom - boxes[0]["y"] <= VISIBLE_PX
    lab.screenshot("guess-1020")
    lab.run_cell(ADD_FINDINGS)
    for output_px in (1008, 1310):
        set_output_width(lab.page, LAB, output_px, 900)
        expect(training.locator(".mw-notice")).to_have_text(
            re.compile(rf"Trainable parameters .* more\. {sentence.pattern}")
        )
        assert find_lasting_faults(lab.page, TRAINING) == []
        lab.screenshot(f"guess-and-findings-{output_px}")
    set_output_width(lab.page, LAB, 560, 2600)  # with all charts in view
    assert find_lasting_faults(lab.page, LAB) == []
    lab.screenshot("guess-560", LAB)
