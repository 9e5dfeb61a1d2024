"""Wait for a session's worker without losing an interrupt."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from mnist_widgets.session.states import AT_REST, OPEN, ActionRefusedError, State
from mnist_widgets.session.worker import Worker
from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.system.interrupts import interrupts_call
from mnist_widgets.training.trainer import Trainer

LISTENER_INTERVAL_S = 0.1
"""Time between two calls of the listeners, and two checks for an interrupt, in a thread that waits.
"""
_MAX_ROUNDS = 3

Predicate = Callable[[], bool]


class WaitingSession(Worker, ABC):
    """The part of a session that waits for its worker.

    The session calls its listeners after each batch and each change of its state. A thread that
    waits calls them ten times a second. In Colab this is what redraws the panels: there only the
    main thread can. So a listener may be called in any thread, also without a change.

    An interrupt of the kernel is a signal, which reaches the main thread alone. While that thread
    waits, the signal's handler only notes the interrupt, because it may run between any two
    instructions; the wait reacts to the note within `LISTENER_INTERVAL_S`.
    """

    def __init__(
        self,
        trainer: Trainer,
        choose_trainer: Callable[[Trainer], Trainer],
        wait: bool | None,
    ) -> None:
        super().__init__(trainer, choose_trainer)
        self.waits = is_in_colab() if wait is None else wait
        self._is_in_request = False  # whether the main thread is waiting in a request

    @abstractmethod
    def stop(self) -> None:
        """End the run after the current batch."""

    def join(self, timeout: float | None = None) -> None:
        """Wait, without live buttons, until the run has ended.

        A keyboard or kernel interrupt meanwhile stops the training after its current batch. A
        second one ends the wait; the training still stops after that batch.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: if the run has not ended by then.
            ActionRefusedError: if the training is paused, or is paused meanwhile, such as by a
                callback: no live button could resume it.
            KeyboardInterrupt: after a second interrupt.
            BaseException: what ended the run, if it failed.
        """
        if self.is_worker_here:
            raise ActionRefusedError("A callback cannot wait for the training that it belongs to.")
        deadline_s = math.inf if timeout is None else time.monotonic() + timeout
        # a step that is still to be done may finish a paused run
        is_at_rest = partial(self._has_reached, *AT_REST, "paused")
        with self._noting_interrupts() as interrupts:
            while not self._is_over(is_at_rest, interrupts, deadline_s):
                if time.monotonic() >= deadline_s:
                    raise TimeoutError(f"The training has not ended within {timeout} seconds.")
        if self._goal == "paused":
            raise ActionRefusedError(
                "The training is paused, so this would wait forever. Resume or stop it first."
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

    def make_way(self) -> None:
        """Wait until no job uses the model, so that another trainer can train it.

        Raises:
            ActionRefusedError: while a run is open.
            KeyboardInterrupt: after an interrupt meanwhile.
        """
        if self._goal in OPEN:
            raise ActionRefusedError(
                "A session is training this model already, in another thread; stop it first."
            )
        with self._noting_interrupts() as interrupts:
            while not (interrupts or self._is_soon(lambda: self._is_idle)):
                pass
        if interrupts:
            raise KeyboardInterrupt

    @contextmanager
    def _request(self) -> Iterator[None]:
        """Run a request. If the session waits, the context ends when the worker is idle.

        Only the outermost request of the main thread waits: a callback would wait for its own
        thread, and a listener is called during the wait.

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
        finally:
            self._is_in_request = False
            # one interrupt, which stopped no training; also raised if the request was refused
            if interrupts == [False]:
                raise KeyboardInterrupt

    def _wait_until_idle(self, interrupts: list[bool]) -> None:
        """Wait until nothing is left to do, or until a second interrupt.

        The listeners are called again when the worker is idle: that call draws the end. It may
        submit jobs, whose results are drawn as well. But a listener that submits a job in each call
        must not keep the main thread here forever.
        """
        for _ in range(_MAX_ROUNDS):
            while not self._is_over(lambda: self._is_idle, interrupts, stops_step=False):
                pass
            self.call_listeners()
            if self._is_soon(lambda: self._is_idle, 0):
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
        return self._goal in states and self._is_done
