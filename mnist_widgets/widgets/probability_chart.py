"""One image and what the network makes of it: the probabilities as bars and as a sentence.

The probabilities come from `evaluation`; which image is shown is decided elsewhere.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from bqplot import Axis, Bars, Figure, Label, LinearScale, OrdinalScale
from ipywidgets import HTML, HBox
from torch import Tensor

from mnist_widgets.data import DIGIT_NAMES
from mnist_widgets.images import to_png
from mnist_widgets.messages import format_share
from mnist_widgets.tensors import ArrayLike, to_class_names, to_images, to_tensor
from mnist_widgets.twins import Twin, twin_prediction
from mnist_widgets.widgets.class_axis import class_axis
from mnist_widgets.widgets.panel import Panel, WidgetStates, text_line
from mnist_widgets.widgets.publishing import publisher

_NO_IMAGE = "No image has been picked yet."


class _Shown(NamedTuple):
    """What `show_prediction` was given, and the image in HTML."""

    image: Tensor
    picture: str
    probabilities: Tensor
    true_label: int | None


class ProbabilityChart(Panel):
    """The probabilities of one image's classes, beside the image enlarged.

    The true class stands in a frame, which a network fills that is sure and right. The mouse over
    the chart shows all values.

    Example:
        ```python
        chart = ProbabilityChart()
        image, label = test_set.images[0], test_set.labels[0]
        chart.show_prediction(image, predict_probabilities(model, image)[0], int(label))
        chart
        ```

    Args:
        class_names: what the classes are called, in their order: strings, or whatever `str` makes
            names of; no two alike.
    """

    def __init__(self, class_names: Iterable[object] = DIGIT_NAMES) -> None:
        self._class_names = to_class_names(class_names)
        self._values_format = _format_values(self._class_names)
        self._shown: _Shown | None = None
        self._image = HTML(layout={"flex": "0 0 auto"}).add_class("mw-image")
        self._sentence = text_line("mw-caption")
        row = HBox(
            [self._image, self._build_figure()],
            layout={"flex_flow": "row wrap", "align_items": "flex-start"},
        )
        super().__init__("mw-probability-chart", [row, self._sentence])
        self.redraw()

    def show_prediction(
        self, image: ArrayLike, probabilities: ArrayLike, true_label: int | None = None
    ) -> None:
        """Show one image with its probabilities, from any thread; the newest is what is drawn.

        Args:
            image: uint8 (28, 28), or float (1, 28, 28) in [0, 1]; a tensor, an array or a list.
            probabilities: (C,), which sum to 1; a tensor, an array or a list.
            true_label: the image's class, if it is known.

        Raises:
            ValueError: if there are not as many probabilities as classes, the true label is none
                of them, or the image has another shape, type or range.
        """
        image, probabilities = to_images(image), to_tensor(probabilities, "probabilities")
        size = len(self._class_names)
        if probabilities.shape != (size,):
            raise ValueError(
                f"probabilities must be a tensor of {size} numbers, one for each class, but their "
                f"shape is {tuple(probabilities.shape)}"
            )
        if true_label is not None and not 0 <= true_label < size:
            raise ValueError(f"true_label must be from 0 to {size - 1}, not {true_label}")
        before = self._shown
        if before is not None and _are_equal(before.image, image):
            image, picture = before.image, before.picture
        else:
            image, picture = image.detach().clone(), _to_html(image)
        # copies: the caller may go on writing into its own
        self._shown = _Shown(image, picture, probabilities.detach().clone(), true_label)
        publisher.request(self.redraw)

    def clear(self) -> None:
        """Show no image."""
        self._shown = None
        publisher.request(self.redraw)

    def twin(self) -> Twin:
        """Return the image, its probabilities and the sentence."""
        shown = self._shown
        if shown is None:
            return Twin.of_words(_NO_IMAGE)
        return twin_prediction(
            shown.image,
            shown.probabilities.cpu(),
            self._class_names,
            shown.true_label,
            self._describe(shown.probabilities, shown.true_label),
        )

    def redraw(self) -> None:
        """Bring the widgets up to date with the newest prediction; called by the publisher."""
        shown = self._shown
        if shown is None:
            states = {
                **self._image_states("", None),
                self._bars: {"y": np.zeros(len(self._class_names))},
                self._sentence: {"value": _NO_IMAGE},
                self._values: {"value": ""},
            }
        else:
            states = {
                **self._image_states(shown.picture, shown.true_label),
                **self.preview_answer(shown.probabilities, shown.true_label),
            }
        for widget, state in states.items():
            with widget.hold_sync():
                for name, value in state.items():
                    setattr(widget, name, value)
        self.mark_twin_stale()

    def preview_image(self, image: Tensor, true_label: int | None = None) -> WidgetStates:
        """Return what `show_prediction` would show of an image, whatever the probabilities.

        Args:
            image: uint8 (28, 28), or float (1, 28, 28) in [0, 1].
            true_label: the image's class, if it is known.
        """
        return self._image_states(_to_html(image), true_label)

    def preview_answer(self, probabilities: Tensor, true_label: int | None = None) -> WidgetStates:
        """Return what `show_prediction` would show of the probabilities.

        Args:
            probabilities: (C,), which sum to 1.
            true_label: the image's class, if it is known.
        """
        shares = probabilities.tolist()
        return {
            # what is finer than the eye need not be sent
            self._bars: {"y": [round(share, 5) for share in shares]},
            self._sentence: {"value": html.escape(self._describe(probabilities, true_label))},
            self._values: {"value": self._values_format.format(*(100 * share for share in shares))},
        }

    def _build_figure(self) -> Figure:
        names = self._class_names
        classes, share = OrdinalScale(domain=list(names)), LinearScale(min=0, max=1)
        scales = {"x": classes, "y": share}
        noun = "Digit" if names == DIGIT_NAMES else "Class"
        self._bars = Bars(
            x=list(names),
            y=np.zeros(len(names)),
            scales=scales,
            colors=["var(--mw-strong)"],
            padding=0.25,
            interactions={},
        )
        # A bar may be too small to be hit by the mouse, so the values belong to its whole column.
        self._values = HTML()
        columns = Bars(
            x=list(names),
            y=np.ones(len(names)),
            scales=scales,
            colors=["transparent"],
            padding=0,
            tooltip=self._values,
            tooltip_style={"opacity": 1, "color": "var(--jp-content-font-color1)"},
        )
        self._frame = Bars(
            x=[names[0]],
            y=np.ones(1),
            scales=scales,
            colors=["transparent"],
            stroke="var(--mw-text)",
            padding=0.25,
            visible=False,
            interactions={},
        )
        self._frame_title = Label(
            x=[names[0]],
            y=np.ones(1),
            text=["true"],
            scales=scales,
            colors=["var(--mw-text)"],
            default_size=11,
            font_weight="normal",
            align="middle",
            y_offset=-9,
            apply_clip=False,  # it stands above the plot
            visible=False,
        )
        axis, bottom = class_axis(classes, names, noun)
        share_axis = Axis(
            scale=share,
            label="Probability",
            side="left",
            tick_format=".0%",
            tick_values=np.linspace(0, 1, 5),
            label_offset="46px",
        )
        return Figure(
            marks=[self._frame, self._bars, self._frame_title, columns],
            axes=[axis, share_axis],
            fig_margin={"top": 22, "bottom": bottom, "left": 66, "right": 12},
            layout={
                "width": "auto",
                "height": f"{188 + bottom}px",
                "margin": "0",
                "flex": "1 1 230px",
            },
            animation_duration=0,
            display_toolbar=False,
        )

    def _image_states(self, picture: str, true_label: int | None) -> WidgetStates:
        frame: dict[str, Any] = {"visible": true_label is not None}
        if true_label is not None:
            frame["x"] = [self._class_names[true_label]]
        return {self._image: {"value": picture}, self._frame: frame, self._frame_title: frame}

    def _describe(self, probabilities: Tensor, true_label: int | None) -> str:
        if any(map(math.isnan, probabilities.tolist())):
            words = "The network's outputs are no numbers any more (nan)."
        else:
            prediction = describe_prediction(probabilities, self._class_names)
            words = f"The network says {prediction}."
        if true_label is None:
            return words
        return f"True {self._class_names[true_label]}. {words}"


def describe_prediction(probabilities: Tensor, class_names: Sequence[str]) -> str:
    """Return the two likeliest classes in words, such as `7 with 93 %, then 2 with 5 %`."""
    answers = zip(probabilities.tolist(), class_names, strict=True)
    likeliest = sorted(answers, key=itemgetter(0), reverse=True)[:2]  # of equals the first
    return ", then ".join(f"{name} with {format_share(share)}" for share, name in likeliest)


def _format_values(class_names: Sequence[str]) -> str:
    """Return what the mouse over the chart shows, with a place for each class's percentage."""
    width = max(map(len, class_names))
    names = [html.escape(f"{name:>{width}}") for name in class_names]
    rows = "\n".join(name.replace("{", "{{").replace("}", "}}") + " {:6.2f} %" for name in names)
    return f'<pre class="mw-values">{rows}</pre>'


def _are_equal(image: Tensor, other: Tensor) -> bool:
    return (image.dtype, image.device) == (other.dtype, other.device) and image.equal(other)


def _to_html(image: Tensor) -> str:
    png = base64.b64encode(to_png(image)).decode()
    return f'<img alt="The picked image, enlarged" src="data:image/png;base64,{png}">'
