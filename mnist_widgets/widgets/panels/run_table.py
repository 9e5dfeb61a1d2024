"""The table of runs: settings and results of each, and controls to show, hide and delete it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from ipywidgets import HTML, Button, Checkbox, GridBox, Widget

from mnist_widgets.rendering.captions import format_duration, format_metric, to_html
from mnist_widgets.rendering.curves.repeat_sentences import compare_repeats, describe_range
from mnist_widgets.rendering.session_captions import describe_expectation
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.runs.repeats import name_seeds
from mnist_widgets.runs.run_log import MAX_EARLIER_SHOWN, MAX_RUNS, Run, RunLog, describe_runs
from mnist_widgets.system.arguments import check_kind
from mnist_widgets.training.history import TEST_ACCURACY
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code


def _write_accuracy(run: Run) -> str:
    best = run.best_accuracy
    return "none yet" if best is None else format_metric(TEST_ACCURACY, best)


def _write_time(run: Run) -> str:
    seconds = run.duration_s
    return f"{seconds:.1f} s" if seconds < 10 else format_duration(seconds)


def _write_gap(run: Run) -> str:
    gap = run.accuracy_gap
    return "" if gap is None else f"{gap:.1f} points"


_GAP = "Gap"
_Columns: TypeAlias = dict[str, Callable[[Run], str]]
_COLUMNS: _Columns = {
    "Best accuracy": _write_accuracy,
    _GAP: _write_gap,
    "Epochs": lambda run: f"{run.outcome.num_epochs}",
    "Time": _write_time,
}
"""The columns after the settings: their headings, and what they say of a run."""
_NO_RUN = (
    "No run yet. One begins with the first batch, and another with the first after each Reset."
)
_LIMITS = (
    f"The chart draws up to {MAX_EARLIER_SHOWN} runs beside the current one; the last {MAX_RUNS} "
    "are kept."
)
_DIFFERENT_LOSSES = "Different loss functions: compare their accuracies, not their losses."


class RunTable(Panel):
    """A row for each run of a log, with a checkbox to show it in the chart, and a delete button.

    The current run cannot be hidden or deleted.

    Example:
        ```python
        log = RunLog()
        log.add_listener(lambda: print([run.number for run in log.earlier_shown]))
        RunTable(log)
        ```

    A repeat with several seeds is one row.

    Args:
        log: the runs.
        above: widgets above the table, which it closes with itself.
    """

    def __init__(self, log: RunLog, above: Sequence[Widget] = ()) -> None:
        check_kind(log, RunLog, "log", "RunLog()")
        self.run_log = log
        first = _Row()
        self._rows = [first, *(_Row(like=first) for _ in range(MAX_RUNS - 1))]
        for row in self._rows:
            on_choice(row.checkbox, partial(self._on_checkbox, row))
            row.button.on_click(partial(self._on_delete, row))
        self._header = [HTML("Shown"), HTML()]
        self._grid = GridBox().add_class("mw-runs")
        self._caption = text_line("mw-caption")
        super().__init__("mw-run-table", [*above, self._grid, self._caption])
        self._parts_off_page = [*self._header, *(part for row in self._rows for part in row.parts)]
        self.redraw()
        log.add_listener(self.schedule_redraw)

    def close(self) -> None:
        """Remove the table from the page; the log stays as it is."""
        self.run_log.remove_listener(self.schedule_redraw)
        super().close()

    def static_view(self) -> StaticView:
        """Return a line for each run."""
        runs = self.run_log.runs
        if not runs:
            return StaticView.of_words(_NO_RUN)
        columns = _choose_columns(runs)
        lines = [
            _describe_in_words(run, label, columns)
            for run, label in zip(runs, describe_runs(runs), strict=True)
        ]
        lines += compare_repeats(runs)
        items = "".join(f"<li>{to_html(line)}</li>" for line in lines)
        return StaticView("\n".join(lines), f"<ul>{items}</ul>")

    def redraw(self) -> None:
        """Update the rows from the log; called by the redraw scheduler."""
        runs, current = self.run_log.runs, self.run_log.current
        self._assign_rows(runs)
        best = max((run.best_accuracy or 0.0 for run in runs), default=0.0)
        columns = _choose_columns(runs)
        self._header[1].value = _write_header(columns)
        rows = [next(row for row in self._rows if row.run is run) for run in runs]
        for row, run, label in zip(rows, runs, describe_runs(runs), strict=True):
            row.show(run.number, run.is_shown, is_current=run is current)
            row.text.value = _describe(run, label, columns, is_best=run.best_accuracy == best)
        header = self._header if rows else []
        self._grid.children = [*header, *(part for row in rows for part in row.parts)]
        comparisons = "".join(f"<p>{to_html(line)}</p>" for line in compare_repeats(runs))
        self._caption.value = f"{comparisons}{_describe_all(runs)}"
        self.mark_static_view_stale()

    def _assign_rows(self, runs: Sequence[Run]) -> None:
        """Give each run a row for as long as it is kept, so that a late click hits no other run."""
        for row in self._rows:
            if row.run not in runs:
                row.run = None
        for run in runs:
            if run not in [row.run for row in self._rows]:
                next(row for row in self._rows if row.run is None).run = run

    def _on_checkbox(self, row: _Row, change: dict[str, bool]) -> None:
        if row.run is not None:
            self.run_log.show(row.run.number, change["new"])

    def _on_delete(self, row: _Row, _button: Button) -> None:
        if row.run is not None:
            self.run_log.delete(row.run.number)


class _Row:
    """The widgets of one run.

    Args:
        like: a row to share layout and styles with: a page with fewer models opens faster.

    Attributes:
        run: the run that has the row; None while the row is free.
    """

    def __init__(self, like: _Row | None = None) -> None:
        self.run: Run | None = None
        parts: Sequence[Any] = () if like is None else like.parts
        layout = parts[0].layout if parts else {"width": "auto", "margin": "0"}
        checkbox_style, text_style, button_style = [part.style for part in parts] or [{}, {}, {}]
        self.checkbox = Checkbox(indent=False, layout=layout, style=checkbox_style)
        self.text = HTML(layout=layout, style=text_style)
        self.button = Button(layout=layout, style=button_style)
        self.parts: tuple[Widget, ...] = (self.checkbox, self.text, self.button)

    def show(self, number: int, is_shown: bool, is_current: bool) -> None:
        self.checkbox.description = f"Run {number}"
        with written_by_code(self.checkbox):
            self.checkbox.value = is_shown
        self.checkbox.disabled = self.button.disabled = is_current
        self.button.description = f"Delete run {number}"
        self.button.tooltip = "This is the current run; Reset first" if is_current else None


def _choose_columns(runs: Sequence[Run]) -> _Columns:
    """Return the columns with something in them."""
    has_gap = any(run.accuracy_gap is not None for run in runs)
    return {name: write for name, write in _COLUMNS.items() if has_gap or name != _GAP}


def _write_header(columns: _Columns) -> str:
    headings = "".join(f"<span{_style(heading)}>{heading}</span>" for heading in columns)
    settings = '<span class="mw-run-settings">Settings</span>'
    return f'<div class="mw-run mw-run-header">{settings}{headings}</div>'


def _style(heading: str) -> str:
    return ' class="mw-run-gap"' if heading == _GAP else ""


def _describe(run: Run, label: str, columns: _Columns, is_best: bool) -> str:
    """Return a run's settings and results, as a row in HTML."""
    settings = html.escape(_write_settings(run))
    if label != f"run {run.number}":
        settings = f"<strong>{html.escape(label)}</strong><small>{settings}</small>"
    for remark in _list_remarks(run):
        settings += f'<em class="mw-run-remark">{to_html(remark)}</em>'
    cells = {heading: to_html(write(run)) for heading, write in columns.items()}
    if is_best:
        cells["Best accuracy"] = f"<strong>{cells['Best accuracy']}</strong>"
    # A screen reader reads the heading before each number, as in an HTML table.
    numbers = [
        f'<span{_style(heading)}><i class="mw-column">{heading.lower()} </i>{cell}</span>'
        for heading, cell in cells.items()
    ]
    cells_of_row = "".join([f'<span class="mw-run-settings">{settings}</span>', *numbers])
    return f'<div class="mw-run">{cells_of_row}</div>'


