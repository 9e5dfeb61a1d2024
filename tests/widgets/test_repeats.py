"""A lab that repeats a run with five seeds, without a browser."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from settled_lab import settle
from timeouts import TIMEOUT_S

from mnist_widgets import Callback, RunConfig, SimpleNet, load_bundled_digits
from mnist_widgets.widgets import dashboard
from mnist_widgets.widgets.parts.runs.repeat_button import RepeatButton

DATA = load_bundled_digits()
SETTINGS = "adam batch=256 hidden=16 dropout=0.2 images=500 noise=0.1 seed=3"


def find_button(lab):
    return next(part for part in lab.panels["runs"].children if isinstance(part, RepeatButton))


def repeat(lab):
    find_button(lab)._button.click()
    lab.session.join(TIMEOUT_S)
    settle(lab)


@pytest.fixture
def lab():
    lab = dashboard(data=DATA, settings=SETTINGS, epochs=2)
    yield lab
    lab.close()


class Interfere(Callback):
    """Calls a function after the first batch of the second run."""

    def __init__(self, lab, action) -> None:
        self.lab, self.action = lab, action

    def on_batch_end(self, trainer, report):
        series = self.lab.session.series
        if series is not None and series.run_number == 2 and report.step == 1:
            self.action()


class StopAtOnce(Callback):
    """Stops the session after the first batch."""

    def __init__(self, session) -> None:
        self.session = session

    def on_batch_end(self, trainer, report):
        self.session.stop()


def interfere(lab, action):
    """Call a function in the second run of each repeat."""
    lab._factory.callbacks.append(Interfere(lab, action))


def test_each_run_of_a_repeat_equals_a_single_run_with_its_seed(lab):
    lab.session.start(1)  # what was trained before does not matter
    lab.session.join(TIMEOUT_S)
    repeat(lab)
    found = lab.run_log.current.repeat
    assert found.seeds == (3, 4, 5, 6, 7)
    assert found.is_complete
    for seed, history in zip(found.seeds, found.histories, strict=True):
        trainer = RunConfig.from_string(SETTINGS).with_values(seed=seed).build(*DATA)
        expected = trainer.fit(2)
        assert history.batch_losses == pytest.approx(expected.batch_losses, abs=1e-6)
        assert set(history) == set(expected)
        for name, values in expected.items():
            assert history[name] == pytest.approx(values, abs=1e-6), name


def test_settings_changed_during_a_repeat_wait_for_reset(lab):
    wanted = RunConfig.from_string("sgd lr=0.5 batch=64 hidden=8")

    def change():
        lab.panels["settings"].config = wanted

    interfere(lab, change)
    repeat(lab)
    run, found = lab.run_log.current, lab.run_log.current.repeat
    assert found.is_complete
    assert run.learning_rates == [0.001]
    assert {len(history.batch_losses) for history in found.histories} == {4}
    assert lab.session.trainer.config.optimizer == "adam"
    assert "Press Reset" in lab.panels["settings"]._difference.value
    lab.session.reset()
    settle(lab)
    assert lab.session.trainer.config == wanted
    assert lab.panels["settings"]._difference.value == '<span title=""></span>'


def test_a_stop_ends_the_repeat_and_keeps_what_was_trained(lab):
    interfere(lab, lab.session.stop)
    repeat(lab)
    run = lab.run_log.current
    assert lab.session.state == "stopped"
    assert len(run.repeat.histories) == 1
    assert len(run.history.batch_losses) == 1  # the second run
    assert "ended in run 2 of 5" in find_button(lab)._words.value
    assert not find_button(lab)._button.disabled
    assert "1 of 5 seeds" in lab.panels["runs"].static_view().text


def test_an_error_ends_the_repeat_with_a_sentence(lab):
    def fail():
        raise ZeroDivisionError("planted")

    interfere(lab, fail)
    find_button(lab)._button.click()
    with pytest.raises(ZeroDivisionError):
        lab.session.join(TIMEOUT_S)
    settle(lab)
    assert "by an error in run 2 of 5" in find_button(lab)._words.value
    assert "planted" in lab.panels["training"]._status.value
    assert len(lab.run_log.current.repeat.histories) == 1


def test_a_stop_in_the_first_run_says_that_no_run_has_finished(lab):
    lab._factory.callbacks.append(StopAtOnce(lab.session))
    repeat(lab)
    assert "in run 1 of 5. Finished runs: 0." in find_button(lab)._words.value
    assert "0 of 5 seeds finished" in lab.panels["runs"].static_view().text


def test_settings_that_fit_no_data_end_the_repeat_before_its_first_run(lab):
    lab.panels["settings"].config = RunConfig(train_images=50_000)
    find_button(lab)._button.click()
    with pytest.raises(ValueError, match="50000"):
        lab.session.join(TIMEOUT_S)
    settle(lab)
    assert "by an error before its first run" in find_button(lab)._words.value
    assert "50000" in lab.panels["training"]._status.value


def test_a_reset_ends_the_repeat_and_the_next_run_is_a_single_one(lab):
    interfere(lab, lab.session.reset)
    repeat(lab)
    assert lab.session.state == "idle"
    assert lab.run_log.current is None
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    assert [run.repeat is not None for run in lab.run_log.runs] == [True, False]
    assert lab.session.trainer.config.seed == 3


def test_a_start_after_a_stop_before_the_first_batch_is_a_single_run(lab):
    are_requested = Event()
    lab.session.between_batches(lambda: are_requested.wait(TIMEOUT_S))
    find_button(lab)._button.click()
    lab.session.stop()
    are_requested.set()
    settle(lab)
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    assert [run.repeat for run in lab.run_log.runs] == [None]


def test_a_seed_that_is_too_large_is_refused_beside_the_button(lab):
    lab.panels["settings"].config = RunConfig(seed=2**31 - 2)
    repeat(lab)
    assert "Seed must be" in find_button(lab)._words.value
    assert lab.run_log.runs == ()


def test_the_chart_shows_the_current_and_an_earlier_repeat(lab):
    chart = lab.panels["loss_chart"]
    repeat(lab)
    bands = chart._earlier_runs.bands
    assert bands.colors == ["var(--mw-seeds)"]
    assert bands.y.size > 4
    assert "5 seeds: median" in chart._footer.caption
    lab.panels["settings"].config = RunConfig.from_string("sgd batch=256 hidden=16")
    repeat(lab)
    assert bands.colors == ["var(--mw-run-0)", "var(--mw-seeds)"]
    assert bands.y.shape[0] == 2
    assert "run 1, 5 seeds: " in lab.panels["runs"]._caption.value
    lab.run_log.delete(1)
    settle(lab)
    assert bands.colors == ["var(--mw-seeds)"]


def test_an_expected_accuracy_is_compared_with_the_median():
    lab = dashboard(data=DATA, settings=SETTINGS, epochs=1, guess=True)
    field = lab.panels["training"]._guess._text
    field.value = "50"
    repeat(lab)
    values = [history["test_accuracy"][-1] for history in lab.run_log.current.repeat.histories]
    words = f"You expected 50 %; the median is {100 * np.median(values):.1f} %."
    assert words in lab.panels["runs"].static_view().text
    assert "You expected" not in lab.panels["training"].static_view().text
    field.value = "60"
    lab.panels["training"]._buttons["start"].click()  # the last network alone is trained on
    lab.session.join(TIMEOUT_S)
    settle(lab)
    assert words in lab.panels["runs"].static_view().text


def test_static_views_and_report_say_which_run_of_the_repeat_they_show(lab):
    repeat(lab)
    lab.panels["settings"].config = RunConfig.from_string(SETTINGS).with_values(learning_rate=0.5)
    settle(lab)
    settings = lab.panels["settings"].static_view().text
    assert "lr=0.001" in settings
    assert "0.5" not in settings
    assert "first seed" in settings
    assert "Seed 7 alone:" in lab.panels["loss_chart"].static_view().text
    assert "loss seed 7" in lab.panels["loss_chart"].to_dataframe()
    assert "Run 5 of 5; this page shows that run alone." in lab.session.report().text
    lab.session.reset()
    settle(lab)
    assert "this page shows" not in lab.session.report().text


def test_the_key_of_the_chart_names_the_repeat_and_the_run_drawn_alone(lab):
    key = lab.panels["loss_chart"]._earlier_runs.key
    repeat(lab)
    assert "run 1 (5 seeds, test loss: median and range)" in key.value
    assert "seed 7 alone, smoothed" in key.value


def test_in_colab_a_click_returns_when_the_repeat_has_ended_and_is_drawn(monkeypatch):
    monkeypatch.setattr("mnist_widgets.widgets.redraws.is_in_colab", lambda: True)
    monkeypatch.setattr("mnist_widgets.session.waiting.is_in_colab", lambda: True)
    lab = dashboard(data=DATA, settings=SETTINGS, epochs=1)
    find_button(lab)._button.click()
    assert lab.session.state == "finished"
    assert lab.run_log.current.repeat.is_complete
    assert "5 seeds: median" in lab.panels["loss_chart"]._footer.caption
    assert "All 5 runs" in find_button(lab)._words.value


def test_a_lab_with_a_network_of_your_own_has_no_such_button():
    lab = dashboard(SimpleNet(784, 10), DATA)
    assert not any(isinstance(part, RepeatButton) for part in lab.panels["runs"].children)
