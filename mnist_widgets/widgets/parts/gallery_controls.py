"""The two dropdowns of the gallery: which images are shown, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import Dropdown, HBox

from mnist_widgets.rendering.image_captions import name_filter
from mnist_widgets.training.evaluation.selection import ALL_IMAGES, ImageFilter, Order
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code

ROW = {"flex_flow": "row wrap", "align_items": "center"}
_ORDERS: list[tuple[str, Order]] = [
    ("As stored", "as stored"),
    ("Highest loss first", "highest loss"),
    ("Least confident first", "least confident"),
    ("Most confident first", "most confident"),
]


class GalleryControls(HBox):
    """A dropdown of filters and one of orders.

    Args:
        class_names: the names of the classes.
        on_filter: called with the filter that the person chooses.
        on_order: called when the person chooses an order.

    Attributes:
        order: the order chosen.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        on_filter: Callable[[ImageFilter], None],
        on_order: Callable[[], None],
    ) -> None:
        self.order: Order = "as stored"
        self._class_names = class_names
        self._report_filter, self._report_order = on_filter, on_order
        labels = range(len(class_names))
        filters = [
            ALL_IMAGES,
            ImageFilter(is_right=True),
            ImageFilter(is_right=False),
            *(ImageFilter(label=label) for label in labels),
            *(ImageFilter(predicted=label) for label in labels),
        ]
        self._options = tuple(map(self._name_option, filters))
        self._filter_box = _dropdown("Show", "Which of the images are shown", self._options)
        on_choice(self._filter_box.add_class("mw-filter"), self._on_filter)
        self._order_box = _dropdown("Order", "Which come first", _ORDERS)
        self._order_box.add_class("mw-sort").observe(self._on_order, "value")
        super().__init__([self._filter_box, self._order_box], layout=ROW)

    def show_filter(self, wanted: ImageFilter) -> None:
        """Show the present filter; a pair is an option only while it is the filter."""
        options = self._options
        if wanted.pair is not None:
            options = (*options, self._name_option(wanted))
        with written_by_code(self._filter_box), self._filter_box.hold_sync():
            if self._filter_box.options != options:
                self._filter_box.options = options
            self._filter_box.value = wanted

    def _name_option(self, wanted: ImageFilter) -> tuple[str, ImageFilter]:
        return name_filter(wanted, self._class_names), wanted

    def _on_filter(self, change: dict[str, ImageFilter]) -> None:
        self._report_filter(change["new"])

    def _on_order(self, change: dict[str, Order]) -> None:
        self.order = change["new"]
        self._report_order()


def _dropdown(description: str, tooltip: str, options: Sequence[tuple[str, object]]) -> Dropdown:
    return Dropdown(
        description=description,
        tooltip=tooltip,
        options=options,
        style={"description_width": "44px"},
        layout={"width": "216px"},
    )
