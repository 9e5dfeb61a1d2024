"""Settings, runs with these settings, and their losses in one chart, in a real JupyterLab."""

from __future__ import annotations

import pytest
from layout import find_lasting_faults, set_window_size
from playwright.sync_api import expect

OTHERS = "decay=0 schedule=constant network=one-hidden dropout=0 images=all noise=0 augment=no"
PANEL, TABLE, CHART = ".mw-settings", ".mw-run-table", ".mw-loss-chart"

CELLS = [
    """
from ipywidgets import VBox
from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.runs.run_log import RunLog, describe_runs
from mnist_widgets.widgets import HyperparameterPanel, LossChart, RunTable

log, chart, digits = RunLog(), LossChart(), load_bundled_digits()
panel, table = HyperparameterPanel(RunConfig(batch_size=64)), RunTable(log)
""",
    """
def show():
    current = [run for run in log.runs if run is log.current]
    labels = describe_runs([*log.earlier_shown, *current])
    histories = [run.history for run in log.earlier_shown]
    label = labels[-1] if current else ""
    chart.show_runs(list(zip(labels, histories, strict=False)), label)

def train(epochs=3):
    panel.run_config = config = panel.config
    config.build(*digits, callbacks=[chart, log.record()]).fit(epochs)

log.add_listener(show)
""",
    "VBox([panel, chart, table])",
]

# The dashes of each line as the browser draws them, its colour as it was set, and its length.
LINES = """paths => paths.map(path =>
    [getComputedStyle(path).strokeDasharray, path.style.stroke, path.getAttribute('d').length])"""


