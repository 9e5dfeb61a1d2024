"""Steer a training from a notebook: start, pause, step, stop, reset, and jobs.

One worker thread does everything that touches the model, one task after the other. Commands and
short jobs run in the order of their requests. A long job lets them run between its portions. A
batch is trained when nothing else waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from mnist_widgets.session.open_sessions import add_session, close_sessions_of
from mnist_widgets.session.series import RunSeries
from mnist_widgets.session.states import LEADS_TO, OPEN, REFUSALS, Action, ActionRefusedError
from mnist_widgets.session.waiting import WaitingSession
from mnist_widgets.session.worker import Item, Task
from mnist_widgets.system.arguments import check_kind
from mnist_widgets.system.interrupts import interrupts_wait
from mnist_widgets.training.epoch_batches import check_epochs
from mnist_widgets.training.evaluation.portions import LongJob
from mnist_widgets.training.trainer import Trainer

if TYPE_CHECKING:
    import os

    from mnist_widgets.rendering.report_page import ReportPage

Result = TypeVar("Result")


class TrainingSession(WaitingSession):
    """Steers a `Trainer` that works in a thread of its own.

    A request takes effect between two batches, and requests take effect in order. The session
    accepts a request if it fits the state after all earlier requests. To wait until they have taken
    effect, wait for a job: `session.between_batches(lambda: None).result()`.

    A pause interrupts the evaluation after an epoch, between two of its portions. The next step
    completes it, then trains one batch. A stop cancels it, and the epoch does not count.

    Example:
        ```python
        session = TrainingSession(trainer)
        session.start(10)
        await session.finished()  # in a notebook; session.join() in a script
        ```

    Args:
        trainer: no other one may train its model while a run is open.
        wait: whether a request of the main thread waits until the training has ended or is paused,
            and all jobs are done. One interrupt of the kernel stops a training that runs, after its
            current batch; a second one ends the wait with a KeyboardInterrupt. None means True in
            Colab, which shows only what the main thread sends, and False elsewhere.
        choose_trainer: called in the worker before each run and after each reset; takes the present
            trainer and returns the one to use from then on.

    A newer session for the same model closes this one; otherwise both would train it.

    Raises:
        ActionRefusedError: if the trainer is being trained outside a session, or if one of its
            callbacks makes a session.
        TypeError: if `trainer` is no `Trainer`.

    Attributes:
        trainer, error, last_report, throughput: see `Worker`.
        waits: whether requests of the main thread wait.
        is_closed: whether the session was closed, for good.
    """

    def __init__(
        self,
        trainer: Trainer,
        wait: bool | None = None,
        choose_trainer: Callable[[Trainer], Trainer] = lambda trainer: trainer,
    ) -> None:
        example = "Trainer(model, loss_fn, optimizer, batches)"
        check_kind(trainer, Trainer, "trainer", example)
        close_sessions_of(trainer.model)
        if trainer.is_running:
            raise ActionRefusedError("This trainer is training already; let that run end first.")
        super().__init__(trainer, choose_trainer, wait)
        self.is_closed = False
        add_session(self)

    @property
    def num_batches_left(self) -> int:
        """Batches left in the run or series of the latest batch; 0 before the first batch."""
        report, series = self.last_report, self.series
        if series is not None:
            return series.num_batches - self._num_batches_trained
        if report is None:
            return 0
        num_epochs_left = self.trainer.last_epoch - report.epoch
        return num_epochs_left * report.num_batches + report.num_batches - report.batch

    @property
    def progress(self) -> float:
        """The trained share of the current or last run or series, 0 to 1."""
        trained = self._num_batches_trained
        return trained / (trained + self.num_batches_left) if trained else 0.0

    def can(self, action: Action) -> bool:
        """Return whether `action` would be accepted now."""
        return not self.is_closed and self._goal in LEADS_TO[action]

    def start(self, epochs: int) -> None:
        """Train `epochs` more epochs.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running or paused.
        """
        check_epochs(epochs)
        self._command("start", lambda: self._open_run(epochs, "running"))

    def start_each(
        self, trainers: Generator[Trainer, None, None], num_runs: int, epochs: int
    ) -> None:
        """Train several trainers, one after the other, as one run.

        Pause, Stop and Reset apply to the whole series. A run that does not finish ends it.

        Args:
            trainers: a generator that builds them. The worker gets each trainer when the run
                before has finished, and closes the generator when the series ends before that.
            num_runs: how many trainers there are; they have equally many batches in an epoch.
            epochs: how many to train with each.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running or paused.
        """
        check_epochs(epochs)
        series = RunSeries(trainers, num_runs, epochs)
        self._command("start", lambda: self._open_series(series))

    def pause(self) -> None:
        """Pause after the current batch.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("pause", self._pause_run)

    def resume(self) -> None:
        """Continue after a pause.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("resume", self._resume_run)

    def step(self, epochs: int = 1, *, record: bool = False) -> None:
        """Train exactly one batch, then pause.

        Args:
            epochs: how many epochs the run has that this step opens, if none is open.
            record: whether to record the step; `last_report.record` then holds the record.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running.
        """
        check_epochs(epochs)
        self._command("step", lambda: self._train_single_batch(epochs, record))

    def stop(self) -> None:
        """End the run after the current batch; the model keeps what it has learned."""
        self._command("stop", self._end_run)

    def reset(self) -> None:
        """End the run, and restore the beginning: weights and optimizer, bit for bit.

        The beginning of a trainer is its state when the session began to use it.

        Raises:
            RuntimeError: if the model has other layers or parameters than then.
        """
        if self._goal not in OPEN:  # else the worker may be changing the trainer
            self._beginning.check_fits(self.trainer.model, self.trainer.loss_fn)
        self._command("reset", self._reset)

    def between_batches(self, job: Callable[[], Result]) -> Future[Result]:
        """Run `job` in the worker before the next batch; immediately if no training runs.

        Read the model only in such a job; otherwise you may see half of an update. `Evaluator` and
        `predict_probabilities` do so themselves while the session is open. A callback of the
        training is between two batches already: its job runs immediately.

        Returns:
            A future of the job's result or error.

        Raises:
            ActionRefusedError: once the session is closed.
            RuntimeError: if no thread can be started for it.
        """
        future: Future[Result] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except BaseException as error:  # raised again in the thread that calls `result`
                    future.set_exception(error)

        if self.is_worker_here:
            self._refuse_if_closed()
            run()
        else:
            self._submit(self._tasks, (run, None))
        return future

    def in_portions(
        self, job: Callable[[], Generator[None, None, Result]], *, first: bool = False
    ) -> Future[Result]:
        """Run the generator `job` before the next batch; each `yield` ends a portion.

        Commands and jobs of `between_batches` can run between two portions and may change the
        weights, so check after each `yield` whether to continue. Closing the session, or cancelling
        the future, ends the job after its current portion.

        Args:
            job: returns the generator.
            first: whether it comes before the jobs that were requested earlier.

        Returns:
            A future of what the job returns at its end, or of its error.

        Raises:
            ActionRefusedError: once the session is closed.
            RuntimeError: if no thread can be started for it.
        """
        long_job = LongJob(job())

        def do_portion() -> bool:
            if self.is_closed:
                long_job.future.cancel()
            return long_job.do_portion()

        self._submit(self._long_jobs, do_portion, first=first)
        return long_job.future

    def report(self, path: str | os.PathLike[str] | None = None) -> ReportPage:
        """Return one HTML page of what has been trained: curve, matrix, settings, versions.

        Args:
            path: where to save the page as well, such as `"my_run.html"`.
        """
        # slow to load, and rarely needed
        from mnist_widgets.rendering.report_page import write_report

        page = write_report(self.trainer, self.state, self.error, self.series)
        if path is not None:
            page.save(path)
        return page

    def close(self) -> None:
        """End the run and the worker for good, and wait for the current batch."""
        with interrupts_wait(), self._changed:
            self.is_closed = True
            if self._goal in OPEN:
                self._append(self._tasks, (self._end_run, "stopped"))
                self._goal = "stopped"
            worker = self._thread
        if worker is not None and not self.is_worker_here:
            worker.join()
        self.call_listeners()

    def _command(self, action: Action, task: Task) -> None:
        with self._request():
            # The goal and the queue change together, or other threads would see one without the
            # other. No listener is called with the lock held.
            with interrupts_wait(), self._changed:
                self._refuse_if_closed()
                goal = LEADS_TO[action].get(self._goal)
                if goal is None:
                    raise ActionRefusedError(REFUSALS[action])
                self._append(self._tasks, (task, goal))
                self._goal = goal
            self.call_listeners()

    def _submit(self, queue: deque[Item], job: Item, *, first: bool = False) -> None:
        with self._request(), interrupts_wait(), self._changed:
            self._refuse_if_closed()
            self._append(queue, job, first=first)

    def _refuse_if_closed(self) -> None:
        if self.is_closed:
            raise ActionRefusedError(
                "This session is closed: close() was called, or a newer session trains its model. "
                "Use the newer session, if there is one, or make a new TrainingSession."
            )
