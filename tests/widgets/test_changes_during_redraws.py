"""What a panel draws may be replaced by another thread while it is drawn: no frame is lost."""

from __future__ import annotations

import pytest
import torch
from interleaved import call_between_reads

from mnist_widgets import History, TrainingSession
from mnist_widgets.runs.repeats import Repeat
from mnist_widgets.widgets import (
    ConfusionChart,
    DiagnosisPanel,
    LossChart,
    StepExplorer,
    TrainingPanel,
)
from mnist_widgets.widgets.redraws import scheduler


@pytest.fixture(autouse=True)
def only_this_thread_draws(monkeypatch):
    monkeypatch.setattr(scheduler, "schedule", lambda _redraw, **_options: None)


def make_history(*losses: float) -> History:
    history = History()
    for loss in losses:
        history.add_batch(loss)
    history.add_epoch(losses[-1], {"test_accuracy": 0.5, "test_loss": 1.0})
    return history


def test_the_loss_chart_survives_other_earlier_runs():
    chart, repeat = LossChart(), Repeat((0, 1), 1, (make_history(2.0), make_history(3.0)))
    before, after = make_history(2.0, 1.0), make_history(3.0, 1.0)
    num_reads = call_between_reads(
        chart.redraw,
        lambda: chart.show_runs([("before", before)], "now", repeat),
        lambda: chart.show_runs([("after", after), ("another", repeat)]),
        "panels/loss_chart.py",
        "runs/earlier_runs.py",
    )
    assert num_reads > 20


def test_the_loss_chart_and_its_static_view_survive_an_emptied_chart():
    chart = LossChart()

    def prepare():
        chart.clear()
        chart.add_batch(1.0)
        chart.add_epoch(1.0)

    for function in (chart.redraw, chart.static_view, chart.to_png):
        assert call_between_reads(function, prepare, chart.clear, "panels/loss_chart.py")


def test_a_verdict_is_drawn_whole_whatever_is_chosen_meanwhile():
    panel = DiagnosisPanel(7)
    words = set()

    def check():
        panel.fault, panel.evidence = "dead units", "the accuracy reaches 100 % of the test images"
        panel.check()

    def draw():
        panel.redraw()
        words.add(panel._spoken.words)

    def choose():
        panel.fault = ""

    for function in (draw, panel.static_view):
        assert call_between_reads(function, check, choose, "panels/diagnosis_panel.py")
    check()
    draw()
    choose()
    draw()
    assert len(words) == 2


def test_an_error_message_can_vanish_while_it_is_drawn(make_trainer, monkeypatch):
    session = TrainingSession(make_trainer())
    panel, explorer = TrainingPanel(session), StepExplorer(session)
    assert call_between_reads(
        panel.redraw,
        lambda: panel.show_error_message("This is wrong."),
        lambda: panel._do(lambda: None),
        "panels/training_panel.py",
    )

    def refuse(_epochs):
        raise RuntimeError("no step now")

    def click_with(take):
        monkeypatch.setattr(explorer._taker, "take", take)
        explorer._take()

    assert call_between_reads(
        explorer.redraw,
        lambda: click_with(refuse),
        lambda: click_with(lambda _epochs: None),
        "panels/step_explorer.py",
    )


def test_counts_can_vanish_while_their_table_is_drawn():
    chart = ConfusionChart("ab")
    chart._footer.shows_data = True
    for function in (chart.redraw, chart.static_view, chart.to_png):
        assert call_between_reads(
            function,
            lambda: chart.show_counts(torch.eye(2).long()),
            lambda: chart.show_counts(None),
            "panels/confusion_chart.py",
            "widgets/chart_panel.py",
        )
