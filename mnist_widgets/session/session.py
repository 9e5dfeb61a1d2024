"""Steer a training from a notebook: start, pause, step, stop, reset, and jobs.

One worker thread does everything that touches the model, one task after the other. Commands and
jobs run in the order in which they were requested, and batches when no command or job waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from mnist_widgets.session.open_sessions import close_sessions_of, open_sessions
from mnist_widgets.session.states import LEADS_TO, OPEN, Action, ActionRefusedError
from mnist_widgets.session.stepped_run import SteppedRun
from mnist_widgets.session.throughput import Throughput
from mnist_widgets.session.waiting import WaitingSession
from mnist_widgets.system.interrupts import interrupts_wait
from mnist_widgets.training.evaluation.portions import LongJob
from mnist_widgets.training.reports import BatchReport
from mnist_widgets.training.trainer import Trainer, check_epochs

if TYPE_CHECKING:
    import os

    from mnist_widgets.rendering.report_page import ReportPage

Result = TypeVar("Result")


class TrainingSession(WaitingSession):
    """Steers a `Trainer` that works in a thread of its own.

    A request takes effect between two batches, and requests take effect in order. The session
    accepts a request if it fits the state after all earlier requests. To wait until they have taken
    effect, wait for a job: `session.between_batches(lambda: None).result()`.

    The evaluation after an epoch can be interrupted between two portions too. A pause interrupts
    it, the next step completes it before it trains its batch, and a stop cancels it: then the epoch
    is not counted.

    Example:
        ```python
        session = TrainingSession(trainer)
        session.start(10)
        await session.finished()  # in a notebook; session.join() in a script
        ```

    Args:
        trainer: nothing else may use it while a run is open.
        wait: whether a request of the main thread waits until the training has ended or is paused,
            and all jobs are done. One interrupt of the kernel stops a training that runs, after its
            current batch; a second one ends the wait with a KeyboardInterrupt. None means True in
            Colab, which shows only what the main thread sends, and False elsewhere.
        choose_trainer: called in the worker just before each run, takes the present trainer, and
            returns the one to train: the same, or another, which then replaces it.

    A newer session for the same model closes this one; otherwise both would train it.

    Raises:
        ActionRefusedError: if the trainer is being trained outside a session, or if one of its
            callbacks makes a session.

    Attributes:
        waits: whether requests of the main thread wait.
    """

    def __init__(
        self,
        trainer: Trainer,
        wait: bool | None = None,
        choose_trainer: Callable[[Trainer], Trainer] = lambda trainer: trainer,
    ) -> None:
        close_sessions_of(trainer.model)
        if trainer.is_running:
            raise ActionRefusedError("This trainer is training already; let that run end first.")
        super().__init__(SteppedRun(trainer, choose_trainer), wait)
        open_sessions.add(self)

    @property
    def trainer(self) -> Trainer:
        """The trainer; another one after `reset(trainer)`."""
        return self._run.trainer

    @property
    def last_report(self) -> BatchReport | None:
        """The latest batch; None before the first and after a reset."""
        return self._run.last_report

    @property
    def throughput(self) -> Throughput:
        """How fast the current or last run is."""
        return self._run.throughput

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
        """The trained share of the current or last run, 0 to 1."""
        trained = self._run.num_batches_trained
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
        self._command("start", lambda: self._run.open(epochs, "running"))

    def pause(self) -> None:
        """Pause after the current batch.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("pause", lambda: self._run.change("running", "paused"))

    def resume(self) -> None:
        """Continue after a pause.

        Raises:
            ActionRefusedError: if no run is open.
        """
        self._command("resume", lambda: self._run.change("paused", "running"))

    def step(self, epochs: int = 1) -> None:
        """Train exactly one batch, then pause.

        Args:
            epochs: the length of the run that is opened when none is.

        Raises:
            ValueError: if `epochs` is not a whole number of at least 1.
            ActionRefusedError: while running.
        """
        check_epochs(epochs)
        self._command("step", lambda: self._run.step(epochs))

    def reset(self, trainer: Trainer | None = None) -> None:
        """End the run; restore weights and optimizer to the session's beginning, bit for bit.

        Args:
            trainer: the trainer from now on; later resets restore the state that it has now.
        """
        self._command("reset", lambda: self._run.reset(trainer))

    def between_batches(self, job: Callable[[], Result]) -> Future[Result]:
        """Run `job` in the worker before the next batch; immediately if no training runs.

        Read the model only in such a job; otherwise you may see half of an update. A
        callback of the training is between two batches already: its job runs immediately.

        Returns:
            A future of the job's result or error.

        Raises:
            ActionRefusedError: once the session is closed.
            RuntimeError: if no thread can be started for it.
        """

        def do_at_once() -> Generator[None, None, Result]:
            yield from ()
            return job()

        single_job = LongJob(do_at_once())
        if self.is_worker_here:
            self._refuse_if_closed()
            single_job.do_portion()
        else:
            self._submit(lambda: self._worker.submit(single_job.do_portion))
        return single_job.future

    def in_portions(self, job: Callable[[], Generator[None, None, Result]]) -> Future[Result]:
        """Run a long `job` before the next batch, in portions: each ends with a `yield`.

        Commands and jobs of `between_batches` can run between two portions and may change the
        weights, so check after each `yield` whether to continue. Closing the session, or cancelling
        the future, ends the job after its current portion.

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

        self._submit(lambda: self._worker.submit_long_job(do_portion))
        return long_job.future

    def report(self, path: str | os.PathLike[str] | None = None) -> ReportPage:
        """Return one HTML page of what has been trained: curve, matrix, settings, versions.

        Args:
            path: where to save the page as well, such as `"my_run.html"`.
        """
        # slow to load, and seldom needed
        from mnist_widgets.rendering.report_page import write_report

        page = write_report(self.trainer, self.state, self.error)
        if path is not None:
            page.save(path)
        return page

    def close(self) -> None:
        """End the run and the worker for good, and wait for the current batch."""
        with interrupts_wait(), self._changed:
            self.is_closed = True
            if self._goal in OPEN:
                self._worker.submit(self._run.end)
                self._goal = "stopped"
        self._worker.join()
        self.call_listeners()
