"""Predict the images on the page again while the network trains, and all images when it rests.

This module decides which images are predicted and when: between two batches, no more often than a
person can see. The panels draw the predictions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from IPython.core.getipython import get_ipython

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.rendering.captions import name_error
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.weights_version import WeightsVersion
from mnist_widgets.training.evaluation.evaluator import predict_in_portions, predict_probabilities
from mnist_widgets.training.evaluation.portions import LongJob
from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.reports import EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.panels.confusion_chart import ConfusionChart
from mnist_widgets.widgets.panels.image_gallery import ImageGallery
from mnist_widgets.widgets.panels.probability_chart import ProbabilityChart
from mnist_widgets.widgets.parts.choices import IndexSelection
from mnist_widgets.widgets.redraws import is_prediction_due, scheduler


class LiveInference(Callback):
    """Keeps gallery, prediction and confusion matrix of one lab up to date with its network.

    As a callback of the trainer it shows what the `Evaluator` found after an epoch.

    Only what a panel shows is predicted: the images on the gallery's page, the selected one, and
    all images for the gallery's filters and the confusion matrix. The panel `prediction` is written
    only where there is no gallery that it follows.

    Args:
        session: trains the network.
        test_set: the images.
        panels: the lab's panels by name: always `training`, which shows errors; `gallery`,
            `prediction`, `confusion` if the lab shows them.
        selection: the gallery, or the lab if it has none; its `selected_index` is the position of
            the selected image, or None.
        is_shown: returns whether the panels are on the page; otherwise nothing is predicted.
    """

    def __init__(
        self,
        session: TrainingSession,
        test_set: DigitSet,
        panels: Mapping[str, Any],
        selection: IndexSelection,
        is_shown: Callable[[], bool] = lambda: True,
    ) -> None:
        self._session, self._test_set, self._selection = session, test_set, selection
        self._gallery: ImageGallery | None = panels.get("gallery")
        self._prediction: ProbabilityChart | None = panels.get("prediction")
        self._confusion: ConfusionChart | None = panels.get("confusion")
        self._is_shown = is_shown
        self._show_error: Callable[[str], None] = panels["training"].show_error_message
        self._predicted_s = self._epoch_shown_s = -math.inf
        # of the last predictions of all images shown
        self._shown: WeightsVersion | None = None
        # for which all images were last requested
        self._predicted: WeightsVersion | None = None
        selection.observe(self._on_selection, "selected_index")
        if self._gallery is not None:
            self._gallery.observe(lambda _change: self._predict_shown(), "visible_indices")
        self._shell = get_ipython()
        if not panels.keys().isdisjoint(("gallery", "prediction", "confusion")):
            session.add_listener(self.on_news)
            if self._shell is not None:
                self._shell.events.register("post_run_cell", self._on_cell_end)

    def close(self) -> None:
        """Stop predicting."""
        self._session.remove_listener(self.on_news)
        if self._shell is not None:
            with suppress(ValueError):  # closed before
                self._shell.events.unregister("post_run_cell", self._on_cell_end)

    def on_news(self) -> None:
        """Predict the shown images at intervals while a training runs, all images otherwise.

        The session calls this after each batch and each change of its state, and while a thread
        waits.
        """
        if not self._is_shown():
            return
        if self._session.state != "running":
            if self._predicted != (newest := WeightsVersion.read(self._session)):
                self._predicted = newest
                self._predict_all()
        elif is_prediction_due(self._predicted_s):
            self._predict_shown()

    def _on_cell_end(self, _result: object) -> None:
        """Predict again if the cell has changed the weights, such as by `load_state_dict`."""
        self.on_news()

    def count_now(self) -> None:
        """Predict all images, also while the training runs."""
        self._shown = None
        self._predict_all(is_counting=True)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Show the first epoch, however soon it ends."""
        self._epoch_shown_s = -math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the predictions for all images, but not after each of many short epochs."""
        is_last = report.epoch == trainer.last_epoch
        if not (is_last or is_prediction_due(self._epoch_shown_s)) or not self._is_shown():
            return
        self._epoch_shown_s = time.monotonic()
        predictions = self._choose_predictions(report)
        if predictions is not None:
            if self._gallery is not None:  # else only the chart's image is predicted
                self._predicted_s = self._epoch_shown_s
            self._show(predictions)

    def _choose_predictions(self, report: EpochReport) -> Predictions | None:
        """Return those of the images that are shown."""
        return report.predictions

    def _on_selection(self, _change: object) -> None:
        """Predict the shown images, unless a gallery is shown and a training runs.

        A training renews the gallery's images anyway.
        """
        is_running = self._session.state == "running"
        if self._gallery is None or not is_running:
            self._predict_shown()
        if not is_running:  # code may have changed the weights
            self.on_news()

    def _predict_shown(self) -> None:
        self._submit(lambda: self._session.between_batches(self._predict_shown_now))

    def _predict_all(self, *, is_counting: bool = False) -> None:
        predict = partial(self._predict_all_now, is_counting=is_counting)
        self._submit(lambda: self._session.in_portions(predict))

    def _submit(self, submit: Callable[[], Future[None]]) -> None:
        if self._session.is_closed or not self._is_shown():
            return
        try:
            answer = submit()
        except RuntimeError as error:  # closed meanwhile, or no thread can be started
            self._predicted = None
            self._show_error(str(error))
        else:
            answer.add_done_callback(self._on_answer)

    def _on_answer(self, answer: Future[None]) -> None:
        error = None if answer.cancelled() else answer.exception()
        if error:
            self._show_error(f"The images cannot be predicted: {name_error(error)}")

    def _predict_shown_now(self) -> None:
        """Predict the shown images."""
        self._predicted_s = time.monotonic()  # a prediction after a click counts too
        index = self._selection.selected_index
        gallery, prediction, test_set = self._gallery, self._prediction, self._test_set
        shown = torch.tensor([] if index is None else [index], dtype=torch.int64)
        if gallery is not None:
            shown = torch.cat([gallery.visible_indices, shown])
        if len(shown) == 0 or (gallery is None and prediction is None):
            return
        trainer, images = self._session.trainer, test_set.images[shown]
        answers = predict_probabilities(trainer.model, images, trainer.loss_fn)
        if gallery is not None:
            gallery.answers = gallery.answers.index_copy(0, shown, answers)
            scheduler.schedule(gallery.redraw)
        elif prediction is not None:
            prediction.show_prediction(images[-1], answers[-1], int(test_set.labels[shown[-1]]))

    def _predict_all_now(self, *, is_counting: bool) -> Generator[None, None, None]:
        """Predict the shown images, then all images.

        It stops if the weights change or, unless `is_counting`, if the training runs again.
        """
        self._predict_shown_now()
        needs_all = self._gallery is not None or self._confusion is not None
        if not needs_all or self._shown == WeightsVersion.read(self._session):
            return
        trainer, images = self._session.trainer, self._test_set.images
        predicting = LongJob(predict_in_portions(trainer.model, images, trainer.loss_fn))
        while predicting.do_portion():
            version = WeightsVersion.read(self._session)  # only now: a model may change its weights
            yield
            is_resumed = self._session.state == "running" and not is_counting
            if is_resumed or version != WeightsVersion.read(self._session):
                self._predicted = None
                self.on_news()
                return
        self._show(Predictions(predicting.future.result(), self._test_set.labels))
        self._predicted = self._shown

    def _show(self, predictions: Predictions) -> None:
        version = WeightsVersion.read(self._session)
        if self._gallery is not None:
            self._gallery.show_predictions(predictions)
        if self._confusion is not None:
            self._confusion.is_trained = version.num_batches > 0
            self._confusion.show_counts(predictions.confusion)
        self._shown = version
