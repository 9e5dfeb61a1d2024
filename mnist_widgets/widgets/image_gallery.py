"""The images of a data set to look through, each framed by what the network makes of it.

Which images pass a filter is `selection`, what is said about them `image_words`, and how a page of
them is drawn and walked through `image_grid`; the probabilities come from `evaluation`.
"""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Sequence
from typing import Any

import torch
from ipywidgets import Button, Dropdown, HBox
from torch import Tensor
from torch.nn import functional
from traitlets import Instance, Int, TraitError, Tuple, validate

from mnist_widgets.digit_set import DigitSet
from mnist_widgets.evaluation import Evaluator
from mnist_widgets.images import to_sprite
from mnist_widgets.predictions import Predictions
from mnist_widgets.reports import EpochReport
from mnist_widgets.selection import ALL_IMAGES, ImageFilter, Order, select_images
from mnist_widgets.tensors import ArrayLike, to_tensor
from mnist_widgets.training import Callback, Trainer
from mnist_widgets.twins import Twin, twin_images
from mnist_widgets.widgets.image_grid import NO_PREVIEWS, ImageGrid
from mnist_widgets.widgets.image_words import (
    explain_absence,
    judge_images,
    name_filter,
    name_images,
)
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.previews import PredictionPanel, preview_answers, preview_images
from mnist_widgets.widgets.publishing import publisher

NUM_COLUMNS = 10

