"""Run a session's tasks in a worker thread, one after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from mnist_widgets.session.stepped_run import SteppedRun

Task: TypeAlias = Callable[[], object]
Item = TypeVar("Item")


class Worker:
    """A thread that runs tasks in the order in which they were submitted.

    Without a task it runs the next portion of a long job; without one of these, the batch that is
    due. The thread starts with the first task and ends when there is nothing left to do. During a
    pause it stays: the batches of the open run may come from something bound to one thread.

    Args:
        changed: guards the queues; notified whenever one of the properties below changes.
        run: the run whose batches it trains. Its properties take no lock.
        run_task: runs a task and raises nothing; calls `end_task` when the task has ended.
    """

    def __init__(
        self, changed: threading.Condition, run: SteppedRun, run_task: Callable[[Task], None]
    ) -> None:
        self._changed, self._run, self._run_task = changed, run, run_task
        self._tasks: deque[Task] = deque()
        self._long_jobs: deque[Callable[[], bool]] = deque()
        self._is_in_task = False  # in one that is no portion of a long job
        self._is_asleep = False
        self._thread: threading.Thread | None = None

    @property
    def is_current_thread(self) -> bool:
        """Whether the calling thread is the worker thread."""
        return threading.current_thread() is self._thread

    @property
    def is_done(self) -> bool:
        """Whether all tasks have ended and no batch is due; long jobs do not count."""
        return not (self._tasks or self._is_in_task or self._run.is_batch_due)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits to run, long jobs included."""
        has_work = self._tasks or self._long_jobs
        return not has_work and (self._thread is None or self._is_asleep)

    def submit(self, task: Task) -> None:
        """Run `task` after all tasks submitted before.

        Raises:
            RuntimeError: if no thread can be started; then nothing has changed.
        """
        self._append(self._tasks, task)

    def submit_long_job(self, do_portion: Callable[[], bool]) -> None:
        """Call `do_portion` until it returns False, after all long jobs submitted before.

        Raises:
            RuntimeError: if no thread can be started; then nothing has changed.
        """
        self._append(self._long_jobs, do_portion)

    def end_task(self) -> None:
        """Count the current task as ended, before its consequences are announced."""
        with self._changed:
            self._is_in_task = False
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended, unless this is the thread."""
        with self._changed:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _append(self, queue: deque[Item], item: Item) -> None:
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._loop, name="training", daemon=True)
                try:
                    thread.start()  # it waits for `changed`
                except RuntimeError as error:
                    raise RuntimeError(
                        f"No thread could be started for this training ({error}). Close other "
                        "notebooks or programs, then try again."
                    ) from error
                self._thread = thread
            queue.append(item)
            self._changed.notify_all()

    def _loop(self) -> None:
        while (task := self._wait_for_task()) is not None:
            self._run_task(task)

    def _wait_for_task(self) -> Task | None:
        """Return the next task; None if the thread must end.

        All of this happens under the lock. A task submitted after the last look would otherwise
        find a thread that is about to end, and never run.
        """
        with self._changed:
            while (task := self._take_task()) is None and self._run.state == "paused":
                self._is_asleep = True
                self._changed.notify_all()
                self._changed.wait()
                self._is_asleep = False
            if task is None:
                self._thread = None
                self._changed.notify_all()
            return task

    def _take_task(self) -> Task | None:
        if not self._tasks and self._long_jobs:
            return self._do_portion
        if not self._tasks and self._run.is_batch_due:
            self._tasks.append(self._run.train_batch)
        self._is_in_task = bool(self._tasks)
        return self._tasks.popleft() if self._tasks else None

    def _do_portion(self) -> None:
        with self._changed:
            do_portion = self._long_jobs[0]
        if not do_portion():  # it stays first meanwhile: others are appended behind it
            with self._changed:
                self._long_jobs.popleft()
