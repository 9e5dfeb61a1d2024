"""Steering a training from outside: what is accepted when, and what stands still when it should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import product
from types import ModuleType

import pytest
import torch
from timeouts import TIMEOUT_S
from torch.nn.utils import prune

from mnist_widgets import (
    ActionRefusedError,
    Callback,
    DivergenceGuard,
    TrainingSession,
    train_step,
)
from mnist_widgets.system.threads import TRAINING_NICENESS

FOREVER = 10_000


@pytest.fixture
def make_session(make_trainer):
    """Return a function that makes a session; all are closed at the end."""
    sessions = []

    def make(**options) -> TrainingSession:
        sessions.append(TrainingSession(make_trainer(**options)))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def session(make_session):
    return make_session()


def settle(session) -> None:
    """Wait until all requests so far have taken effect."""
    session.between_batches(lambda: None).result(TIMEOUT_S)


def weights_of(session) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in session.trainer.model.state_dict().items()}


def same(first, second) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def fail(*_):
    raise ZeroDivisionError("planted")


def bring_to(session, state):
    """Bring a fresh session to `state`."""
    if state == "failed":
        original, session.trainer.train_step = session.trainer.train_step, fail
        session.start(1)
        with pytest.raises(ZeroDivisionError):
            session.join(TIMEOUT_S)
        session.trainer.train_step = original
    elif state == "finished":
        session.start(1)
        session.join(TIMEOUT_S)
    elif state != "idle":
        session.start(FOREVER)
        if state == "paused":
            session.pause()
        elif state == "stopped":
            session.stop()
    settle(session)
    assert session.state == state


AT_REST = ("idle", "finished", "stopped", "failed")
OUTCOMES = {
    **{("start", state): "running" for state in AT_REST},
    **{("step", state): "paused" for state in AT_REST},
    **{("stop", state): state for state in AT_REST},
    **{("reset", state): "idle" for state in (*AT_REST, "running", "paused")},
    ("pause", "running"): "paused",
    ("pause", "paused"): "paused",
    ("resume", "running"): "running",
    ("resume", "paused"): "running",
    ("step", "paused"): "paused",
    ("stop", "running"): "stopped",
    ("stop", "paused"): "stopped",
}
ACTIONS = ("start", "pause", "resume", "step", "stop", "reset")


@pytest.mark.parametrize(("action", "state"), [*product(ACTIONS, (*AT_REST, "running", "paused"))])
def test_every_action_in_every_state_is_accepted_or_refused_with_a_message(session, action, state):
    bring_to(session, state)
    arguments = (FOREVER,) if action == "start" else ()
    outcome = OUTCOMES.get((action, state))
    assert session.can(action) == (outcome is not None)
    if outcome is None:
        with pytest.raises(ActionRefusedError, match=r"first|before"):
            getattr(session, action)(*arguments)
        outcome = state
    else:
        getattr(session, action)(*arguments)
    settle(session)
    assert session.state == outcome


def test_a_run_to_the_end_equals_one_without_a_session(make_session, make_trainer):
    session, alone = make_session(), make_trainer()
    alone.model.load_state_dict(session.trainer.model.state_dict())
    session.start(3)
    session.join(TIMEOUT_S)
    assert session.state == "finished"
    assert session.trainer.history == alone.fit(3)


def test_starting_returns_at_once_and_trains_in_the_background(make_session):
    may_train = threading.Event()

    def patient_step(*arguments):
        may_train.wait(TIMEOUT_S)
        return train_step(*arguments)

    session = make_session(train_step=patient_step)
    session.start(1)
    assert session.state == "running"
    assert session.trainer.history.batch_losses == []
    may_train.set()
    session.join(TIMEOUT_S)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_the_training_has_a_lower_priority_than_the_rest_of_the_kernel(session):
    def read_niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    session.start(FOREVER)
    ours, niceness = read_niceness(), session.between_batches(read_niceness).result(TIMEOUT_S)
    # a process that itself has a low priority keeps it
    assert niceness == max(ours, TRAINING_NICENESS)
    assert read_niceness() == ours


def test_a_paused_training_leaves_the_weights_alone(session):
    bring_to(session, "paused")
    before, num_batches = weights_of(session), len(session.trainer.history.batch_losses)
    settle(session)
    assert same(before, weights_of(session))
    assert len(session.trainer.history.batch_losses) == num_batches


def test_a_step_trains_exactly_one_batch(session):
    for expected in (1, 2, 3):
        session.step(epochs=1)
        settle(session)
        assert len(session.trainer.history.batch_losses) == expected
        assert session.state == "paused"


def test_several_steps_in_a_row_are_all_trained(session):
    for _ in range(4):
        session.step(epochs=1)
    settle(session)
    assert len(session.trainer.history.batch_losses) == 4


def test_only_a_recorded_step_has_a_record_also_with_a_newly_chosen_trainer(make_trainer):
    other = make_trainer()
    session = TrainingSession(make_trainer(), choose_trainer=lambda _: other)
    session.step(record=True)
    settle(session)
    assert session.last_report.record.loss == other.history.batch_losses[0]
    session.step()
    settle(session)
    assert session.last_report.record is None


def test_the_step_with_the_last_batch_finishes_the_run(session):
    for _ in range(5):
        session.step(epochs=1)
    settle(session)
    assert session.state == "finished"
    assert session.trainer.history.num_epochs == 1


def test_a_step_out_of_a_run_can_be_resumed_to_its_end(session):
    session.step(epochs=2)
    session.resume()
    session.join(TIMEOUT_S)
    assert len(session.trainer.history.batch_losses) == 10


def test_a_start_directly_after_a_stop_opens_a_second_run(session):
    session.start(FOREVER)
    session.stop()
    session.start(1)
    session.join(TIMEOUT_S)
    assert session.state == "finished"


def test_reset_restores_weights_and_optimizer_bit_for_bit_while_running(session):
    before, optimizer_state = weights_of(session), session.trainer.optimizer.state_dict()
    for _ in range(2):
        bring_to(session, "running")
        session.reset()
        settle(session)
        assert same(before, weights_of(session))
        assert session.trainer.optimizer.state_dict()["state"] == optimizer_state["state"] == {}
        assert session.trainer.history.batch_losses == []
        assert session.last_report is None


def test_a_reset_forgets_the_last_batch_together_with_the_state(make_session):
    seen = []

    class Watching(Callback):
        def on_reset(self, trainer):
            seen.append((session.state, session.last_report is not None))

    session = make_session(callbacks=[Watching()])
    session.start(1)
    session.join(TIMEOUT_S)
    session.reset()
    settle(session)
    assert seen == [("finished", True)]
    assert (session.state, session.last_report) == ("idle", None)


@pytest.mark.parametrize("action", ["start", "step", "reset"])
def test_a_chosen_trainer_is_used_from_a_run_or_a_reset_on(make_trainer, action):
    first, second = make_trainer(), make_trainer()
    session = TrainingSession(first, choose_trainer=lambda _trainer: second)
    try:
        beginning = {name: value.clone() for name, value in second.model.state_dict().items()}
        request = {"start": lambda: session.start(1), "step": session.step, "reset": session.reset}
        request[action]()
        settle(session)
        assert session.trainer is second
        assert not first.history.batch_losses
        session.reset()
        settle(session)
        assert same(beginning, weights_of(session))
    finally:
        session.close()


def test_a_crash_is_kept_and_raised_by_join_each_time(session):
    bring_to(session, "failed")
    assert isinstance(session.error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="planted"):
        session.join()
    session.start(1)
    session.join(TIMEOUT_S)
    assert session.error is None


def test_a_crash_is_raised_by_the_awaitable_too(make_session):
    session = make_session(train_step=fail)
    session.start(1)
    with pytest.raises(ZeroDivisionError, match="planted"):
        asyncio.run(session.finished())


def test_jobs_see_whole_updates_and_do_not_wait_for_the_end(session):
    bring_to(session, "running")
    for _ in range(20):
        first, second = session.between_batches(
            lambda: (weights_of(session), weights_of(session))
        ).result(TIMEOUT_S)
        assert same(first, second)
    assert session.state == "running"


def test_an_error_in_a_job_belongs_to_its_caller_alone(session):
    bring_to(session, "running")
    with pytest.raises(ZeroDivisionError):
        session.between_batches(fail).result(TIMEOUT_S)
    assert session.state == "running"


@pytest.mark.parametrize("state", AT_REST)
def test_jobs_run_when_nothing_is_trained(session, state):
    bring_to(session, state)
    assert session.between_batches(lambda: 42).result(TIMEOUT_S) == 42
    assert session.state == state


def test_waiting_for_a_paused_training_is_refused(session):
    bring_to(session, "paused")
    with pytest.raises(ActionRefusedError, match="Resume or stop"):
        session.join()


def test_waiting_is_refused_when_a_callback_pauses_the_training(make_session):
    class PauseAfterEpoch(Callback):
        def on_epoch_end(self, _trainer, _report):
            session.pause()

    session = make_session(callbacks=[PauseAfterEpoch()])
    session.start(2)
    with pytest.raises(ActionRefusedError, match="Resume or stop"):
        session.join(TIMEOUT_S)
    session.resume()
    session.join(TIMEOUT_S)
    assert session.state == "finished"


def test_in_colab_awaiting_a_paused_training_is_refused_too(session, monkeypatch):
    bring_to(session, "paused")
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    with pytest.raises(ActionRefusedError, match="Resume or stop"):
        asyncio.run(session.finished())


@pytest.mark.parametrize("state", [*AT_REST, "running", "paused"])
def test_join_keeps_its_timeout_in_every_state(session, state):
    bring_to(session, state)
    begun, may_end = threading.Event(), threading.Event()

    def linger() -> None:
        begun.set()
        may_end.wait(2 * TIMEOUT_S)

    requesting = threading.Thread(target=session.between_batches, args=(linger,), daemon=True)
    requesting.start()
    assert begun.wait(TIMEOUT_S)
    began_s = time.monotonic()
    try:
        with pytest.raises(TimeoutError, match=r"0\.05 seconds"):
            session.join(timeout=0.05)
    finally:
        may_end.set()
        requesting.join(TIMEOUT_S)
    assert time.monotonic() - began_s < TIMEOUT_S, "it waited for the job"


def test_join_gives_up_after_its_timeout(session):
    session.start(FOREVER)
    with pytest.raises(TimeoutError, match=r"0\.05 seconds"):
        session.join(timeout=0.05)


@pytest.mark.parametrize("epochs", [0, "ten"])
def test_wrong_epochs_are_refused_and_change_nothing(session, epochs):
    for action in (session.start, session.step):
        with pytest.raises(ValueError, match="epochs must be"):
            action(epochs)
    assert session.state == "idle"


def test_the_divergence_guard_stops_a_step_too_and_leaves_its_reason(make_session):
    session = make_session(train_step=lambda *_: float("nan"), callbacks=[DivergenceGuard()])
    session.step(epochs=3)
    settle(session)
    assert session.state == "stopped"
    assert "learning rate is probably too high" in session.trainer.stop_reason


def test_no_thread_is_left_when_nothing_is_under_way(session):
    bring_to(session, "finished")
    threads = [thread for thread in threading.enumerate() if thread.name == "training"]
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("state", [*AT_REST, "running", "paused"])
def test_a_closed_session_has_no_worker_and_refuses_everything(session, state):
    bring_to(session, state)
    workers = [thread for thread in threading.enumerate() if thread.name == "training"]
    session.close()
    assert not any(worker.is_alive() for worker in workers)
    for action in ACTIONS:
        assert not session.can(action)
    with pytest.raises(ActionRefusedError, match="closed"):
        session.start(1)
    with pytest.raises(ActionRefusedError, match="closed"):
        session.between_batches(lambda: None)
    session.close()


def test_hooks_run_in_the_worker_and_on_train_end_sees_the_ending(make_session):
    seen = []

    class Recorder(Callback):
        def on_train_begin(self, trainer):
            seen.append(threading.current_thread().name)

        def on_train_end(self, trainer):
            seen.append(trainer.ending)

    session = make_session(callbacks=[Recorder()])
    bring_to(session, "stopped")
    assert seen == ["training", "stopped"]


def test_listeners_are_called_at_every_pause_and_end(session):
    states = []
    session.add_listener(lambda: states.append(session.state))
    bring_to(session, "paused")
    session.stop()
    settle(session)
    assert states[-1] == "stopped"
    assert "paused" in states


@pytest.fixture
def failing_step(session):
    """Return two events of a session whose batch fails: it has started, and it may fail now."""
    has_started, may_fail = threading.Event(), threading.Event()

    def fail_when_allowed(*_):
        has_started.set()
        may_fail.wait(TIMEOUT_S)
        raise ZeroDivisionError("planted")

    session.trainer.train_step = fail_when_allowed
    yield has_started, may_fail
    may_fail.set()


def test_after_a_failed_step_listeners_see_what_is_possible_though_a_job_waits(
    session, failing_step
):
    has_started, may_fail = failing_step
    seen = []
    session.add_listener(lambda: seen.append((session.state, session.can("start"))))
    session.step()
    assert has_started.wait(TIMEOUT_S)
    job = session.between_batches(lambda: session.can("start"))
    may_fail.set()
    assert job.result(TIMEOUT_S)
    assert seen[-1] == ("failed", True)


def test_a_request_that_comes_too_late_to_have_an_effect_is_announced_too(session, failing_step):
    has_started, may_fail = failing_step
    seen = []
    session.add_listener(lambda: seen.append((session.state, session.can("start"))))
    session.step()
    assert has_started.wait(TIMEOUT_S)
    session.resume()
    may_fail.set()
    settle(session)
    assert seen[-1] == ("failed", True)


def test_a_listener_that_fails_does_not_end_the_training(session, caplog):
    session.add_listener(fail)
    session.start(1)
    session.join(TIMEOUT_S)
    assert session.state == "finished"
    session.close()  # so that the worker has said its last word
    assert "listener" in caplog.text
    caplog.clear()


def test_a_trainer_in_use_elsewhere_fails_the_run_with_a_clear_error(session):
    elsewhere = session.trainer.iterate(1)
    next(elsewhere)
    session.start(1)
    with pytest.raises(RuntimeError, match="training already"):
        session.join(TIMEOUT_S)
    elsewhere.close()


@pytest.fixture
def send_interrupts():
    """Return a function that sends this process SIGINTs as soon as the session listens for them."""
    threads = []

    def session_listens() -> bool:
        handler = signal.getsignal(signal.SIGINT)  # asyncio has one, too
        return getattr(handler, "__module__", "") == "mnist_widgets.system.interrupts"

    def send(*conditions) -> None:
        for condition in (session_listens, *conditions):
            while not condition():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

    def start(*conditions) -> None:
        threads.append(threading.Thread(target=send, args=conditions, daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(TIMEOUT_S)


needs_signals = pytest.mark.skipif(os.name == "nt", reason="os.kill sends no SIGINT on Windows")


@needs_signals
def test_an_interrupt_while_joining_stops_after_the_batch(session, send_interrupts):
    session.start(FOREVER)
    send_interrupts()
    session.join(TIMEOUT_S)
    assert session.state == "stopped"


@needs_signals
def test_an_interrupt_while_awaiting_stops_after_the_batch(session, send_interrupts):
    session.start(FOREVER)
    send_interrupts()
    asyncio.run(session.finished())
    assert session.state == "stopped"


@needs_signals
@pytest.mark.parametrize("wait", ["join", "await"])
def test_a_second_interrupt_ends_the_wait_and_the_run_its_batch(
    make_session, send_interrupts, wait
):
    release = threading.Event()

    def hanging_step(*arguments):
        release.wait(TIMEOUT_S)
        return train_step(*arguments)

    session = make_session(train_step=hanging_step)
    session.start(FOREVER)
    send_interrupts(lambda: not session.can("pause"))  # the first has requested a stop by then
    try:
        if wait == "join":
            with pytest.raises(KeyboardInterrupt):
                session.join(TIMEOUT_S)
        else:
            with pytest.raises(asyncio.CancelledError):
                asyncio.run(session.finished())
        assert session.trainer.history.batch_losses == []  # the wait has ended, the batch has not
    finally:
        release.set()
    session.join(TIMEOUT_S)
    assert (session.state, len(session.trainer.history.batch_losses)) == ("stopped", 1)


def test_a_wait_that_is_cancelled_lets_the_training_go_on(session):
    session.start(FOREVER)
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(session.finished(), 0.05))
    assert session.state == "running"


def test_a_wait_ends_after_the_last_job(session):
    bring_to(session, "paused")
    waits, stopping, working, done = (threading.Event() for _ in range(4))

    def wait_to_stop() -> None:
        waits.set()
        stopping.wait(TIMEOUT_S)

    def work() -> None:
        working.set()
        done.wait(TIMEOUT_S)

    async def wait_through_the_job() -> None:
        waiting = asyncio.create_task(session.finished())
        await asyncio.sleep(0)  # it looks, and sees a training under way
        requesting = asyncio.create_task(asyncio.to_thread(session.between_batches, wait_to_stop))
        await asyncio.to_thread(waits.wait, TIMEOUT_S)
        session.stop()
        session.between_batches(work)
        stopping.set()
        await asyncio.to_thread(working.wait, TIMEOUT_S)
        for _ in range(3):
            await asyncio.sleep(0)  # it looks again, and sees the job
        assert not waiting.done()
        done.set()
        await asyncio.wait_for(asyncio.gather(waiting, requesting), TIMEOUT_S)

    asyncio.run(wait_through_the_job())
    assert session.state == "stopped"


@needs_signals
def test_an_interrupt_reaches_all_overlapping_waits_and_the_handler_is_restored(
    make_session, send_interrupts
):
    before = signal.getsignal(signal.SIGINT)
    first, second = make_session(), make_session()

    async def wait_for_both() -> None:
        await asyncio.gather(first.finished(), second.finished())

    first.start(FOREVER)
    second.start(FOREVER)
    send_interrupts()
    asyncio.run(wait_for_both())
    assert (first.state, second.state) == ("stopped", "stopped")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_session_closed_by_a_callback_ends_all_waits(make_session):
    class Closing(Callback):
        def on_batch_end(self, trainer, report):
            if report.step == 3:
                session.close()

    session = make_session(callbacks=[Closing()])
    session.start(FOREVER)
    asyncio.run(asyncio.wait_for(session.finished(), TIMEOUT_S))
    assert session.state == "stopped"


def test_a_callback_may_submit_a_job_but_not_wait(make_session):
    seen = []

    class Requesting(Callback):
        def on_epoch_end(self, trainer, report):
            seen.append(session.between_batches(lambda: 42).result(TIMEOUT_S))
            with pytest.raises(ActionRefusedError, match="callback"):
                session.join()

    session = make_session(callbacks=[Requesting()])
    session.start(1)
    session.join(TIMEOUT_S)
    assert seen == [42]


def test_a_job_alone_calls_no_listener(session):
    news = []
    session.add_listener(lambda: news.append(1))
    for _ in range(10):
        settle(session)
    assert news == []


def test_listeners_are_called_without_the_sessions_lock(session):
    owned = []
    session.add_listener(lambda: owned.append(session._changed._is_owned()))
    session.start(FOREVER)
    session.stop()
    session.close()
    assert owned
    assert not any(owned)


def test_a_reset_restores_even_if_a_hook_fails(make_session):
    class Failing(Callback):
        def on_train_end(self, trainer):
            raise ZeroDivisionError("planted")

    session = make_session(callbacks=[Failing()])
    before = weights_of(session)
    session.step(epochs=1)
    session.reset()
    settle(session)
    assert same(before, weights_of(session))
    assert session.state == "failed"


def test_a_join_after_the_step_that_ends_the_run_returns(session):
    for _ in range(5):
        session.step(epochs=1)
    session.join(TIMEOUT_S)
    assert session.state == "finished"


@pytest.mark.parametrize(("wait", "action"), [(False, "start"), (True, "step")])
def test_a_script_that_ends_during_a_training_ends_well(wait, action):
    script = f"""
import torch
from mnist_widgets import SimpleNet, Trainer, TrainingSession, load_bundled_digits
train_set, _ = load_bundled_digits()
model = SimpleNet(28 * 28, 10)
optimizer = torch.optim.Adam(model.parameters())
trainer = Trainer(model, torch.nn.CrossEntropyLoss(), optimizer, train_set.batches(64))
session = TrainingSession(trainer, wait={wait})
session.{action}(1000)
session.between_batches(lambda: None).result()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()


def test_a_reset_of_another_network_is_refused_at_once_and_a_start_does_not_hide_it(make_trainer):
    trainer = make_trainer()
    session = TrainingSession(trainer, wait=False)
    session.start(2)
    session.join(TIMEOUT_S)
    prune.l1_unstructured(trainer.model, "weight", 0.2)  # has another parameter from now on
    with pytest.raises(RuntimeError, match="other layers or parameters"):
        session.reset()
    assert (session.state, trainer.history.num_epochs) == ("finished", 2)
