"""Panels side by side."""

from __future__ import annotations

from mnist_widgets.runs.run_log import RunLog
from mnist_widgets.widgets import ConfusionChart, LossChart, Row, RunTable


def test_a_row_shows_its_panels_in_columns_and_their_static_views_in_order():
    loss, confusion, runs = LossChart(), ConfusionChart(), RunTable(RunLog())
    row = Row(loss, [confusion, runs])
    columns = row.children[-1].children
    assert [list(column.children) for column in columns] == [[loss], [confusion, runs]]
    text = row.static_view().text
    parts = [panel.static_view().text for panel in (loss, confusion, runs)]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    row.close()
    assert loss.comm is None
    assert runs.comm is None
