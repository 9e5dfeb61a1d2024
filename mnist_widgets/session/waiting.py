"""Wait for a session in the calling thread, without losing an interrupt."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mnist_widgets.session.states import AT_REST, OPEN, ActionRefusedError, State
from mnist_widgets.session.stepped_run import SteppedRun
from mnist_widgets.session.worker import Worker
from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.system.interrupts import interrupts_call
from mnist_widgets.system.listeners import Listeners

LISTENER_INTERVAL_S = 0.1
"""Time between two calls of the listeners, and two looks for an interrupt, while a thread waits."""
_MAX_ROUNDS = 3

Predicate = Callable[[], bool]


class WaitingSession(ABC):
    """The part of a session that lets threads wait for it.

    A thread that waits calls the session's listeners ten times a second. In Colab this is what
    redraws the panels: there only the main thread can.

    An interrupt of the kernel is a signal, which reaches the main thread alone. While that thread
    waits, the signal's handler only notes the interrupt, because it may run between any two
    instructions; the wait reacts to the note within `LISTENER_INTERVAL_S`.

    Args:
        wait: see `TrainingSession`.

    Attributes:
        waits: whether requests of the main thread wait.
    """

    _goal: State  # the state after all tasks submitted so far
    _run: SteppedRun
    _worker: Worker

    def __init__(self, wait: bool | None) -> None:
        self.waits = is_in_colab() if wait is None else wait
        self._changed = threading.Condition()  # guards the goal and the worker's queues
        self._listeners = Listeners()
        self._is_in_request = False  # the main thread, which waits for the request's end

    @property
    def state(self) -> State:
        """What the training does; `paused` only once it really stands still."""
        return "running" if self._goal == "running" else self._run.state

    @property
    def error(self) -> BaseException | None:
        """What ended the last run in the state `failed`, else None."""
        return self._run.error

    @abstractmethod
    def stop(self) -> None:
        """End the run after the current batch."""

    @property
    def is_worker_here(self) -> bool:
        """Whether the calling thread is the one that trains, as in a callback."""
        return self._worker.is_current_thread

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
        deadline_s = math.inf if timeout is None else time.monotonic() + timeout
        # a step that is still to be done may finish a paused run
        ends = (*AT_REST, "paused") if self._goal == "paused" else AT_REST
        interrupts: list[bool] = []
        with interrupts_call(lambda: interrupts.append(True)):
            while not self._is_soon(lambda: self._has_reached(*ends), deadline_s):
                if interrupts:
                    self._stop_if_open()
                if len(interrupts) > 1:
                    break
                if time.monotonic() >= deadline_s:
                    raise TimeoutError(f"The training has not ended within {timeout} seconds.")
                self._listeners.call()
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
            ActionRefusedError: if the training is paused and this is Colab, where a click is
                handled only after the cell has ended.
            BaseException: what ended the run, if it failed.
        """
        if is_in_colab():
            self._refuse_in_callback()
            while self._goal == "paused" and not self._is_soon(lambda: self._has_reached("paused")):
                pass
            self._refuse_if_paused()
        interrupts: list[bool] = []
        with interrupts_call(lambda: interrupts.append(True)):
            while not self._is_soon(lambda: self._has_reached(*AT_REST), 0):
                if interrupts:
                    self._stop_if_open()
                if len(interrupts) > 1:
                    raise asyncio.CancelledError
                self._listeners.call()
                await asyncio.sleep(LISTENER_INTERVAL_S)
        self._raise_error()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each batch and each change of state, and while a thread waits.

        It is called in any thread, also without a change: it should note that something may have
        changed, return, and read the session's properties later.
        """
        self._listeners.add(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`."""
        self._listeners.remove(listener)

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
        interrupts: list[bool] = []  # for each, whether a training ran that it stops
        self._is_in_request = True
        try:
            with interrupts_call(lambda: interrupts.append(self.state == "running")):
                yield
                self._wait_until_idle(interrupts)
        finally:  # a request that was refused must not swallow an interrupt
            self._is_in_request = False
            if interrupts and interrupts != [True]:
                raise KeyboardInterrupt

    def _wait_until_idle(self, interrupts: list[bool]) -> None:
        """Wait until nothing is left to do, or until a second interrupt.

        The listeners are called once more when the worker is idle: that call draws the end. It may
        submit jobs, whose results are drawn as well. But a listener that submits a job in each call
        must not keep the main thread here for ever.
        """
        for _ in range(_MAX_ROUNDS):
            while not self._is_soon(lambda: self._worker.is_idle):
                if interrupts and self.state == "running":
                    interrupts[0] = True
                    self._stop_if_open()
                if len(interrupts) > 1:
                    return
                self._listeners.call()
            self._listeners.call()
            if self._is_soon(lambda: self._worker.is_idle, 0):
                return

    def _is_soon(self, is_true: Predicate, deadline_s: float = math.inf) -> bool:
        """Return whether `is_true()` by a time of the monotonic clock, or soon if that is later."""
        timeout_s = min(max(deadline_s - time.monotonic(), 0), LISTENER_INTERVAL_S)
        with self._changed:
            return self._changed.wait_for(is_true, timeout_s)

    def _has_reached(self, *states: State) -> bool:
        return self._goal in states and self._worker.is_done

    def _stop_if_open(self) -> None:
        with suppress(ActionRefusedError):  # it is being closed, which ends the run as well
            if self._goal in OPEN:
                self.stop()

    def _refuse_in_callback(self) -> None:
        if self.is_worker_here:
            raise ActionRefusedError("A callback cannot wait for the training that it belongs to.")

    def _refuse_if_paused(self) -> None:
        if self._goal == "paused":
            raise ActionRefusedError(
                "The training is paused, so this would wait for ever. Resume or stop it first."
            )

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error
