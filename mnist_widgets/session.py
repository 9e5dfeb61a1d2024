"""A training that is steered from a notebook: start, pause, step, stop, reset, and jobs in between.

One thread does everything that touches the model, one task after the other: commands and jobs in
the order in which they were asked for, and between them the batches. Every other thread just says
what it wants and returns at once. Which thread it is that works is left to `drivers`; how the
training is drawn, to whoever listens.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from mnist_widgets.drivers import DRIVERS, DriverName, Duties, Task, choose_driver, is_in_colab
from mnist_widgets.interrupts import breakable, interrupts_call, interrupts_wait
from mnist_widgets.open_sessions import add_session, close_sessions_of
from mnist_widgets.pace import Pace
from mnist_widgets.portions import LongJob
from mnist_widgets.reports import BatchReport
from mnist_widgets.states import (
    AT_REST,
    LEADS_TO,
    OPEN,
    REFUSALS,
    Action,
    ActionRefusedError,
    State,
)
from mnist_widgets.training import Trainer, check_epochs

if TYPE_CHECKING:
    import os

    from mnist_widgets.report_page import ReportPage

Result = TypeVar("Result")

_LONGEST_DEAF_WAIT_S = 0.2  # an interrupt is looked at between two waits


class TrainingSession:
    """Steers a `Trainer` that works in a background thread, or in the foreground.

    What was asked for takes effect between two batches, in order; whether it is accepted is judged
    by the state in which everything asked for before will leave the session. To wait until that is
    done, wait for a job: `session.between_batches(lambda: None).result()`.

    The evaluation after an epoch is interrupted between two portions too. A pause there stands
    still, the next step ends it before it trains its batch, and a stop cancels it: the epoch does
    not count as whole, as if it had been stopped before its end.

    In the foreground, `start`, `step` and `resume` return when the training has ended or paused;
    callbacks and other threads can steer it meanwhile. One interrupt of the kernel stops it after
    its current batch, a second one ends it at once and raises a KeyboardInterrupt. A single step or
    a job is done first, and then the interrupt raised.

    Example:
        ```python
        session = TrainingSession(trainer)
        session.start(10)
        await session.finished()  # in a notebook; session.join() in a script
        ```

    Args:
        trainer: driven by this session alone while a run is open.
        driver: `"background"` or `"foreground"`; None takes the foreground in Colab, which draws
            nothing that comes from another thread, and the background elsewhere.

    A newer session for the same model closes this one: two of them would train one model twice.

    Raises:
        ActionRefusedError: if something other than a session trains this trainer, or its own
            callback asks for another session.
        ValueError: if there is no such driver.

    Attributes:
        trainer: the same.
        driver: the name of the driver chosen.
        error: what ended the last run in the state `failed`, else None.
        last_report: the latest batch; None before the first and after a reset.
        pace: how fast the current or last run went.
    """

    def __init__(self, trainer: Trainer, driver: DriverName | None = None) -> None:
        self.driver = choose_driver(driver)
        close_sessions_of(trainer.model)
        if trainer.is_running:
            raise ActionRefusedError("This trainer is training already; let that run end first.")
        self.trainer = trainer
        self.error: BaseException | None = None
        self.last_report: BatchReport | None = None
        self.pace = Pace()
        self._beginning = trainer.snapshot()
        self._batches: Generator[BatchReport | None, None, None] | None = None
        self._num_batches_trained = 0
        self._num_steps_due = 0
        self._is_evaluating = False  # the latest batch is trained, but not yet reported
        self._batch_s = 0.0  # spent on the latest batch so far
        self._driver = DRIVERS[self.driver](
            Duties(self._do, self._find_batch, lambda: self._state == "paused", self._stop_if_open)
        )
        self._changed = self._driver.changed  # guards the goal too
        self._state: State = "idle"
        self._goal: State = "idle"  # the state after everything in the inbox
        self._is_closed = False
        self._listeners: list[Callable[[], None]] = []
        self._sleepers: list[Callable[[], None]] = []  # woken after each task, as `_changed` is
        add_session(self)

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

    @property
    def is_closed(self) -> bool:
        """Whether the session was closed, for good."""
        return self._is_closed

    @property
    def is_worker_here(self) -> bool:
        """Whether the calling thread is the one that trains, as in a callback."""
        return self._driver.is_worker_here

    def can(self, action: Action) -> bool:
        """Return whether `action` would be accepted now."""
        return not self._is_closed and self._goal in LEADS_TO[action]

    def start(self, epochs: int) -> None:
        """Train `epochs` more epochs.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running or paused.
        """
        check_epochs(epochs)
        self._command("start", lambda: self._open_run(epochs, "running"))

    def pause(self) -> None:
        """Stand still after the current batch.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("pause", lambda: self._change_state("running", "paused"))

    def resume(self) -> None:
        """Go on after a pause.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("resume", lambda: self._change_state("paused", "running"))

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
            # an evaluation that was interrupted by a pause belongs to the batch before
            self._num_steps_due += 2 if self._is_evaluating and not self._num_steps_due else 1
            self._train_batch()

        self._command("step", train_one_batch)

    def stop(self) -> None:
        """End the run after the current batch; nothing that was learnt is lost."""
        self._command("stop", self._end_run)

    def reset(self, trainer: Trainer | None = None) -> None:
        """End the run; put weights and optimizer back to where the session began, bit for bit.

        Args:
            trainer: steered from now on in place of the present one, whose state of now counts as
                the beginning.
        """

        def restore_beginning() -> None:
            try:
                self._end_run()
            finally:
                self._num_batches_trained = 0  # first: with it, `progress` asks for nothing else
                self.error = self.last_report = None
                self.pace = Pace()
                if trainer is not None:
                    self.trainer, self._beginning = trainer, trainer.snapshot()
                self.trainer.restore(self._beginning)
            self._state = "idle"

        self._command("reset", restore_beginning)

    def between_batches(self, job: Callable[[], Result]) -> Future[Result]:
        """Run `job` before the next batch, where that is trained; at once if none is.

        Whatever reads the model goes this way, so that it never sees half an update. A callback of
        the training is between two batches already: its job is run on the spot.

        Returns:
            A future of the job's result or error.

        Raises:
            ActionRefusedError: once the session is closed.
            RuntimeError: if no thread can be started for it.
        """
        future: Future[Result] = Future()

        def run_job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(breakable(job))
            except BaseException as error:  # it belongs to whoever asks for the result
                future.set_exception(error)

        with interrupts_wait(), self._changed:
            self._refuse_if_closed()
            is_in_between = self._driver.is_worker_here
            if not is_in_between:
                self._driver.hand_over(run_job)
        if is_in_between:
            run_job()
        else:
            self._driver.work_off()
        return future

    def in_portions(self, job: Callable[[], Generator[None, None, Result]]) -> Future[Result]:
        """Run a long `job` before the next batch, in portions: each ends with a `yield`.

        Between two portions come all commands and all jobs of `between_batches`, so the job must
        look after each `yield` whether its work still counts: weights may have changed. Closing the
        session, or cancelling the future, ends the job after its present portion.

        Returns:
            A future of what the job returns at its end, or of its error.

        Raises:
            ActionRefusedError: once the session is closed.
            RuntimeError: if no thread can be started for it.
        """
        long_job = LongJob(job())

        def do_portion() -> None:
            if self._is_closed:
                long_job.future.cancel()
            if long_job.do_portion():
                with self._changed:
                    self._driver.long_jobs.appendleft(do_portion)

        with interrupts_wait(), self._changed:
            self._refuse_if_closed()
            self._driver.hand_over_long_job(do_portion)
        self._driver.work_off()
        return long_job.future

    def join(self, timeout: float | None = None) -> None:
        """Wait, without live buttons, until the run has ended.

        A keyboard or kernel interrupt meanwhile stops the training after its current batch. A
        second one ends the wait; the training still stops after that batch.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: if the run has not ended by then.
            ActionRefusedError: if the training is paused, so that nothing would end the wait.
            KeyboardInterrupt: after a second interrupt.
            BaseException: what ended the run, if it failed.
        """
        self._refuse_in_callback()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        # a step that is still to be done may finish a paused run
        ends = (*AT_REST, "paused") if self._goal == "paused" else AT_REST
        interrupts: list[bool] = []
        with interrupts_call(lambda: interrupts.append(True)):
            while not self._settles_within(deadline - time.monotonic(), ends):
                if interrupts:
                    self._stop_if_open()
                if len(interrupts) > 1:
                    break
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"The training has not ended within {timeout} seconds.")
            if len(interrupts) > 1:
                raise KeyboardInterrupt
        if "paused" in ends:
            self._refuse_if_paused()
        self._raise_error()

    async def finished(self) -> None:
        """Wait until the run has ended while the notebook's buttons stay alive.

        A kernel interrupt meanwhile stops the training after its current batch. A second one
        cancels the wait; the training still stops after that batch.

        Raises:
            ActionRefusedError: if the training is paused and this is Colab, where no button is
                heard before the cell ends.
            BaseException: what ended the run, if it failed.
        """
        if is_in_colab():
            self._refuse_in_callback()
            while self._goal == "paused" and not self._settles_within(math.inf, ("paused",)):
                pass
            self._refuse_if_paused()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        changed = asyncio.Event()
        reactions = iter([self._stop_if_open])

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                loop.call_soon_threadsafe(changed.set)

        def react() -> None:
            loop.call_soon_threadsafe(next(reactions, task.cancel if task else self._stop_if_open))

        self._sleepers.append(wake)  # no listener: these do not hear of a job that was the last
        try:
            with interrupts_call(react):
                while not self._settles_within(0):
                    await changed.wait()
                    changed.clear()
        finally:
            self._sleepers.remove(wake)
        self._raise_error()

    def report(self, path: str | os.PathLike[str] | None = None) -> ReportPage:
        """Return one HTML page of what has been trained: curve, matrix, settings, versions.

        Args:
            path: where to save the page as well, such as `"my_run.html"`.
        """
        from mnist_widgets.report_page import write_report  # it draws, which few sessions ask for

        page = write_report(self.trainer, self.state, self.error)
        if path is not None:
            page.save(path)
        return page

    def close(self) -> None:
        """End the run and its driver for good, and wait for the current batch."""
        with interrupts_wait(), self._changed:
            if not self._is_closed:
                self._is_closed = True
                if self._goal in OPEN:
                    self._driver.hand_over(self._end_run)
                    self._goal = "stopped"
                self._changed.notify_all()
        self._driver.work_off()
        self._driver.close()
        self._notify()

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

    def _command(self, action: Action, task: Task) -> None:
        with interrupts_wait(), self._changed:
            self._refuse_if_closed()
            goal = LEADS_TO[action].get(self._goal)
            if goal is None:
                raise ActionRefusedError(REFUSALS[action])
            self._driver.hand_over(task)
            self._goal = goal
        self._driver.work_off()
        self._notify()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise ActionRefusedError(
                "This session is closed: close() was called, or a newer session trains its model. "
                "Use that one, or make a new TrainingSession."
            )

    def _stop_if_open(self) -> None:
        with suppress(ActionRefusedError):  # it is being closed, which ends the run as well
            if self._goal in OPEN:
                self.stop()

    def _refuse_in_callback(self) -> None:
        if self._driver.is_worker_here:
            raise ActionRefusedError("A callback cannot wait for the training that it belongs to.")

    def _refuse_if_paused(self) -> None:
        if self._goal == "paused":
            raise ActionRefusedError(
                "The training is paused, so this would wait for ever. Resume or stop it first."
            )

    def _settles_within(self, timeout_s: float, ends: tuple[State, ...] = AT_REST) -> bool:
        """Return whether all is done and one of `ends` is reached, after a wait that is short."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._goal in ends and self._driver.is_done,
                min(max(timeout_s, 0), _LONGEST_DEAF_WAIT_S),
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

    # In the thread that works

    def _do(self, task: Task) -> None:
        before = (self._state, self.last_report)
        try:
            task()
        except BaseException as error:  # kept, shown, and raised by join()
            self._settle("failed", error)
        with self._changed:
            self._driver.is_at_work = False
            if self._driver.is_done:
                self._goal = self._state
            self._changed.notify_all()
        for wake in tuple(self._sleepers):
            wake()
        if (self._state, self.last_report) != before:  # a job alone is no news
            self._notify()

    def _find_batch(self) -> Task | None:
        is_due = self._state == "running" or self._num_steps_due > 0
        return self._train_batch if is_due else None

    def _change_state(self, before: State, after: State) -> None:
        self._num_steps_due = 0
        if self._state == before:
            self._state = after

    def _open_run(self, epochs: int, state: State) -> None:
        self.error = None
        self.pace = Pace()
        self._num_batches_trained = 0
        self._batch_s = 0.0
        self._batches = self.trainer.iterate_in_portions(epochs)
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
            self._batch_s += time.perf_counter() - began
            self._is_evaluating = report is None
            if report is None:
                return  # the evaluation goes on with the next call
            self.pace.add_batch(self._batch_s, report.num_images)
            self._batch_s = 0.0
            self._num_steps_due = max(0, self._num_steps_due - 1)
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
        self._is_evaluating, self._num_steps_due = False, 0
        self.error = error
        self._state = state
