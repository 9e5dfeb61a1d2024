"""A live chart of the training loss, or of the accuracies of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from bqplot import Figure, Lines, Scatter
from ipywidgets import HTML, Checkbox, Dropdown, link
from traitlets import Bool, Enum, Float, TraitError, validate

from mnist_widgets.rendering.curves.curves import NO_POINTS
from mnist_widgets.rendering.curves.quantities import LOSS, QUANTITIES, Quantity
from mnist_widgets.rendering.curves.repeat_sentences import label_single
from mnist_widgets.rendering.curves.series import DEFAULT_SMOOTHING, Points
from mnist_widgets.rendering.static_views import StaticView, join_views, tabulate_epochs
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.runs.run_log import MAX_EARLIER_SHOWN
from mnist_widgets.training.history import ACCURACIES, History
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.reports import BatchReport, EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.parts.controls import dropdown
from mnist_widgets.widgets.parts.figures import DataAxis, build_figure
from mnist_widgets.widgets.parts.number_field import NumberField
from mnist_widgets.widgets.parts.runs.earlier_runs import EarlierRuns, ShownRuns
from mnist_widgets.widgets.redraws import scheduler

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT_PX = 285


class LossChart(ChartPanel, Callback):
    """A live chart of the training loss: a widget to show, and a callback for a `Trainer`.

    For a loop of your own, call `add_batch(loss)` after each batch.

    Example:
        ```python
        chart = LossChart()
        trainer = Trainer(model, loss_fn, optimizer, batches, callbacks=[chart])
        chart
        ```

    Args:
        smoothing: weight of the past in each point of the smoothed line, from 0 to 0.99.
        log_scale: whether the loss is drawn on a logarithmic scale.
        quantity: `"loss"`, or `"accuracy"` for training and test accuracy at each epoch's end. The
            chart has a list to choose from as soon as its history has an accuracy.

    Attributes:
        smoothing: the same, a trait.
        log_scale: the same, a trait.
        quantity: the same, a trait.
        history: what the chart shows: the trainer's history, or what was added by hand.
    """

    smoothing = Float(DEFAULT_SMOOTHING)
    log_scale = Bool(False)
    quantity = Enum(tuple(QUANTITIES), "loss")

    def __init__(
        self,
        smoothing: float = DEFAULT_SMOOTHING,
        log_scale: bool = False,
        quantity: str = "loss",
    ) -> None:
        self.history, self._is_trainers = History(), False
        self._runs = ShownRuns()  # replaced as a whole: other threads draw
        self._drawn: tuple[Quantity, float, bool] | None = None  # with the settings of the curves
        self._curves = LOSS.read(self.history)
        self._figure = self._build_figure()
        self._key = HTML()
        below = [self._key, self._earlier_runs.key]
        super().__init__("mw-loss-chart", "Loss chart", self._build_controls(), self._figure, below)
        self.smoothing, self.log_scale, self.quantity = smoothing, log_scale, quantity
        self.redraw()
        on_setting = partial(self.schedule_redraw, urgent=True)
        self.observe(on_setting, names=["smoothing", "log_scale", "quantity"])

    def add_batch(self, loss: float | torch.Tensor) -> None:
        """Draw one more batch of a loop of your own.

        Args:
            loss: a number, or a tensor that holds one.
        """
        number = float(loss.detach() if isinstance(loss, torch.Tensor) else loss)
        self._own_history().add_batch(number)
        scheduler.schedule(self.redraw)

    def add_epoch(self, train_loss: float, test_loss: float | None = None) -> None:
        """Draw an epoch of a loop of your own at its last batch.

        Args:
            train_loss: the mean of the epoch's batch losses.
            test_loss: the loss on the test set, if you computed it.
        """
        metrics = {} if test_loss is None else {"test_loss": float(test_loss)}
        self._own_history().add_epoch(float(train_loss), metrics)
        scheduler.schedule(self.redraw)

    def show_runs(
        self,
        runs: Sequence[tuple[str, History | Repeat]],
        label: str = "",
        repeat: Repeat | None = None,
    ) -> None:
        """Draw the smoothed losses or test accuracies of earlier runs as thin lines, too.

        Of a repeat, this draws the median and the range of the test losses or test accuracies.

        Args:
            runs: a label and the history of each, or the repeat; the last four are drawn. An empty
                list removes the lines drawn before.
            label: names the present run in the key, such as `lr 0.1`.
            repeat: the one that the present run belongs to.
        """
        self._runs = ShownRuns(tuple(runs)[-MAX_EARLIER_SHOWN:], label, repeat)
        scheduler.schedule(self.redraw)

    def clear(self) -> None:
        """Empty the chart; a trainer's history keeps its numbers."""
        self.history, self._is_trainers = History(), False
        scheduler.schedule(self.redraw)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Draw this trainer's history from now on."""
        self.history, self._is_trainers = trainer.history, True
        scheduler.schedule(self.redraw)

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Draw the batch soon."""
        scheduler.schedule(self.redraw)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Draw the epoch soon."""
        scheduler.schedule(self.redraw)

    def on_reset(self, trainer: Trainer) -> None:
        """Empty the chart."""
        self.on_train_begin(trainer)

    def to_png(self) -> bytes:
        """Return the curves without earlier runs as a PNG, dark on white."""
        quantity, is_log = self._shown, self.log_scale
        curves = quantity.read(self.history, self.smoothing, is_log)
        return quantity.draw(curves, self._runs.repeat, is_log)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the numbers shown.

        For the loss a row for each batch, with the epoch's metrics at the last of each epoch; for
        the accuracies a row for each epoch. In a repeat, with the tests of all its finished runs.
        """
        return self._shown.tabulate_all(self.history, self._runs.repeat)

    def static_view(self) -> StaticView:
        """Return the curve, a sentence about it and the last epochs, without earlier runs."""
        history, repeat = self.history, self._runs.repeat
        curve = self._shown.render(history, self.smoothing, self.log_scale, repeat)
        if not history.num_epochs:
            return curve
        epochs = tabulate_epochs(history, max_epochs=10)
        if repeat is not None:
            epochs = label_single(epochs, repeat, history)
        return join_views([curve, epochs])

    def redraw(self) -> None:
        """Update the widgets from the history; called by the redraw scheduler."""
        # each once: other threads replace them meanwhile
        history, runs, quantity = self.history, self._runs, self._shown
        settings = self.smoothing, self.log_scale
        if self._drawn != (quantity, *settings) or self._curves.history is not history:
            self._drawn, self._curves = (quantity, *settings), quantity.read(history, *settings)
        curves = self._curves
        curves.update()
        self._show_choices(history, quantity)
        self._earlier_runs.update(runs, history, quantity, *settings)
        ranges = curves.choose_axes(self._earlier_runs.lines)
        self._y_axis.axis.label = quantity.axis_label
        for axis, new_range in zip((self._x_axis, self._y_axis), ranges, strict=True):
            axis.show(new_range)
        self._earlier_runs.draw(self._x_axis, self._y_axis)
        self._show_points(self._batches, curves.batches)
        for name, mark in self._epochs.items():
            self._show_points(mark, curves.epochs.get(name, NO_POINTS))
        words = quantity.describe_all(curves, runs.repeat)
        self._show_caption(words, is_news=not curves.is_empty)
        self.mark_static_view_stale()

    @property
    def _shown(self) -> Quantity:
        return QUANTITIES[self.quantity]

    def _write_table(self) -> str:
        return self._shown.render_table(self.history, self.smoothing, self._runs.repeat).html

    def _own_history(self) -> History:
        """Return a history that belongs to no trainer; a new one if the present one does."""
        if self._is_trainers:
            self.history, self._is_trainers = History(), False
        return self.history

    def _build_figure(self) -> Figure:
        self._x_axis = DataAxis("Batch", "{:,.0f}".format, margin=0.01)
        self._y_axis = DataAxis(
            "Loss", "{:g}".format, margin=0.02, side="left", label_offset="46px"
        )
        scales = {"x": self._x_axis.scale, "y": self._y_axis.scale}
        self._earlier_runs = EarlierRuns(scales)
        # one mark for both lines: a second one would cost the browser a second redraw
        colors = ["var(--mw-faint)", "var(--mw-strong)"]
        self._batches = Lines(scales=scales, colors=colors, stroke_width=1.8)
        means = Scatter(
            scales=scales,
            colors=["var(--mw-mean)"],
            stroke="var(--jp-layout-color0, white)",
            stroke_width=1.5,
            default_size=80,
        )
        line = partial(Lines, scales=scales, stroke_width=2.5)
        train = line(colors=["var(--mw-train)"], marker="circle", marker_size=45)
        test = line(
            colors=["var(--mw-test)"], line_style="dashed", marker="diamond", marker_size=45
        )
        self._epochs = {"mean": means, "train": train, "test": test}
        return build_figure(
            [
                self._earlier_runs.bands,
                self._earlier_runs.mark,
                self._batches,
                *self._epochs.values(),
            ],
            [self._x_axis.axis, self._y_axis.axis],
            {"top": 12, "bottom": 42, "left": 60, "right": 18},
            _HEIGHT_PX,
        )

    def _build_controls(self) -> list[NumberField | Checkbox | Dropdown]:
        tooltip = "Weight of the past in each point of the smoothed line; 0 is none"
        self._smoothing = field = NumberField(
            self.smoothing,
            0,
            0.99,
            description="Smoothing",
            tooltip=tooltip,
            style={"description_width": "72px"},
            layout={"width": "128px"},
        )
        self._log_scale = log_scale = Checkbox(
            description="Log scale",
            tooltip="Draw the losses on a logarithmic scale",
            indent=False,
            layout={"width": "92px"},
        )
        link((self, "smoothing"), (field, "number"))
        link((self, "log_scale"), (log_scale, "value"))
        options = [(quantity.title, name) for name, quantity in QUANTITIES.items()]
        about = "Draw the loss, or the accuracies at the end of each epoch"
        self._quantities = dropdown("Show", about, options, label_px=40, width_px=136)
        link((self, "quantity"), (self._quantities, "value"))
        return [self._quantities, field, log_scale]

    def _show_choices(self, history: History, quantity: Quantity) -> None:
        """Update names, controls and key; a control without use keeps its place."""
        self._footer.name = f"{quantity.title} chart"
        if self._heading is not None:
            self._heading.value = f"<h3>{quantity.title}</h3>"
        has_accuracy = any(history.get(name) for name in ACCURACIES)
        is_choice = has_accuracy or quantity is not LOSS
        self._quantities.layout.visibility = "visible" if is_choice else "hidden"
        self._smoothing.disabled = self._log_scale.disabled = not quantity.has_options
        entries = "".join(
            f'<span><i class="mw-key-{name}{" mw-key-main" if name == quantity.main else ""}"></i>'
            f"{label}</span>"
            for name, label in quantity.key.items()
        )
        self._key.value = f'<div class="mw-key">{entries}</div>'

    def _show_points(self, mark: Lines | Scatter, points: Points) -> None:
        x, y = self._x_axis.place(points[0]), self._y_axis.place(points[1])
        if not x.size:
            x = y = np.zeros(0)  # also where there would be two empty lines
        elif mark is self._batches and x.shape[1] == 1:
            # a single point becomes a dot: a line between two equal ones
            x, y = x.repeat(2, axis=1), y.repeat(2, axis=1)
        with mark.hold_sync():  # which sends nothing if nothing has changed
            mark.x, mark.y = x, y

    @validate("smoothing")
    def _check_smoothing(self, proposal: dict[str, float]) -> float:
        if not 0 <= proposal["value"] <= 0.99:
            raise TraitError(f"smoothing must be from 0 to 0.99, not {proposal['value']!r}")
        return round(proposal["value"], 2)
