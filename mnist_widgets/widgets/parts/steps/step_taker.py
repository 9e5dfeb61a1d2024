"""Train single batches of a session, and keep the record of the latest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mnist_widgets.data.digit_set import Batches, to_inputs
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.history import History
from mnist_widgets.training.recording.losses import LossComparison, compare_losses
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.reports import BatchReport
from mnist_widgets.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class TakenStep:
    """A recorded step, and what else is known of it.

    Attributes:
        record: of the step.
        report: of the batch; None if the record was made elsewhere.
        history: of the run, which a reset replaces; None if the record was made elsewhere.
        comparison: the losses before and after the step; None if the record was made elsewhere.
        views: what was made of the record so far, for each move and choice.
    """

    record: StepRecord
    report: BatchReport | None = None
    history: History | None = None
    comparison: LossComparison | None = None
    views: dict[Any, Any] = field(default_factory=dict)


class StepTaker:
    """Takes single steps of a session.

    Args:
        session: trains the network.
        on_change: called, in any thread, when `taken` or the session's state has changed; not for
            each batch of a training that runs.

    Attributes:
        taken: the latest step; None before the first. A reset does not remove it.
    """

    def __init__(self, session: TrainingSession, on_change: Callable[[], None]) -> None:
        self._session, self._on_change = session, on_change
        self.taken: TakenStep | None = None
        self._requests: deque[None] = deque()  # a None for each; append and pop are atomic
        self._last_report = session.last_report
        self._seen: tuple[object, ...] = ()
        session.add_listener(self._on_session_change)

    @property
    def is_waiting(self) -> bool:
        """Whether a step is requested and not yet trained."""
        return bool(self._requests)

    def close(self) -> None:
        """Stop observing the session."""
        self._session.remove_listener(self._on_session_change)

    def take(self, epochs: int) -> None:
        """Request one recorded step.

        Args:
            epochs: as for `TrainingSession.step`.

        Raises:
            ActionRefusedError: while the session runs, or once it is closed.
        """
        self._requests.append(None)
        try:
            self._session.step(epochs, record=True)
        except Exception:
            self._requests.pop()
            raise

    def show(self, record: StepRecord) -> None:
        """Take a step that was recorded elsewhere."""
        self.taken = TakenStep(record)
        self._on_change()

    def count_batches_since(self) -> int | None:
        """Return how many batches were trained since the step; None after a reset."""
        taken, trainer = self.taken, self._session.trainer
        if taken is None or taken.report is None:
            return 0
        if trainer.history is not taken.history:
            return None
        return trainer.num_batches_trained - taken.report.step

    def _on_session_change(self) -> None:
        session = self._session
        if session.is_worker_here:  # it calls this after each batch, before the next
            self._look_for_record(session.last_report)
        trained = None if session.state == "running" else self.count_batches_since()
        seen = (session.state, session.can("step"), self.is_waiting, self.taken, trained)
        if seen != self._seen:
            self._seen = seen
            self._on_change()

    def _look_for_record(self, report: BatchReport | None) -> None:
        is_new = report is not self._last_report
        self._last_report = report
        if not self._requests:
            return
        record = None if report is None else report.record
        # another record is one that a callback has requested
        if is_new and report is not None and record is not None and record.is_full:
            self.taken = _complete(report, record, self._session.trainer)
            self._requests.popleft()
        elif not self._session.can("resume"):  # the run has ended without the step
            self._requests.clear()


def _complete(report: BatchReport, record: StepRecord, trainer: Trainer) -> TakenStep:
    """Return the step that was just trained, with the losses that its update has changed."""
    other = _find_other_batch(trainer.evaluator, record)
    comparison = compare_losses(trainer.model, trainer.loss_fn, record, other)
    return TakenStep(record, report, trainer.history, comparison)


def _find_other_batch(evaluator: object, record: StepRecord) -> tuple[Tensor, Tensor] | None:
    """Return as many test images as the step had images; None if reading them could change some."""
    batches: Any = getattr(evaluator, "batches", None)
    targets = record.targets
    if not isinstance(batches, Batches) or targets is None or targets.dim() != 1:
        return None
    test_set, num_images = batches.digit_set, len(targets)
    return to_inputs(test_set.images[:num_images]), test_set.labels[:num_images].to(targets.dtype)
