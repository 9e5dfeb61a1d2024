"""What is special about a training in the foreground: who works, what an interrupt does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import ModuleType

import pytest

from mnist_widgets import ActionRefusedError, Callback, TrainingSession
from mnist_widgets.drivers import ForegroundDriver

FOREVER = 10_000
TIMEOUT_S = 20


class AfterEachBatch(Callback):
    """Calls a function with each report."""

    def __init__(self, react) -> None:
        self.react = react

    def on_batch_end(self, trainer, report):
        self.react(report)


@pytest.fixture
def make_session(make_trainer):
    """Return a function that makes a session in the foreground; all are closed at the end."""
    sessions = []

    def make(after_batch=lambda _report: None, **options) -> TrainingSession:
        trainer = make_trainer(callbacks=[AfterEachBatch(after_batch)], **options)
        sessions.append(TrainingSession(trainer, "foreground"))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


def steps_of(session) -> int:
    return len(session.trainer.history.batch_losses)


def test_a_start_returns_when_the_run_has_ended(make_session):
    session = make_session()
    session.start(2)
    assert session.state == "finished"
    assert steps_of(session) == 10


def test_everything_happens_in_the_thread_that_asks_and_none_is_started(make_session):
    here, seen = threading.current_thread(), []

    def look(*_) -> None:
        seen.append((threading.current_thread(), threading.active_count()))

    before = threading.active_count()
    session = make_session(look)
    session.add_listener(look)
    session.start(1)
    session.step()
    session.between_batches(look)
    session.reset()
    session.close()
    assert set(seen) == {(here, before)}


def test_a_run_is_paused_by_a_callback_and_resumed_by_a_cell(make_session):
    session = make_session(lambda report: report.step == 3 and session.pause())
    session.start(1)
    assert (session.state, steps_of(session)) == ("paused", 3)
    session.step()
    assert (session.state, steps_of(session)) == ("paused", 4)
    session.resume()
    assert (session.state, steps_of(session)) == ("finished", 5)


def test_what_a_callback_asks_for_is_done_after_its_batch_and_in_order(make_session):
    done = []

    def ask(report) -> None:
        if report.step == 2:
            session.stop()
            session.start(1)
            assert session.state == "running"
            done.append(f"asked in step {report.step}")

    session = make_session(ask)
    session.add_listener(lambda: done.append((session.state, steps_of(session))))
    session.start(FOREVER)
    assert done.index("asked in step 2") < done.index(("running", 3))
    assert (session.state, steps_of(session)) == ("finished", 7)


def test_other_threads_only_hand_over_while_somebody_works(make_session):
    jobs = []

    def ask_elsewhere(report) -> None:
        if report.step == 2:
            job = lambda: (threading.current_thread().name, steps_of(session))  # noqa: E731
            ask = lambda: jobs.append(session.between_batches(job))  # noqa: E731
            asking = threading.Thread(target=ask, name="elsewhere")
            asking.start()
            asking.join(TIMEOUT_S)  # the call returns although this batch is not done
            assert jobs
            assert not jobs[0].done()

    session = make_session(ask_elsewhere)
    session.start(1)
    assert jobs[0].result(TIMEOUT_S) == (threading.current_thread().name, 2)


def test_a_job_runs_at_once_when_nothing_else_does(make_session):
    future = make_session().between_batches(lambda: 42)
    assert future.done()
    assert future.result() == 42


def test_closing_waits_for_the_thread_that_trains(make_session):
    begun, may_end = threading.Event(), threading.Event()

    def linger(_report) -> None:
        begun.set()
        may_end.wait(TIMEOUT_S)

    session = make_session(linger)
    training = threading.Thread(target=session.start, args=(FOREVER,))
    training.start()
    assert begun.wait(TIMEOUT_S)
    closing = threading.Thread(target=session.close)
    closing.start()
    while not session.is_closed:
        closing.join(0.01)
    assert closing.is_alive()
    may_end.set()
    closing.join(TIMEOUT_S)
    assert session.state == "stopped"
    training.join(TIMEOUT_S)


def test_a_training_inside_a_callback_of_another_one_is_done_there(make_session):
    inner = make_session()
    outer = make_session(lambda report: report.step == 2 and inner.start(1))
    outer.start(1)
    assert (inner.state, outer.state) == ("finished", "finished")


def interrupt(*_) -> None:
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_of_a_loop_of_steps_ends_the_loop_after_a_whole_batch(make_session):
    session = make_session(lambda report: report.step == 3 and interrupt())

    def step_often() -> None:
        for _ in range(5):
            session.step(epochs=2)

    with pytest.raises(KeyboardInterrupt):
        step_often()
    assert (session.state, steps_of(session)) == ("paused", 3)
    session.resume()
    assert (session.state, steps_of(session)) == ("finished", 10)


def test_an_interrupt_of_a_job_is_raised_when_the_job_is_done(make_session):
    session, done = make_session(), []
    with pytest.raises(KeyboardInterrupt):
        session.between_batches(lambda: (interrupt(), done.append(1)))
    assert done == [1]


def test_an_interrupt_of_the_last_batch_comes_too_late_and_is_not_raised(make_session):
    session = make_session(lambda report: report.step == 5 and interrupt())
    session.start(1)
    assert session.state == "finished"


def test_an_interrupt_before_the_first_batch_stops_the_run_before_it(make_session):
    session = make_session()
    is_first = iter([True])
    session.add_listener(lambda: next(is_first, False) and interrupt())
    session.start(1)
    assert (session.state, steps_of(session)) == ("stopped", 0)


def test_a_watcher_that_asks_for_a_job_at_the_end_does_not_hide_a_second_interrupt(
    make_session, monkeypatch
):
    class Asking:
        has_asked = False

        def on_work_begin(self) -> None:
            pass

        on_task_end = on_work_begin

        def on_work_end(self) -> None:
            if not self.has_asked:
                self.has_asked = True
                session.between_batches(lambda: None)

    monkeypatch.setattr(ForegroundDriver, "watchers", [Asking()])
    session = make_session(lambda _: (interrupt(), interrupt()))
    with pytest.raises(KeyboardInterrupt):
        session.start(1)
    assert session.state == "failed"
    assert isinstance(session.error, KeyboardInterrupt)


@pytest.mark.parametrize("wrong", ["thread", "", 3])
def test_an_unknown_driver_is_refused_with_the_choices(make_trainer, wrong):
    with pytest.raises(ValueError, match="'background' or 'foreground'"):
        TrainingSession(make_trainer(), wrong)


@pytest.mark.parametrize(
    ("is_colab", "wanted", "driver"),
    [
        (False, None, "background"),
        (True, None, "foreground"),
        (True, "background", "background"),
        (False, "foreground", "foreground"),
    ],
)
def test_colab_trains_in_the_foreground_unless_told_otherwise(
    make_trainer, monkeypatch, is_colab, wanted, driver
):
    if is_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    session = TrainingSession(make_trainer(), wanted)
    assert session.driver == driver
    session.close()


SCRIPT = """
import threading
import torch
from mnist_widgets import Callback, SimpleNet, Trainer, TrainingSession, load_bundled_digits
from mnist_widgets import train_step

