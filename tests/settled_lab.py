"""Wait until a lab stands still: what was requested is done, predicted and drawn."""

from __future__ import annotations

import numpy as np
from timeouts import TIMEOUT_S

from mnist_widgets.widgets.redraws import scheduler


def settle(lab) -> None:
    """Wait until everything requested of a lab has taken effect, is predicted and drawn."""
    scheduler.flush()  # a filter changes the visible images in a redraw, which requests a job
    lab.session.between_batches(lambda: None).result(TIMEOUT_S)
    lab.session.in_portions(_no_portion).result(TIMEOUT_S)  # comes after the jobs that wait
    scheduler.flush()


def _no_portion():
    yield from ()


def shown_probabilities(lab) -> list[float]:
    """Return the probabilities that the lab's page shows of the selected image."""
    if "gallery" not in lab.panels:
        return lab.panels["prediction"]._figure.bars.y.tolist()
    grid = lab.panels["gallery"].grid
    probabilities = np.frombuffer(grid.probabilities, np.float32).reshape(len(grid.image_ids), -1)
    return probabilities[grid.image_ids.index(grid.selected)].tolist()
