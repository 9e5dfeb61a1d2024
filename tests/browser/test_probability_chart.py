"""The probability chart in a real JupyterLab: bars, the frame of the label, values on hover."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

PANEL = ".mw-probability-chart"
PROBABILITIES = [0.0, 0.01, 0.0, 0.02, 0.11, 0.86, 0.0, 0.0, 0.0, 0.0]
CHART = f"""
import torch
from mnist_widgets import load_bundled_digits
from mnist_widgets.widgets import ProbabilityChart
_, test_set = load_bundled_digits()
probabilities = torch.tensor({PROBABILITIES})
chart = ProbabilityChart()
chart.show_prediction(test_set.images[0], probabilities, true_label=4)
chart
"""


@pytest.fixture
def panel(lab):
    """A chart that shows an image, on the page."""
    lab.open_notebook([CHART])
    lab.run_all()
    panel = lab.page.locator(PANEL)
    expect(panel.locator(".mw-caption")).to_contain_text("True 4.")
    lab.scroll_to(PANEL)
    return panel


def boxes_of(panel) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return the boxes of the frame of the label, and of the bars; the columns come after them."""
    frame, *bars = panel.locator("rect.bar").all()
    return frame.bounding_box(), [bar.bounding_box() for bar in bars[:10]]


def test_bars_are_as_high_as_probabilities_and_the_label_is_framed(panel, lab):
    frame, bars = boxes_of(panel)
    heights = [bar["height"] / frame["height"] for bar in bars]
    assert heights == pytest.approx(PROBABILITIES, abs=0.02)
    assert frame["x"] == pytest.approx(bars[4]["x"], abs=1)
    assert frame["width"] == pytest.approx(bars[4]["width"], abs=2)
    expect(panel.locator("text.label")).to_have_text("true")
    expect(panel.get_by_role("img", name="The picked image, enlarged")).to_be_visible()


def test_the_mouse_over_a_bar_shows_its_value(panel, lab):
    panel.locator("rect.bar").nth(11 + 5).hover()
    expect(lab.page.locator(".mw-values:visible")).to_contain_text("86.00 %")


def test_a_new_prediction_moves_bars_and_frame_and_clearing_takes_them_away(panel, lab):
    lab.run_cell("chart.show_prediction(test_set.images[0], probabilities.roll(1), 7)")
    expect(panel.locator(".mw-caption")).to_contain_text("True 7. The network says 6")
    frame, bars = boxes_of(panel)
    assert bars[6]["height"] / frame["height"] == pytest.approx(0.86, abs=0.02)
    assert frame["x"] == pytest.approx(bars[7]["x"], abs=1)
    height = panel.bounding_box()["height"]
    lab.run_cell("chart.clear()")
    expect(panel.locator(".mw-caption")).to_have_text("No image is selected.")
    expect(panel.locator("text.label")).to_be_hidden()
    expect(panel.locator("img")).to_have_count(0)
    assert panel.bounding_box()["height"] == height
