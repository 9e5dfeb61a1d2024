"""One image and what the network makes of it: the ten probabilities as bars and as a sentence.

The probabilities come from `evaluation`; which image is shown is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bqplot import Axis, Bars, Figure, LinearScale, OrdinalScale
from ipywidgets import HBox, Image
from torch import Tensor

from mnist_widgets.data import DIGIT_NAMES
from mnist_widgets.images import to_png
from mnist_widgets.widgets.messages import format_share
from mnist_widgets.widgets.panel import Panel, text_line

IMAGE_SCALE = 6  # screen pixels for each of the image's 28


class ProbabilityChart(Panel):
    """The probabilities of one image's classes, beside the image enlarged.

    Example:
        ```python
        chart = ProbabilityChart()
        image, label = test_set.images[0], test_set.labels[0]
        chart.show_prediction(image, predict_probabilities(model, image)[0], int(label))
        chart
        ```

    Args:
        class_names: what the classes are called, in their order.
    """

    def __init__(self, class_names: Sequence[str] = DIGIT_NAMES) -> None:
        self._class_names = tuple(class_names)
        self._image = Image(format="png", layout={"margin": "12px 0 0 8px", "flex": "0 0 auto"})
        self._sentence = text_line("mw-caption")
        row = HBox([self._image, self._build_figure()], layout={"align_items": "flex-start"})
        super().__init__("mw-probability-chart", [row, self._sentence])

    def show_prediction(
        self, image: Tensor, probabilities: Tensor, true_label: int | None = None
    ) -> None:
        """Show one image with its probabilities.

        Args:
            image: uint8 (28, 28), or float (1, 28, 28) in [0, 1].
            probabilities: (C,), which sum to 1.
            true_label: the image's class, if it is known.

        Raises:
            ValueError: if there are not as many probabilities as classes.
        """
        if probabilities.shape != (len(self._class_names),):
            raise ValueError(
                f"probabilities must be {len(self._class_names)} numbers, one for each class, but "
                f"their shape is {tuple(probabilities.shape)}"
            )
        sentence = describe_prediction(probabilities, self._class_names)
        if true_label is not None:
            sentence = f"Label {self._class_names[true_label]}. The network says {sentence}."
        self._image.value = to_png(image, scale=IMAGE_SCALE)
        self._bars.y = probabilities.double().numpy()
        self._sentence.value = sentence

    def _build_figure(self) -> Figure:
        classes, share = OrdinalScale(), LinearScale(min=0, max=1)
        self._bars = Bars(
            x=list(self._class_names),
            y=np.zeros(len(self._class_names)),
            scales={"x": classes, "y": share},
            colors=["var(--mw-strong)"],
            padding=0.25,
        )
        class_axis = Axis(scale=classes, label="Digit", grid_lines="none")
        share_axis = Axis(
            scale=share,
            label="Probability",
            side="left",
            tick_format=".0%",
            tick_values=np.linspace(0, 1, 5),
            label_offset="46px",
        )
        return Figure(
            marks=[self._bars],
            axes=[class_axis, share_axis],
            fig_margin={"top": 12, "bottom": 42, "left": 66, "right": 12},
            layout={"width": "auto", "height": "220px", "margin": "0", "flex": "1 1 240px"},
            animation_duration=0,
            display_toolbar=False,
        )


def describe_prediction(probabilities: Tensor, class_names: Sequence[str]) -> str:
    """Return the two likeliest classes in words, such as `7 with 93 %, then 2 with 5 %`."""
    shares, labels = probabilities.topk(2)
    first, second = (
        f"{class_names[label]} with {format_share(share)}"
        for share, label in zip(shares.tolist(), labels.tolist(), strict=True)
    )
    return f"{first}, then {second}"
