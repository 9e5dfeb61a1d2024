"""Each panel alone in a cell, as in the lessons: its layout, and what axe-core finds.

All tests share one notebook, in which each panel has been used.
"""

from __future__ import annotations

import pytest
from axe import find_violations
from layout import find_lasting_faults, set_output_width
from playwright.sync_api import expect

CELLS = [
    """
import torch
from mnist_widgets import DigitSet, RunConfig, TrainingSession, load_bundled_digits
from mnist_widgets.runs.run_log import RunLog
from mnist_widgets.training.evaluation.evaluator import Predictions
from mnist_widgets.widgets import *
train_set, test_set = load_bundled_digits()
log, chart, gallery, matrix = RunLog(), LossChart(), ImageGallery(test_set), ConfusionChart()
callbacks = [chart, gallery, matrix, log.record()]
for rate in (0.01, 0.003):
    config = RunConfig(batch_size=64, learning_rate=rate)
    session = TrainingSession(config.build(train_set, test_set, callbacks))
    session.start(2)
    session.join()
gallery.selected_index, matrix.selected_pair = 3, (4, 9)
prediction = ProbabilityChart()
prediction.follow(gallery)
""",
    """
names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
         "Bag", "Ankle boot"]
random = torch.Generator().manual_seed(0)
images = torch.randint(256, (300, 28, 28), generator=random, dtype=torch.uint8)
clothes = DigitSet(images, torch.arange(300) % 10, names, "clothes")
probabilities = torch.rand(300, 10, generator=random).softmax(1)
predictions = Predictions(probabilities, clothes.labels)
clothes_matrix, clothes_prediction = ConfusionChart(names), ProbabilityChart(names)
clothes_matrix.show_counts(predictions.confusion * 111)
clothes_matrix.selected_pair = (0, 9)
clothes_prediction.show_prediction(images[9], probabilities[9], 9)
""",
    "TrainingPanel(session)",
    "chart",
    "gallery",
    "prediction",
    "matrix",
    "HyperparameterPanel()",
    "RunTable(log)",
    "clothes_prediction",
    "clothes_matrix",
]
PANELS = {
    "training": ".mw-training-panel",
    "loss": ".mw-loss-chart",
    "gallery": ".mw-image-gallery",
    "prediction": ".mw-probability-chart",
    "matrix": ".mw-confusion-chart",
    "settings": ".mw-settings",
    "runs": ".mw-run-table",
    "clothes-prediction": ".mw-probability-chart",
    "clothes-matrix": ".mw-confusion-chart",
}
WIDTHS_PX = (1008, 400)
# how much of its panel's width a chart takes
CHART_WIDTH = """panel => {
    const {width} = panel.querySelector('svg.bqplot, .bqplot svg').getBoundingClientRect();
    const picture = panel.querySelector('img')?.getBoundingClientRect().width ?? 0;
    return (width + picture) / panel.getBoundingClientRect().width;
}"""


@pytest.fixture
def panels(lab):
    """All panels on the page, each marked by an attribute `data-panel`."""
    lab.open_notebook(CELLS)
    lab.run_all()
    outputs = lab.page.locator(".jp-OutputArea-child .mw-panel")
    expect(outputs).to_have_count(len(PANELS))
    for output, (name, selector) in zip(outputs.all(), PANELS.items(), strict=True):
        assert output.evaluate("(panel, selector) => panel.matches(selector)", selector)
        output.evaluate("(panel, name) => { panel.dataset.panel = name; }", name)
    expect(lab.page.locator(".mw-probability-chart img")).to_have_count(2)
    return lab


@pytest.mark.parametrize("dark", [False, True])
def test_a_single_panel_has_no_faults(panels, dark):
    panels.set_theme(dark)
    page, found = panels.page, []
    for width_px in WIDTHS_PX:
        for name in PANELS:
            selector = f"[data-panel={name}]"
            set_output_width(page, selector, width_px, 1000)
            faults = find_lasting_faults(page, selector) + find_violations(page, selector)
            panels.screenshot(f"panel-{name}-{width_px}-{'dark' if dark else 'light'}", selector)
            found += [f"{name} at {width_px} px: {fault}" for fault in faults]
            panel = page.locator(selector)
            if panel.locator(".bqplot").count() and panel.evaluate(CHART_WIDTH) < 0.75:
                found.append(f"{name} at {width_px} px: the chart is too narrow")
    assert not found, "\n".join(found)
