"""Earlier runs in a loss chart: a thin smoothed line for each, and a key with their names."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
from bqplot import Lines
from ipywidgets import HTML

from mnist_widgets.history import History
from mnist_widgets.runs import MAX_EARLIER_SHOWN
from mnist_widgets.series import Points, downsample, pick_drawable
from mnist_widgets.widgets.data_axis import DataAxis

MAX_POINTS = 250
"""Points of one line: enough for its shape, and four cost no more than the present run."""


class EarlierRuns:
    """The lines of earlier runs. A run keeps its colour and its dashes as long as it is shown.

    The style sheet defines colours and dashes as `--mw-run-0` to `--mw-run-3`.

    Args:
        scales: of the chart that the lines belong to.

    Attributes:
        mark: the lines.
        key: names them and the present run.
        lines: the points of each line, none of them empty.
    """

    def __init__(self, scales: Mapping[str, object]) -> None:
        nothing = np.zeros(0)
        self.mark = Lines(x=nothing, y=nothing, scales=scales, stroke_width=1.6)
        self.key = HTML()
        self.lines: list[Points] = []
        self._runs: tuple[tuple[str, History], ...] = ()
        self._label = ""
        self._slots: list[History | None] = [None] * MAX_EARLIER_SHOWN
        self._colors: list[str] = []  # of the lines
        self._made_of: object = None
        self._drawn_on: object = None

    def show(self, runs: Sequence[tuple[str, History]], label: str) -> None:
        """Draw these runs from the next `update` on; the last four if there are more.

        Args:
            runs: a label and the history of each.
            label: of the present run.
        """
        self._runs, self._label = tuple(runs)[-MAX_EARLIER_SHOWN:], label

    def update(self, smoothing: float, is_log: bool) -> None:
        """Update the key and `lines`; `draw` then draws the lines.

        Args:
            smoothing: strength, as of the present run's line.
            is_log: whether the losses are drawn on a logarithmic axis.
        """
        runs = self._runs
        self._give_slots([history for _, history in runs])
        self.key.value = self._write_key(runs)
        made_of = (
            [
                (slot, id(history), len(history.batch_losses))
                for slot, history in enumerate(self._slots)
                if history is not None
            ],
            (smoothing, is_log),
        )
        if made_of == self._made_of:  # most updates concern only the present run
            return
        self._made_of, self._drawn_on = made_of, None
        self.lines, self._colors = [], []
        for slot, history in enumerate(self._slots):
            losses = [] if history is None else history.batch_losses
            points = pick_drawable(np.arange(1.0, len(losses) + 1), losses, is_log)
            if len(points[0]):
                self.lines.append(downsample(points, MAX_POINTS, smoothing))
                self._colors.append(f"var(--mw-run-{slot})")

    def draw(self, x_axis: DataAxis, y_axis: DataAxis) -> None:
        """Draw the lines if they or the axes have changed."""
        ranges = (x_axis.range, y_axis.range)
        if self._drawn_on == ranges:
            return
        self._drawn_on = ranges
        num_points = max((len(losses) for _, losses in self.lines), default=0)
        # one array for all lines, and two points at least: a run of one batch becomes a dot
        padded = [
            [np.pad(values, (0, num_points + 1 - len(values)), mode="edge") for values in line]
            for line in self.lines
        ]
        with self.mark.hold_sync():
            if padded:
                positions, losses = np.stack(padded, axis=1)
                self.mark.x, self.mark.y = x_axis.place(positions), y_axis.place(losses)
                self.mark.colors = self._colors
            else:
                self.mark.x = self.mark.y = np.zeros(0)

    def _give_slots(self, histories: Sequence[History]) -> None:
        # by identity: two histories may hold the same numbers
        kept = {id(history) for history in histories}
        self._slots = [slot if id(slot) in kept else None for slot in self._slots]
        for history in histories:
            if not any(slot is history for slot in self._slots):
                self._slots[self._slots.index(None)] = history

    def _write_key(self, runs: Sequence[tuple[str, History]]) -> str:
        if not runs:
            return ""
        slots = {id(history): slot for slot, history in enumerate(self._slots)}
        entries = [(f"--mw-run-{slots[id(history)]}", label) for label, history in runs]
        entries.append(("--mw-strong", f"{self._label} (this run)" if self._label else "this run"))
        spans = [
            '<span><svg width="40" height="8" aria-hidden="true"><line x1="2" y1="4" x2="38" '
            f'y2="4" style="stroke: var({color})"/></svg>{html.escape(label)}</span>'
            for color, label in entries
        ]
        return f'<div class="mw-key mw-key-of-runs">{"".join(spans)}</div>'
