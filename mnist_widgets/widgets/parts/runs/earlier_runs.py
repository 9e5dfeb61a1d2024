"""Earlier runs and repeats in a loss chart: a line for each, and a key with their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from bqplot import Lines
from ipywidgets import HTML

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.rendering.confusion_captions import write_share
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.quantities import LOSS, Quantity
from mnist_widgets.rendering.curves.repeat_series import RepeatSeries, count_seeds, name_single
from mnist_widgets.rendering.curves.series import Points
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.runs.run_log import MAX_EARLIER_SHOWN, RunLog, name_runs
from mnist_widgets.training.history import History
from mnist_widgets.widgets.parts.figures import DataAxis

MAX_POINTS = 250
"""Points of one line: enough for its shape, and four cost no more than the present run."""


class ShownRuns(NamedTuple):
    """Which runs a loss chart shows: what one thread writes and another draws, so always as one.

    Attributes:
        earlier: a label and the history of each earlier run, or the repeat; four at most.
        label: of the present run.
        repeat: the one that the present run belongs to.
    """

    earlier: tuple[tuple[str, History | Repeat], ...] = ()
    label: str = ""
    repeat: Repeat | None = None


class EarlierRuns:
    """The lines of earlier runs. A run keeps its colour and its dashes as long as it is shown.

    The line of a repeat is its median, in a band from the least to the greatest value.

    `palette` defines the colours as `--mw-run-0` to `--mw-run-3`, `runs.css` the dashes.

    Args:
        scales: of the chart that the lines belong to.

    Attributes:
        mark: the lines.
        bands: the mark of the bands, behind the lines.
        key: names them and the present run.
        lines: the points of all lines and of the edges of the bands, none of them empty.
    """

    def __init__(self, scales: Mapping[str, object]) -> None:
        self.bands = Lines(scales=scales, stroke_width=1, fill="inside")
        self.mark = Lines(scales=scales, stroke_width=1.6)
        self.key = HTML()
        self.lines: list[Points] = []
        self._settings: tuple[Quantity, float, bool] = LOSS, 0.0, False
        self._present: RepeatSeries | None = None
        self._shown: list[tuple[str, Curves | RepeatSeries]] = []  # with their colours
        # by the number of the colour
        self._slots: dict[int, tuple[History | Repeat, Curves | RepeatSeries]] = {}

    def update(
        self,
        runs: ShownRuns,
        history: History,
        quantity: Quantity,
        smoothing: float,
        is_log: bool,
    ) -> None:
        """Update the key and `lines`; `draw` then draws the lines.

        Args:
            runs: what to draw and to name.
            history: of the present run.
            quantity: what the chart shows.
            smoothing: strength, as of the present run's line.
            is_log: whether the losses are drawn on a logarithmic axis.
        """
        self._assign_slots(runs, (quantity, smoothing, is_log))
        self._present = None
        if runs.repeat is not None:
            self._present = quantity.read_repeat(runs.repeat, is_log, MAX_POINTS)
        slots = sorted(self._slots.items())
        shown = [(f"var(--mw-run-{slot})", line) for slot, (_, line) in slots]
        for _, line in shown:
            line.update()
        if self._present is not None:
            shown.append(("var(--mw-seeds)", self._present))
        self.key.value = self._write_key(runs, history)
        self._shown = [(color, line) for color, line in shown if len(line.main[0])]
        self.lines = []
        for _, line in self._shown:
            self.lines += line.lines if isinstance(line, RepeatSeries) else [line.main]

    def draw(self, x_axis: DataAxis, y_axis: DataAxis) -> None:
        """Draw the lines on these axes."""
        bands = [(color, line.outline) for color, line in self._repeats]
        lines = [(color, line.main) for color, line in self._shown]
        for mark, shown in ((self.bands, bands), (self.mark, lines)):
            num_points = max((len(values) for _, (_, values) in shown), default=0)
            # one array for all lines, and two points at least: a run of one batch becomes a dot
            padded = [
                [np.pad(values, (0, num_points + 1 - len(values)), mode="edge") for values in line]
                for _, line in shown
            ]
            positions, values = np.stack(padded, axis=1) if padded else np.zeros((2, 0))
            with mark.hold_sync():  # which sends nothing if nothing has changed
                mark.x, mark.y = x_axis.place(positions), y_axis.place(values)
                mark.colors = [color for color, _ in shown] or mark.colors

    @property
    def _repeats(self) -> list[tuple[str, RepeatSeries]]:
        return [(color, line) for color, line in self._shown if isinstance(line, RepeatSeries)]

    def _assign_slots(self, runs: ShownRuns, settings: tuple[Quantity, float, bool]) -> None:
        if settings != self._settings:
            self._settings = settings
            self._slots = {slot: (run, self._read(run)) for slot, (run, _) in self._slots.items()}
        # by identity: two histories may hold the same numbers
        ids = {id(run) for _, run in runs.earlier}
        self._slots = {slot: pair for slot, pair in self._slots.items() if id(pair[0]) in ids}
        for _, run in runs.earlier:
            if id(run) not in self._find_slots():
                free = next(slot for slot in range(MAX_EARLIER_SHOWN) if slot not in self._slots)
                self._slots[free] = run, self._read(run)

    def _read(self, run: History | Repeat) -> Curves | RepeatSeries:
        quantity, smoothing, is_log = self._settings
        if isinstance(run, Repeat):
            return quantity.read_repeat(run, is_log, MAX_POINTS)
        return quantity.read(run, smoothing, is_log, MAX_POINTS)

    def _find_slots(self) -> dict[int, int]:
        return {id(run): slot for slot, (run, _) in self._slots.items()}

    def _write_key(self, runs: ShownRuns, present: History) -> str:
        if not runs.earlier and (self._present is None or self._present.is_empty):
            return ""
        quantity, slots = self._settings[0], self._find_slots()
        entries: list[tuple[str, str, object]] = [
            (f"--mw-run-{slots[id(run)]}", label, run) for label, run in runs.earlier
        ]
        name, words = runs.label, f"this run, {quantity.main_words}"
        if self._present is not None:
            repeat = self._present.repeat
            words = f"{name_single(repeat, present)}, {quantity.main_words}"
            if not self._present.is_empty:
                metric = quantity.spread_words
                about = f"{count_seeds(repeat)}, {metric}: median and range"
                entries.append(("--mw-seeds", _join_words(name, about), repeat))
                name = ""
        entries.append((f"--mw-{quantity.main}", _join_words(name, words), None))
        spans = []
        for color, label, run in entries:
            band = _BAND.format(color) if isinstance(run, Repeat) else ""
            spans.append(f"<span>{_SAMPLE.format(band, color)}{to_html(label)}</span>")
        note = f"<div>{quantity.about_earlier}</div>" if runs.earlier else ""
        return f'<div class="mw-key mw-key-of-runs">{"".join(spans)}{note}</div>'


def _join_words(name: str, about: str) -> str:
    return f"{name} ({about})" if name else about


_BAND = '<rect x="2" y="1" width="36" height="10" style="stroke: var({0}); fill: var({0})"/>'
_SAMPLE = (
    '<svg width="40" height="12" aria-hidden="true">{0}<line x1="2" y1="6" x2="38" y2="6" '
    'style="stroke: var({1})"/></svg>'
)


def list_runs(log: RunLog) -> tuple[list[tuple[str, History | Repeat]], str, Repeat | None]:
    """Return what `LossChart.show_runs` takes: the earlier runs shown, and the current one."""
    current, names = log.current, name_runs(log.runs)
    for run in log.runs:
        if run.number in names and (best := run.best_accuracy) is not None:
            seeds, median = "", ""
            if run.repeat is not None:
                seeds, median = f", {count_seeds(run.repeat)}", "median "
            if run.repeat is None or run is not current:  # the key names the seeds of that one
                names[run.number] += (
                    f"{seeds}, best epoch's {median}test accuracy {write_share(best)}"
                )
    earlier = [
        (names[run.number], run.repeat or run.history)
        for run in log.earlier_shown
        if run.number in names
    ]
    if current is None:
        return earlier, "", None
    return earlier, names.get(current.number, ""), current.repeat
