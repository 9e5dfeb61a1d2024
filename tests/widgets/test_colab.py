"""What Colab needs: all redraws come from the main thread, and are done when a request returns."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import ModuleType

import pytest
from ipywidgets import Widget
from settled_lab import shown_probabilities
from timeouts import TIMEOUT_S

from mnist_widgets import Callback, TrainingSession, load_bundled_digits
from mnist_widgets.widgets import LossChart, TrainingPanel, colab, dashboard, redraws
from mnist_widgets.widgets.redraws import RedrawScheduler

AN_HOUR_S = 3600.0
MAIN = threading.main_thread()


class FakeColab(ModuleType):
    """Stands in for Colab's own module, which no other place has."""

    def __init__(self, error=None) -> None:
        super().__init__("google.colab.output")
        self.num_calls, self._error = 0, error

    def enable_custom_widget_manager(self) -> None:
        self.num_calls += 1
        if self._error:
            raise self._error


@pytest.fixture
def enter_colab(monkeypatch):
    """Return a function that makes this place look like Colab."""

    def enter(output: FakeColab) -> None:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
        monkeypatch.setitem(sys.modules, "google.colab.output", output)

    return enter


@pytest.fixture
def in_colab(enter_colab):
    """Make this host look like Colab, once the thread that draws for earlier tests has ended."""
    while thread := redraws.scheduler._thread:
        thread.join(TIMEOUT_S)
    enter_colab(FakeColab())


@pytest.fixture
def make_session(make_trainer, in_colab):
    """Return a function that makes a session; all are closed at the end."""
    sessions = []

    def make(*callbacks) -> TrainingSession:
        sessions.append(TrainingSession(make_trainer(callbacks=callbacks)))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


class Requesting(Callback):
    """Requests a redraw after each batch; keeps which step was drawn, and in which thread."""

    def __init__(self, scheduler) -> None:
        self._scheduler = scheduler
        self.step, self.drawn, self.threads = 0, [], set()

    def redraw(self) -> None:
        self.drawn.append(self.step)
        self.threads.add(threading.current_thread())

    def request(self) -> None:
        self._scheduler.schedule(self.redraw)

    def on_batch_end(self, trainer, report):
        self.step = report.step
        self.request()


def call_elsewhere(function, *arguments) -> None:
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def test_a_training_is_drawn_by_the_main_thread_which_waits_for_it(make_session):
    requesting = Requesting(RedrawScheduler(interval_s=0))
    session = make_session(requesting)
    session.add_listener(requesting.request)
    session.start(1)
    assert requesting.drawn[-1] == 5
    assert requesting.threads == {MAIN}


def test_requests_of_other_threads_wait_for_the_main_thread(in_colab):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []
    call_elsewhere(scheduler.schedule, lambda: drawn.append("elsewhere"))
    assert drawn == []
    scheduler.schedule(lambda: drawn.append("here"), urgent=True)
    assert sorted(drawn) == ["elsewhere", "here"]


def test_a_request_of_the_main_thread_is_drawn_at_once_while_no_cell_runs(in_colab):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []
    for _ in range(3):
        scheduler.schedule(lambda: drawn.append(threading.current_thread()))
    assert drawn == [MAIN] * 3


def test_such_a_request_draws_the_other_threads_only_once_an_interval(in_colab):
    """While a training that a click began runs, its session's listeners request all the time."""
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []
    for _ in range(3):
        call_elsewhere(scheduler.schedule, lambda: drawn.append("chart"))
        scheduler.schedule(lambda: drawn.append("panel"))
    assert sorted(drawn) == ["chart", "panel", "panel", "panel"]
    scheduler.flush()
    assert drawn[4:] == ["chart", "chart"]


def test_a_redraw_that_requests_another_one_has_it_drawn_afterwards(in_colab):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []

    def redraw() -> None:
        scheduler.schedule(lambda: drawn.append("second"))
        drawn.append("first")

    scheduler.schedule(redraw)
    assert drawn == ["first", "second"]


def test_a_redraw_that_requests_itself_is_not_drawn_without_end(in_colab):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []

    def redraw() -> None:
        drawn.append(1)
        scheduler.schedule(redraw)

    scheduler.schedule(redraw)
    assert drawn == [1]
    scheduler.flush()
    assert drawn == [1, 1]


def test_a_redraw_that_waits_for_a_job_has_its_results_drawn(make_session):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []
    session = make_session()
    session.add_listener(lambda: scheduler.schedule(lambda: drawn.append("state"), urgent=True))

    def redraw() -> None:
        session.between_batches(lambda: scheduler.schedule(lambda: drawn.append("result")))
        drawn.append("page")

    scheduler.schedule(redraw, urgent=True)
    assert drawn[0] == "page"
    assert "result" in drawn


def test_a_loop_in_a_cell_is_drawn_once_an_interval_and_at_its_end(in_colab):
    scheduler, drawn = RedrawScheduler(AN_HOUR_S), []
    numbers = []
    redraw = lambda: drawn.append(list(numbers))  # noqa: E731 - one function for all requests
    scheduler.on_cell_begin()
    for number in range(100):
        numbers.append(number)
        scheduler.schedule(redraw)
    assert drawn == [[0]]
    scheduler.on_cell_end()
    assert drawn[1:] == [numbers]


