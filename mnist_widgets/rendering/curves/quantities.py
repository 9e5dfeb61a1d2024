"""The table of what a chart of a training can show: its losses or its accuracies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_widgets.rendering.captions import name_metric
from mnist_widgets.rendering.chart_data import (
    join_repeat,
    tabulate_accuracies,
    tabulate_losses,
)
from mnist_widgets.rendering.chart_sentences import describe_accuracies, describe_losses
from mnist_widgets.rendering.curves.accuracy_series import AccuracySeries
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.loss_series import LossSeries
from mnist_widgets.rendering.curves.repeat_sentences import (
    describe_repeat,
    label_single,
    tabulate_repeat_page,
)
from mnist_widgets.rendering.curves.repeat_series import RepeatSeries, name_single
from mnist_widgets.rendering.curves.series import DEFAULT_SMOOTHING, MAX_POINTS
from mnist_widgets.rendering.palette import ACCURACY_KEY, LOSS_KEY
from mnist_widgets.rendering.png_charts import draw_curves
from mnist_widgets.rendering.static_views import (
    StaticView,
    join_views,
    tabulate_batches,
    tabulate_epochs,
)
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.training.history import TEST_ACCURACY, History

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
        main_words: what that one is.
        about_earlier: what is drawn of earlier runs, where one could expect more.
        read: returns its curves; takes a history, smoothing, `is_log` and `max_points`.
        describe: returns a sentence about its curves.
        tabulate: returns the numbers of a history for files.
        tabulate_page: returns some of them for the page; takes a history and the smoothing.
        spread: the metric whose median and range over several seeds is shown.
        has_options: whether it can be smoothed, and drawn on a logarithmic scale.
    """

    title: str
    axis_label: str
    key: Mapping[str, str]
    main: str
    main_words: str
    about_earlier: str
    read: Callable[..., Curves]
    describe: Callable[[Any], str]
    tabulate: Callable[[History], pd.DataFrame]
    tabulate_page: Callable[[History, float], StaticView]
    spread: str
    has_options: bool

    @property
    def spread_words(self) -> str:
        """The metric whose range is shown, such as `test loss`."""
        return name_metric(self.spread).lower()

    def read_repeat(
        self, repeat: Repeat, is_log: bool = False, max_points: int = MAX_POINTS
    ) -> RepeatSeries:
        """Return the median and the range of a repeat."""
        return RepeatSeries(repeat, self.spread, is_log and self.has_options, max_points)

    def draw(self, curves: Curves, repeat: Repeat | None = None, is_log: bool = False) -> bytes:
        """Return a PNG of its curves and the range of a repeat, 640 by 300 pixels of the page."""
        seeds = None if repeat is None else self.read_repeat(repeat, is_log)
        has_range = seeds is not None and not seeds.is_empty
        if seeds is None or not has_range:
            return draw_curves(curves, self.axis_label, self.key)
        return draw_curves(curves, self.axis_label, self.key, seeds, self.spread_words)

    def describe_all(self, curves: Curves, repeat: Repeat | None) -> str:
        """Return sentences about a repeat and about its newest run, or about a single run."""
        words = "" if repeat is None else describe_repeat(repeat, self.spread)
        if repeat is None or not words:
            return self.describe(curves)
        name = name_single(repeat, curves.history).capitalize()
        return f"{words} {name}: {self.describe(curves)}"

    def tabulate_all(self, history: History, repeat: Repeat | None) -> pd.DataFrame:
        """Return the numbers of a history, with those of a repeat, for files."""
        table = self.tabulate(history)
        if repeat is None:
            return table
        return join_repeat(table, repeat.find_seed(history), repeat, self.spread)

    def render(
        self,
        history: History,
        smoothing: float = DEFAULT_SMOOTHING,
        log_scale: bool = False,
        repeat: Repeat | None = None,
    ) -> StaticView:
        """Return its chart with a sentence.

        Args:
            history: the history to show.
            smoothing: strength of a smoothed line, from 0 to below 1.
            log_scale: whether losses are drawn on a logarithmic scale.
            repeat: the repeat that the history belongs to.
        """
        curves = self.read(history, smoothing, log_scale)
        words = self.describe_all(curves, repeat)
        if curves.is_empty and (repeat is None or self.read_repeat(repeat).is_empty):
            return StaticView.of_words(words)
        picture = self.draw(curves, repeat, log_scale)
        return StaticView.of_picture(picture, words, f"{self.title} curve. {words}")

    def render_table(
        self, history: History, smoothing: float, repeat: Repeat | None = None
    ) -> StaticView:
        """Return a table of a history for the page, below that of a repeat."""
        table = self.tabulate_page(history, smoothing)
        if repeat is None or self.read_repeat(repeat).is_empty:
            return table
        views = [tabulate_repeat_page(repeat, self.spread), label_single(table, repeat, history)]
        return join_views(views)


LOSS = Quantity(
    title="Loss",
    axis_label="Loss",
    key=LOSS_KEY,
    main="strong",
    main_words="smoothed",
    about_earlier="",
    read=LossSeries,
    describe=describe_losses,
    tabulate=tabulate_losses,
    tabulate_page=tabulate_batches,
    spread="test_loss",
    has_options=True,
)
ACCURACY = Quantity(
    title="Accuracy",
    axis_label="Accuracy (%)",
    key=ACCURACY_KEY,
    main="test",
    main_words="test",
    about_earlier="Of earlier runs, only the test accuracy is drawn.",
    read=lambda history, _smoothing=0, _is_log=False, max_points=MAX_POINTS: AccuracySeries(
        history, max_points
    ),
    describe=describe_accuracies,
    tabulate=tabulate_accuracies,
    tabulate_page=lambda history, _smoothing: tabulate_epochs(history, _MAX_EPOCHS),
    spread=TEST_ACCURACY,
    has_options=False,
)
QUANTITIES = {"loss": LOSS, "accuracy": ACCURACY}
