"""The buttons and what they show, without a browser."""

from __future__ import annotations

import gc
import threading
import weakref

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from ipywidgets import Text
from timeouts import TIMEOUT_S

from mnist_widgets import (
    DivergenceGuard,
    Evaluator,
    HealthMonitor,
    SimpleNet,
    TrainingSession,
    load_bundled_digits,
)
from mnist_widgets.rendering.captions import to_html
from mnist_widgets.training.health.finding import Finding
from mnist_widgets.widgets import TrainingPanel
from mnist_widgets.widgets.redraws import scheduler


@pytest.fixture
def make_panel(make_trainer):
    """Return a function that makes a panel; panels and sessions are closed at the end."""
    panels = []

    def make(*, guess=False, epochs=1000, **options) -> TrainingPanel:
        session = TrainingSession(make_trainer(**options))
        panels.append(TrainingPanel(session, epochs=epochs, guess=guess))
        return panels[-1]

    yield make
    for panel in panels:
        panel.session.close()
        panel.close()


@pytest.fixture
def panel(make_panel):
    return make_panel()


def settle(panel):
    """Wait until everything requested has taken effect and is drawn."""
    panel.session.between_batches(lambda: None).result(TIMEOUT_S)
    scheduler.flush()


def click(panel, name):
    panel._buttons[name].click()
    settle(panel)


def enabled(panel):
    return {name for name, button in panel._buttons.items() if not button.disabled}


def test_only_what_is_possible_can_be_pressed(panel):
    assert enabled(panel) == {"start", "step", "reset"}
    click(panel, "start")
    assert enabled(panel) == {"pause", "stop", "reset"}
    click(panel, "pause")
    assert enabled(panel) == {"pause", "step", "stop", "reset"}
    assert panel._buttons["pause"].description == "Resume"
    click(panel, "stop")
    assert enabled(panel) == {"start", "step", "reset"}
    assert panel._buttons["pause"].description == "Pause"


def test_the_buttons_steer_the_session(panel):
    session = panel.session
    for name, state in [
        ("start", "running"),
        ("pause", "paused"),
        ("pause", "running"),
        ("stop", "stopped"),
        ("reset", "idle"),
        ("step", "paused"),
    ]:
        click(panel, name)
        assert session.state == state
    assert session.last_report.step == 1


def test_the_epochs_can_be_changed_only_while_no_run_is_open(panel):
    def can_change():
        settle(panel)
        return not panel._epochs.disabled

    assert can_change()
    for opening, closing in (("step", "stop"), ("start", "reset")):
        for name in (
            opening,
            "pause",
        ):
            click(panel, name)
            assert not can_change()
        click(panel, closing)
        assert can_change()


def test_start_trains_as_many_epochs_as_the_field_says(panel):
    panel._epochs.value = 2
    click(panel, "start")
    panel.session.join(TIMEOUT_S)
    settle(panel)
    assert panel.session.trainer.history.num_epochs == 2
    assert "Finished" in panel._state.value
    assert panel._percent.value == "100 %"
    assert "Epoch 2 of 2 · batch 5 of 5 · batch loss" in panel._status.value
    assert "images/s" not in panel._status.value


def test_a_paused_panel_says_how_much_is_left(panel):
    click(panel, "step")
    assert "Paused" in panel._state.value
    assert "batch 1 of 5" in panel._status.value
    assert "left" in panel._status.value
    assert "images/s" in panel._status.value


def test_a_crash_turns_the_panel_red_and_shows_the_message_until_the_next_start(make_panel):
    def crash(*_):
        raise ValueError("a <planted> error")

    panel = make_panel(train_step=crash)
    click(panel, "start")
    with pytest.raises(ValueError, match="planted"):
        panel.session.join(TIMEOUT_S)
    settle(panel)
    assert "mw-failed" in panel._dom_classes
    assert "Failed" in panel._state.value
    assert "ValueError: a &lt;planted&gt; error" in panel._status.value
    assert "in crash" in panel._status.value  # the traceback
    click(panel, "reset")
    assert "mw-failed" not in panel._dom_classes
    assert "planted" not in panel._status.value
    assert "in crash" not in panel._status.value


def test_why_a_training_was_stopped_is_shown(make_panel):
    panel = make_panel(train_step=lambda *_: float("nan"), callbacks=[DivergenceGuard()])
    click(panel, "start")
    panel.session.join(TIMEOUT_S)
    settle(panel)
    assert "Stopped" in panel._state.value
    assert "learning rate is probably too high" in panel._status.value


def test_parts_that_do_not_fit_fail_the_training_with_an_error_message(make_panel):
    panel = make_panel(model=torch.nn.Linear(4, 2))  # of three classes
    click(panel, "step")
    assert panel._state.value.count("Failed") == 1
    assert "target is 2" in panel._status.value
    assert enabled(panel) == {"start", "step", "reset"}


