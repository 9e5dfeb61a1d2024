"""What is drawn when by whom while a training works in the foreground, and what Colab needs."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import ModuleType

import pytest
from settled_lab import shown_probabilities

from mnist_widgets import Callback, TrainingSession, load_bundled_digits
from mnist_widgets.drivers import ForegroundDriver
from mnist_widgets.widgets import LossChart, TrainingPanel, colab, dashboard, publishing
from mnist_widgets.widgets.publishing import Publisher

TIMEOUT_S = 20
AN_HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def idle_publisher():
    """Wait until the publisher's thread, which outlives its last request, has ended."""
    if thread := publishing.publisher._thread:
        thread.join(TIMEOUT_S)


@pytest.fixture
def make_publisher(monkeypatch):
    """Return a function that makes a publisher, alone in following the foreground drivers."""

    def make(interval_s: float = AN_HOUR_S, **options) -> Publisher:
        publisher = Publisher(interval_s, **options)
        monkeypatch.setattr(ForegroundDriver, "watchers", [publisher])
        return publisher

    return make


@pytest.fixture
def make_session(make_trainer):
    """Return a function that makes a session in the foreground; all are closed at the end."""
    sessions = []

    def make(*callbacks) -> TrainingSession:
        sessions.append(TrainingSession(make_trainer(callbacks=callbacks), "foreground"))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


class Requesting(Callback):
    """Requests a redraw after each batch; keeps which step was drawn, and in which thread."""

    def __init__(self, publisher, request=None) -> None:
        self._publisher, self._request = publisher, request or publisher.request
        self.step, self.drawn, self.threads = 0, [], set()

    def redraw(self) -> None:
        self.drawn.append(self.step)
        self.threads.add(threading.current_thread())

    def on_batch_end(self, trainer, report):
        num_drawn, self.step = len(self.drawn), report.step
        self._request(self.redraw)
        assert len(self.drawn) == num_drawn, "drawn in the middle of a hook"


def test_a_training_is_drawn_between_batches_by_its_own_thread(make_publisher, make_session):
    requesting = Requesting(make_publisher(interval_s=0))
    make_session(requesting).start(1)
    assert requesting.drawn == [1, 2, 3, 4, 5]
    assert requesting.threads == {threading.current_thread()}


def test_within_an_interval_only_the_beginning_and_the_end_are_drawn(make_publisher, make_session):
    requesting = Requesting(make_publisher())
    session = make_session(requesting)
    session.add_listener(lambda: requesting._publisher.request(requesting.redraw))
    session.start(1)
    assert requesting.drawn[0] == 0  # that it has begun is drawn at once
    assert set(requesting.drawn[1:]) == {5}
    session.step()
    assert requesting.drawn[-1] == 6


def test_what_other_threads_request_is_drawn_by_the_thread_that_trains(
    make_publisher, make_session
):
    def request_elsewhere(redraw) -> None:
        asking = threading.Thread(target=publisher.request, args=(redraw,))
        asking.start()
        asking.join(TIMEOUT_S)

    publisher = make_publisher()
    requesting = Requesting(publisher, request_elsewhere)
    make_session(requesting).start(1)
    assert requesting.drawn == [5]
    assert requesting.threads == {threading.current_thread()}


def test_what_is_requested_while_nobody_works_is_drawn_at_once_and_here(
    make_publisher, make_session
):
    session, publisher, drawn = make_session(), make_publisher(), []
    for _ in range(3):
        publisher.request(lambda: drawn.append(threading.current_thread()))
    assert drawn == [threading.current_thread()] * 3
    assert publisher._thread is None
    session.close()


def test_a_redraw_that_requests_another_one_has_it_drawn_afterwards(make_publisher, make_session):
    make_session()
    publisher, drawn = make_publisher(), []

    def redraw() -> None:
        publisher.request(lambda: drawn.append("second"))
        drawn.append("first")

    publisher.request(redraw)
    assert drawn == ["first", "second"]


def test_the_publishers_thread_leaves_when_a_training_begins_in_the_foreground(make_publisher):
    asleep, may_wake, waits = threading.Event(), threading.Event(), []

    def wait(has_urgent, _seconds) -> bool:
        waits.append(1)
        asleep.set()
        assert may_wake.wait(TIMEOUT_S)
        assert len(waits) < 5, "the thread spins"
        return has_urgent.is_set()

    publisher, threads = make_publisher(wait=wait), []
    publisher.request(lambda: None)  # no foreground is in use yet
    assert asleep.wait(TIMEOUT_S)
    thread = publisher._thread
    for begin in (lambda: None, publisher.on_work_begin):
        begin()
        redraw = lambda: threads.append(threading.current_thread())  # noqa: E731
        publisher.request(redraw, urgent=True)
    may_wake.set()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    assert threads == []
    publisher.on_work_end()
    assert threads == [threading.current_thread()] * 2


