"""Who does the work of a session: a thread of its own, or whoever asks for something.

A driver keeps the inbox of what was asked for and works it off in order, one task after the other.
When the inbox is empty, it goes on with the next portion of a long job; without one, with the batch
that is due. What a task is, and what it leads to, is the session's business.
"""

from __future__ import annotations

import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from mnist_widgets.interrupts import break_off, interrupts_call

DriverName: TypeAlias = Literal["background", "foreground"]
Task: TypeAlias = Callable[[], None]


def is_in_colab() -> bool:
    """Return whether this is Google Colab, which draws nothing that another thread sends.

    Source: https://github.com/googlecolab/colabtools/issues/3373
    """
    return "google.colab" in sys.modules


def choose_driver(wanted: DriverName | None) -> DriverName:
    """Return the driver that is wanted; for None, the one that fits the place.

    Raises:
        ValueError: if there is no driver of that name.
    """
    if wanted is None:
        return "foreground" if is_in_colab() else "background"
    if wanted not in DRIVERS:
        choices = " or ".join(map(repr, DRIVERS))
        raise ValueError(f"driver must be {choices}, or None for what fits here, not {wanted!r}.")
    return wanted


@dataclass(frozen=True)
class Duties:
    """What a session has its driver do.

    Args:
        do: does a task, with all that follows from it; raises nothing.
        find_batch: returns the task of training the next batch, or of going on with the latest
            one's evaluation, if that is due; takes no lock.
        is_paused: returns whether an open run stands still; takes no lock.
        stop: asks for the end of the run; raises nothing.
    """

    do: Callable[[Task], None]
    find_batch: Callable[[], Task | None]
    is_paused: Callable[[], bool]
    stop: Task


class Driver(ABC):
    """An inbox and its worker.

    Args:
        duties: what the session has it do; see there.

    Attributes:
        changed: guards the others, and is notified whenever one of them changes.
        inbox: what was asked for and not yet begun.
        long_jobs: each call does one portion of a job; the job puts itself back to the front until
            it is done.
        is_at_work: whether a task is being done that is no portion of a long job.
        worker: the thread that works the inbox off at present, or None.
    """

    def __init__(self, duties: Duties) -> None:
        self.changed = threading.Condition()
        self.inbox: deque[Task] = deque()
        self.long_jobs: deque[Task] = deque()
        self.is_at_work = False
        self.worker: threading.Thread | None = None
        self._duties = duties

    @property
    def is_worker_here(self) -> bool:
        """Whether the calling thread is the worker."""
        return threading.current_thread() is self.worker

    @property
    def is_done(self) -> bool:
        """Whether everything asked for has been done, apart from long jobs."""
        return not self.inbox and not self.is_at_work and self._duties.find_batch() is None

    def hand_over(self, task: Task) -> None:
        """Put a task into the inbox, with `changed` taken; once that is free, call `work_off`.

        Raises:
            RuntimeError: if no thread can be started for it; then nothing has changed.
        """
        self._engage()
        self.inbox.append(task)
        self.changed.notify_all()

    def hand_over_long_job(self, do_portion: Task) -> None:
        """Put a job behind the long jobs that wait; otherwise as `hand_over`."""
        self._engage()
        self.long_jobs.append(do_portion)
        self.changed.notify_all()

    @abstractmethod
    def _engage(self) -> None:
        """Make sure that there will be a worker, with `changed` taken."""

    @abstractmethod
    def work_off(self) -> None:
        """See to it that the inbox is worked off: at once, or soon."""

    @abstractmethod
    def close(self) -> None:
        """Wait for the worker to leave; nothing is handed over any more."""

    def _next_task(self) -> Task | None:
        """Return the task to do now; without one, the worker has left."""
        is_portion = not self.inbox and bool(self.long_jobs)
        waiting = self.long_jobs if is_portion else self.inbox
        task = waiting.popleft() if waiting else self._duties.find_batch()
        self.is_at_work = task is not None and not is_portion
        if task is None:
            self.worker = None
            self.changed.notify_all()
        return task