_ORDERS: list[tuple[str, Order]] = [
    ("As stored", "as stored"),
    ("Highest loss first", "highest loss"),
    ("Least sure first", "least sure"),
    ("Surest first", "surest"),
]
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class ImageGallery(Panel, Callback):
    """Page through images, filter and sort them by the network's predictions, and select one.

    As a callback of a `Trainer` it shows what its `Evaluator` found after each epoch.

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
        selected_index: the position in the data set of the selected image, or None.
        selected_pair: the (true, predicted) classes that all shown images have, or None; what a
            cell of a confusion matrix stands for.
        visible_indices: the positions in the data set of the images on this page, int64 (M,);
            read-only. Observers are called while widgets are drawn, so they must return at once.
    """

    selected_index = Int(0, allow_none=True)
    selected_pair: Any = Tuple(Int(), Int(), default_value=None, allow_none=True)
    visible_indices = Instance(Tensor, args=(), read_only=True)

    def __init__(self, digit_set: DigitSet, images_per_page: int = 50) -> None:
        if images_per_page < 1:
            raise ValueError(f"images_per_page is {images_per_page}; it must be at least 1.")
        self._digit_set = digit_set
        self._page_size = images_per_page
        self._predictions: Predictions | None = None
        self._probabilities = torch.zeros(len(digit_set), len(digit_set.class_names))
        self._prediction: PredictionPanel | None = None
        self._filter, self._order = ALL_IMAGES, _ORDERS[0][1]
        self._page_index, self._num_pages = 0, 1
        self._num_picks = 0
        self._drawing_thread: int | None = None
        self._build_controls()
        super().__init__(
            "mw-image-gallery",
            [
                HBox([self._filter_box, self._order_box], layout=_ROW),
                self._grid,
                HBox([self._previous, self._next, self._page_text], layout=_ROW),
                self._caption,
            ],
        )
        self.redraw()
        self.observe(self._on_selected_index, "selected_index")
        self.observe(self._on_selected_pair, "selected_pair")

    @property
    def probabilities(self) -> Tensor:
        """What the network last made of each image, float32 (N, C); zeros before it was asked."""
        return self._probabilities

    def show_predictions(self, predictions: Predictions | None) -> None:
        """Show what the network makes of the whole set; the selection stays.

        Args:
            predictions: for the images in the order of the set; None before the first evaluation.

        Raises:
            ValueError: if the predictions are for other images, or in another order.
        """
        digit_set = self._digit_set
        if predictions is None:
            self._probabilities = torch.zeros_like(self._probabilities)
        elif torch.equal(predictions.labels, digit_set.labels):
            self._probabilities = predictions.probabilities
        else:
            raise ValueError(
                f"The predictions are for {len(predictions.labels):,} images, whose labels are not "
                f"those of {digit_set!r}: predict all of its images in their own order."
            )
        self._predictions = predictions
        publisher.request(self.redraw)

    def show_visible(self, indices: ArrayLike, probabilities: ArrayLike) -> None:
        """Show newer answers for some images, until the next `show_predictions`.

        Frames and names of these images follow; which images the page holds does not: filter and
        order go by the predictions for the whole set.

        Args:
            indices: int64 (M,), positions in the data set, such as `visible_indices`.
            probabilities: float32 (M, C), what the network makes of these images.
        """
        positions, shown = to_tensor(indices, "indices"), to_tensor(probabilities, "probabilities")
        self._probabilities = self._probabilities.index_copy(0, positions, shown.float())
        publisher.request(self.redraw)

    def preview_in(self, prediction: PredictionPanel) -> None:
        """Let the page show a picked image in another panel at once, before the kernel hears of it.

        Args:
            prediction: the panel, such as a `ProbabilityChart`.
        """
        self._prediction = prediction
        publisher.request(self.redraw)

    def on_epoch_end(self, trainer: Trainer, report: EpochReport) -> None:
        """Show what the trainer's `Evaluator` found; nothing happens without one.

        Raises:
            ValueError: if it looks at other images, or in another order.
        """
        if isinstance(trainer.evaluator, Evaluator):
            self.show_predictions(trainer.evaluator.predictions)

    def on_reset(self, trainer: Trainer) -> None:
        """Show the images without predictions."""
        self.show_predictions(None)

    def twin(self) -> Twin:
        """Return the page of images and what the network gets wrong on it."""
        digit_set, visible = self._digit_set, self.visible_indices
        return twin_images(
            digit_set.images[visible],
            judge_images(digit_set, self._probabilities, visible),
            name_images(digit_set, self._probabilities, visible),
            NUM_COLUMNS,
            f"{self._grid.label}, shown: {name_filter(self._wanted, digit_set.class_names)}",
        )

    def redraw(self) -> None:
        """Bring the widgets up to date with predictions and choices; called by the publisher."""
        predictions, wanted, order = self._predictions, self._wanted, self._order
        self._show_filter(wanted)
        note = ""
        if predictions is None and (wanted.needs_predictions or order != "as stored"):
            note = "No predictions yet to filter or sort by."
            wanted = ALL_IMAGES if wanted.needs_predictions else wanted
            order = "as stored"
        indices = select_images(self._digit_set.labels, predictions, wanted, order)
        self._num_pages = max(1, math.ceil(len(indices) / self._page_size))
        page_index = min(self._page_index, self._num_pages - 1)
        self._show_page(page_index, len(indices), note)
        visible = indices[page_index * self._page_size :][: self._page_size]
        self._show_images(visible, page_index, len(indices), wanted)
        self.redraw_selection()
        if not torch.equal(visible, self.visible_indices):
            self.set_trait("visible_indices", visible)

    def redraw_selection(self) -> None:
        """Mark the selected image and name it; called by the publisher."""
        index, caption = self.selected_index, "No image is selected."
        if index is not None:
            caption = name_images(self._digit_set, self._probabilities, torch.tensor([index]))[0]
            if index not in self._grid.image_ids:
                caption += " (not on this page)"
        self._grid.selected = -1 if index is None else index
        self._caption.value = html.escape(caption)
        self.mark_twin_stale()

    def redraw_num_picks(self) -> None:
        """Let the page end its previews of what was picked; called by the publisher."""
        self._grid.num_picks = self._num_picks

    @property
    def _wanted(self) -> ImageFilter:
        pair: tuple[int, int] | None = self.selected_pair
        return self._filter if pair is None else ImageFilter(label=pair[0], predicted=pair[1])

    def _build_controls(self) -> None:
        def dropdown(
            description: str, tooltip: str, options: Sequence[tuple[str, object]], name: str
        ) -> Dropdown:
            return Dropdown(
                description=description,
                tooltip=tooltip,
                options=options,
                style={"description_width": "44px"},
                layout={"width": "216px"},
            ).add_class(name)

        def button(description: str, tooltip: str, num_pages: int) -> Button:
            made = Button(description=description, tooltip=tooltip, layout={"width": "84px"})
            made.on_click(lambda _button: self._turn_by(num_pages))
            return made.add_class(f"mw-{description.lower()}")

        num_classes = len(self._digit_set.class_names)
        filters = [
            ALL_IMAGES,
            ImageFilter(is_right=True),
            ImageFilter(is_right=False),
            *(ImageFilter(label=label) for label in range(num_classes)),
            *(ImageFilter(predicted=label) for label in range(num_classes)),
        ]
        self._filter_options = tuple(self._name_option(wanted) for wanted in filters)
        self._filter_box = dropdown(
            "Show", "Which of the images are shown", self._filter_options, "mw-filter"
        )
        self._filter_box.observe(self._on_filter, "value")
        self._order_box = dropdown("Order", "Which come first", _ORDERS, "mw-sort")
        self._order_box.observe(self._on_order, "value")
        self._grid = ImageGrid(
            NUM_COLUMNS, self._page_size, on_select=self._on_select, on_page=self._turn_to
        )
        self._previous = button("Previous", "Turn one page back", -1)
        self._next = button("Next", "Turn to the next page", +1)
        self._page_text = text_line("mw-page", flex="1 1 200px", height="40px")
        self._caption = text_line("mw-caption")

    def _name_option(self, wanted: ImageFilter) -> tuple[str, ImageFilter]:
        return name_filter(wanted, self._digit_set.class_names), wanted

    def _show_filter(self, wanted: ImageFilter) -> None:
        """Let the dropdown say what is wanted; a pair is an option only while it is selected."""
        options = self._filter_options
        if wanted.pair is not None:
            options = (*options, self._name_option(wanted))
        self._drawing_thread = threading.get_ident()
        with self._filter_box.hold_sync():
            if self._filter_box.options != options:
                self._filter_box.options = options
            self._filter_box.value = wanted
        self._drawing_thread = None

    def _show_page(self, page_index: int, num_images: int, note: str) -> None:
        images = "1 image" if num_images == 1 else f"{num_images:,} images"
        page = f"Page {page_index + 1:,} of {self._num_pages:,} · {images}"
        self._page_text.value = f"<div>{page}</div><div>{note}</div>" if note else page
        self._previous.disabled = page_index == 0
        self._next.disabled = page_index == self._num_pages - 1

    def _show_images(
        self, visible: Tensor, page_index: int, num_images: int, wanted: ImageFilter
    ) -> None:
        grid, digit_set, probabilities = self._grid, self._digit_set, self._probabilities
        names = name_images(digit_set, probabilities, visible)
        is_other_page = not torch.equal(visible, self.visible_indices)
        with grid.hold_sync():
            if len(visible) and is_other_page:
                images = digit_set.images[visible]
                padding = (0, 0, 0, 0, 0, self._page_size - len(visible))
                grid.sprite = to_sprite(functional.pad(images, padding), NUM_COLUMNS)
            grid.image_ids = visible.tolist()
            grid.names = names
            grid.verdicts = judge_images(digit_set, probabilities, visible)
            grid.page_index, grid.num_images = page_index, num_images
            grid.label = f"{digit_set.name}, page {page_index + 1:,} of {self._num_pages:,}"
            if self._prediction is not None:
                if is_other_page or grid.image_previews == NO_PREVIEWS:
                    grid.image_previews = preview_images(self._prediction, digit_set, visible)
                grid.answer_previews = preview_answers(
                    self._prediction, self._caption, names, digit_set, probabilities, visible
                )
            grid.notice = "" if num_images else explain_absence(wanted, digit_set.class_names)

    def _turn_by(self, num_pages: int) -> None:
        self._turn_to(min(self._page_index, self._num_pages - 1) + num_pages)

    def _turn_to(self, page_index: int) -> None:
        self._page_index = max(0, min(page_index, self._num_pages - 1))
        publisher.request(self.redraw, urgent=True)

    def _begin_anew(self) -> None:
        self._page_index = 0
        publisher.request(self.redraw, urgent=True)

    def _on_select(self, index: int) -> None:
        try:
            self.selected_index = index
        finally:  # whatever comes of it, and after all that comes of it
            self._num_picks += 1
            publisher.request(self.redraw_num_picks)

    def _on_filter(self, change: dict[str, ImageFilter]) -> None:
        if threading.get_ident() == self._drawing_thread:
            return  # nobody has chosen anything: the dropdown follows what is wanted
        pair = change["new"].pair
        self._filter = ALL_IMAGES if pair else change["new"]
        self.selected_pair = pair
        self._begin_anew()

    def _on_order(self, change: dict[str, Order]) -> None:
        self._order = change["new"]
        self._begin_anew()

    def _on_selected_index(self, _change: object) -> None:
        publisher.request(self.redraw_selection, urgent=True)

    def _on_selected_pair(self, change: dict[str, tuple[int, int] | None]) -> None:
        if change["new"] is not None:
            self._filter = ALL_IMAGES  # what is shown when the pair is gone
        self._begin_anew()

    @validate("selected_index")
    def _check_index(self, proposal: dict[str, int | None]) -> int | None:
        index, num_images = proposal["value"], len(self._digit_set)
        if index is not None and not 0 <= index < num_images:
            raise TraitError(
                f"selected_index is {index}; with {num_images:,} images it runs from 0 to "
                f"{num_images - 1:,}, or is None."
            )
        return index

    @validate("selected_pair")
    def _check_pair(self, proposal: dict[str, tuple[int, int] | None]) -> tuple[int, int] | None:
        pair, num_classes = proposal["value"], len(self._digit_set.class_names)
        if pair is not None and not all(0 <= label < num_classes for label in pair):
            raise TraitError(
                f"selected_pair is {pair}; both classes, the true and the predicted one, run from "
                f"0 to {num_classes - 1}."
            )
        return pair
