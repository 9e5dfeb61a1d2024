"""A panel of the images of a data set, each framed by the network's verdict.

`selection` chooses images, `image_captions` names them, and `image_grid` draws a page of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from traitlets import Instance

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.images import to_sprite
from mnist_widgets.rendering.chart_data import tabulate_images
from mnist_widgets.rendering.chart_sentences import describe_page
from mnist_widgets.rendering.image_captions import (
    describe_images,
    describe_wrong_labels,
    explain_absence,
    list_wrong_labels,
    name_filter,
)
from mnist_widgets.rendering.png_charts import draw_images, draw_words
from mnist_widgets.rendering.static_views import StaticView, render_images
from mnist_widgets.system.arguments import check_kind, to_whole
from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.evaluation.selection import ALL_IMAGES, ImageFilter, select_images
from mnist_widgets.training.hooks import Callback
from mnist_widgets.training.preflight.evaluator_checks import check_order
from mnist_widgets.training.reports import EpochReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.parts.choices import IndexSelection, PairSelection, on_choice
from mnist_widgets.widgets.parts.gallery_controls import FilterList, Pager, build_order_list
from mnist_widgets.widgets.parts.image_grid import Answer, ImageGrid
from mnist_widgets.widgets.redraws import scheduler

if TYPE_CHECKING:
    import pandas as pd

NUM_COLUMNS = 10


class ImageGallery(ChartPanel, IndexSelection, PairSelection, Callback):
    """Page through images, filter and sort them by the network's predictions, and select one.

    As a callback of a `Trainer` it shows the predictions of its `Evaluator` after each epoch. A
    `ProbabilityChart` can follow its selection. Of a set with wrong labels it shows which they are,
    and whether the network repeats them; right and wrong refer to the true class.

    Example:
        ```python
        gallery = ImageGallery(test_set)
        probabilities = predict_probabilities(model, test_set.images)
        gallery.show_predictions(Predictions(probabilities, test_set.labels))
        trainer.callbacks.append(gallery)
        gallery
        ```

    Args:
        digit_set: the images.
        images_per_page: how many are shown at once, in rows of ten.

    Attributes:
        selected_index: the position in the data set of the selected image, or None. A click sets
            it, and Python code may.
        selected_pair: the (true, predicted) classes that all shown images have, or None; what a
            cell of a confusion matrix stands for.
        visible_indices: the positions in the data set of the images on this page, int64 (M,);
            read-only. Observers are called while widgets are drawn, so they must return at once.
        answers: the newest probabilities of each image, float32 (N, C); zeros where there are none.
            To show newer ones of some images, set it to another tensor and schedule `redraw`: their
            frames and names follow, but the page keeps its images, because filter and order use the
            last `show_predictions`.
        grid: the widget that holds the selection and the newest answers.
    """

    visible_indices = Instance(Tensor, args=(), read_only=True)

    def __init__(self, digit_set: DigitSet, images_per_page: int = 30) -> None:
        check_kind(digit_set, DigitSet, "digit_set", "the test set of load_bundled_digits()")
        images_per_page = to_whole(images_per_page, "images_per_page")
        self._digit_set, self._num_images = digit_set, len(digit_set)
        self._title = digit_set.name
        self._predictions: Predictions | None = None
        self.answers = torch.zeros(len(digit_set), len(digit_set.class_names))
        self._filter = ALL_IMAGES
        names = self._class_names = digit_set.class_names
        self._pager = Pager(images_per_page, partial(self.schedule_redraw, urgent=True))
        self._has_wrong_labels = not digit_set.labels.equal(digit_set.original_labels)
        self._filters = FilterList(names, has_wrong_labels=self._has_wrong_labels)
        self._order = build_order_list()
        self.grid = ImageGrid(NUM_COLUMNS, images_per_page, names, on_page=self._pager.turn_to)
        lists = [self._filters.box, self._order]
        super().__init__("mw-image-gallery", "Images", lists, self.grid, [self._pager])
        self.grid.show_on("caption", self._footer, "caption")
        self.redraw()
        self.redraw_selection()
        on_choice(self._filters.box, self._on_filter)
        self._order.observe(lambda _change: self._pager.turn_to(0), "value")
        self.grid.observe(self._on_selected, "selected")
        self.observe(self._on_selected_index, "selected_index")
        self.observe(self._on_selected_pair, "selected_pair")

    def show_predictions(self, predictions: Predictions | None) -> None:
        """Show the predictions for the whole set; the selection stays.

        Args:
            predictions: for the images in the order of the set; None before the first evaluation.

        Raises:
            ValueError: if the predictions are for other images, or in another order.
        """
        digit_set = self._digit_set
        if predictions is not None:
            check_kind(predictions, Predictions, "predictions", "evaluator.predictions")
        if predictions is None:
            self.answers = torch.zeros_like(self.answers)
        elif torch.equal(predictions.labels, digit_set.labels):
            self.answers = predictions.probabilities
        else:
            raise ValueError(
                f"The predictions are for {len(predictions.labels):,} images, whose labels are not "
                f"those of {digit_set!r}: predict all of its images in their own order."
            )
        self._predictions = predictions
        scheduler.schedule(self.redraw)

    def copy_choices(self, other: ImageGallery) -> None:
        """Show the filter and the order of a gallery of other images of the same classes.

        A filter for wrong labels is not copied where no label is wrong.
        """
        if self._filters.has(other._filter):
            self._filter = other._filter
        self.selected_pair = other.selected_pair
        self._order.value = other._order.value
        self.redraw()

    def selected_answer(self) -> Answer | None:
        """Return the selected image with its answer, or None without selection or answer."""
        index, answers = self.selected_index, self.answers
        if index is None or not answers[index].any():
            return None
        label = int(self._digit_set.original_labels[index])
        return Answer(self._digit_set.images[index], answers[index], label)

    def on_train_begin(self, trainer: Trainer) -> None:
        """Check that the trainer's `Evaluator` predicts the images in their order.

        Raises:
            ValueError: if it shuffles them.
        """
        check_order(trainer.evaluator)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show the predictions of the trainer's `Evaluator`; without one, change nothing.

        Raises:
            ValueError: if it predicts other images, or in another order.
        """
        if report.predictions is not None:
            self.show_predictions(report.predictions)

    def on_reset(self, trainer: Trainer) -> None:
        """Show the images without predictions."""
        self.show_predictions(None)

    def to_png(self) -> bytes:
        """Return the page of images as a PNG, with the network's mistakes marked."""
        digit_set, visible = self._digit_set, self.visible_indices
        if not len(visible):
            return draw_words(self.grid.notice)
        _, verdicts, _ = describe_images(digit_set, self.answers, visible)
        return draw_images(digit_set.images[visible], verdicts, NUM_COLUMNS)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each image of the page, with its classes."""
        return tabulate_images(self._digit_set, self.answers, self.visible_indices)

    def static_view(self) -> StaticView:
        """Return the page of images, with the network's mistakes marked."""
        digit_set, visible = self._digit_set, self.visible_indices
        names, verdicts, sentences = describe_images(digit_set, self.answers, visible)
        page = self.grid.label
        words = describe_page(page, verdicts, sentences) if names else self.grid.notice
        words = f"{words} {self._describe_wrong_labels()}".rstrip()
        return render_images(digit_set.images[visible], verdicts, names, NUM_COLUMNS, words)

    def show_heading(self, title: str, *, is_hidden: bool = False) -> None:
        """Show a heading, which names the images, too."""
        self._title = title
        super().show_heading(title, is_hidden=is_hidden)
        scheduler.schedule(self.redraw)

    def redraw(self) -> None:
        """Update the widgets from predictions and choices; called by the redraw scheduler."""
        predictions, wanted, order = self._predictions, self._wanted, self._order.value
        self._filters.show(wanted)
        note = ""
        if predictions is None and (wanted.needs_predictions or order != "as stored"):
            note = "No predictions yet to filter or sort by."
            wanted = ALL_IMAGES if wanted.needs_predictions else wanted
            order = "as stored"
        digit_set = self._digit_set
        indices = select_images(
            digit_set.labels, predictions, wanted, order, digit_set.original_labels
        )
        visible = indices[self._pager.show(len(indices), note)]
        grid, pager = self.grid, self._pager
        with grid.hold_sync():
            self._show_images(visible)
            grid.page_index, grid.num_images = pager.page_index, len(indices)
            page = f"page {pager.page_index + 1:,} of {pager.num_pages:,}"
            shown = name_filter(wanted, self._class_names)
            grid.label = f"{self._title}, {page}, shown: {shown}"
            grid.notice = "" if len(indices) else explain_absence(wanted, self._class_names)
            of_visible = slice(len(visible))
            summary = grid.notice or describe_page(
                page.capitalize(), grid.verdicts[of_visible], grid.sentences[of_visible]
            )
            grid.summary = f"{summary} {self._describe_wrong_labels()}".rstrip()
        # another page is read aloud, new answers for the same one are not
        self._footer.topic = f"{self._wanted} {self._order.value} {pager.page_index}"
        if not torch.equal(visible, self.visible_indices):
            self.set_trait("visible_indices", visible)
        self.mark_static_view_stale()

    def redraw_selection(self) -> None:
        """Send the page a selection that Python code has made; called by the redraw scheduler.

        After a click the page already shows it, and nothing is written.
        """
        index = self.selected_index
        with self.grid.hold_sync():
            if index is not None and index not in self.grid.image_ids:
                self._show_images(self.visible_indices)
            index = self.selected_index  # a click may have come while the images were made
            self.grid.selected = -1 if index is None else index
        self.mark_static_view_stale()

    @property
    def _table_caption(self) -> str:
        return f"{self.grid.label}."

    @property
    def _wanted(self) -> ImageFilter:
        pair: tuple[int, int] | None = self.selected_pair
        return self._filter if pair is None else ImageFilter(label=pair[0], predicted=pair[1])

    def _show_images(self, visible: Tensor) -> None:
        """Send the images that the page needs, if they are new, and their names and answers."""
        grid, digit_set, probabilities = self.grid, self._digit_set, self.answers
        ids = grid.choose_ids(visible.tolist(), self.selected_index)
        positions = torch.tensor(ids, dtype=torch.int64)
        if ids != grid.image_ids:
            padding = (0, 0, 0, 0, 0, grid.page_size + 1 - len(ids))
            images = nn.functional.pad(digit_set.images[positions], padding)
            grid.sprite = to_sprite(images, NUM_COLUMNS)
            grid.image_ids = ids
            grid.labels = digit_set.original_labels[positions].tolist()
            grid.marks = list_wrong_labels(digit_set, positions)
        grid.num_visible = len(visible)
        grid.names, grid.verdicts, grid.sentences = describe_images(
            digit_set, probabilities, positions
        )
        # rounded: another batch size changes the last digits, which need not be sent again
        grid.probabilities = probabilities[positions].float().round(decimals=6).numpy().tobytes()

    def _describe_wrong_labels(self) -> str:
        digit_set, predictions = self._digit_set, self._predictions
        return describe_wrong_labels(digit_set, predictions) if self._has_wrong_labels else ""

    def _on_filter(self, change: dict[str, ImageFilter]) -> None:
        wanted = change["new"]
        self._filter = ALL_IMAGES if wanted.pair else wanted
        self.selected_pair = wanted.pair
        self._pager.turn_to(0)

    def _on_selected(self, change: dict[str, int]) -> None:
        self.selected_index = None if change["new"] < 0 else change["new"]

    def _on_selected_index(self, _change: object) -> None:
        scheduler.schedule(self.redraw_selection, urgent=True)

    def _on_selected_pair(self, change: dict[str, tuple[int, int] | None]) -> None:
        if change["new"] is not None:
            self._filter = ALL_IMAGES  # what is shown when the pair is gone
        self._pager.turn_to(0)
