"""Earlier runs in a loss chart: a thin smoothed line for each, and the key that names them."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from bqplot import Lines
from ipywidgets import HTML

from mnist_widgets.curves import Numbers, smooth, thin_out
from mnist_widgets.history import History
from mnist_widgets.runs import MAX_EARLIER_SHOWN
from mnist_widgets.widgets.data_axis import DataAxis

MAX_POINTS = 250
"""Points of one line: enough for its shape, and four cost no more than the present run."""

Drawable = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]

_Line = tuple[int, Numbers, Numbers]  # its slot, positions (M,) and losses (M,)


class EarlierRuns:
    """The lines of earlier runs. A run keeps its colour and its dashes as long as it is shown.

    Colours and dashes lie in the style sheet, as `--mw-run-0` to `--mw-run-3`.

    Args:
        scales: of the chart that the lines belong to.

    Attributes:
        mark: the lines.
        key: names them, and the present run.
        num_batches: of the longest run drawn.
        losses: all that is drawn, in no order; what the chart's axis has to make room for.
    """

    def __init__(self, scales: Mapping[str, object]) -> None:
        nothing = np.zeros(0)
        self.mark = Lines(x=nothing, y=nothing, scales=scales, stroke_width=1.6)
        self.key = HTML()
        self.num_batches = 0
        self.losses: Numbers = nothing
        self._runs: tuple[tuple[str, History], ...] = ()
        self._label = ""
        self._slots: list[History | None] = [None] * MAX_EARLIER_SHOWN
        self._made_of: object = None
        self._lines: list[_Line] = []
        self._drawn_between: object = None

    def show(self, runs: Sequence[tuple[str, History]], label: str) -> None:
        """Draw these runs from the next `update` on; the last four if there are more.

        Args:
            runs: a label and the history of each.
            label: of the present run.
        """
        self._runs, self._label = tuple(runs)[-MAX_EARLIER_SHOWN:], label

    def update(self, smoothing: float, is_log: bool, drawable: Drawable) -> None:
        """Bring the key, `num_batches` and `losses` up to date; `draw` then draws the lines.

        Args:
            smoothing: strength, as of the present run's line.
            is_log: whether the losses are drawn on a logarithmic axis.
            drawable: picks the points that have a place on it.
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
        if made_of == self._made_of:  # most updates are about the present run
            return
        self._made_of, self._drawn_between = made_of, None
        lines: list[_Line] = []
        for slot, history in enumerate(self._slots):
            if history is None:
                continue
            losses = np.array(history.batch_losses, dtype=float)
            positions, losses = drawable(np.arange(1.0, len(losses) + 1), losses)
            if len(losses):
                lines.append((slot, *thin_out(positions, smooth(losses, smoothing), MAX_POINTS)))
        self._lines = lines
        self.num_batches = int(max((positions[-1] for _, positions, _ in lines), default=0))
        self.losses = np.concatenate([np.zeros(0), *(losses for _, _, losses in lines)])

    def draw(self, x_axis: DataAxis, y_axis: DataAxis) -> None:
        """Draw the lines that `update` made, if they or the axes have changed since."""
        ends = (x_axis.ends, y_axis.ends)
        if self._drawn_between == ends:
            return
        self._drawn_between = ends
        num_points = max((len(losses) for _, _, losses in self._lines), default=0)
        rows = [
            [np.pad(values, (0, num_points + 1 - len(values)), mode="edge") for values in line]
            for _, *line in self._lines
        ]
        with self.mark.hold_sync():
            if rows:
                positions, losses = np.stack(rows, axis=1)
                self.mark.x, self.mark.y = x_axis.place(positions), y_axis.place(losses)
                self.mark.colors = [f"var(--mw-run-{slot})" for slot, _, _ in self._lines]
            else:
                self.mark.x = self.mark.y = np.zeros(0)

    def _give_slots(self, histories: Sequence[History]) -> None:
        # by identity: two histories may well hold the same numbers
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
            f'y2="4" style="stroke: var({colour})"/></svg>{html.escape(label)}</span>'
            for colour, label in entries
        ]
        return f'<div class="mw-key mw-key-of-runs">{"".join(spans)}</div>'