def test_a_loop_in_a_cell_of_colab_is_drawn_once_an_interval_and_at_its_end(
    make_publisher, make_session
):
    make_session()
    publisher, drawn = make_publisher(), []
    numbers = []
    redraw = lambda: drawn.append(list(numbers))  # noqa: E731 - one function for all requests
    publisher.on_cell_begin()
    for number in range(100):
        numbers.append(number)
        publisher.request(redraw)
    assert drawn == [[0]]
    publisher.on_cell_end()
    assert drawn[1:] == [numbers]


def test_an_interrupted_redraw_is_made_up_for(make_publisher, make_session):
    make_session()
    publisher, drawn, errors = make_publisher(), [], [KeyboardInterrupt()]

    def redraw() -> None:
        if errors:
            raise errors.pop()
        drawn.append(1)

    with pytest.raises(KeyboardInterrupt):
        publisher.request(redraw)
    publisher.on_cell_end()
    assert drawn == [1]


@pytest.fixture
def panel(make_session):
    panel = TrainingPanel(make_session(), epochs=2)
    yield panel
    panel.close()


def enabled(panel):
    return {name for name, button in panel._buttons.items() if not button.disabled}


def test_while_it_trains_the_panel_offers_no_button_and_says_how_to_stop(panel, monkeypatch):
    monkeypatch.setattr(publishing.publisher, "interval_s", 0)
    seen = []
    panel._notice.observe(lambda change: seen.append((change["new"], enabled(panel))), "value")
    panel._buttons["start"].click()
    (while_training, enabled_then), *later = seen
    assert "to stop it, interrupt the kernel" in while_training
    assert enabled_then == set()
    assert later == [("", {"start", "step", "reset"})]
    assert panel.session.state == "finished"


def test_a_click_on_step_trains_one_batch_and_leaves_it_to_be_resumed(panel):
    panel._buttons["step"].click()
    assert "batch 1 of 5" in panel._status.value
    assert enabled(panel) == {"pause", "step", "stop", "reset"}
    assert panel._buttons["pause"].description == "Resume"
    panel._buttons["pause"].click()
    assert "Finished" in panel._state.value
    assert "Epoch 2 of 2 · batch 5 of 5" in panel._status.value


def test_a_panel_of_a_background_training_says_nothing_of_interrupts(make_trainer):
    session = TrainingSession(make_trainer(), "background")
    panel = TrainingPanel(session)
    session.start(10_000)
    session.between_batches(panel.redraw).result(TIMEOUT_S)
    assert panel._notice.value == ""
    assert enabled(panel) == {"pause", "stop", "reset"}
    panel.close()


def test_a_lab_in_the_foreground_has_drawn_what_is_true_when_start_returns():
    data = load_bundled_digits()
    lab = dashboard(data=data, driver="foreground")
    lab.session.start(1)
    history = lab.session.trainer.history
    assert f"Batch {len(history.batch_losses)}: loss" in lab._loss_chart._caption.value
    assert "Finished" in lab._training._state.value
    assert int(lab._confusion._counts.sum()) == len(data[1])
    before = shown_probabilities(lab)
    lab.session.step()
    assert shown_probabilities(lab) != before
    lab.selected_index = 7
    assert "True" in lab._prediction.twin().text
    lab.reset()
    assert lab._loss_chart._caption.value == "No batch has been trained yet."
    assert publishing.publisher._thread is None
    assert not any(thread.name == "training" for thread in threading.enumerate())
    lab.close()


def test_a_lab_refuses_an_unknown_driver():
    with pytest.raises(ValueError, match="driver must be"):
        dashboard(data=load_bundled_digits(), driver="thread")


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


def test_colabs_widget_manager_is_switched_on_there_alone(enter_colab):
    output = FakeColab()
    colab.prepare()
    assert output.num_calls == 0
    enter_colab(output)
    colab.prepare()
    assert output.num_calls == 1


def test_a_widget_manager_that_fails_is_told_of_and_no_obstacle(enter_colab, caplog):
    enter_colab(FakeColab(RuntimeError("planted")))
    colab.prepare()
    assert "may stay blank" in caplog.text
    assert "planted" in caplog.text
    caplog.clear()


def test_a_chart_without_a_session_draws_without_a_thread_in_colab(enter_colab):
    enter_colab(FakeColab())
    chart = LossChart()
    chart.add_batch(2.5)
    assert "Batch 1: loss 2.50" in chart._caption.value
    assert publishing.publisher._thread is None
    chart.close()


def test_importing_the_panels_in_colab_switches_its_widget_manager_on_once():
    code = """
import sys
from types import ModuleType
output = ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: print("switched on")
sys.modules["google.colab"] = ModuleType("google.colab")
sys.modules["google.colab.output"] = output
import mnist_widgets.widgets.loss_chart
import mnist_widgets.widgets
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout == "switched on\n", ended.stderr
