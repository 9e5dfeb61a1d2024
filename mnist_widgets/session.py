"""A training that runs beside the notebook: start, pause, step, stop, reset, and jobs in between.

One worker thread does everything that touches the model, one task after the other: commands and
jobs in the order in which they were asked for, and between them the batches. It lives only while
there is something to do. Every other thread just says what it wants and returns at once. How the
training is drawn is left to whoever listens.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Literal, TypeAlias, TypeVar

from mnist_widgets.pace import Pace
from mnist_widgets.reports import BatchReport
from mnist_widgets.training import Trainer, check_epochs

State: TypeAlias = Literal["idle", "running", "paused", "finished", "stopped", "failed"]
Action: TypeAlias = Literal["start", "pause", "resume", "step", "stop", "reset"]
Result = TypeVar("Result")

_AT_REST: tuple[State, ...] = ("idle", "finished", "stopped", "failed")

#            | idle, finished, stopped, failed | running          | paused
#   ---------|---------------------------------|------------------|------------------
#   start    | opens a run                     | refused          | refused
#   pause    | refused                         | pauses           | does nothing
#   resume   | refused                         | does nothing     | goes on
#   step     | opens a run, trains one batch   | refused          | trains one batch
#   stop     | does nothing                    | ends the run     | ends the run
#   reset    | restores                        | ends, restores   | ends, restores
_NOTHING_RUNS = "No training is under way. Start one first."
_REFUSALS: dict[tuple[Action, State], str] = {
    ("start", "running"): "The training is running already. Stop it before you start another.",
    ("start", "paused"): "The training is paused. Resume it, or stop it before you start another.",
    ("step", "running"): "The training is running. Pause it before you step through it.",
    **{("pause", state): _NOTHING_RUNS for state in _AT_REST},
    **{("resume", state): _NOTHING_RUNS for state in _AT_REST},
}
_LONGEST_DEAF_WAIT_S = 0.2  # an interrupt is looked at between two waits


class ActionRefusedError(RuntimeError):
    """The session cannot do this in its present state; the message says what to do first."""


class TrainingSession:
    """Steers a `Trainer` that works in a background thread.

    What was asked for takes effect between two batches, in order; whether it is accepted is judged
    by the state in which everything asked for before will leave the session. To wait until that is
    done, wait for a job: `session.between_batches(lambda: None).result()`.

    Example:
        ```python
        session = TrainingSession(trainer)
        session.start(10)
        await session.finished()  # in a notebook; session.join() in a script
        ```

    Args:
        trainer: driven by this session alone while a run is open.

    Attributes:
        trainer: the same.
        error: what ended the last run in the state `failed`, else None.
        last_report: the latest batch; None before the first and after a reset.
        pace: how fast the current or last run went.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.error: BaseException | None = None
        self.last_report: BatchReport | None = None
        self.pace = Pace()
        self._beginning = trainer.snapshot()
        self._batches: Generator[BatchReport, None, None] | None = None
        self._num_batches_trained = 0
        self._changed = threading.Condition()  # guards what follows
        self._state: State = "idle"
        self._goal: State = "idle"  # the state after everything in the inbox
        self._inbox: deque[Callable[[], None]] = deque()
        self._is_at_work = False
        self._is_closed = False
        self._worker: threading.Thread | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def state(self) -> State:
        """What the training does; `paused` only once it really stands still."""
        return "running" if self._goal == "running" else self._state

    @property
    def num_batches_left(self) -> int:
        """Batches that the run of the latest batch still has to train."""
        report = self.last_report
        if report is None:
            return 0
        num_epochs_left = self.trainer.last_epoch - report.epoch
        return num_epochs_left * report.num_batches + report.num_batches - report.batch

    @property
    def progress(self) -> float:
        """How much of the current or last run is trained, 0 to 1."""
        trained = self._num_batches_trained
        return trained / (trained + self.num_batches_left) if trained else 0.0

    def can(self, action: Action) -> bool:
        """Return whether `action` would be accepted now."""
        return not self._is_closed and (action, self._goal) not in _REFUSALS

    def start(self, epochs: int) -> None:
        """Train `epochs` more epochs in the background.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running or paused.
        """
        check_epochs(epochs)
        self._command("start", "running", lambda: self._open_run(epochs, "running"))

    def pause(self) -> None:
        """Stand still after the current batch.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("pause", "paused", lambda: self._change_state("running", "paused"))

    def resume(self) -> None:
        """Go on after a pause.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("resume", "running", lambda: self._change_state("paused", "running"))

    def step(self, epochs: int = 1) -> None:
        """Train exactly one batch, then stand still.

        Args:
            epochs: the length of the run that is opened when none is.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running.
        """
        check_epochs(epochs)

        def train_one_batch() -> None:
            if self._state != "paused":
                self._open_run(epochs, "paused")
            self._train_batch()

        self._command("step", "paused", train_one_batch)

    def stop(self) -> None:
        """End the run after the current batch; nothing that was learnt is lost."""
        with self._changed:
            goal = self._goal if self._goal in _AT_REST else "stopped"
            self._command("stop", goal, self._end_run)

    def reset(self) -> None:
        """End the run; put weights and optimizer back to where the session began, bit for bit."""

        def restore_beginning() -> None:
            self._end_run()
            self.trainer.restore(self._beginning)
            self.error = self.last_report = None
            self.pace = Pace()
            self._num_batches_trained = 0
            self._state = "idle"

        self._command("reset", "idle", restore_beginning)

    def between_batches(self, job: Callable[[], Result]) -> Future[Result]:
        """Run `job` in the worker thread before the next batch; at once if none is being trained.

        Whatever reads the model goes this way, so that it never sees half an update.

        Returns:
            A future of the job's result or error.

        Raises:
            ActionRefusedError: once the session is closed.
        """
        future: Future[Result] = Future()

        def run_job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(job())
            except BaseException as error:  # it belongs to whoever asks for the result
                future.set_exception(error)

        with self._changed:
            self._refuse_if_closed()
            self._hand_over(run_job)
        return future

    def join(self, timeout: float | None = None) -> None:
        """Wait, without live buttons, until the run has ended.

        A keyboard or kernel interrupt meanwhile stops the training after its current batch; a
        second one raises.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: if the run has not ended by then.
            ActionRefusedError: if the training is paused, so that nothing would end the wait.
            BaseException: what ended the run, if it failed.
        """
        if self._goal == "paused":
            raise ActionRefusedError(
                "The training is paused, so this would wait for ever. Resume or stop it first."
            )
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        interrupts: list[int] = []
        with _interrupts_call(lambda: interrupts.append(signal.SIGINT)):
            while not self._rests_within(min(deadline - time.monotonic(), _LONGEST_DEAF_WAIT_S)):
                if len(interrupts) > 1:
                    raise KeyboardInterrupt
                if interrupts:
                    self.stop()
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"The training has not ended within {timeout} seconds.")
        self._raise_error()

    async def finished(self) -> None:
        """Wait until the run has ended while the notebook's buttons stay alive.

        A kernel interrupt meanwhile stops the training after its current batch; a second one
        cancels the wait.

        Raises:
            BaseException: what ended the run, if it failed.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        changed = asyncio.Event()
        reactions = iter([self.stop])

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                loop.call_soon_threadsafe(changed.set)

        def react() -> None:
            loop.call_soon_threadsafe(next(reactions, task.cancel if task else self.stop))

        self.add_listener(wake)
        try:
            with _interrupts_call(react):
                while not self._rests_within(0):
                    await changed.wait()
                    changed.clear()
        finally:
            self.remove_listener(wake)
        self._raise_error()

    def close(self) -> None:
        """End the run and the worker thread for good, and wait for its current batch."""
        with self._changed:
            if not self._is_closed:
                self.stop()
                self._is_closed = True
            worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join()
        self._listeners.clear()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each batch and each change of state.

        It is called in whichever thread made the change: it should note that something changed,
        return, and read the session's properties later.
        """
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    # In the thread of whoever asks

    def _command(self, action: Action, goal: State, task: Callable[[], None]) -> None:
        with self._changed:
            self._refuse_if_closed()
            refusal = _REFUSALS.get((action, self._goal))
            if refusal is not None:
                raise ActionRefusedError(refusal)
            self._goal = goal
            self._hand_over(task)
        self._notify()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise ActionRefusedError("This session is closed. Make a new TrainingSession.")

    def _hand_over(self, task: Callable[[], None]) -> None:
        self._inbox.append(task)
        self._changed.notify_all()
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="training", daemon=True)
            self._worker.start()

    def _rests_within(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: self._goal in _AT_REST and not self._inbox and not self._is_at_work,
                max(timeout_s, 0),
            )

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:  # a listener's fault must not end the training
                logging.getLogger(__name__).exception("A listener of the training failed")

    # In the worker thread

    def _work(self) -> None:
        while (task := self._next_task()) is not None:
            try:
                task()
            except BaseException as error:  # kept, shown, and raised by join()
                self._settle("failed", error)
            with self._changed:
                self._is_at_work = False
                if not self._inbox:
                    self._goal = self._state
                self._changed.notify_all()
            self._notify()

    def _next_task(self) -> Callable[[], None] | None:
        with self._changed:
            while self._state == "paused" and not self._inbox:
                self._changed.wait()
            if self._inbox:
                task = self._inbox.popleft()
            elif self._state == "running":
                task = self._train_batch
            else:
                self._worker = None
                return None
            self._is_at_work = True
            return task

    def _change_state(self, before: State, after: State) -> None:
        if self._state == before:
            self._state = after

    def _open_run(self, epochs: int, state: State) -> None:
        self.error = None
        self.pace = Pace()
        self._num_batches_trained = 0
        self._batches = self.trainer.iterate(epochs)
        self._state = state

    def _train_batch(self) -> None:
        if self._batches is None:
            return
        began = time.perf_counter()
        try:
            report = next(self._batches)
        except StopIteration:
            self._settle("stopped" if self.trainer.ending == "stopped" else "finished")
        else:
            self.pace.add_batch(time.perf_counter() - began, report.num_images)
            self._num_batches_trained += 1
            self.last_report = report
            if self.num_batches_left == 0 or self.trainer.is_stop_requested:
                self._train_batch()  # there is none: this lets the run end

    def _end_run(self) -> None:
        if self._batches is not None:
            self.trainer.request_stop()
            self._train_batch()  # trains nothing: the request is honoured first

    def _settle(self, state: State, error: BaseException | None = None) -> None:
        self._batches = None
        self.error = error
        self._state = state


@contextmanager
def _interrupts_call(react: Callable[[], object]) -> Iterator[None]:
    """Within this context a SIGINT calls `react` instead of raising a KeyboardInterrupt.

    Raised between any two instructions, it could leave a lock taken for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    previous = signal.signal(signal.SIGINT, lambda _signal_number, _frame: react())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
