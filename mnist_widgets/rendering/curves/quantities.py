"""The table of what a chart of a training can show: its losses or its accuracies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_widgets.rendering.chart_data import tabulate_accuracies, tabulate_losses
from mnist_widgets.rendering.chart_sentences import describe_accuracies, describe_losses
from mnist_widgets.rendering.curves.accuracy_series import AccuracySeries
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.loss_series import LossSeries
from mnist_widgets.rendering.curves.series import DEFAULT_SMOOTHING
from mnist_widgets.rendering.palette import ACCURACY_KEY, LOSS_KEY
from mnist_widgets.rendering.png_charts import draw_curves
from mnist_widgets.rendering.static_views import StaticView, tabulate_batches, tabulate_epochs
from mnist_widgets.training.history import History

if TYPE_CHECKING:
    import pandas as pd

_MAX_EPOCHS = 40  # rows of a table in the page


@dataclass(frozen=True)
class Quantity:
    """One of the things that a chart of a training shows, and how.

    Attributes:
        title: names it.
        axis_label: names its numbers and their unit.
        key: the words of its lines and points, by the names of their colours.
        main: which of them is compared with those of earlier runs.
        main_words: what that one is, for the present run.
        read: returns its curves; takes a history, smoothing, `is_log` and `max_points`.
        describe: returns a sentence about its curves.
        tabulate: returns the numbers of a history for files.
        tabulate_page: returns some of them for the page; takes a history and the smoothing.
        has_options: whether it can be smoothed, and drawn on a logarithmic scale.
    """

    title: str
    axis_label: str
    key: Mapping[str, str]
    main: str
    main_words: str
    read: Callable[..., Curves]
    describe: Callable[[Any], str]
    tabulate: Callable[[History], pd.DataFrame]
    tabulate_page: Callable[[History, float], StaticView]
    has_options: bool

    def draw(self, curves: Curves) -> bytes:
        """Return a PNG of its curves, 640 by 300 pixels of the page."""
        return draw_curves(curves, self.axis_label, self.key)

    def render(
        self, history: History, smoothing: float = DEFAULT_SMOOTHING, log_scale: bool = False
    ) -> StaticView:
        """Return its chart with a sentence.

        Args:
            history: the history to show.
            smoothing: strength of a smoothed line, from 0 to below 1.
            log_scale: whether losses are drawn on a logarithmic scale.
        """
        curves = self.read(history, smoothing, log_scale)
        words = self.describe(curves)
        if curves.is_empty:
            return StaticView.of_words(words)
        return StaticView.of_picture(self.draw(curves), words, f"{self.title} curve. {words}")


LOSS = Quantity(
    title="Loss",
    axis_label="Loss",
    key=LOSS_KEY,
    main="strong",
    main_words="this run, smoothed",
    read=LossSeries,
    describe=describe_losses,
    tabulate=tabulate_losses,
    tabulate_page=tabulate_batches,
    has_options=True,
)
ACCURACY = Quantity(
    title="Accuracy",
    axis_label="Accuracy (%)",
    key=ACCURACY_KEY,
    main="test",
    main_words="this run, test",
    read=AccuracySeries,
    describe=describe_accuracies,
    tabulate=tabulate_accuracies,
    tabulate_page=lambda history, _smoothing: tabulate_epochs(history, _MAX_EPOCHS),
    has_options=False,
)
QUANTITIES = {"loss": LOSS, "accuracy": ACCURACY}