class BackgroundDriver(Driver):
    """Works in a thread that lives only while there is something to do."""

    def work_off(self) -> None:
        """Leave it to the thread."""

    def close(self) -> None:
        """Wait for the thread's end."""
        with self.changed:
            worker = self.worker
        if worker is not None and worker is not threading.current_thread():
            worker.join()

    def _engage(self) -> None:
        if self.worker is None:
            worker = threading.Thread(target=self._run, name="training", daemon=True)
            try:
                worker.start()  # it waits for `changed`
            except RuntimeError as error:
                raise RuntimeError(
                    f"No thread could be started for this training ({error}). Close other "
                    "notebooks or programs, then try again."
                ) from error
            self.worker = worker

    def _run(self) -> None:
        while (task := self._wait_for_task()) is not None:
            self._duties.do(task)

    def _wait_for_task(self) -> Task | None:
        with self.changed:
            while self._has_to_wait():
                self.changed.wait()
            return self._next_task()

    def _has_to_wait(self) -> bool:
        is_due = self.inbox or self.long_jobs or self._duties.find_batch() is not None
        return not is_due and self._duties.is_paused()


class ForegroundWatcher:
    """Told of the work of all foreground drivers, in the thread that does it; by itself deaf."""

    def on_work_begin(self) -> None:
        """Called before the first task."""

    def on_task_end(self) -> None:
        """Called after each task."""

    def on_work_end(self) -> None:
        """Called when nothing is left to do."""


class ForegroundDriver(Driver):
    """Works in the thread of whoever asks.

    The first to ask while nobody works becomes the worker: the call returns when nothing is left to
    do. Others only hand over meanwhile. An interrupt of the kernel stops a running training after
    its current batch. A second one ends the task where it stands; it is raised when the work is
    done, as is a first one that found nothing to stop, so that loops of jobs and steps end too.

    Attributes:
        watchers: told of the work, such as whoever draws between two tasks; must not raise.
        in_use: the drivers that may still be asked for something.
    """

    watchers: ClassVar[list[ForegroundWatcher]] = []
    in_use: ClassVar[weakref.WeakSet[ForegroundDriver]] = weakref.WeakSet()

    def __init__(self, duties: Duties) -> None:
        super().__init__(duties)
        self._num_interrupts = 0
        self._is_stop_heard = False  # by a training that was running
        self.in_use.add(self)

    def work_off(self) -> None:
        """Do all that is to be done, unless somebody is at it already.

        Raises:
            KeyboardInterrupt: for an interrupt that did more, or less, than stop a training.
        """
        if self.worker is not None:
            return
        with interrupts_call(self._on_interrupt):  # first: nothing may be raised past this line
            if not self._begin():
                return
            self._run()
            is_to_raise = self._num_interrupts > self._is_stop_heard
            for watcher in self.watchers:  # last: what they ask for is work of its own
                watcher.on_work_end()
        if is_to_raise:
            raise KeyboardInterrupt

    def close(self) -> None:
        """Wait for the end of the work, if another thread does it."""
        self.in_use.discard(self)
        with self.changed:
            self.changed.wait_for(lambda: self.worker is None or self.is_worker_here)

    def _engage(self) -> None:
        """Leave it to `work_off`, which makes a worker of the thread that calls it."""

    def _begin(self) -> bool:
        with self.changed:
            is_first = self.worker is None
            if is_first:
                self.worker = threading.current_thread()
                self._num_interrupts, self._is_stop_heard = 0, False
        return is_first

    def _run(self) -> None:
        for watcher in self.watchers:
            watcher.on_work_begin()
        is_stopping = False
        while True:
            if self._num_interrupts and self._is_training and not is_stopping:
                self._is_stop_heard = is_stopping = True
                self._duties.stop()
            with self.changed:
                task = self._next_task()
            if task is None:
                return
            self._duties.do(task)
            for watcher in self.watchers:
                watcher.on_task_end()

    @property
    def _is_training(self) -> bool:
        return self._duties.find_batch() is not None and not self._duties.is_paused()

    def _on_interrupt(self) -> None:
        self._num_interrupts += 1
        self._is_stop_heard |= self._is_training  # even if this batch turns out to be the last
        if self._num_interrupts > 1:
            break_off()


DRIVERS: dict[DriverName, type[Driver]] = {
    "background": BackgroundDriver,
    "foreground": ForegroundDriver,
}
