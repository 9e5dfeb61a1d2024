"""A panel whose arguments are refused: one error, and nothing more when it is collected."""

from __future__ import annotations

import gc
import sys

import pytest
from traitlets import TraitError

from mnist_widgets import SimpleNet, load_bundled_digits
from mnist_widgets.widgets import (
    ConfusionChart,
    DrawingPad,
    HyperparameterPanel,
    ImageGallery,
    LossChart,
    LossExplorer,
    ProbabilityChart,
    RunTable,
    StepExplorer,
    TrainingPanel,
    dashboard,
)

REFUSED = {
    "ConfusionChart": lambda: ConfusionChart("aa"),
    "DrawingPad": lambda: DrawingPad(None),
    "DrawingPad, names": lambda: DrawingPad(SimpleNet(28 * 28, 10), class_names="aa"),
    "HyperparameterPanel": lambda: HyperparameterPanel(lock="nothing"),
    "ImageGallery": lambda: ImageGallery(None),
    "LossChart": lambda: LossChart(quantity="size"),
    "LossExplorer": lambda: LossExplorer(mode="size"),
    "ProbabilityChart": lambda: ProbabilityChart("aa"),
    "RunTable": lambda: RunTable(None),
    "StepExplorer": lambda: StepExplorer(None),
    "TrainingPanel": lambda: TrainingPanel(None),
    "dashboard, hide": lambda: dashboard(load_bundled_digits(), hide="nothing"),
    "dashboard, epochs": lambda: dashboard(load_bundled_digits(), epochs=0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_panel_raises_nothing_else_when_it_is_collected(name, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: raised.append(error.exc_value))
    with pytest.raises((TypeError, ValueError, TraitError), match=r"must|names|expected|twice"):
        REFUSED[name]()
    gc.collect()
    assert not raised
