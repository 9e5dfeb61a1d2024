"""The loss as it falls: every batch, a smoothed line, and the epochs' means and test losses.

The chart draws a `History`. How lines are smoothed and thinned out is `curves`, where they lie is
`data_axis`, when they are redrawn is `publishing`, runs to compare with are `earlier_runs`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from bqplot import Figure, Lines, Scatter
from ipywidgets import HTML, Checkbox, FloatSlider, HBox, VBox, link
from traitlets import Bool, Float, TraitError, validate

from mnist_widgets.curves import GrowingCurve, Numbers, round_up, thin_out
from mnist_widgets.history import History
from mnist_widgets.messages import describe_losses
from mnist_widgets.reports import BatchReport, EpochReport
from mnist_widgets.training import Callback, Trainer
from mnist_widgets.twins import Twin, join_twins, tabulate_epochs, twin_losses
from mnist_widgets.widgets.data_axis import DataAxis
from mnist_widgets.widgets.earlier_runs import EarlierRuns
from mnist_widgets.widgets.number_field import NumberField
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.publishing import publisher

MAX_POINTS = 1000
"""Points of one line: a browser takes 20 to 25 ms to draw two thousand, and soon much more."""

EARLIER_RUNS_ROOM = 2
"""How many times the greatest loss of the present run the chart reaches up for earlier ones.

