"""Each finding has its paragraph in the lesson."""

from __future__ import annotations

import json
from pathlib import Path

from mnist_widgets.training.health.data_signs import INPUT_SIGNS, LABEL_SIGN
from mnist_widgets.training.health.loss_signs import LOSS_SIGNS, NOT_FINITE, OVERFITTING
from mnist_widgets.training.health.step_signs import STEP_SIGNS
from mnist_widgets.training.health.unit_signs import DEAD_UNITS

LESSON = Path(__file__).parents[3] / "notebooks/03_inside_one_step.ipynb"


def test_each_finding_has_a_paragraph_in_the_lesson():
    cells = json.loads(LESSON.read_text(encoding="utf-8"))["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells).splitlines()
    single = [NOT_FINITE, LABEL_SIGN, DEAD_UNITS, OVERFITTING]
    signs = [*single, *LOSS_SIGNS, *STEP_SIGNS, *INPUT_SIGNS]
    headings = {line.removeprefix("### ") for line in lines if line.startswith("### ")}
    assert {sign.name.capitalize() for sign in signs} <= headings
