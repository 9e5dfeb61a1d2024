"""The same settings with five seeds: progress, band and comparison, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

CELLS = [
    """
from mnist_widgets import load_bundled_digits
from mnist_widgets.widgets import dashboard
""",
    """
lab = dashboard(data=load_bundled_digits(), settings="adam batch=64 hidden=32", epochs=3)
lab
""",
]
LAB, CHART, TABLE = ".mw-dashboard", ".mw-loss-chart", ".mw-run-table"
LOWEST = (".mw-image-gallery", ".mw-probability-chart")
VISIBLE_PX = 775  # of the lab in JupyterLab at 1440 x 900, with its file list
BAND = f"{CHART} .bqplot path.line[style*='fill: var(--mw']"
HAS_BANDS = """([selector, count]) =>
    [...document.querySelectorAll(selector)].filter(path => path.getAttribute('d')?.endsWith('Z')
        || path.getAttribute('d')?.length > 20).length === count"""

IS_WHOLE = """row => [row, ...row.querySelectorAll('*')].every(each =>
    each.scrollHeight <= each.clientHeight || getComputedStyle(each).display === 'inline')"""


class RepeatLab:
    """The lab on the page."""

    def __init__(self, lab) -> None:
        self.lab, self.page = lab, lab.page
        self.chart, self.table = lab.page.locator(CHART), lab.page.locator(TABLE)
        self.training = lab.page.locator(".mw-training-panel")
        self.button = self.table.get_by_role("button", name="Repeat with 5 seeds")
        self.caption = self.chart.locator(".mw-caption").first

    def expect_bands(self, count: int) -> None:
        self.page.wait_for_function(HAS_BANDS, arg=[BAND, count])

    def expect_end(self) -> None:
        expect(self.table).to_contain_text("All 5 runs have finished.", timeout=60_000)
        expect(self.training).to_contain_text("Finished")


@pytest.fixture
def repeat(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    lab.scroll_to(LAB)
    return RepeatLab(lab)


def test_two_settings_are_repeated_and_compared(repeat):
    lab, page, chart, table = repeat.lab, repeat.page, repeat.chart, repeat.table
    repeat.button.click()
    repeat.expect_end()
    expect(repeat.caption).to_contain_text(
        re.compile(r"Test loss after epoch 3, 5 seeds: median [\d.]+, from [\d.]+ to [\d.]+\.")
    )
    repeat.expect_bands(1)
    key = chart.locator(".mw-key-of-runs")
    expect(key).to_contain_text("run 1 (5 seeds, test loss: median and range)")
    expect(key).to_contain_text("seed 4 alone, smoothed")
    chart.get_by_label("Show").select_option("Accuracy")
    expect(repeat.caption).to_contain_text("Test accuracy after epoch 3, 5 seeds: median")
    repeat.expect_bands(1)
    expect(table.locator(".mw-run").last).to_contain_text(
        re.compile(r"5 seeds: [\d.]+ to [\d.]+\s% after the last epoch\. Accuracy and gap are med")
    )
    # by keyboard, with other settings
    page.get_by_label("Learning rate").fill("0.0001")
    page.get_by_label("Learning rate").press("Enter")
    lab.expect_in_kernel("lab.panels['settings'].config.learning_rate", "0.0001")
    expect(repeat.button).to_be_enabled()
    repeat.button.focus()
    page.keyboard.press("Enter")
    expect(table).to_contain_text("Training run")
    repeat.expect_end()
    expect(table).to_contain_text("The ranges do not overlap: each seed of run 1 is better")
    repeat.expect_bands(2)
    chart.get_by_role("button", name="Data").click()
    expect(chart.get_by_role("columnheader", name="Seed 4")).to_be_visible()
    for is_dark in (False, True):
        lab.set_theme(dark=is_dark)
        theme = "dark" if is_dark else "light"
        lab.screenshot(f"repeats-chart-{theme}", CHART)
        lab.screenshot(f"repeats-table-{theme}", TABLE)
        assert find_violations(page, LAB) == []
    lab.set_theme(dark=False)


def test_the_lab_still_fits_and_wraps_where_it_is_narrow(repeat):
    repeat.button.click()
    repeat.expect_end()
    repeat.expect_bands(1)
    set_output_width(repeat.page, LAB, 1020, 900)
    top = repeat.page.locator(LAB).bounding_box()["y"]
    for panel in LOWEST:
        box = repeat.page.locator(panel).bounding_box()
        assert box["y"] + box["height"] - top <= VISIBLE_PX, panel
    repeat.lab.screenshot("repeats-lab", LAB)
    assert find_lasting_faults(repeat.page, LAB) == []
    set_output_width(repeat.page, LAB, 560, 900)
    assert find_lasting_faults(repeat.page, LAB) == []
    repeat.lab.screenshot("repeats-narrow", LAB)
    set_output_width(repeat.page, LAB, 400, 900)
    words = repeat.table.locator(".mw-repeat-words")
    assert words.evaluate(IS_WHOLE)


def test_pause_pauses_and_stop_ends_the_repeat(repeat):
    page, training, table = repeat.page, repeat.training, repeat.table
    page.get_by_label("Epochs").fill("2000")
    page.get_by_label("Epochs").press("Enter")
    repeat.lab.expect_in_kernel("lab.panels['training'].epochs", "2000")
    repeat.button.click()
    expect(training).to_contain_text("Run 1 of 5")
    expect(repeat.button).to_be_disabled()
    page.get_by_label("Learning rate").fill("0.5")
    page.get_by_label("Learning rate").press("Enter")
    expect(page.locator(".mw-difference")).to_contain_text("Press Reset to use it.")
    training.get_by_role("button", name="Pause").click()
    expect(table).to_contain_text("Paused in run 1 of 5.")
    training.get_by_role("button", name="Stop").click()
    expect(table).to_contain_text("The repeat was ended in run 1 of 5.")
    repeat.lab.expect_in_kernel("lab.session.trainer.optimizer.param_groups[0]['lr']", "0.001")
    expect(table.locator(".mw-run").last).to_contain_text("0 of 5 seeds finished")
