"""What the network makes of the images on the page, asked again while it trains.

Here it is decided when the network is asked, and for which images. It is asked between two batches
and only as often as somebody could see a difference; the panels draw the answers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import torch
from torch import Tensor

from mnist_widgets.digit_set import DigitSet
from mnist_widgets.evaluation import Evaluator, Predictions, predict_probabilities
from mnist_widgets.history import History
from mnist_widgets.messages import name_error
from mnist_widgets.reports import EpochReport
from mnist_widgets.session import TrainingSession
from mnist_widgets.training import Callback, Trainer
from mnist_widgets.widgets.confusion_chart import ConfusionChart
from mnist_widgets.widgets.image_gallery import ImageGallery
from mnist_widgets.widgets.probability_chart import ProbabilityChart
from mnist_widgets.widgets.publishing import publisher

ROUNDS_PER_LOOK = 2
"""Rounds of redraws from one look at the shown images to the next while the training runs."""
EPOCH_INTERVAL_S = 1.0
"""Time between two evaluations shown while the training runs: a small set has ten a second."""


class LiveInference(Callback):
    """Keeps gallery, prediction and confusion matrix of one lab up to date with its network.

    As a callback of the trainer it shows what the `Evaluator` found after an epoch.

    Args:
        session: trains the network.
        test_set: the images.
        gallery: says which images are shown, and which is selected.
        prediction: shows the probabilities of the selected image.
        confusion: shows the counts of all images.
        complain: shows a sentence where the user is looking.
    """

    def __init__(
        self,
        session: TrainingSession,
        test_set: DigitSet,
        gallery: ImageGallery,
        prediction: ProbabilityChart,
        confusion: ConfusionChart,
        complain: Callable[[str], None],
    ) -> None:
        self._session, self._test_set = session, test_set
        self._gallery, self._prediction, self._confusion = gallery, prediction, confusion
        self._complain = complain
        self._looked_at_s = self._epoch_shown_at_s = -math.inf
        self._is_look_due = False
        self._shown_step: tuple[History, int] | None = None  # of the predictions on the page
        self._showing = threading.Lock()  # of two that show a prediction, the newer is the last
        gallery.preview_in(prediction)
        gallery.observe(self._on_selected_index, "selected_index")
        gallery.observe(self._on_visible_indices, "visible_indices")
        session.add_listener(self.on_news)

    def on_news(self) -> None:
        """Look at the images again: now and then in a training, and whenever it stands still."""
        if self._session.state != "running":
            if not self._is_look_due:
                self._is_look_due = True
                self._ask(self._look_at_all)
        elif time.monotonic() - self._looked_at_s >= ROUNDS_PER_LOOK * publisher.interval_s:
            self._ask(self._look)

    def count_now(self) -> None:
        """Ask for all images, though the training runs."""
        self._shown_step = None
        self._ask(self._look_at_all)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Show the first epoch, however soon it comes."""
        self._epoch_shown_at_s = -math.inf

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the predictions for all images, unless epochs come too fast for that."""
        now_s, evaluator = time.monotonic(), trainer.evaluator
        if now_s - self._epoch_shown_at_s < EPOCH_INTERVAL_S:
            return
        self._epoch_shown_at_s = now_s
        if isinstance(evaluator, Evaluator) and evaluator.predictions is not None:
            self._show(evaluator.predictions, trainer.history)

    def _on_selected_index(self, _change: object) -> None:
        """Show at once what is known of the image; a running training looks again soon."""
        self._show_selected()
        publisher.request(self._prediction.redraw, urgent=True)
        if self._session.state != "running":
            self._ask(self._look)

    def _on_visible_indices(self, _change: object) -> None:
        self._ask(self._look)

    def _ask(self, job: Callable[[], None]) -> None:
        if not self._session.is_closed:
            self._session.between_batches(job).add_done_callback(self._on_answer)

    def _on_answer(self, answer: Future[None]) -> None:
        if error := answer.exception():
            self._complain(
                f"What the network makes of the images cannot be shown: {name_error(error)}"
            )

    def _look(self) -> None:
        """Ask the network for the shown images."""
        self._looked_at_s = time.monotonic()  # a look that a click asked for counts as well
        index, indices = self._gallery.selected_index, self._gallery.visible_indices
        shown = indices if index is None else torch.cat([indices, torch.tensor([index])])
        if len(shown) == 0:
            return
        answers = self._predict(self._test_set.images[shown])
        self._gallery.show_visible(shown, answers)
        self._show_selected()

    def _look_at_all(self) -> None:
        """Ask the network for all images, so that what is drawn is what is true."""
        self._is_look_due = False
        history = self._session.trainer.history
        if not self._shows(history):
            probabilities = self._predict(self._test_set.images)
            self._show(Predictions(probabilities, self._test_set.labels), history)
        self._look()

    def _predict(self, images: Tensor) -> Tensor:
        trainer = self._session.trainer
        return predict_probabilities(trainer.model, images, trainer.loss_fn)

    def _shows(self, history: History) -> bool:
        """Return whether the predictions on the page are those of the newest weights."""
        if self._shown_step is None:
            return False
        shown, num_batches = self._shown_step
        return shown is history and num_batches == len(history.batch_losses)

    def _show(self, predictions: Predictions, history: History) -> None:
        self._gallery.show_predictions(predictions)
        self._confusion.show_counts(predictions.confusion)
        self._shown_step = (history, len(history.batch_losses))

    def _show_selected(self) -> None:
        with self._showing:
            index = self._gallery.selected_index
            if index is None:
                return
            probabilities = self._gallery.probabilities[index]
            if probabilities.any():  # the network has been asked
                image, label = self._test_set.images[index], int(self._test_set.labels[index])
                self._prediction.show_prediction(image, probabilities, label)
