"""Keep the probabilities of one drawing up to date with the drawing and with the network."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from torch import Tensor, nn

from mnist_widgets.data.digit_set import find_class_names
from mnist_widgets.rendering.captions import name_error
from mnist_widgets.session.open_sessions import find_session_of
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.weights_version import WeightsVersion
from mnist_widgets.training.evaluation.evaluator import predict_probabilities
from mnist_widgets.training.trainer import LossFunction
from mnist_widgets.widgets.redraws import FRAMES_PER_PREDICTION, scheduler


class LiveReader:
    """Predicts the newest drawing, between two batches if an open session trains the network.

    At most one prediction waits in the session's queue; it takes the drawing that is the newest
    when it runs. So fast strokes fill no queue.

    Args:
        source: a session, whose network is predicted with again when its weights change; or a
            model.
        on_change: called, in any thread, when `probabilities` or `error` has changed; its argument
            is whether the drawing was new, and not only the weights.

    Attributes:
        probabilities: float32 (C,), for `image`; None without a drawing, or if it failed.
        image: uint8 (28, 28), the drawing that `probabilities` belong to; or None.
        error: why the drawing cannot be predicted, in a sentence; or empty.
    """

    def __init__(
        self, source: TrainingSession | nn.Module, on_change: Callable[[bool], None]
    ) -> None:
        self._source, self._on_change = source, on_change
        self._newest: Tensor | None = None
        self._lock = threading.Lock()  # guards what follows, for a moment only
        self._is_waiting = False
        self._is_new = False  # whether `_newest` has not been predicted yet
        self._predicted_s = -math.inf
        self._predicted: WeightsVersion | None = None
        self.image: Tensor | None = None
        self.probabilities: Tensor | None = None
        self.error = ""
        if isinstance(source, TrainingSession):
            source.add_listener(self._on_news)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes in the session's data, if they are known."""
        if isinstance(self._source, nn.Module):
            return None
        trainer = self._source.trainer
        sources = (getattr(trainer.evaluator, "batches", None), trainer.train_batches)
        return next(filter(None, map(find_class_names, sources)), None)

    def read(self, image: Tensor | None) -> None:
        """Predict a drawing, and forget the one before.

        Args:
            image: uint8 (28, 28); None if nothing is drawn.
        """
        with self._lock:
            self._newest, self._is_new = image, image is not None
        if image is None:
            self._keep(None, None, "")
            self._on_change(True)
        else:
            self._submit()

    def close(self) -> None:
        """Stop observing the session."""
        if isinstance(self._source, TrainingSession):
            self._source.remove_listener(self._on_news)

    def _on_news(self) -> None:
        """Predict again when the weights have changed; the session calls this after each batch."""
        if self._newest is None or isinstance(self._source, nn.Module):
            return
        if self._source.state != "running":
            if self._predicted != WeightsVersion.read(self._source):
                self._submit()
        elif time.monotonic() - self._predicted_s >= FRAMES_PER_PREDICTION * scheduler.interval_s:
            self._submit()

    def _submit(self) -> None:
        source = self._source
        # each time: a session can be made for the model, or closed, at any time
        session = find_session_of(source) if isinstance(source, nn.Module) else source
        if session is None:
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
                self._is_waiting = False
            self._keep(None, None, str(error))
            self._on_change(True)
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
            image, is_new, self._is_new = self._newest, self._is_new, False
        if image is None:
            return
        loss_fn: LossFunction | None = None
        if isinstance(self._source, nn.Module):
            model = self._source
        else:
            self._predicted_s, self._predicted = time.monotonic(), WeightsVersion.read(self._source)
            model, loss_fn = self._source.trainer.model, self._source.trainer.loss_fn
        try:
            probabilities = predict_probabilities(model, image, loss_fn)[0]
        except Exception as error:  # of any model
            self._keep(image, None, f"This drawing cannot be predicted: {name_error(error)}")
        else:
            self._keep(image, probabilities, "")
        self._on_change(is_new)

    def _keep(self, image: Tensor | None, probabilities: Tensor | None, error: str) -> None:
        with self._lock:
            if image is None or self._newest is not None:  # else it was cleared meanwhile
                self.image, self.probabilities, self.error = image, probabilities, error