class Runs:
    """The panels on the page, and their kernel."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.panel, self.table = lab.page.locator(PANEL), lab.page.locator(TABLE)
        self.key = lab.page.locator(f"{CHART} .mw-key-of-runs span")

    def text(self) -> str:
        return self.lab.run_cell("print(panel.config.to_string())").strip()

    def train(self, text: str, epochs: int = 3) -> None:
        code = f"panel.config = RunConfig.from_string({text!r}, panel.config); train({epochs})"
        self.lab.run_cell(code)

    def earlier_lines(self) -> list[tuple[str, str]]:
        """Return dashes and colour of the lines of earlier runs."""
        paths = self.lab.page.locator(f"{CHART} .bqplot path.line[style*='--mw-run']")
        return [(dashes, colour) for dashes, colour, length in paths.evaluate_all(LINES) if length]

    def expect_labels(self, *labels: str) -> None:
        expect(self.key).to_have_text(list(labels))


@pytest.fixture
def runs(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    lab.scroll_to(PANEL)
    return Runs(lab)


def test_the_controls_change_the_settings(runs):
    page, panel = runs.lab.page, runs.panel
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Optimizer").select_option("SGD with momentum")
    page.get_by_label("Loss function").select_option("Mean squared error")
    page.get_by_label("Batch size").select_option("128")
    for name, value in (("Learning rate", "0,025"), ("Hidden units", "100"), ("Seed", "7")):
        page.get_by_label(name).fill("")
        page.get_by_label(name).press_sequentially(value)  # key by key: a browser may drop some
        page.get_by_label(name).press("Enter")
    expect(page.get_by_label("Learning rate")).to_have_value("0.025")
    settings = f"momentum lr=0.025 batch=128 hidden=100 loss=mse seed=7 {OTHERS}"
    panel.get_by_role("button", name="About the settings").click()
    expect(panel.locator(".mw-popover")).to_contain_text("Steps keep some of their last direction.")
    page.keyboard.press("Escape")
    assert runs.text() == settings


def test_a_text_is_pasted_and_a_bad_one_gets_an_error_message_below_it(runs):
    page, panel = runs.lab.page, runs.panel
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Show the settings as code").check()
    field = page.get_by_label("Text", exact=True)
    expect(field).to_have_value(
        f"adam lr=0.001 batch=64 hidden=512 loss=cross-entropy seed=0 {OTHERS}"
    )
    field.fill("lr=fast")
    field.press("Enter")
    expect(panel.locator(".mw-alert")).to_contain_text(
        "Learning rate must be a number from 0.00001 to 10, not 'fast'"
    )
    expect(field).to_have_value("lr=fast")
    runs.lab.screenshot("settings-error", PANEL)
    field.fill("sgd lr=0.5 batch=48")
    field.press("Enter")
    expect(panel.locator(".mw-alert")).to_have_count(0)
    expect(field).to_have_value(
        f"sgd lr=0.5 batch=48 hidden=512 loss=cross-entropy seed=0 {OTHERS}"
    )
    expect(page.get_by_label("Batch size")).to_have_value("48")
    expect(panel.locator("pre")).to_contain_text("torch.optim.SGD(model.parameters(), lr=0.5)")
    runs.lab.screenshot("settings-as-code", PANEL)


def test_settings_that_wait_for_a_reset_are_named(runs):
    runs.train("", epochs=1)
    difference = runs.panel.locator(".mw-difference")
    expect(difference).to_have_text("")
    runs.lab.page.get_by_label("Batch size").select_option("256")
    expect(difference).to_contain_text("Press Reset")
    expect(runs.panel.get_by_role("status")).to_contain_text("batch size 256")
    runs.lab.screenshot("settings-awaiting-reset", PANEL)


def test_locked_controls_cannot_be_changed(lab):
    lock = 'panel = HyperparameterPanel(lock=["loss", "seed"], hide=["hidden_units", "text"])'
    lab.open_notebook([CELLS[0] + lock, "panel"])
    lab.run_all()
    lab.page.get_by_role("button", name="More settings").click()
    for name in ("Loss function", "Seed"):
        expect(lab.page.get_by_label(name)).to_be_disabled()
    expect(lab.page.get_by_label("Optimizer")).to_be_enabled()
    expect(lab.page.get_by_label("Hidden units")).to_have_count(0)
    lab.screenshot("settings-locked", PANEL)


def test_runs_share_one_chart_and_are_named_by_what_differs(runs):
    runs.train("lr=0.001")
    expect(runs.key).to_have_count(0)
    runs.train("lr=0.01")
    runs.expect_labels("lr 0.001", "lr 0.01 (this run, smoothed)")
    assert len(runs.earlier_lines()) == 1
    runs.train("lr=0.0001")
    runs.train("lr=0.003 sgd")
    runs.train("lr=0.003 adamw")
    runs.expect_labels(
        "Adam, lr 0.001",
        "Adam, lr 0.01",
        "Adam, lr 0.0001",
        "SGD, lr 0.003",
        "AdamW, lr 0.003 (this run, smoothed)",
    )
    lines = runs.earlier_lines()
    assert len(lines) == len({dashes for dashes, _ in lines}) == len({c for _, c in lines}) == 4
    for name, is_dark in (("light", False), ("dark", True)):
        runs.lab.set_theme(dark=is_dark)
        runs.lab.scroll_to(PANEL)
        runs.lab.screenshot(f"runs-{name}")
        runs.lab.screenshot(f"runs-{name}-chart", CHART)
        runs.lab.screenshot(f"runs-{name}-table", TABLE)
    runs.lab.set_theme(dark=False)
    set_window_size(runs.lab.page, 480, 1000)
    for selector in (PANEL, CHART, TABLE):
        runs.lab.scroll_to(selector)
        faults = find_lasting_faults(runs.lab.page, selector)
        runs.lab.screenshot(f"runs-narrow-{selector[4:]}", selector)
        assert not faults, f"{selector}: {faults}"


def test_runs_are_hidden_shown_and_deleted(runs):
    for rate in ("0.001", "0.01", "0.1"):
        runs.train(f"lr={rate}", epochs=1)
    runs.expect_labels("lr 0.001", "lr 0.01", "lr 0.1 (this run, smoothed)")
    runs.lab.page.get_by_label("Run 2").uncheck()
    runs.expect_labels("lr 0.001", "lr 0.1 (this run, smoothed)")
    runs.lab.page.get_by_label("Run 2").check()
    runs.expect_labels("lr 0.001", "lr 0.01", "lr 0.1 (this run, smoothed)")
    assert len(runs.earlier_lines()) == 2
    runs.table.get_by_role("button", name="Delete run 1").click()
    runs.expect_labels("lr 0.01", "lr 0.1 (this run, smoothed)")
    expect(runs.lab.page.get_by_label("Run 1")).to_have_count(0)
    expect(runs.table.locator(".mw-run")).to_have_count(3)  # the header among them
    assert len(runs.earlier_lines()) == 1


def test_the_keyboard_alone_hides_and_deletes_runs(runs):
    for rate in ("0.001", "0.01"):
        runs.train(f"lr={rate}", epochs=1)
    runs.lab.page.get_by_label("Run 1").focus()
    runs.lab.page.keyboard.press("Space")
    expect(runs.key).to_have_count(0)
    runs.lab.page.keyboard.press("Tab")
    runs.lab.page.keyboard.press("Enter")
    expect(runs.lab.page.get_by_label("Run 1")).to_have_count(0)