One that diverged would flatten all others.
"""

_KEY = """<div class="mw-key">
<span><i class="mw-key-faint"></i>each batch</span>
<span><i></i>smoothed</span>
<span><i class="mw-key-mean"></i>mean of an epoch</span>
<span><i class="mw-key-test"></i>test loss</span>
</div>"""


class LossChart(Panel, Callback):
    """A live chart of the training loss: a widget to show, and a callback to hand to a `Trainer`.

    A loop of your own draws too: call `add_batch(loss)` after each batch.

    Example:
        ```python
        chart = LossChart()
        trainer = Trainer(model, loss_fn, optimizer, batches, callbacks=[chart])
        chart
        ```

    Args:
        smoothing: how much of the past each point of the smoothed line holds, from 0 to 0.99.
        log_scale: whether the loss is drawn on a logarithmic scale.

    Attributes:
        smoothing: the same, a trait.
        log_scale: the same, a trait.
    """

    smoothing = Float(0.8)
    log_scale = Bool(False)

    def __init__(self, smoothing: float = 0.8, log_scale: bool = False) -> None:
        self._history, self._is_trainers = History(), False
        self._followed: History | None = None
        self._followed_with: tuple[float, bool] | None = None
        self._num_followed = 0
        self._figure = self._build_figure()
        self._caption = text_line("mw-caption")
        controls = HBox(self._build_controls(), layout={"flex_flow": "row wrap"})
        keys = VBox([HTML(_KEY), self._earlier_runs.key])
        super().__init__("mw-loss-chart", [self._figure, keys, controls, self._caption])
        self.smoothing, self.log_scale = smoothing, log_scale
        self.redraw()
        self.observe(self._on_setting, names=["smoothing", "log_scale"])

    @property
    def history(self) -> History:
        """What the chart draws: the trainer's history, or what was added by hand."""
        return self._history

    def add_batch(self, loss: float | torch.Tensor) -> None:
        """Draw one more batch of a loop of your own.

        Args:
            loss: a number, or a tensor that holds one.
        """
        number = float(loss.detach() if isinstance(loss, torch.Tensor) else loss)
        self._own_history().add_batch(number)
        publisher.request(self.redraw)

    def add_epoch(self, train_loss: float, test_loss: float | None = None) -> None:
        """Draw the end of an epoch of a loop of your own, at its last batch.

        Args:
            train_loss: the mean of the epoch's batch losses.
            test_loss: the loss on the test set, if you computed it.
        """
        metrics = {} if test_loss is None else {"test_loss": float(test_loss)}
        self._own_history().add_epoch(float(train_loss), metrics)
        publisher.request(self.redraw)

    def show_runs(self, runs: Sequence[tuple[str, History]], label: str = "") -> None:
        """Draw earlier runs beside the present one: their smoothed losses, as thin lines.

        Args:
            runs: a label and the history of each; the last four are drawn. An empty list removes
                what was drawn before.
            label: tells the present run from them, such as `lr 0.1`.
        """
        self._earlier_runs.show(runs, label)
        publisher.request(self.redraw)

    def clear(self) -> None:
        """Begin an empty chart; a trainer's history keeps what it recorded."""
        self._history, self._is_trainers = History(), False
        publisher.request(self.redraw)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Draw this trainer's history from now on."""
        self._history, self._is_trainers = trainer.history, True
        publisher.request(self.redraw)

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Draw the batch soon."""
        publisher.request(self.redraw)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Draw the epoch soon."""
        publisher.request(self.redraw)

    def on_reset(self, trainer: Trainer) -> None:
        """Empty the chart."""
        self.on_train_begin(trainer)

    def twin(self) -> Twin:
        """Return the curve, the last losses and the last epochs; earlier runs are left out."""
        curve = twin_losses(self._history, self.smoothing, self.log_scale)
        epochs = tabulate_epochs(self._history, max_epochs=10)
        return join_twins([curve, epochs]) if self._history.num_epochs else curve

    def redraw(self) -> None:
        """Bring the widgets up to date with the history; called by the publisher."""
        history = self._history
        epoch_ends = np.array(history.epoch_ends, dtype=float)  # first: it is the last to grow
        positions, (losses, smoothed) = self._follow_history()
        means = self._drawable(epoch_ends, np.array(history.get("train", [])))
        test_losses = self._drawable(epoch_ends, np.array(history.get("test_loss", [])))
        self._earlier_runs.update(self.smoothing, self.log_scale, self._drawable)
        self._show_axes(self._num_followed, np.concatenate([losses, test_losses[1]]))
        self._earlier_runs.draw(self._x_axis, self._y_axis)
        self._show_batches(positions, np.stack([losses, smoothed]))
        self._show_points(self._epoch_means, *means)
        self._show_points(self._test_losses, *test_losses)
        self._caption.value = describe_losses(history, smoothed)
        self.mark_twin_stale()

    def _own_history(self) -> History:
        """Return a history that belongs to no trainer, a new one after a trainer's."""
        if self._is_trainers:
            self._history, self._is_trainers = History(), False
        return self._history

    def _build_figure(self) -> Figure:
        self._x_axis = DataAxis("Batch", "{:,.0f}".format, margin=0.01)
        self._y_axis = DataAxis(
            "Loss", "{:g}".format, margin=0.02, side="left", label_offset="46px"
        )
        nothing = np.zeros(0)
        scales = {"x": self._x_axis.scale, "y": self._y_axis.scale}
        self._earlier_runs = EarlierRuns(scales)
        # One mark for both lines: a second one would cost the browser a second redraw.
        self._batches = Lines(
            x=nothing,
            y=nothing,
            scales=scales,
            colors=["var(--mw-faint)", "var(--mw-strong)"],
            stroke_width=1.8,
        )
        self._test_losses = Lines(
            x=nothing,
            y=nothing,
            scales=scales,
            colors=["var(--mw-test)"],
            line_style="dashed",
            stroke_width=2.5,
            marker="diamond",
            marker_size=45,
        )
        self._epoch_means = Scatter(
            x=nothing,
            y=nothing,
            scales=scales,
            colors=["var(--mw-mean)"],
            stroke="var(--jp-layout-color0, white)",
            stroke_width=1.5,
            default_size=80,
        )
        return Figure(
            marks=[self._earlier_runs.mark, self._batches, self._epoch_means, self._test_losses],
            axes=[self._x_axis.axis, self._y_axis.axis],
            fig_margin={"top": 12, "bottom": 42, "left": 60, "right": 18},
            layout={"width": "auto", "height": "300px", "margin": "0"},
            animation_duration=0,
            display_toolbar=False,
        )

    def _build_controls(self) -> list[NumberField | FloatSlider | Checkbox]:
        tooltip = "How much of the past each point of the strong line holds; 0 is none"
        # The field has the name that the slider cannot give to screen readers.
        field = NumberField(
            self.smoothing,
            0,
            0.99,
            description="Smoothing",
            tooltip=tooltip,
            style={"description_width": "72px"},
            layout={"width": "150px"},
        )
        slider = FloatSlider(min=0, max=0.99, step=0.01, readout=False, layout={"width": "180px"})
        log_scale = Checkbox(
            description="Logarithmic scale", indent=False, layout={"width": "160px"}
        )
        link((self, "smoothing"), (field, "number"))
        link((self, "smoothing"), (slider, "value"))
        link((self, "log_scale"), (log_scale, "value"))
        return [field, slider, log_scale]

    def _show_axes(self, num_batches: int, losses: Numbers) -> None:
        earlier = self._earlier_runs
        self._x_axis.show(0, round_up(max(num_batches, earlier.num_batches, 10)))
        all_losses = np.concatenate([losses, earlier.losses])
        low, high = (all_losses.min(), all_losses.max()) if len(all_losses) else (1.0, 1.0)
        if self.log_scale:
            self._y_axis.show(low * 0.9, high * 1.1, is_log=True)
            return
        if len(losses) and losses.max() > 0:
            high = min(high, EARLIER_RUNS_ROOM * losses.max())
        self._y_axis.show(min(low, 0.0), round_up(high))

    def _follow_history(self) -> tuple[Numbers, Numbers]:
        """Return the points of all batches and of the smoothed line, (2, M) and (2, M).

        Only the batches since the last redraw are read, so a redraw of a million batches costs what
        one of a thousand costs.
        """
        history, settings = self._history, (self.smoothing, self.log_scale)
        is_known = self._followed is history and self._followed_with == settings
        if not is_known or len(history.batch_losses) < self._num_followed:
            self._followed, self._followed_with, self._num_followed = history, settings, 0
            self._curve = GrowingCurve(MAX_POINTS, self.smoothing)
        new = np.array(history.batch_losses[self._num_followed :], dtype=float)
        steps = np.arange(self._num_followed + 1.0, self._num_followed + len(new) + 1)
        self._curve.extend(*self._drawable(steps, new))
        self._num_followed += len(new)
        return self._curve.points

    def _show_batches(self, positions: Numbers, losses: Numbers) -> None:
        x, y = self._x_axis.place(positions), self._y_axis.place(losses)
        if x.shape[1] == 1:  # a single point becomes a dot: a line between two equal ones
            x, y = x.repeat(2, axis=1), y.repeat(2, axis=1)
        with self._batches.hold_sync():
            self._batches.x, self._batches.y = (x, y) if x.size else (np.zeros(0), np.zeros(0))

    def _show_points(self, mark: Lines | Scatter, positions: Numbers, values: Numbers) -> None:
        positions, values = thin_out(positions, values, MAX_POINTS)
        x, y = self._x_axis.place(positions), self._y_axis.place(values)
        if not (np.array_equal(mark.x, x) and np.array_equal(mark.y, y)):
            with mark.hold_sync():
                mark.x, mark.y = x, y

    def _drawable(self, positions: Numbers, losses: Numbers) -> tuple[Numbers, Numbers]:
        """Return the points (M,), (M,) that the present scale has a place for."""
        num_points = min(len(positions), len(losses))
        positions, losses = positions[:num_points], losses[:num_points]
        has_place = np.isfinite(losses) & ((losses > 0) | (not self.log_scale))
        return positions[has_place], losses[has_place]

    @validate("smoothing")
    def _check_smoothing(self, proposal: dict[str, float]) -> float:
        if not 0 <= proposal["value"] <= 0.99:
            raise TraitError(
                f"smoothing must be a number from 0 to 0.99, not {proposal['value']!r}"
            )
        return round(proposal["value"], 2)

    def _on_setting(self, _change: object) -> None:
        publisher.request(self.redraw, urgent=True)
