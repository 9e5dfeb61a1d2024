"""Earlier runs in a loss chart: a thin line for each, and a key with their names."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
from bqplot import Lines
from ipywidgets import HTML

from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.quantities import LOSS, Quantity
from mnist_widgets.rendering.curves.series import Points
from mnist_widgets.runs.run_log import MAX_EARLIER_SHOWN
from mnist_widgets.training.history import History
from mnist_widgets.widgets.parts.figures import DataAxis

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
        self.mark = Lines(scales=scales, stroke_width=1.6)
        self.key = HTML()
        self.lines: list[Points] = []
        self._runs: tuple[tuple[str, History], ...] = ()
        self._label = ""
        self._quantity = LOSS
        self._slots: dict[int, Curves] = {}  # by the number of the colour

    def show(self, runs: Sequence[tuple[str, History]], label: str) -> None:
        """Draw these runs from the next `update` on; the last four if there are more.

        Args:
            runs: a label and the history of each.
            label: of the present run.
        """
        self._runs, self._label = tuple(runs)[-MAX_EARLIER_SHOWN:], label

    def update(self, quantity: Quantity, smoothing: float, is_log: bool) -> None:
        """Update the key and `lines`; `draw` then draws the lines.

        Args:
            quantity: what the chart shows.
            smoothing: strength, as of the present run's line.
            is_log: whether the losses are drawn on a logarithmic axis.
        """
        self._assign_slots(quantity)
        self.key.value = self._write_key()
        self.lines, self._colors = [], []
        for slot, series in sorted(self._slots.items()):
            series.update(series.history, smoothing, is_log)
            if len(series.main[0]):
                self.lines.append(series.main)
                self._colors.append(f"var(--mw-run-{slot})")

    def draw(self, x_axis: DataAxis, y_axis: DataAxis) -> None:
        """Draw the lines on these axes."""
        num_points = max((len(losses) for _, losses in self.lines), default=0)
        # one array for all lines, and two points at least: a run of one batch becomes a dot
        padded = [
            [np.pad(values, (0, num_points + 1 - len(values)), mode="edge") for values in line]
            for line in self.lines
        ]
        positions, losses = np.stack(padded, axis=1) if padded else np.zeros((2, 0))
        with self.mark.hold_sync():  # which sends nothing if nothing has changed
            self.mark.x, self.mark.y = x_axis.place(positions), y_axis.place(losses)
            self.mark.colors = self._colors or self.mark.colors

    def _assign_slots(self, quantity: Quantity) -> None:
        if quantity is not self._quantity:
            self._quantity = quantity
            self._slots = {slot: self._read(line.history) for slot, line in self._slots.items()}
        # by identity: two histories may hold the same numbers
        ids = {id(history) for _, history in self._runs}
        self._slots = {slot: line for slot, line in self._slots.items() if id(line.history) in ids}
        for _, history in self._runs:
            if id(history) not in self._find_slots():
                free = next(slot for slot in range(MAX_EARLIER_SHOWN) if slot not in self._slots)
                self._slots[free] = self._read(history)

    def _read(self, history: History) -> Curves:
        return self._quantity.read(history, max_points=MAX_POINTS)

    def _find_slots(self) -> dict[int, int]:
        return {id(series.history): slot for slot, series in self._slots.items()}

    def _write_key(self) -> str:
        if not self._runs:
            return ""
        slots = self._find_slots()
        entries = [(f"--mw-run-{slots[id(history)]}", label) for label, history in self._runs]
        words = self._quantity.main_words
        label = f"{self._label} ({words})" if self._label else words
        entries.append((f"--mw-{self._quantity.main}", label))
        spans = [
            '<span><svg width="40" height="8" aria-hidden="true"><line x1="2" y1="4" x2="38" '
            f'y2="4" style="stroke: var({color})"/></svg>{html.escape(label)}</span>'
            for color, label in entries
        ]
        return f'<div class="mw-key mw-key-of-runs">{"".join(spans)}</div>'