@pytest.mark.filterwarnings("ignore:The training inputs range")
def test_what_is_doubtful_about_a_training_is_shown(make_panel):
    train_set, test_set = load_bundled_digits()
    inputs, labels = next(iter(train_set.batches(32)))
    panel = make_panel(
        model=SimpleNet(28 * 28, 10, hidden_units=4),
        train_batches=[((inputs - 0.13) / 0.31, labels)] * 2,
        evaluator=Evaluator(test_set.batches(512)),
    )
    click(panel, "step")
    assert "range from -0.4" in panel._status.value


def test_a_click_that_comes_too_late_is_answered_in_words(panel):
    panel.session.start(1000)
    panel._buttons["step"].disabled = False  # as in a browser that has not heard yet
    click(panel, "step")
    assert "Pause it before you step" in panel._status.value
    panel.session.stop()
    settle(panel)
    assert "Pause it before you step" not in panel._status.value


def test_a_click_that_fails_after_a_crash_is_answered_and_the_traceback_stays(make_panel):
    def crash(*_):
        raise ZeroDivisionError("planted")

    panel = make_panel(train_step=crash)
    click(panel, "start")
    panel.session.close()
    panel._buttons["step"].click()
    scheduler.flush()
    assert "planted" not in panel._status.value.partition("popover")[0]
    assert "in crash" in panel._status.value


def test_a_redraw_after_the_close_is_no_error(make_panel):
    def crash(*_):
        raise ZeroDivisionError("planted")

    panel = make_panel(train_step=crash)
    panel.close()
    panel.session.start(1)
    with pytest.raises(ZeroDivisionError):
        panel.session.join(TIMEOUT_S)
    panel.redraw()  # it was scheduled before
    assert "planted" in panel._status.value


@pytest.mark.parametrize("epochs", [0, 20_000])
def test_epochs_that_the_field_cannot_hold_are_refused(panel, epochs):
    with pytest.raises(ValueError, match="epochs must be"):
        TrainingPanel(panel.session, epochs=epochs)


def test_screen_readers_hear_states_and_notices_once_and_no_batch_of_a_training(panel):
    heard = []
    panel._spoken.observe(lambda change: heard.append(change["new"]), "words")
    click(panel, "start")
    while (report := panel.session.last_report) is None or report.epoch < 3:
        settle(panel)
        panel.redraw()
    assert len(heard) == 1
    for name in ("pause", "step", "stop"):
        click(panel, name)
    panel.show_error_message("Something went wrong.")
    scheduler.flush()
    panel.redraw()
    standing = [said for said in heard if said != heard[0]]  # a step is a short training
    expected = [
        ("Paused", "batch"),
        ("Paused", "batch"),
        ("Stopped", "batch"),
        ("Stopped", "wrong"),
    ]
    assert len(standing) == len(expected), heard
    for words, parts in zip(standing, expected, strict=True):
        assert all(part in words for part in parts), heard


def test_raising_the_error_again_does_not_close_the_traceback(make_panel):
    def crash(*_):
        raise ZeroDivisionError("planted")

    panel = make_panel(train_step=crash)
    panel.session.start(1)
    notices = set()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            panel.session.join(TIMEOUT_S)
        panel.redraw()
        notices.add(panel._status.value)
    assert len(notices) == 1


def test_a_second_start_shows_the_latest_batch_until_the_next_one(panel):
    panel._epochs.value = 1
    click(panel, "start")
    panel.session.join(TIMEOUT_S)
    is_free = threading.Event()
    blocked = panel.session.between_batches(lambda: is_free.wait(TIMEOUT_S))
    panel._buttons["start"].click()
    try:
        panel.redraw()
        assert panel._state.value.endswith("Training</span>")
        assert panel._status.value.startswith("Epoch 1 of 1 · batch")
        panel.session._num_batches_trained = 0  # the worker begins the run
        panel.redraw()
        assert panel._status.value.startswith("Epoch 1 of 1 · batch")
        assert "left" not in panel._status.value
    finally:
        is_free.set()
    assert blocked.result(TIMEOUT_S)


def test_a_closed_panel_leaves_no_widget_behind_and_nothing_keeps_it(make_trainer):
    session = TrainingSession(make_trainer())
    before = set(widget_module._instances)
    panel = weakref.ref(TrainingPanel(session))
    panel().close()
    assert set(widget_module._instances) == before
    scheduler.flush()
    gc.collect()
    assert panel() is None
    session.close()


class ScriptedMonitor(HealthMonitor):
    """Reports scripted findings, one after each batch."""

    def on_train_begin(self, trainer):
        self.findings = []

    def on_batch_end(self, trainer, report):
        names = ["dead units", "rate too high"]
        if report.step <= len(names):
            name = names[report.step - 1]
            self.findings.append(Finding(name, 1, report.step, f"Evidence of {name}.", "Advice."))


def shown_finding(panel):
    """Return the name of the finding that the panel shows, or None."""
    names = [name for name in ("Dead units", "Rate too high") if f">{name}." in panel._status.value]
    assert (panel._dismiss.layout.display is None) == bool(names)
    return names[0] if names else None


