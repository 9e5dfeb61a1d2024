"""Show newer answers in a gallery, as the lab does while it trains."""

from __future__ import annotations

import torch

from mnist_widgets.widgets.redraws import scheduler


def show_answers(gallery, indices, probabilities) -> None:
    """Show newer probabilities (M, C) of the images at `indices`, and draw them."""
    gallery.answers = gallery.answers.index_copy(0, torch.as_tensor(indices), probabilities)
    scheduler.schedule(gallery.redraw)
    scheduler.flush()
