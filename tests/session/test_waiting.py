"""A session whose requests wait: which thread waits for what, and what an interrupt does then."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from timeouts import TIMEOUT_S

from mnist_widgets import ActionRefusedError, Callback, TrainingSession, train_step

FOREVER = 10_000
MAIN = threading.main_thread()


class AfterEachBatch(Callback):
    """Calls a function with each report."""

    def __init__(self, react) -> None:
        self.react = react

    def on_batch_end(self, trainer, report):
        self.react(report)


@pytest.fixture
def make_session(make_trainer):
    """Return a function that makes a session that waits; all are closed at the end."""
    sessions = []

    def make(after_batch=lambda _report: None, **options) -> TrainingSession:
        trainer = make_trainer(callbacks=[AfterEachBatch(after_batch)], **options)
        sessions.append(TrainingSession(trainer, wait=True))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


def steps_of(session) -> int:
    return len(session.trainer.history.batch_losses)


def call_elsewhere(function, *arguments):
    """Return what `function` returns in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result(TIMEOUT_S)


def test_a_start_returns_when_the_run_has_ended(make_session):
    session = make_session()
    session.start(2)
    assert session.state == "finished"
    assert steps_of(session) == 10


def test_a_step_and_a_reset_return_when_they_are_done(make_session):
    session = make_session()
    session.step(epochs=1)
    assert (session.state, steps_of(session)) == ("paused", 1)
    session.reset()
    assert (session.state, steps_of(session)) == ("idle", 0)


def test_jobs_are_done_when_the_request_returns(make_session):
    def work():
        yield
        return 43

    session = make_session()
    short, long = session.between_batches(lambda: 42), session.in_portions(work)
    assert (short.done(), long.done()) == (True, True)
    assert (short.result(), long.result()) == (42, 43)


def test_the_worker_trains_and_the_main_thread_calls_the_listeners_meanwhile(make_session):
    trained, may_go_on, callers = set(), threading.Event(), set()

    def linger(_report) -> None:
        trained.add(threading.current_thread())
        assert may_go_on.wait(TIMEOUT_S)

    def listen() -> None:
        callers.add((threading.current_thread(), session.state))
        if threading.current_thread() is MAIN and trained:
            may_go_on.set()

    session = make_session(linger)
    session.add_listener(listen)
    session.start(1)
    assert MAIN not in trained
    assert {(MAIN, "running"), (MAIN, "finished")} <= callers


@pytest.mark.parametrize("way", ["join", "finished"])
def test_other_waits_call_the_listeners_too(make_trainer, way):
    may_go_on = threading.Event()

    def patient_step(*arguments):
        assert may_go_on.wait(TIMEOUT_S)
        return train_step(*arguments)

    session = TrainingSession(make_trainer(train_step=patient_step))
    session.start(1)
    session.add_listener(lambda: threading.current_thread() is MAIN and may_go_on.set())
    if way == "join":
        session.join(TIMEOUT_S)
    else:
        asyncio.run(asyncio.wait_for(session.finished(), TIMEOUT_S))
    assert session.state == "finished"


def test_a_run_is_paused_by_a_callback_and_resumed_by_a_cell(make_session):
    session = make_session(lambda report: report.step == 3 and session.pause())
    session.start(1)
    assert (session.state, steps_of(session)) == ("paused", 3)
    session.step()
    assert (session.state, steps_of(session)) == ("paused", 4)
    session.resume()
    assert (session.state, steps_of(session)) == ("finished", 5)


def test_what_a_callback_requests_is_done_after_its_batch_and_in_order(make_session):
    done = []

    def request(report) -> None:
        if report.step == 2:
            session.stop()
            session.start(1)
            assert session.state == "running"
            done.append(f"requested in step {report.step}")

    session = make_session(request)
    session.add_listener(lambda: done.append((session.state, steps_of(session))))
    session.start(FOREVER)
    assert done.index("requested in step 2") < done.index(("running", 3))
    assert (session.state, steps_of(session)) == ("finished", 7)


def test_requests_of_other_threads_return_at_once(make_session):
    begun, may_end = threading.Event(), threading.Event()
    session = make_session(lambda _report: (begun.set(), may_end.wait(TIMEOUT_S)))
    call_elsewhere(session.start, 1)
    assert begun.wait(TIMEOUT_S)  # before the first batch, the job would be done at once
    job = call_elsewhere(session.between_batches, lambda: 42)
    call_elsewhere(session.pause)
    assert not job.done()
    may_end.set()
    assert job.result(TIMEOUT_S) == 42


def test_closing_waits_for_the_batch(make_session):
    begun, may_end = threading.Event(), threading.Event()

    def linger(_report) -> None:
        begun.set()
        may_end.wait(TIMEOUT_S)

    session = make_session(linger)
    call_elsewhere(session.start, FOREVER)
    assert begun.wait(TIMEOUT_S)
    closing = threading.Thread(target=session.close)
    closing.start()
    while not session.is_closed:
        closing.join(0.01)
    assert closing.is_alive()
    may_end.set()
    closing.join(TIMEOUT_S)
    assert session.state == "stopped"
    with pytest.raises(ActionRefusedError, match="closed"):
        session.start(1)


