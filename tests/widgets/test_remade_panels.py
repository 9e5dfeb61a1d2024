"""A cell that is run again: its older panels leave no listener, no widget and no static output."""

from __future__ import annotations

import gc

import ipywidgets.widgets.widget as widget_module
import pytest

from mnist_widgets import TrainingSession, load_bundled_digits
from mnist_widgets.runs.run_log import RunLog
from mnist_widgets.widgets import RunTable, TrainingPanel, dashboard
from mnist_widgets.widgets.redraws import scheduler
from mnist_widgets.widgets.static_output import static_view_writer


@pytest.fixture
def session(make_trainer):
    session = TrainingSession(make_trainer())
    yield session
    session.close()


@pytest.fixture
def left_over(session, shell):
    """Return a function that counts what panels leave: listeners, widgets, static outputs."""

    def count() -> tuple[int, int, int]:
        scheduler.flush()
        gc.collect()
        return (
            len(session._listeners),
            len(widget_module._instances),
            len(static_view_writer._outputs),
        )

    return count


def show_panel(session) -> TrainingPanel:
    panel = TrainingPanel(session)
    panel._ipython_display_()
    return panel


def test_twenty_panels_for_one_session_leave_what_one_leaves(session, left_over):
    before = left_over()
    panel = show_panel(session)
    first = left_over()
    for _ in range(20):
        panel = show_panel(session)
    assert left_over() == first
    panel.close()
    assert left_over() == before


def test_twenty_sessions_with_panels_leave_what_one_leaves(make_trainer, session, left_over):
    """As when a cell is run again that makes both."""
    before = left_over()
    trainer = make_trainer()
    newest = TrainingSession(trainer)
    panel = show_panel(newest)
    first = left_over()
    for _ in range(20):
        newest = TrainingSession(trainer)
        panel = show_panel(newest)
    assert left_over() == first
    newest.close()
    panel.close()
    assert left_over() == before


def test_twenty_labs_leave_what_one_leaves(left_over):
    data = load_bundled_digits()

    def show_lab():
        lab = dashboard(data=data)
        lab._ipython_display_()
        lab.session.close()  # no prediction is under way when it is counted
        return lab

    show_lab()
    first = left_over()
    for _ in range(3):
        lab = show_lab()
    assert left_over() == first
    lab.close()


def test_panels_that_are_closed_leave_nothing(session, left_over):
    before = left_over()
    log = RunLog()
    for make in (lambda: TrainingPanel(session), lambda: RunTable(log)):
        for _ in range(20):
            panel = make()
            panel._ipython_display_()
            panel.close()
        assert left_over() == before
    assert len(log._listeners) == 0


def test_a_panel_beside_a_lab_does_not_close_the_labs_own():
    lab = dashboard(data=load_bundled_digits())
    panel = TrainingPanel(lab.session)
    assert lab.panels["training"].comm is not None
    panel.close()
    lab.close()


def test_a_panel_shows_that_its_session_was_closed(session):
    panel = TrainingPanel(session)
    session.close()
    scheduler.flush()
    assert "closed" in panel._status.value
    panel.close()
