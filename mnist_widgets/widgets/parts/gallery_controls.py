"""The controls of the gallery: its filters, its orders, and the buttons of its pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from ipywidgets import Dropdown, HBox

from mnist_widgets.rendering.image_captions import name_filter
from mnist_widgets.training.evaluation.selection import ALL_IMAGES, ImageFilter, Order, Reaction
from mnist_widgets.widgets.panel import text_line
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.controls import ROW, FocusKeeper, button, dropdown

_ORDERS: list[tuple[str, Order]] = [
    ("As stored", "as stored"),
    ("Highest loss first", "highest loss"),
    ("Least confident first", "least confident"),
    ("Most confident first", "most confident"),
]

_OF_WRONG_LABELS = (
    ImageFilter(has_wrong_label=True),
    *(ImageFilter(reaction=reaction) for reaction in get_args(Reaction)),
)


def build_order_list() -> Dropdown:
    """Return a list of the orders; each value is an `Order`."""
    made = dropdown("Order", "Which come first", _ORDERS, label_px=40, width_px=192)
    return made.add_class("mw-sort")


class FilterList:
    """A list of filters.

    Args:
        class_names: the names of the classes.
        has_wrong_labels: whether there are filters for images with wrong labels.

    Attributes:
        box: the list; each value is an `ImageFilter`.
    """

    def __init__(self, class_names: Sequence[str], *, has_wrong_labels: bool = False) -> None:
        self._class_names = class_names
        labels = range(len(class_names))
        filters = [
            ALL_IMAGES,
            ImageFilter(is_right=True),
            ImageFilter(is_right=False),
            *(_OF_WRONG_LABELS if has_wrong_labels else ()),
            *(ImageFilter(label=label) for label in labels),
            *(ImageFilter(predicted=label) for label in labels),
        ]
        self._options = tuple(map(self._name_option, filters))
        tooltip = "Which of the images are shown"
        self.box = dropdown("Show", tooltip, self._options, label_px=40, width_px=196)
        self.box.add_class("mw-filter")

    def has(self, wanted: ImageFilter) -> bool:
        """Return whether a filter is in the list."""
        return any(wanted == offered for _, offered in self._options)

    def show(self, wanted: ImageFilter) -> None:
        """Show the present filter; a pair is an option only while it is the filter."""
        options = self._options
        if wanted.pair is not None:
            options = (*options, self._name_option(wanted))
        with written_by_code(self.box), self.box.hold_sync():
            if self.box.options != options:
                self.box.options = options
            self.box.value = wanted

    def _name_option(self, wanted: ImageFilter) -> tuple[str, ImageFilter]:
        return name_filter(wanted, self._class_names), wanted


class Pager(HBox):
    """The buttons Previous and Next, and the line that says which page is shown.

    Args:
        page_size: images on a full page.
        on_turn: called when another page is requested.

    Attributes:
        num_pages: at least 1, as of the last `show`.
    """

    def __init__(self, page_size: int, on_turn: Callable[[], None]) -> None:
        self._page_size, self._on_turn = page_size, on_turn
        self._requested_index, self.num_pages = 0, 1
        self._previous, self._next = (
            button(name, tooltip, partial(self._turn_by, step), width_px=76)
            for name, tooltip, step in (
                ("Previous", "Turn one page back", -1),
                ("Next", "Turn to the next page", +1),
            )
        )
        self._text = text_line("mw-page", flex="1 1 200px")
        buttons = [self._previous, self._next, FocusKeeper()]
        super().__init__([*buttons, self._text], layout=ROW)

    @property
    def page_index(self) -> int:
        """The position of the page to show: the requested one, or the last if that is gone."""
        return min(self._requested_index, self.num_pages - 1)

    def turn_to(self, page_index: int) -> None:
        """Request a page; beyond the ends, the first or the last."""
        self._requested_index = max(0, min(page_index, self.num_pages - 1))
        self._on_turn()

    def show(self, num_images: int, note: str = "") -> slice:
        """Update the buttons and the line.

        Args:
            num_images: images on all pages together.
            note: a second line.

        Returns:
            Where the images of the page stand among all.
        """
        self.num_pages = max(1, math.ceil(num_images / self._page_size))
        images = "1 image" if num_images == 1 else f"{num_images:,} images"
        page = f"Page {self.page_index + 1:,} of {self.num_pages:,} · {images}"
        self._text.value = f"{page} · {note}" if note else page
        self._previous.disabled = self.page_index == 0
        self._next.disabled = self.page_index == self.num_pages - 1
        begin = self.page_index * self._page_size
        return slice(begin, begin + self._page_size)

    def _turn_by(self, num_pages: int) -> None:
        self.turn_to(self.page_index + num_pages)
