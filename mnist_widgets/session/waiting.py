"""Submit a session's requests to its worker, and wait for them without losing an interrupt."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from mnist_widgets.session.states import (
    AT_REST,
    LEADS_TO,
    OPEN,
    REFUSALS,
    Action,
    ActionRefusedError,
    State,
)
from mnist_widgets.session.stepped_run import SteppedRun
from mnist_widgets.session.worker import Task, Worker
from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.system.interrupts import interrupts_call, interrupts_wait
from mnist_widgets.system.listeners import HasListeners

LISTENER_INTERVAL_S = 0.1
"""Time between two calls of the listeners, and two checks for an interrupt, in a thread that waits.
"""
_MAX_ROUNDS = 3

Predicate = Callable[[], bool]


class WaitingSession(HasListeners):
    """The part of a session that submits tasks and waits for them.

    The session calls its listeners after each batch and each change of its state. A thread that
    waits calls them ten times a second. In Colab this is what redraws the panels: there only the
    main thread can. So a listener may be called in any thread, also without a change.

    An interrupt of the kernel is a signal, which reaches the main thread alone. While that thread
    waits, the signal's handler only notes the interrupt, because it may run between any two
    instructions; the wait reacts to the note within `LISTENER_INTERVAL_S`.

    Args:
        run: the run of the session's trainer.
        wait: see `TrainingSession`.

    Attributes:
        waits: whether requests of the main thread wait.
        is_closed: whether the session was closed, for good.
    """

    def __init__(self, run: SteppedRun, wait: bool | None) -> None:
        super().__init__()
        self.waits = is_in_colab() if wait is None else wait
        self.is_closed = False
        self._run = run
        self._goal: State = "idle"  # the state after all tasks submitted so far
        self._changed = threading.Condition()  # guards the goal and the worker's queues
        self._worker = Worker(self._changed, run, self._run_task)
        self._is_in_request = False  # the main thread, which waits for the request's end

    @property
    def state(self) -> State:
        """What the training does; `paused` only once no batch is trained any more."""
        return "running" if self._goal == "running" else self._run.state

    @property
    def error(self) -> BaseException | None:
        """What ended the last run in the state `failed`, else None."""
        return self._run.error

    @property
    def is_worker_here(self) -> bool:
        """Whether the calling thread is the one that trains, as in a callback."""
        return self._worker.is_current_thread

    def stop(self) -> None:
        """End the run after the current batch; the model keeps what it has learned."""
        self._command("stop", self._run.end)

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
        if self.is_worker_here:
            raise ActionRefusedError("A callback cannot wait for the training that it belongs to.")
        deadline_s = math.inf if timeout is None else time.monotonic() + timeout
        # a step that is still to be done may finish a paused run
        ends = (*AT_REST, "paused") if self._goal == "paused" else AT_REST
        with self._noting_interrupts() as interrupts:
            while not self._is_over(partial(self._has_reached, *ends), interrupts, deadline_s):
                if time.monotonic() >= deadline_s:
                    raise TimeoutError(f"The training has not ended within {timeout} seconds.")
        if "paused" in ends and self._goal == "paused":
            raise ActionRefusedError(
                "The training is paused, so this would wait for ever. Resume or stop it first."
            )
        if self.error is not None:
            raise self.error

    async def finished(self) -> None:
        """Wait until the run has ended while the notebook's buttons stay alive.

        A kernel interrupt meanwhile stops the training after its current batch. A second one
        cancels the wait; the training still stops after that batch. In Colab, which handles a click
        only after the cell has ended, this does what `join` does.

        Raises:
            BaseException: what ended the run, if it failed.
        """
        if is_in_colab():
            self.join()
            return
        try:
            with self._noting_interrupts() as interrupts:
                has_ended = partial(self._has_reached, *AT_REST)
                while not self._is_over(has_ended, interrupts, 0):  # noqa: ASYNC110 - it does more
                    await asyncio.sleep(LISTENER_INTERVAL_S)
        except KeyboardInterrupt:  # it would end the event loop too
            raise asyncio.CancelledError from None
        if self.error is not None:
            raise self.error

    def _command(self, action: Action, task: Task) -> None:
        def submit() -> None:
            goal = LEADS_TO[action].get(self._goal)
            if goal is None:
                raise ActionRefusedError(REFUSALS[action])
            self._worker.submit(task)
            self._goal = goal

        self._submit(submit, is_news=True)

    def _submit(self, submit: Callable[[], None], *, is_news: bool = False) -> None:
        with self._request():
            # the goal and the queue change together, or other threads would see one without the
            # other; no listener is called with the lock held
            with interrupts_wait(), self._changed:
                self._refuse_if_closed()
                submit()
            if is_news:
                self.call_listeners()

    def _run_task(self, task: Task) -> None:
        """Run a task and end it; called by the worker."""
        num_changes = self._run.num_changes
        try:
            task()
        except BaseException as error:  # kept, shown, and raised by join()
            self._run.settle("failed", error)
        with self._changed:
            self._worker.end_task()
            if self._worker.is_done:
                self._goal = self._run.state
        if (
            self._run.num_changes != num_changes
        ):  # a job that changed no state needs no notification
            self.call_listeners()

    @contextmanager
    def _request(self) -> Iterator[None]:
        """Make a request; the context ends when nothing is left to do, if the session waits.

        Only the main thread waits, and only for its outermost request: a callback runs in the
        worker, which would wait for itself, and a listener runs within the wait.

        An interrupt stops a training that runs. If none runs, as during a single step or a job, the
        interrupt is raised when that has ended, so that a loop of steps ends too.

        Raises:
            KeyboardInterrupt: after an interrupt that stopped no training, or after a second one.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if not self.waits or self._is_in_request or not is_main:
            yield
            return
        interrupts: list[bool] = []
        self._is_in_request = True
        try:
            with self._noting_interrupts() as interrupts:
                yield
                self._wait_until_idle(interrupts)
        finally:  # a request that was refused must not swallow an interrupt
            self._is_in_request = False
            if interrupts == [False]:
                raise KeyboardInterrupt

    def _wait_until_idle(self, interrupts: list[bool]) -> None:
        """Wait until nothing is left to do, or until a second interrupt.

        The listeners are called once more when the worker is idle: that call draws the end. It may
        submit jobs, whose results are drawn as well. But a listener that submits a job in each call
        must not keep the main thread here for ever.
        """
        for _ in range(_MAX_ROUNDS):
            while not self._is_over(lambda: self._worker.is_idle, interrupts, stops_step=False):
                pass
            self.call_listeners()
            if self._is_soon(lambda: self._worker.is_idle, 0):
                return

    @contextmanager
    def _noting_interrupts(self) -> Iterator[list[bool]]:
        """Note for each interrupt whether a training ran that it stops.

        Raises:
            KeyboardInterrupt: at the end of the context, after a second interrupt.
        """
        interrupts: list[bool] = []
        try:
            with interrupts_call(lambda: interrupts.append(self.state == "running")):
                yield interrupts
        finally:  # what failed meanwhile must not swallow an interrupt
            if len(interrupts) > 1:
                raise KeyboardInterrupt

    def _is_over(
        self,
        is_true: Predicate,
        interrupts: list[bool],
        deadline_s: float = math.inf,
        *,
        stops_step: bool = True,
    ) -> bool:
        """Return whether a wait is over: `is_true()` soon, or there was a second interrupt.

        If it is not, call the listeners, and stop the run if there was an interrupt: a running
        training, or with `stops_step` also a paused one.
        """
        if self._is_soon(is_true, deadline_s):
            return True
        if interrupts and self._goal in OPEN and (stops_step or self.state == "running"):
            interrupts[0] = True
            with suppress(ActionRefusedError):  # it is being closed, which ends the run as well
                self.stop()
        if len(interrupts) > 1:
            return True
        self.call_listeners()
        return False

    def _is_soon(self, is_true: Predicate, deadline_s: float = math.inf) -> bool:
        """Return whether `is_true()` by a time of the monotonic clock, or soon if that is later."""
        timeout_s = min(max(deadline_s - time.monotonic(), 0), LISTENER_INTERVAL_S)
        with self._changed:
            return self._changed.wait_for(is_true, timeout_s)

    def _has_reached(self, *states: State) -> bool:
        return self._goal in states and self._worker.is_done

    def _refuse_if_closed(self) -> None:
        if self.is_closed:
            raise ActionRefusedError(
                "This session is closed: close() was called, or a newer session trains its model. "
                "Use that one, or make a new TrainingSession."
            )
