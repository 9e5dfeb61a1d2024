"""One image with the network's probabilities, as bars and as a sentence."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from bqplot import Axis, Bars, Figure, LinearScale, OrdinalScale
from ipywidgets import HBox, Widget, jsdlink
from torch import Tensor

from mnist_widgets.data import DIGIT_NAMES
from mnist_widgets.images import to_png
from mnist_widgets.tensors import ArrayLike, to_class_names, to_images, to_tensor
from mnist_widgets.twins import Twin, twin_prediction
from mnist_widgets.widgets.class_axis import class_axis
from mnist_widgets.widgets.image_grid import Answer, Gallery
from mnist_widgets.widgets.image_words import describe_answer
from mnist_widgets.widgets.links import LinkedBars, LinkedHTML, LinkedLabel
from mnist_widgets.widgets.panel import Panel
from mnist_widgets.widgets.publishing import publisher

_NO_IMAGE = "No image has been picked yet."
_ANSWER = ["selected", "probabilities"]
"""The traits of a gallery's grid on which the static view depends."""


class _Shown(NamedTuple):
    """What `show_prediction` was given, and the image in HTML."""

    answer: Answer
    picture: str


class ProbabilityChart(Panel):
    """The probabilities of one image's classes, beside the image enlarged.

    Alone it shows what `show_prediction` is given; or it follows the selection of a gallery.

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

    _links: Sequence[Widget] = ()

    def __init__(self, class_names: Iterable[object] = DIGIT_NAMES) -> None:
        self._class_names = to_class_names(class_names)
        self._shown: _Shown | None = None
        self._gallery: Gallery | None = None
        self._image = LinkedHTML(layout={"flex": "0 0 auto"}).add_class("mw-image")
        self._sentence = LinkedHTML().add_class("mw-caption")
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
            RuntimeError: if the chart follows a gallery.
        """
        self._check_alone("show another image")
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
        if before is not None and _are_equal(before.answer.image, image):
            image, picture = before.answer.image, before.picture
        else:
            image, picture = image.detach().clone(), _to_html(image)
        # copies: the caller may go on writing into its own
        answer = Answer(image, probabilities.detach().clone(), true_label)
        self._shown = _Shown(answer, picture)
        publisher.request(self.redraw)

    def clear(self) -> None:
        """Show no image.

        Raises:
            RuntimeError: if the chart follows a gallery.
        """
        self._check_alone("be cleared")
        self._shown = None
        publisher.request(self.redraw)

    def _check_alone(self, request: str) -> None:
        if self._gallery is not None:
            raise RuntimeError(
                f"This chart follows a gallery, so it cannot {request}. "
                "Make another one: chart = ProbabilityChart()"
            )

    def _on_answer(self, _change: object) -> None:
        publisher.request(self.redraw)  # which tells that the static twin is out of date

    def follow(self, gallery: Gallery) -> None:
        """Show the selected image of a gallery with the network's newest answer, from now on.

        The page does it by itself: a click is answered even while the kernel is busy.

        Args:
            gallery: such as an `ImageGallery`, of a data set with the same classes.

        Raises:
            ValueError: if its classes are others.
            RuntimeError: if the chart follows a gallery already.
        """
        self._check_alone("follow a gallery")
        grid = gallery.grid
        if tuple(grid.class_names) != self._class_names:
            raise ValueError(
                f"The chart's classes are {', '.join(self._class_names)}, those of the gallery "
                f"{', '.join(grid.class_names)}. Pass the gallery's names as class_names."
            )
        self._gallery = gallery
        self._frame.visible = self._frame_title.visible = True  # where the page says
        targets = {
            "shown_picture": [(self._image, "value")],
            "shown_bars": [(self._bars, "y")],
            "shown_sentence": [(self._sentence, "value")],
            "shown_values": [(self._values, "value")],
            "shown_class": [(self._frame, "x"), (self._frame_title, "x")],
        }
        self._links = [
            jsdlink((grid, source), target) for source in targets for target in targets[source]
        ]
        grid.observe(self._on_answer, _ANSWER)

    def close(self) -> None:
        """Take the chart off the page; a gallery that it follows stays."""
        links, self._links = self._links, ()
        for link in links:
            link.close()
        if links and self._gallery is not None:
            self._gallery.grid.unobserve(self._on_answer, _ANSWER)
        super().close()

    def twin(self) -> Twin:
        """Return the image, its probabilities and the sentence."""
        if self._gallery is not None:
            answer = self._gallery.selected_answer()
        else:
            answer = None if self._shown is None else self._shown.answer
        if answer is None:
            return Twin.of_words(_NO_IMAGE)
        return twin_prediction(
            answer.image,
            answer.probabilities.cpu(),
            self._class_names,
            answer.true_label,
            self._describe(answer),
        )

    def redraw(self) -> None:
        """Update the widgets from the newest prediction; called by the publisher.

        Nothing happens while the chart follows a gallery: then the page updates it.
        """
        if self._gallery is not None:
            return
        shown, size = self._shown, len(self._class_names)
        if shown is None:
            self._image.value, self._sentence.value, self._values.value = "", _NO_IMAGE, ""
            self._bars.y = np.zeros(size)
            self._show_class(None)
            return
        answer = shown.answer
        self._image.value = shown.picture
        self._show_class(answer.true_label)
        self._bars.y = answer.probabilities.cpu().double().numpy()
        self._sentence.value = html.escape(self._describe(answer))
        self._values.value = _format_values(self._class_names, answer.probabilities.tolist())

    def _show_class(self, label: int | None) -> None:
        """Frame the column of a class."""
        for mark in (self._frame, self._frame_title):
            with mark.hold_sync():
                mark.visible = label is not None
                if label is not None:
                    mark.x = [self._class_names[label]]

    def _describe(self, answer: Answer) -> str:
        return describe_answer(answer.probabilities, self._class_names, answer.true_label)

    def _build_figure(self) -> Figure:
        names = self._class_names
        classes, share = OrdinalScale(domain=list(names)), LinearScale(min=0, max=1)
        scales = {"x": classes, "y": share}
        noun = "Digit" if names == DIGIT_NAMES else "Class"
        self._bars = LinkedBars(
            x=list(names),
            y=np.zeros(len(names)),
            scales=scales,
            colors=["var(--mw-strong)"],
            padding=0.25,
            interactions={},
        )
        # A bar may be too small to be hit by the mouse, so the values belong to its whole column.
        self._values = LinkedHTML()
        columns = Bars(
            x=list(names),
            y=np.ones(len(names)),
            scales=scales,
            colors=["transparent"],
            padding=0,
            tooltip=self._values,
            tooltip_style={"opacity": 1, "color": "var(--jp-content-font-color1)"},
        )
        self._frame = LinkedBars(
            x=[names[0]],
            y=np.ones(1),
            scales=scales,
            colors=["transparent"],
            stroke="var(--mw-text)",
            padding=0.25,
            visible=False,
            interactions={},
        )
        self._frame_title = LinkedLabel(
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


def _format_values(class_names: Sequence[str], shares: Sequence[float]) -> str:
    """Return what the mouse over the chart shows: a percentage for each class."""
    width = max(map(len, class_names))
    rows = "\n".join(
        f"{html.escape(f'{name:>{width}}')} {100 * share:6.2f} %"
        for name, share in zip(class_names, shares, strict=True)
    )
    return f'<pre class="mw-values">{rows}</pre>'


def _are_equal(image: Tensor, other: Tensor) -> bool:
    return (image.dtype, image.device) == (other.dtype, other.device) and image.equal(other)


def _to_html(image: Tensor) -> str:
    png = base64.b64encode(to_png(image)).decode()
    return f'<img alt="The picked image, enlarged" src="data:image/png;base64,{png}">'
