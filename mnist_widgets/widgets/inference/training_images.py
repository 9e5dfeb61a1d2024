"""The images that a lab's run is trained with, and what the network says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipywidgets import VBox

from mnist_widgets.data.digit_set import Batches, DigitSet
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.runs.evaluated import choose_evaluated
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.reports import EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.inference.live_inference import LiveInference
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.panels.image_gallery import ImageGallery
from mnist_widgets.widgets.panels.probability_chart import ProbabilityChart
from mnist_widgets.widgets.panels.row import Row

_ON_NEWS = ["probabilities", "selected", "summary"]
"""The traits of a gallery's grid on which the static view depends."""


class TrainingImages(Panel):
    """A gallery of the images that a session trains with, and the prediction of the selected one.

    Wrong labels are marked, filtered and counted. A new run with other images gets a new gallery,
    which keeps filter and order.
    While the panel is closed, nothing is predicted.

    Args:
        session: trains the network.
        panels: those of the lab by name; `training` shows errors.
    """

    def __init__(self, session: TrainingSession, panels: Mapping[str, Any]) -> None:
        self._session, self._training = session, panels["training"]
        self._is_shown = True  # the lab builds the panel when it is opened
        self._title = "Training images"
        self._trainer: Trainer | None = None
        self._images: DigitSet | None = None
        self._gallery: ImageGallery
        self._inference: _TrainingInference | None = None
        self._about, self._place = text_line("mw-about-images"), VBox()
        super().__init__("mw-training-images", [self._about, self._place])
        self.redraw()
        session.add_listener(self._on_session_change)

    def on_shown(self, is_shown: bool) -> None:
        """Show and predict nothing new while the lab hides the panel."""
        self._is_shown = is_shown
        self.schedule_redraw()

    def close(self) -> None:
        """Remove the panel from the page; the session continues."""
        self._session.remove_listener(self._on_session_change)
        if self._inference is not None:
            self._inference.close()
        super().close()

    def show_heading(self, title: str, *, is_hidden: bool = False) -> None:
        """Show a heading at the start of the gallery's row of controls."""
        self._title = title
        self._gallery.show_heading(title, is_hidden=is_hidden)

    def static_view(self) -> StaticView:
        """Return the page of images and the prediction of the selected one."""
        return join_views([StaticView.of_words(self._describe_images()), self._row.static_view()])

    def redraw(self) -> None:
        """Show the images of the present run; called by the redraw scheduler."""
        trainer = self._session.trainer
        if self._is_shown and trainer is not self._trainer:
            self._trainer = trainer
            images = choose_images(trainer)
            if self._images is None or not _are_same(images, self._images):
                self._show_images(images)
            self._about.value = self._describe_images()
            assert self._inference is not None  # noqa: S101 - made with the first images
            trainer.callbacks.append(self._inference)
        if self._inference is not None:
            self._inference.on_news()
        self.mark_static_view_stale()

    def _show_images(self, images: DigitSet) -> None:
        """Show other images, in a new gallery."""
        gallery = ImageGallery(images)
        if self._images is not None:
            gallery.copy_choices(self._gallery)
            gallery.show_heading(self._title)
        self._images, self._gallery = images, gallery
        prediction = ProbabilityChart(images.class_names)
        prediction.follow(self._gallery)
        if self._inference is not None:
            self._inference.close()
        self._inference = _TrainingInference(
            self._session,
            images,
            {"training": self._training, "gallery": self._gallery},
            self._gallery,
            lambda: self._is_shown,
        )
        before, self._place.children = self._place.children, []
        self._row = Row(self._gallery, prediction)
        self._place.children = [self._row]
        for row in before:
            row.close()
        self._gallery.grid.observe(self.schedule_redraw, _ON_NEWS)

    def _describe_images(self) -> str:
        num_shown, num_trained = len(self._images or ()), count_images(self._trainer)
        if num_shown == num_trained:
            return f"The {num_trained:,} images that this run is trained with."
        return (
            f"{num_shown:,} of the {num_trained:,} images that this run is trained with, drawn at "
            "random."
        )

    def _on_session_change(self) -> None:
        if self._is_shown and self._session.trainer is not self._trainer:
            self.schedule_redraw()


class _TrainingInference(LiveInference):
    """Predicts the images of the training; after an epoch the evaluator has already done so."""

    def _choose_predictions(self, report: EpochReport) -> Predictions | None:
        return report.train_predictions


def choose_images(trainer: Trainer) -> DigitSet:
    """Return those that give the training accuracy; else at most as many that are trained with.

    Args:
        trainer: takes its batches from a `DigitSet`.
    """
    evaluated = getattr(trainer.evaluator, "train_batches", None)
    if isinstance(evaluated, Batches):
        return evaluated.digit_set
    return choose_evaluated(_find_set(trainer))


def count_images(trainer: Trainer | None) -> int:
    """Return the number of images that a run is trained with."""
    return 0 if trainer is None else len(_find_set(trainer))


def _find_set(trainer: Trainer) -> DigitSet:
    batches: Any = trainer.train_batches
    digit_set: DigitSet = batches.digit_set
    return digit_set


def _are_same(images: DigitSet, others: DigitSet) -> bool:
    """Return whether two sets have the same images and labels."""
    return images is others or (
        images.labels.equal(others.labels)
        and images.original_labels.equal(others.original_labels)
        and images.images.equal(others.images)
    )