class Watching(Callback):
    def on_batch_end(self, trainer, report):
        print(f"batch {report.step}", flush=True)
    def on_train_end(self, trainer):
        print(trainer.ending, flush=True)

def hang_in_the_second_batch(*arguments):
    if not trainer.history.batch_losses:
        return train_step(*arguments)
    print("hanging", flush=True)
    while not session._driver._num_interrupts:
        threading.Event().wait(0.01)
    print("still hanging", flush=True)
    threading.Event().wait()

train_set, _ = load_bundled_digits()
model = SimpleNet(28 * 28, 10)
before = model.linear1.weight.detach().clone()
trainer = Trainer(
    model, torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()),
    train_set.batches(64), callbacks=[Watching()], train_step=STEP,
)
session = TrainingSession(trainer, "foreground")
try:
    session.start(10_000)
except KeyboardInterrupt:
    print("raised", flush=True)
print("learnt" if not torch.equal(model.linear1.weight, before) else "lost")
print(session.state, trainer.is_running, next(model.parameters()).device.type)
print(len(trainer.history.batch_losses), "batches")
trainer.callbacks.clear()
trainer.train_step = train_step
session.start(1)
print("again", session.state)
"""
needs_signals = pytest.mark.skipif(os.name == "nt", reason="SIGINT works differently on Windows")


@pytest.fixture
def run_script():
    """Return a function that starts SCRIPT with some train_step and gives the running process."""
    running = []

    def run(step: str = "train_step") -> subprocess.Popen:
        command = [sys.executable, "-c", SCRIPT.replace("STEP", step)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


@needs_signals
def test_one_interrupt_stops_after_the_current_batch_and_start_returns(run_script):
    script = run_script()
    assert script.stdout.readline() == "batch 1\n"
    script.send_signal(2)
    printed = script.stdout.read().splitlines()  # communicate() loses what is buffered
    num_batches = 1 + sum(line.startswith("batch ") for line in printed)
    assert printed[num_batches - 1 :] == [
        "stopped",
        "learnt",
        "stopped False cpu",
        f"{num_batches} batches",
        "again finished",
    ]


@needs_signals
def test_a_second_interrupt_ends_a_batch_that_hangs_and_raises(run_script):
    script = run_script("hang_in_the_second_batch")
    assert script.stdout.readline() == "batch 1\n"
    assert script.stdout.readline() == "hanging\n"
    script.send_signal(2)
    assert script.stdout.readline() == "still hanging\n"
    script.send_signal(2)
    printed = script.stdout.read().splitlines()  # communicate() loses what is buffered
    assert printed == [
        "failed",
        "raised",
        "learnt",
        "failed False cpu",
        "1 batches",
        "again finished",
    ]


def test_a_closed_session_in_the_foreground_is_in_use_no_more(make_session):
    before = len(ForegroundDriver.in_use)
    session = make_session()
    assert len(ForegroundDriver.in_use) == before + 1
    session.close()
    assert len(ForegroundDriver.in_use) == before
    with pytest.raises(ActionRefusedError, match="closed"):
        session.start(1)
