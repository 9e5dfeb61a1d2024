"""The loss chart as a PNG, drawn without a browser, for pages on which no widget lives.

How the numbers are smoothed and put on scales is `curves`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mnist_widgets.canvas import GRID, Canvas, Place, text_width
from mnist_widgets.curves import Numbers, linear_ticks, log_ticks, round_up, smooth, thin_out
from mnist_widgets.history import History

EACH_BATCH, SMOOTHED, EPOCH_MEAN, TEST_LOSS = "#9fd2f1", "#0072b2", "#d55e00", "#009e73"
"""The colours of lines and points: those of the live chart on a light page."""

PLOT = (58, 34, 622, 258)
"""Left, top, right and bottom of the axes, in pixels of the page."""

_MAX_POINTS = 1000


class _Axis(NamedTuple):
    """From numbers to pixels of the page."""

    low: float
    high: float
    start_px: float
    end_px: float
    is_log: bool = False

    def place(self, values: Numbers) -> Numbers:
        low, high = self.low, self.high
        if self.is_log:
            values, low, high = np.log(values), math.log(low), math.log(high)
        return self.start_px + (values - low) / (high - low) * (self.end_px - self.start_px)

    @property
    def ticks(self) -> Numbers:
        return (log_ticks if self.is_log else linear_ticks)(self.low, self.high)


def draw_losses(history: History, smoothing: float = 0.8, log_scale: bool = False) -> bytes:
    """Draw what a loss chart shows: every batch, a smoothed line, the epochs' means and tests.

    Args:
        history: at least one batch.
        smoothing: strength, from 0 to below 1.
        log_scale: whether the loss is drawn on a logarithmic scale.

    Returns:
        A PNG, 640 by 300 pixels of the page.
    """
    epoch_ends = np.array(history.epoch_ends, dtype=float)  # first: it is the last to grow
    losses = np.array(history.batch_losses, dtype=float)
    steps = np.arange(1.0, len(losses) + 1)
    batches, means, tests = (
        _drawable(positions, np.array(values, dtype=float), log_scale)
        for positions, values in (
            (steps, losses),
            (epoch_ends, history.get("train", [])),
            (epoch_ends, history.get("test_loss", [])),
        )
    )
    drawn = np.concatenate([batches[1], tests[1]])
    x_axis, y_axis = _loss_axes(len(losses), drawn, log_scale)
    canvas = Canvas(640, 300)
    _draw_axes(canvas, x_axis, y_axis)

    def places(positions: Numbers, values: Numbers) -> list[Place]:
        thin = thin_out(positions, values, _MAX_POINTS)
        return list(
            zip(x_axis.place(thin[0]).tolist(), y_axis.place(thin[1]).tolist(), strict=True)
        )

    canvas.line(places(*batches), EACH_BATCH)
    canvas.line(places(batches[0], smooth(batches[1], smoothing)), SMOOTHED, 2)
    canvas.line(places(*tests), TEST_LOSS, 2)
    for place in places(*tests):
        canvas.dot(place, TEST_LOSS, corners=4)
    for place in places(*means):
        canvas.dot(place, EPOCH_MEAN)
    return canvas.to_png()


def _drawable(positions: Numbers, values: Numbers, is_log: bool) -> tuple[Numbers, Numbers]:
    """Return the points (M,), (M,) that the scale has a place for."""
    num_points = min(len(positions), len(values))
    positions, values = positions[:num_points], values[:num_points]
    has_place = np.isfinite(values) & ((values > 0) | (not is_log))
    return positions[has_place], values[has_place]


def _loss_axes(num_batches: int, losses: Numbers, is_log: bool) -> tuple[_Axis, _Axis]:
    left, top, right, bottom = PLOT
    low, high = (losses.min(), losses.max()) if len(losses) else (1.0, 1.0)
    ends = (low * 0.9, high * 1.1) if is_log else (min(low, 0.0), round_up(high))
    return (
        _Axis(0, round_up(max(num_batches, 10)), left, right),
        _Axis(*ends, bottom, top, is_log),
    )


def _draw_axes(canvas: Canvas, x_axis: _Axis, y_axis: _Axis) -> None:
    left, top, right, bottom = PLOT
    for x, tick in zip(x_axis.place(x_axis.ticks), x_axis.ticks, strict=True):
        canvas.line([(x, top), (x, bottom)], GRID)
        canvas.text((x, bottom + 12), f"{tick:,.0f}", size=11)
    for y, tick in zip(y_axis.place(y_axis.ticks), y_axis.ticks, strict=True):
        canvas.line([(left, y), (right, y)], GRID)
        canvas.text((left - 8, y), f"{tick:g}", anchor="rm", size=11)
    canvas.text(((left + right) / 2, bottom + 32), "Batch")
    canvas.text_upwards((12, (top + bottom) / 2), "Loss")
    keys = (
        (EACH_BATCH, "each batch", None),
        (SMOOTHED, "smoothed", None),
        (EPOCH_MEAN, "mean of an epoch", 0),
        (TEST_LOSS, "test loss", 4),
    )
    x = float(left)
    for color, name, corners in keys:
        if corners != 0:
            canvas.line([(x, 14), (x + 22, 14)], color, 1 if color == EACH_BATCH else 2)
        if corners is not None:
            canvas.dot((x + 11, 14), color, corners)
        canvas.text((x + 28, 14), name, anchor="lm")
        x += 28 + text_width(name) + 20