def test_an_interrupted_redraw_is_repeated(in_colab):
    scheduler, drawn, errors = RedrawScheduler(AN_HOUR_S), [], [KeyboardInterrupt()]

    def redraw() -> None:
        if errors:
            raise errors.pop()
        drawn.append(1)

    with pytest.raises(KeyboardInterrupt):
        scheduler.schedule(redraw)
    scheduler.on_cell_end()
    assert drawn == [1]


@pytest.fixture
def panel(make_session):
    panel = TrainingPanel(make_session(), epochs=2)
    yield panel
    panel.close()


def enabled(panel):
    return {name for name, button in panel._buttons.items() if not button.disabled}


def test_while_it_trains_the_panel_offers_no_button_and_says_how_to_stop(panel):
    seen = []
    panel._status.observe(lambda change: seen.append((change["new"], enabled(panel))), "value")
    panel._buttons["start"].click()
    *while_training, (at_the_end, enabled_then) = seen
    assert while_training
    for status, enabled_meanwhile in while_training:
        assert "to stop it, interrupt the kernel" in status
        assert enabled_meanwhile == set()
    assert "interrupt" not in at_the_end
    assert enabled_then == {"start", "step", "reset"}
    assert panel.session.state == "finished"


def test_a_click_on_step_trains_one_batch_and_leaves_it_to_be_resumed(panel):
    panel._buttons["step"].click()
    assert "batch 1 of 5" in panel._status.value
    assert enabled(panel) == {"pause", "step", "stop", "reset"}
    assert panel._buttons["pause"].description == "Resume"
    panel._buttons["pause"].click()
    assert "Finished" in panel._state.value
    assert "Epoch 2 of 2 · batch 5 of 5" in panel._status.value


def test_a_panel_of_a_session_that_does_not_wait_does_not_mention_interrupts(make_trainer):
    session = TrainingSession(make_trainer())
    panel = TrainingPanel(session)
    session.start(10_000)
    session.between_batches(panel.redraw).result(TIMEOUT_S)
    assert "interrupt" not in panel._status.value
    assert enabled(panel) == {"pause", "stop", "reset"}
    panel.close()


@pytest.fixture
def writers(monkeypatch):
    """The threads that have sent anything to a page."""
    threads, send = set(), Widget._send

    def note(widget, *arguments, **options):
        threads.add(threading.current_thread())
        return send(widget, *arguments, **options)

    monkeypatch.setattr(Widget, "_send", note)
    return threads


def test_a_lab_has_drawn_what_is_true_when_a_request_returns(in_colab, writers):
    data = load_bundled_digits()
    lab = dashboard(data=data)
    lab.session.start(1)
    history = lab.session.trainer.history
    assert f"in {len(history.batch_losses)} batches" in lab.panels["loss_chart"]._footer.caption
    assert "Finished" in lab.panels["training"]._state.value
    assert int(lab.panels["confusion"]._counts.sum()) == len(data[1])
    before = shown_probabilities(lab)
    lab.panels["training"]._buttons["step"].click()
    assert shown_probabilities(lab) != before
    assert f"in {len(history.batch_losses)} batches" in lab.panels["loss_chart"]._footer.caption
    lab.selected_index = 7
    assert "True" in lab.panels["prediction"].static_view().text
    lab.panels["gallery"]._pager._next.click()
    assert "page 2" in lab.panels["gallery"].grid.label
    assert all(", predicted " in name for name in lab.panels["gallery"].grid.names)
    lab.session.reset()
    assert lab.panels["loss_chart"]._footer.caption == "No batch has been trained yet."
    lab.close()
    assert writers == {MAIN}


def test_a_session_that_waits_does_not_change_how_panels_draw_elsewhere(make_trainer):
    scheduler, drawn, is_drawn = RedrawScheduler(interval_s=0.01), [], threading.Event()
    session = TrainingSession(make_trainer(), wait=True)
    scheduler.schedule(lambda: (drawn.append(threading.current_thread()), is_drawn.set()))
    assert is_drawn.wait(TIMEOUT_S)
    assert drawn[0] is not MAIN
    session.close()


def test_colabs_widget_manager_is_switched_on_there_alone(enter_colab):
    output = FakeColab()
    colab.prepare()
    assert output.num_calls == 0
    enter_colab(output)
    colab.prepare()
    assert output.num_calls == 1


def test_a_widget_manager_that_fails_is_only_a_warning(enter_colab, caplog):
    enter_colab(FakeColab(RuntimeError("planted")))
    colab.prepare()
    assert "may stay blank" in caplog.text
    assert "planted" in caplog.text
    caplog.clear()


def test_a_chart_without_a_session_is_drawn_at_once(in_colab):
    chart = LossChart()
    chart.add_batch(2.5)
    assert "Batch 1: loss 2.50" in chart._footer.caption
    chart.close()


def test_importing_the_panels_in_colab_switches_its_widget_manager_on_once():
    code = """
import sys
from types import ModuleType
output = ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: print("switched on")
sys.modules["google.colab"] = ModuleType("google.colab")
sys.modules["google.colab.output"] = output
import mnist_widgets.widgets.panels.loss_chart
import mnist_widgets.widgets
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout == "switched on\n", ended.stderr