def _describe_in_words(run: Run, label: str, columns: _Columns) -> str:
    """Return a run's settings and results, as a line of plain text."""
    name = f"Run {run.number}" if label == f"run {run.number}" else f"Run {run.number}: {label}"
    cells = {heading.lower(): write(run) for heading, write in columns.items()}
    words = ", ".join(f"{heading} {cell}" for heading, cell in cells.items() if cell)
    return ". ".join([f"{name} ({_write_settings(run)}); {words}", *_list_remarks(run)])


def _list_remarks(run: Run) -> list[str]:
    """Return remarks: on the seeds of a repeat, and on the expected and the actual accuracy."""
    remarks = []
    if run.repeat is not None:
        remarks.append(describe_range(run.repeat))
    if run.expected_accuracy is not None and run.outcome.find_numbers(TEST_ACCURACY):
        subject = "the median" if run.repeat is not None and run.repeat.histories else "it"
        remarks.append(describe_expectation(run.expected_accuracy, run.outcome, subject))
    return remarks


def _write_settings(run: Run) -> str:
    settings = "your own model" if run.config is None else run.config.to_string()
    notes = [run.to_words()["learning_rate"]] if len(run.learning_rates) > 1 else []
    notes += [] if run.repeat is None else [name_seeds(run.repeat.seeds)]
    return f"{settings} ({', '.join(notes)})" if notes else settings


def _describe_all(runs: Sequence[Run]) -> str:
    if not runs:
        return _NO_RUN
    have_different_losses = len({run.config and run.config.loss for run in runs}) > 1
    return f"{_LIMITS} {_DIFFERENT_LOSSES}" if have_different_losses else _LIMITS