def test_a_training_inside_a_callback_of_another_one_does_not_wait_there(make_session):
    inner = make_session()
    outer = make_session(lambda report: report.step == 2 and inner.start(1))
    outer.start(1)
    inner.join(TIMEOUT_S)
    assert (inner.state, outer.state) == ("finished", "finished")


def test_a_listener_may_request_jobs_and_sees_them_done(make_session):
    session, jobs = make_session(), []

    def listen() -> None:
        if threading.current_thread() is MAIN and len(jobs) < 2:
            jobs.append(session.between_batches(lambda: steps_of(session)))

    session.add_listener(listen)
    session.start(1)
    assert [job.done() for job in jobs] == [True, True]


def test_a_listener_that_submits_a_job_in_each_call_does_not_block_a_request(make_session):
    session = make_session()
    session.add_listener(lambda: session.is_closed or session.between_batches(lambda: None))
    session.start(1)
    assert session.state == "finished"


@pytest.mark.parametrize(
    ("is_colab", "wait", "waits"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_the_wait_argument_overrides_the_default_of_the_host(
    make_trainer, monkeypatch, is_colab, wait, waits
):
    if is_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    session = TrainingSession(make_trainer(), wait)
    assert session.waits == waits
    session.close()


needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one thread")


def interrupt() -> None:
    signal.pthread_kill(MAIN.ident, signal.SIGINT)


def interrupt_and_wait_for_the_stop(session) -> None:
    interrupt()
    while session.can("pause"):
        threading.Event().wait(0.01)


@needs_signals
def test_one_interrupt_stops_a_run_and_is_not_raised(make_session):
    session = make_session(lambda r: r.step == 3 and interrupt_and_wait_for_the_stop(session))
    session.start(FOREVER)
    assert (session.state, steps_of(session)) == ("stopped", 3)


@needs_signals
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


@needs_signals
def test_an_interrupt_of_a_job_is_raised_when_the_job_is_done(make_session):
    session, done = make_session(), []
    with pytest.raises(KeyboardInterrupt):
        session.between_batches(lambda: (interrupt(), done.append(1)))
    assert done == [1]


@needs_signals
def test_an_interrupt_of_a_listener_stops_the_run(make_session):
    session, is_first = make_session(), iter([True])
    session.add_listener(lambda: next(is_first, False) and interrupt())
    session.start(FOREVER)
    assert session.state == "stopped"


@needs_signals
def test_an_interrupt_of_a_refused_request_is_not_lost(make_session, monkeypatch):
    session = make_session()
    session.step(epochs=2)
    refusals = {"start": "no"}

    class Interrupting(dict):
        def __getitem__(self, action):
            interrupt()
            return refusals[action]

    monkeypatch.setattr("mnist_widgets.session.session.REFUSALS", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        session.start(1)


@needs_signals
def test_a_second_interrupt_ends_the_wait_and_the_run_its_batch(make_session):
    release = threading.Event()

    def hang(_report) -> None:
        interrupt_and_wait_for_the_stop(session)
        interrupt()
        assert release.wait(TIMEOUT_S)

    session = make_session(hang)
    with pytest.raises(KeyboardInterrupt):
        session.start(FOREVER)
    release.set()
    session.join(TIMEOUT_S)
    assert (session.state, steps_of(session)) == ("stopped", 1)


SCRIPT = """
import threading
import torch
from mnist_widgets import Callback, SimpleNet, Trainer, TrainingSession, load_bundled_digits
from mnist_widgets import train_step

release = threading.Event()

class Printing(Callback):
    def on_batch_end(self, trainer, report):
        print(f"batch {report.step}", flush=True)
    def on_train_end(self, trainer):
        print(trainer.ending, flush=True)

def hang_in_the_second_batch(*arguments):
    if trainer.history.batch_losses:
        print("hanging", flush=True)
        while session.can("pause"):
            threading.Event().wait(0.01)
        print("still hanging", flush=True)
        release.wait()
    return train_step(*arguments)

train_set, _ = load_bundled_digits()
model = SimpleNet(28 * 28, 10)
before = model.linear1.weight.detach().clone()
trainer = Trainer(
    model, torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()),
    train_set.batches(64), callbacks=[Printing()], train_step=STEP,
)
session = TrainingSession(trainer, wait=True)
try:
    session.start(10_000)
except KeyboardInterrupt:
    print("raised", flush=True)
    release.set()
    session.join()
print("learnt" if not torch.equal(model.linear1.weight, before) else "lost")
print(session.state, trainer.is_running, next(model.parameters()).device.type)
print(len(trainer.history.batch_losses), "batches")
trainer.callbacks.clear()
trainer.train_step = train_step
session.start(1)
print("again", session.state)
"""


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
def test_in_a_script_one_interrupt_stops_after_the_current_batch(run_script):
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
def test_in_a_script_a_second_interrupt_ends_the_wait_for_a_batch_that_hangs(run_script):
    script = run_script("hang_in_the_second_batch")
    assert script.stdout.readline() == "batch 1\n"
    assert script.stdout.readline() == "hanging\n"
    script.send_signal(2)
    assert script.stdout.readline() == "still hanging\n"
    script.send_signal(2)
    printed = script.stdout.read().splitlines()  # communicate() loses what is buffered
    assert printed == [
        "raised",
        "batch 2",
        "stopped",
        "learnt",
        "stopped False cpu",
        "2 batches",
        "again finished",
    ]
