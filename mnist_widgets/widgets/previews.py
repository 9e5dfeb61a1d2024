"""What the page shows of an image as soon as it is picked, before the kernel has heard of it.

A kernel may be busy or far away, but what the network last made of the images on the page is known.
So the page is told beforehand, and shows by itself what the kernel would answer. It is told in
JSON, which it reads only when an image is picked.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from ipywidgets import HTML
from torch import Tensor

from mnist_widgets.digit_set import DigitSet
from mnist_widgets.widgets.panel import WidgetStates


class PredictionPanel(Protocol):
    """Whatever shows one image, and the network's answer to it, in widgets of its own."""

    def preview_image(self, image: Tensor, true_label: int, /) -> WidgetStates:
        """Return what is shown of an image, uint8 (28, 28), whatever the answer."""

    def preview_answer(self, probabilities: Tensor, true_label: int, /) -> WidgetStates:
        """Return what is shown of an answer (C,)."""


def preview_images(panel: PredictionPanel, digit_set: DigitSet, indices: Tensor) -> str:
    """Return what `panel` shows of some images, whatever the network makes of them.

    Args:
        panel: shows the picked image.
        digit_set: the images and their labels.
        indices: int64 (M,), positions in the set.
    """
    images, labels = digit_set.images[indices], digit_set.labels[indices].tolist()
    return _to_json(
        {
            index: panel.preview_image(image, label)
            for index, image, label in zip(indices.tolist(), images, labels, strict=True)
        }
    )


def preview_answers(
    panel: PredictionPanel,
    caption: HTML,
    names: Sequence[str],
    digit_set: DigitSet,
    probabilities: Tensor,
    indices: Tensor,
) -> str:
    """Return what `panel` and `caption` show of the network's answers to some images.

    Args:
        panel: shows the probabilities of the picked image.
        caption: shows its name.
        names: of the M images.
        digit_set: the images and their labels.
        probabilities: float32 (N, C), for all images; zeros where the network has not been asked,
            NaN where it gave no numbers. These images have no preview.
        indices: int64 (M,), positions in the set.
    """
    answers, labels = probabilities[indices], digit_set.labels[indices].tolist()
    are_known = (answers.sum(dim=1) > 0).tolist()
    rows = zip(indices.tolist(), names, answers, labels, are_known, strict=True)
    return _to_json(
        {
            index: {**panel.preview_answer(answer, label), caption: {"value": html.escape(name)}}
            for index, name, answer, label, is_known in rows
            if is_known
        }
    )


def _to_json(previews: Mapping[int, WidgetStates]) -> str:
    """Return states by image and by the widget's id, but for widgets that are closed."""
    return json.dumps(
        {
            index: {
                widget.model_id: state
                for widget, state in states.items()
                if widget.comm is not None
            }
            for index, states in previews.items()
        }
    )