def test_the_newest_finding_is_shown_until_it_is_dismissed_and_again_in_the_next_run(make_panel):
    panel = make_panel(callbacks=[ScriptedMonitor()])
    assert shown_finding(panel) is None
    click(panel, "step")
    assert shown_finding(panel) == "Dead units"
    click(panel, "step")
    assert shown_finding(panel) == "Rate too high"
    assert "1 more" in panel._status.value
    for part in ("Evidence of rate too high.", "Advice.", "03_inside_one_step"):
        assert part in panel._status.value
    view = panel.static_view()
    assert "Evidence of dead units." in view.text
    assert "Evidence of rate too high." in view.html
    for name in ("Dead units", None):
        panel._dismiss.click()
        settle(panel)
        assert shown_finding(panel) == name
    click(panel, "step")
    assert shown_finding(panel) is None
    assert "Evidence" not in panel.static_view().text
    click(panel, "stop")
    click(panel, "reset")
    click(panel, "step")
    assert shown_finding(panel) == "Dead units"


def test_an_error_comes_before_a_finding_and_a_finding_before_a_warning(make_panel):
    panel = make_panel(callbacks=[ScriptedMonitor()])
    panel.session.trainer.warnings.append("A scripted warning.")
    click(panel, "step")
    assert shown_finding(panel) == "Dead units"
    assert "A scripted warning." not in panel._status.value
    panel.show_error_message("A scripted error.")
    settle(panel)
    assert shown_finding(panel) is None
    assert "A scripted error." in panel._status.value
    click(panel, "stop")
    panel._dismiss.click()
    settle(panel)
    assert "A scripted warning." in panel._status.value


def test_screen_readers_hear_a_finding_once(make_panel):
    panel = make_panel(callbacks=[ScriptedMonitor()])
    heard = []
    panel._spoken.observe(lambda change: heard.append(change["new"]), "words")
    for name in ("step", "step", "stop"):
        click(panel, name)
        panel.redraw()
    panel._dismiss.click()
    settle(panel)
    for name in ("dead units", "rate too high"):
        assert sum(f"Evidence of {name}." in words for words in heard) == 1, heard


def finish(panel):
    """Press Start and wait for the end of the run."""
    panel._buttons["start"].click()
    panel.session.join(TIMEOUT_S)
    settle(panel)


def type_guess(panel, text):
    next(part for part in panel._parts() if isinstance(part, Text)).value = text


def test_an_expected_accuracy_is_read_at_the_start_and_compared_at_the_end(make_panel, batches):
    panel = make_panel(guess=True, epochs=2, evaluator=Evaluator(batches))
    type_guess(panel, "97,5")
    finish(panel)
    assert panel.expected_accuracy == pytest.approx(0.975)
    came = 100 * panel.session.trainer.history["test_accuracy"][-1]
    words = f"You expected 97.5 %; it is {came:.1f} %."
    assert to_html(words) in panel._status.value
    assert words in panel._spoken.words
    assert words in panel.static_view().text
    type_guess(panel, "")
    finish(panel)
    assert panel.expected_accuracy is None
    assert "expected" not in panel._status.value


def test_a_run_without_an_evaluated_epoch_says_so(make_panel):
    panel = make_panel(guess=True, epochs=1)
    type_guess(panel, "50")
    finish(panel)
    assert "You expected 50\xa0%; no epoch was evaluated." in panel._status.value


@pytest.mark.parametrize("text", ["much", "-1", "100.1", "nan", "1e9"])
@pytest.mark.parametrize("action", ["start", "step"])
def test_an_expectation_that_is_no_share_is_refused_before_the_run(make_panel, text, action):
    panel = make_panel(guess=True)
    type_guess(panel, text)
    click(panel, action)
    assert panel.session.state == "idle"
    assert "mw-alert" in panel._status.value
    assert text in panel._status.value
    type_guess(panel, "100 %")
    click(panel, action)
    assert panel.expected_accuracy == 1
    assert panel.session.state in ("running", "paused")


def test_the_expectation_is_locked_while_a_run_is_open(make_panel):
    panel = make_panel(guess=True)
    field = next(part for part in panel._parts() if isinstance(part, Text))
    assert not field.disabled
    click(panel, "step")
    assert field.disabled
    click(panel, "pause")
    assert field.disabled
    click(panel, "stop")
    assert not field.disabled


def test_without_guesses_there_is_no_field(panel):
    assert not [part for part in panel._parts() if isinstance(part, Text)]


def test_a_finding_does_not_hide_what_was_expected(make_panel, batches):
    panel = make_panel(
        guess=True, epochs=1, evaluator=Evaluator(batches), callbacks=[ScriptedMonitor()]
    )
    type_guess(panel, "90")
    finish(panel)
    assert shown_finding(panel) == "Rate too high"
    assert "You expected 90\xa0%; it is" in panel._status.value
