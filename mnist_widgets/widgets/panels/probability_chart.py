"""One image with the network's probabilities, as bars and as a sentence."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ipywidgets import HTML, HBox

from mnist_widgets.data.digit_set import DIGIT_NAMES
from mnist_widgets.data.images import to_png
from mnist_widgets.data.tensors import ArrayLike, to_class_names, to_images, to_tensor
from mnist_widgets.rendering.chart_data import tabulate_prediction
from mnist_widgets.rendering.image_captions import describe_answer
from mnist_widgets.rendering.png_charts import draw_prediction, draw_words
from mnist_widgets.rendering.static_views import StaticView, render_prediction
from mnist_widgets.training.evaluation.predictions import check_probabilities
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.parts.image_grid import Answer, Gallery, Target
from mnist_widgets.widgets.parts.probability_figure import ProbabilityFigure

if TYPE_CHECKING:
    import pandas as pd

_NO_IMAGE = "No image is selected."  # as in image_grid_logic.js
_NO_ANSWER = "No prediction yet."  # for the selected image of a gallery; likewise
_ANSWER = ["selected", "probabilities"]
"""The traits of a gallery's grid on which the static view depends."""


class ProbabilityChart(ChartPanel):
    """The probabilities of one image's classes, beside the image enlarged.

    It shows the prediction passed to `show_prediction`, or it follows the selection of a gallery.

    A frame marks the true class: a network that is sure and right fills it. A tooltip shows all
    values.

    Example:
        ```python
        chart = ProbabilityChart()
        image, label = test_set.images[0], test_set.labels[0]
        chart.show_prediction(image, predict_probabilities(model, image)[0], int(label))
        chart
        ```

    Args:
        class_names: the names of the classes, in their order: strings, or objects that `str` turns
            into names; no two alike.
    """

    _targets: Sequence[Target] = ()  # of the grid that it follows

    def __init__(self, class_names: Iterable[object] = DIGIT_NAMES) -> None:
        self._class_names = to_class_names(class_names)
        self._shown: tuple[Answer, str] | None = None  # and the picture, as HTML
        self._gallery: Gallery | None = None
        self._image = HTML(layout={"flex": "0 0 auto"}).add_class("mw-image")
        self._figure = ProbabilityFigure(self._class_names)
        row = HBox(
            [self._image, self._figure.figure],
            layout={"align_items": "flex-start"},
        )
        super().__init__("mw-probability-chart", "Prediction", [], row)
        self.redraw()

    def show_prediction(
        self, image: ArrayLike, probabilities: ArrayLike, true_label: int | None = None
    ) -> None:
        """Show one image with its probabilities, from any thread; only the newest is drawn.

        Args:
            image: uint8 (28, 28), or float (1, 28, 28) in [0, 1]; a tensor, an array or a list.
            probabilities: (C,), which sum to 1; a tensor, an array or a list.
            true_label: the image's class, if it is known.

        Raises:
            ValueError: if there are not as many probabilities as classes, they do not sum to 1,
                the true label is none of the classes, or the image has another shape, type or
                range.
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
        check_probabilities(probabilities)
        if true_label is not None and not 0 <= true_label < size:
            raise ValueError(f"true_label must be from 0 to {size - 1}, not {true_label}")
        # copies: the caller may continue to write into its own
        answer = Answer(image.detach().clone(), probabilities.detach().clone(), true_label)
        png = base64.b64encode(to_png(image)).decode()
        picture = f'<img alt="The picked image, enlarged" src="data:image/png;base64,{png}">'
        self._shown = (answer, picture)
        self.schedule_redraw()

    def clear(self) -> None:
        """Show no image.

        Raises:
            RuntimeError: if the chart follows a gallery.
        """
        self._check_alone("be cleared")
        self._shown = None
        self.schedule_redraw()

    def follow(self, gallery: Gallery) -> None:
        """Show the selected image of a gallery with the network's newest answer, from now on.

        The page does this without the kernel: a click is answered even while the kernel is busy.

        Args:
            gallery: such as an `ImageGallery`, of a data set with the same classes.

        Raises:
            ValueError: if its classes are others.
            RuntimeError: if the chart follows a gallery already, or is closed.
        """
        self._check_alone("follow a gallery")
        if self.comm is None:
            raise RuntimeError("This chart is closed. Make another one: chart = ProbabilityChart()")
        grid = gallery.grid
        if tuple(grid.class_names) != self._class_names:
            raise ValueError(
                f"The chart's classes are {', '.join(self._class_names)}, those of the gallery "
                f"{', '.join(grid.class_names)}. Pass the gallery's names as class_names."
            )
        self._gallery = gallery
        figure = self._figure
        for mark in (figure.frame, figure.frame_title):
            mark.x = []  # until the page writes the true class there
            mark.visible = True
        self._targets = [
            grid.show_on("picture", self._image, "value"),
            grid.show_on("bars", figure.bars, "y"),
            grid.show_on("sentence", self._footer, "caption"),
            grid.show_on("values", figure.tooltip, "value"),
            grid.show_on("true_class", figure.frame, "x"),
            grid.show_on("true_class", figure.frame_title, "x"),
        ]
        grid.observe(self.schedule_redraw, _ANSWER)  # which marks the static view as stale
        self.redraw()  # before the page shows it: the first answer is not read aloud

    def close(self) -> None:
        """Remove the chart from the page; a gallery that it follows stays."""
        targets, self._targets = self._targets, ()
        if targets and self._gallery is not None:
            grid = self._gallery.grid
            grid.targets = [target for target in grid.targets if target not in targets]
            grid.unobserve(self.schedule_redraw, _ANSWER)
        super().close()

    def to_png(self) -> bytes:
        """Return the image and its bars as a PNG, dark on white."""
        answer = self._shown_answer
        if answer is None:
            return draw_words(self._absence)
        probabilities = answer.probabilities.cpu()
        return draw_prediction(answer.image, probabilities, self._class_names, answer.true_label)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the probability of each class."""
        answer = self._shown_answer
        probabilities = None if answer is None else answer.probabilities
        return tabulate_prediction(probabilities, self._class_names)

    def static_view(self) -> StaticView:
        """Return the image, its probabilities and the sentence."""
        answer = self._shown_answer
        if answer is None:
            return StaticView.of_words(self._absence)
        return render_prediction(
            answer.image,
            answer.probabilities.cpu(),
            self._class_names,
            answer.true_label,
            self._describe(answer),
        )

    def redraw(self) -> None:
        """Update the widgets from the newest prediction; called by the redraw scheduler.

        While the chart follows a gallery, the page updates the widgets.
        """
        if self._gallery is None:
            answer, picture = self._shown or (None, "")
            self._image.value = picture
            self._show_caption(self._describe(answer) if answer else _NO_IMAGE)
            self._figure.show(answer)
        else:  # after a click the answer is read aloud, after a training it is not
            selected = self._gallery.grid.selected
            self._footer.topic = "" if selected < 0 else f"{selected}"
        self.mark_static_view_stale()

    @property
    def _table_caption(self) -> str:
        selected = -1 if self._gallery is None else self._gallery.grid.selected
        return "Probabilities." if selected < 0 else f"Probabilities for image {selected:,}."

    @property
    def _shown_answer(self) -> Answer | None:
        if self._gallery is not None:
            return self._gallery.selected_answer()
        return None if self._shown is None else self._shown[0]

    @property
    def _absence(self) -> str:
        """Say why there is no answer to show."""
        is_selected = self._gallery is not None and self._gallery.grid.selected >= 0
        return _NO_ANSWER if is_selected else _NO_IMAGE

    def _check_alone(self, request: str) -> None:
        if self._gallery is not None:
            raise RuntimeError(
                f"This chart follows a gallery, so it cannot {request}. "
                "Make another one: chart = ProbabilityChart()"
            )

    def _describe(self, answer: Answer) -> str:
        return describe_answer(answer.probabilities, self._class_names, answer.true_label)
