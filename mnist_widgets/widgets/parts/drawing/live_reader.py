"""Keep the probabilities of one drawing up to date with the drawing and with the network."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias

from IPython import get_ipython
from torch import Tensor, nn

from mnist_widgets.data.digit_set import find_class_names
from mnist_widgets.data.handwriting.drawing import Stage
from mnist_widgets.rendering.captions import name_error
from mnist_widgets.session.open_sessions import find_session_of
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.weights_version import WeightsVersion
from mnist_widgets.system.threads import effective_cpu_count
from mnist_widgets.training.evaluation.evaluator import predict_probabilities
from mnist_widgets.training.preflight.preflight import leaves_unit_range
from mnist_widgets.training.training_step import LossFunction
from mnist_widgets.widgets.redraws import FEW_CPUS, is_prediction_due

Stages: TypeAlias = tuple[Stage, Stage, Stage]

DRAWING_S = 0.05
"""With `FEW_CPUS`, a training waits this long after the prediction for a new drawing, so that the
page can draw it at once; it is in seconds."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What the network reads in one drawing: all of it belongs together.

    Attributes:
        stages: the drawing after each stage; the network sees the last one.
        probabilities: float32 (C,); None if it cannot be predicted.
        error: why it cannot be predicted, in a sentence; or empty.
    """

    stages: Stages
    probabilities: Tensor | None = None
    error: str = ""

    @property
    def image(self) -> Tensor:
        """What the network sees, uint8 (28, 28)."""
        return self.stages[-1].image


class LiveReader:
    """Predicts the newest drawing, between two batches if an open session trains the network.

    At most one prediction waits in the session's queue; it takes the drawing that is the newest
    when it runs. So fast strokes fill no queue.

    Args:
        source: a session, whose network is predicted with again when its weights change; or a
            model.
        on_change: called, in any thread, when `reading` has changed; its argument is whether the
            drawing was new, and not only the weights.

    Attributes:
        reading: of the newest drawing that was predicted; None if nothing is drawn.
    """

    def __init__(
        self, source: TrainingSession | nn.Module, on_change: Callable[[bool], None]
    ) -> None:
        self._source, self._on_change = source, on_change
        self._session: TrainingSession | None = None  # the one that is observed
        self.reading: Reading | None = None
        self._follows = True  # the weights
        self._newest: Stages | None = None
        self._lock = threading.Lock()  # guards what follows, for a moment only
        self._is_waiting = False
        self._is_new = False  # whether `_newest` has not been predicted yet
        self._num_cleared = 0  # how often there was nothing to predict any more
        self._predicted_s = -math.inf
        self._predicted: WeightsVersion | None = None
        self._drawing_s = DRAWING_S if effective_cpu_count() <= FEW_CPUS else 0.0
        self._shell = get_ipython()
        self._is_in_cell = False
        self._is_closed = False

    def start(self) -> None:
        """Observe the session and the cells."""
        if self._shell is not None:
            self._shell.events.register("pre_run_cell", self._on_cell_begin)
            self._shell.events.register("post_run_cell", self._on_cell_end)
        self._find_session()

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes in the session's data, if they are known."""
        if isinstance(self._source, nn.Module):
            return None
        trainer = self._source.trainer
        sources = (getattr(trainer.evaluator, "batches", None), trainer.train_batches)
        return next(filter(None, map(find_class_names, sources)), None)

    @property
    def warning(self) -> str:
        """A sentence if the training gives the network other numbers than a drawing; else ""."""
        values = None if self._session is None else self._session.trainer.input_range
        if values is None or not leaves_unit_range(values):
            return ""
        return (
            f" The training images range from {values[0]:.3g} to {values[1]:.3g}, but drawings "
            "from 0 to 1, so this may be wrong. Make the normalization the model's first layer."
        )

    def read(self, stages: Stages | None) -> None:
        """Predict a drawing, and forget the one before.

        Args:
            stages: of the drawing; None if nothing is drawn.
        """
        with self._lock:
            self._newest, self._is_new = stages, stages is not None
            if stages is None:
                self.reading = None
                self._num_cleared += 1
        if stages is None:
            self._on_change(True)
        else:
            self._submit()

    def follow(self, is_on: bool) -> None:
        """Predict again after each change of the weights, or only what is drawn."""
        self._follows = is_on
        self._on_news()

    def close(self) -> None:
        """Stop observing the session and the cells; afterwards it can be called again."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        self._observe(None)
        if self._shell is not None and not was_closed:
            self._shell.events.unregister("pre_run_cell", self._on_cell_begin)
            self._shell.events.unregister("post_run_cell", self._on_cell_end)

    def _find_session(self) -> TrainingSession | None:
        """Return the session whose batches a prediction must not disturb, and observe it.

        The session of a model can be made, or closed, at any time.
        """
        source = self._source
        session = find_session_of(source) if isinstance(source, nn.Module) else source
        self._observe(session)
        return session

    def _observe(self, session: TrainingSession | None) -> None:
        with self._lock:
            before = self._session
            if session is before or (self._is_closed and session is not None):
                return
            self._session = session
        if before is not None:
            before.remove_listener(self._on_news)
        if session is not None:
            session.add_listener(self._on_news)

    def _on_cell_begin(self, _info: object) -> None:
        self._is_in_cell = True

    def _on_cell_end(self, _result: object) -> None:
        """Predict again: the cell may have trained the model."""
        self._is_in_cell = False
        if self._find_session() is not None:
            self._on_news()
        elif self._follows and self._newest is not None:
            self._submit()

    def _on_news(self) -> None:
        """Predict again when the weights have changed; the session calls this after each batch."""
        session = self._session
        if not self._follows or self._newest is None or session is None:
            return
        if session.state != "running":
            if self._predicted != WeightsVersion.read(session):
                self._submit()
        elif is_prediction_due(self._predicted_s):
            self._submit()

    def _submit(self) -> None:
        session = self._find_session()
        if session is None:
            # a cell may train the model at this moment, for a message can come in another thread
            if self._is_in_cell:
                self._on_change(True)
            else:
                self._predict_newest()
            return
        with self._lock:
            if self._is_waiting:
                return
            self._is_waiting = True
        try:
            answer = session.between_batches(self._predict_newest)
        except RuntimeError as error:  # closed, or no thread can be started
            with self._lock:
                self._is_waiting, newest = False, self._newest
                num_cleared = self._num_cleared
            if newest is not None:
                self._keep(Reading(newest, error=str(error)), True, num_cleared)
        else:
            answer.add_done_callback(self._on_answer)

    def _on_answer(self, answer: Future[None]) -> None:
        if answer.cancelled():
            with self._lock:
                self._is_waiting = False

    def _predict_newest(self) -> None:
        """Predict now; called between two batches if a session trains the network."""
        with self._lock:
            self._is_waiting = False  # a drawing that comes from now on needs another prediction
            stages, is_new, self._is_new = self._newest, self._is_new, False
            num_cleared = self._num_cleared
        if stages is None:
            return
        loss_fn: LossFunction | None = None
        session = self._session
        if session is not None:
            self._predicted_s, self._predicted = time.monotonic(), WeightsVersion.read(session)
        if isinstance(self._source, nn.Module):
            model = self._source
        else:
            model, loss_fn = self._source.trainer.model, self._source.trainer.loss_fn
        try:
            reading = Reading(stages, predict_probabilities(model, stages[-1].image, loss_fn)[0])
        except Exception as error:  # of any model
            words = f"This drawing cannot be predicted: {name_error(error)}"
            reading = Reading(stages, error=words)
        self._keep(reading, is_new, num_cleared)
        if is_new and session is not None and session.state == "running":
            time.sleep(self._drawing_s)

    def _keep(self, reading: Reading, is_new: bool, num_cleared: int) -> None:
        with self._lock:
            if num_cleared != self._num_cleared:  # the drawing was cleared or added meanwhile
                return
            self.reading = reading
        self._on_change(is_new)
