"""Train in a worker thread, one batch at a time, and run tasks between two batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from mnist_widgets.session.series import RunSeries
from mnist_widgets.session.states import State
from mnist_widgets.session.throughput import Throughput
from mnist_widgets.system.interrupts import block_interrupts
from mnist_widgets.system.listeners import HasListeners
from mnist_widgets.system.threads import lower_priority
from mnist_widgets.training.reports import BatchReport
from mnist_widgets.training.trainer import Trainer

Task: TypeAlias = Callable[[], object]
Item = TypeVar("Item")


class Worker(HasListeners):
    """The part of a session that runs in its thread.

    The thread runs tasks in the order in which they were submitted. Without a task it runs the next
    portion of a long job. If there is no long job either, it trains the batch that is due. The
    thread starts with the first task and ends when there is nothing left to do. During a pause it
    stays alive, because the loader of the open run may be bound to it.

    Only this thread writes the attributes; other threads may read them at any time. It calls the
    listeners after an attribute has changed.

    Args:
        trainer: a reset restores its present state.
        choose_trainer: see `TrainingSession`.

    Attributes:
        trainer: the trainer; `choose_trainer` can replace it, and a series does for each run.
        series: the series of runs that is under way or was the last; None for a single run.
        error: the exception that ended the last run, if its state is `failed`; else None.
        last_report: the latest batch; None before the first and after a reset.
        throughput: how fast the current or last run is.
    """

    def __init__(self, trainer: Trainer, choose_trainer: Callable[[Trainer], Trainer]) -> None:
        super().__init__()
        self.trainer = trainer
        self.last_report: BatchReport | None = None
        self._choose_trainer = choose_trainer
        self._beginning = trainer.snapshot()
        self._batches: Generator[BatchReport | None, None, None] | None = None  # of the open run
        self._forget_last_run()
        self._state: State = "idle"  # whether the run trains, is paused, or how it ended
        self._goal: State = "idle"  # the state after all tasks submitted so far
        self._has_news = False  # for the listeners
        self._num_steps_due = 0
        self._is_evaluating = False  # the latest batch is trained, but not yet reported
        # guards the goal and the queues; notified when a wait for them may be over
        self._changed = threading.Condition()
        # each with the state that it leads to; None for a job, which leads to no other
        self._tasks: deque[tuple[Task, State | None]] = deque()
        self._long_jobs: deque[Callable[[], bool]] = deque()  # each returns whether more is left
        self._is_in_task = False  # whether a task runs; portions of long jobs do not count
        self._is_asleep = False
        self._thread: threading.Thread | None = None

    def _forget_last_run(self) -> None:
        # first: another thread that reads `progress` then gets 0
        self._num_batches_trained = 0
        self.series: RunSeries | None = None
        self._batch_s = 0.0  # spent on the latest batch so far
        self.throughput = Throughput()
        self.error: BaseException | None = None

    @property
    def state(self) -> State:
        """What the training does; `paused` only once no batch is trained any more."""
        return "running" if self._goal == "running" else self._state

    @property
    def is_worker_here(self) -> bool:
        """Whether the calling thread is the one that trains, as in a callback."""
        return threading.current_thread() is self._thread

    @property
    def _is_batch_due(self) -> bool:
        """Whether the thread trains the next batch without another request."""
        return self._state == "running" or self._num_steps_due > 0

    @property
    def _is_done(self) -> bool:
        """Whether all tasks have ended and no batch is due; long jobs do not count."""
        return not (self._tasks or self._is_in_task or self._is_batch_due)

    @property
    def _is_idle(self) -> bool:
        """Whether nothing runs or waits to run, long jobs included."""
        return not (self._tasks or self._long_jobs) and (self._thread is None or self._is_asleep)

    def _append(self, queue: deque[Item], item: Item, *, first: bool = False) -> None:
        """Put a task or a long job into its queue, and start the thread if there is none.

        Raises:
            RuntimeError: if no thread can be started; then nothing has changed.
        """
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._loop, name="training", daemon=True)
                try:
                    thread.start()  # it waits for `_changed`
                except RuntimeError as error:
                    raise RuntimeError(
                        f"No thread could be started for this training ({error}). Close other "
                        "notebooks or programs, then try again."
                    ) from error
                self._thread = thread
            (queue.appendleft if first else queue.append)(item)
            self._changed.notify_all()

    # What follows runs in the worker thread.

    def _loop(self) -> None:
        lower_priority()
        block_interrupts()
        while (task := self._wait_for_task()) is not None:
            self._has_news = False
            try:
                task()
            except BaseException as error:  # kept, shown, and raised by join()
                self._settle("failed", error)
            with self._changed:  # before the listeners are called, which read the state
                self._is_in_task = False
                if not self._is_batch_due and not any(goal for _, goal in self._tasks):
                    self._has_news |= self._goal != self._state  # a request came too late
                    self._goal = self._state
                self._changed.notify_all()
            if self._has_news:  # a job that changed nothing needs no notification
                self.call_listeners()

    def _wait_for_task(self) -> Task | None:
        """Return the next task; None if the thread must end."""
        with self._changed:  # throughout, or a task could be queued for a thread that is ending
            while (task := self._take_task()) is None and self._state == "paused":
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
        if not self._tasks and self._is_batch_due:
            self._tasks.append((self._train_batch, None))
        self._is_in_task = bool(self._tasks)
        return self._tasks.popleft()[0] if self._tasks else None

    def _do_portion(self) -> None:
        with self._changed:
            do_portion = self._long_jobs[0]
        if not do_portion():  # it stays in the queue meanwhile; another may have become the first
            with self._changed:
                self._long_jobs.remove(do_portion)

    def _open_run(self, epochs: int, state: State) -> None:
        """Begin a run; its first batch is trained later."""
        self._update_trainer()
        self._forget_last_run()
        self._batches = self.trainer.iterate_in_portions(epochs)
        self._change_to(state)

    def _open_series(self, series: RunSeries) -> None:
        """Begin the first run of a series."""
        self._forget_last_run()
        self.series = series
        if series.build_next():
            self._open_next_run()
            self._change_to("running")
        else:
            self._settle("finished")

    def _open_next_run(self) -> None:
        """Begin the next run of a series, if the one before has ended."""
        if self._has_next_run and self.series is not None:
            self._use(self.series.take_next())
            self._batches = self.trainer.iterate_in_portions(self.series.epochs)

    def _pause_run(self) -> None:
        self._num_steps_due = 0
        if self._state == "running":
            self._change_to("paused")

    def _resume_run(self) -> None:
        self._num_steps_due = 0
        if self._state == "paused":
            self._change_to("running")

    def _train_single_batch(self, epochs: int, record: bool) -> None:
        """Train one batch, and open a run of `epochs` for it if none is open."""
        if self._state != "paused":
            self._open_run(epochs, "paused")
        self._open_next_run()
        if record:  # only now: the run may have opened with another trainer
            self.trainer.record_next()
        # 2: the batch whose evaluation was interrupted is reported first
        self._num_steps_due += 2 if self._is_evaluating and not self._num_steps_due else 1
        self._train_batch()

    def _train_batch(self) -> None:
        """Train the next batch, or the next portion of the evaluation after the latest one."""
        self._open_next_run()
        if self._batches is None:
            return
        began_s = time.perf_counter()
        try:
            report = next(self._batches)
        except StopIteration:
            self._end_iteration()
        else:
            self._batch_s += time.perf_counter() - began_s
            self._is_evaluating = report is None
            if report is not None:
                self._count(report)

    @property
    def _has_next_run(self) -> bool:
        """Whether a run of a series has ended, and the next one has a trainer."""
        return self.series is not None and self.series.next_trainer is not None

    def _end_iteration(self) -> None:
        """Settle the run that has ended, unless another one of its series follows."""
        if self.trainer.ending == "stopped":
            self._settle("stopped")
        elif self.series is not None and self.series.build_next():
            self._batches, self._is_evaluating = None, False
        else:
            self._settle("finished")

    def _count(self, report: BatchReport) -> None:
        self.throughput.add_batch(self._batch_s, report.num_images)
        self._batch_s = 0.0
        self._num_steps_due = max(0, self._num_steps_due - 1)
        self._num_batches_trained += 1
        self.last_report = report
        self._has_news = True
        is_last = report.batch == report.num_batches and report.epoch == self.trainer.last_epoch
        if is_last or self.trainer.is_stop_requested:
            self._train_batch()  # no batch is left; this call lets the iterator end

    def _end_run(self) -> None:
        """End the run, if one is open."""
        if self._batches is not None:
            self.trainer.request_stop()
            self._train_batch()  # trains nothing: the trainer honours the request first
        elif self._has_next_run:  # between two runs of a series
            self._settle("stopped")

    def _reset(self) -> None:
        self._restore()
        self._update_trainer()

    def _update_trainer(self) -> None:
        """Use the trainer that `choose_trainer` returns."""
        trainer = self._choose_trainer(self.trainer)
        if trainer is not self.trainer:
            self._restore(trainer)

    def _restore(self, trainer: Trainer | None = None) -> None:
        """End the run, and put the trainer back to its beginning, or take another one."""
        try:
            self._end_run()
        finally:
            self._forget_last_run()
            self._use(trainer or self.trainer)
        self._change_to("idle")

    def _use(self, trainer: Trainer) -> None:
        """Put the trainer back to its beginning, or take another one."""
        if trainer is not self.trainer:
            self.trainer, self._beginning = trainer, trainer.snapshot()
        self.trainer.restore(self._beginning)
        self.last_report = None  # at once with the state: a panel may be drawn meanwhile

    def _settle(self, state: State, error: BaseException | None = None) -> None:
        """Note that the run has ended in `state`, with an error if that is `failed`."""
        self._batches = None
        if self.series is not None:
            self.series.close()
        self._is_evaluating, self._num_steps_due = False, 0
        self.error = error
        self._change_to(state)

    def _change_to(self, state: State) -> None:
        self._state = state
        self._has_news = True
