"""The two lists of the gallery: which images it shows, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from ipywidgets import Dropdown

from mnist_widgets.rendering.image_captions import name_filter
from mnist_widgets.training.evaluation.selection import ALL_IMAGES, ImageFilter, Order
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.controls import dropdown

_ORDERS: list[tuple[str, Order]] = [
    ("As stored", "as stored"),
    ("Highest loss first", "highest loss"),
    ("Least confident first", "least confident"),
    ("Most confident first", "most confident"),
]
_WIDTHS = {"label_px": 44, "width_px": 216}


def build_order_list() -> Dropdown:
    """Return a list of the orders; each value is an `Order`."""
    return dropdown("Order", "Which come first", _ORDERS, **_WIDTHS).add_class("mw-sort")


class FilterList:
    """A list of filters.

    Args:
        class_names: the names of the classes.

    Attributes:
        box: the list; each value is an `ImageFilter`.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        labels = range(len(class_names))
        filters = [
            ALL_IMAGES,
            ImageFilter(is_right=True),
            ImageFilter(is_right=False),
            *(ImageFilter(label=label) for label in labels),
            *(ImageFilter(predicted=label) for label in labels),
        ]
        self._options = tuple(map(self._name_option, filters))
        self.box = dropdown("Show", "Which of the images are shown", self._options, **_WIDTHS)
        self.box.add_class("mw-filter")

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
