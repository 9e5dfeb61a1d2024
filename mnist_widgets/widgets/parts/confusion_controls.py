"""The controls of the confusion chart: what its cells show, and two lists to pick a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import Button, Checkbox, Dropdown, HBox

from mnist_widgets.rendering.confusion_captions import Pair
from mnist_widgets.widgets.parts.axes import widest_px
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code

_NONE = -1  # a list whose value is None shows no option at all
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class CellSettings(HBox):
    """What the cells show, in a row of controls.

    Args:
        noun: what a class is: `digit` or `class`.
        count: requests new counts; a button calls it. Without it there is no button.

    Attributes:
        numbers: counts, or shares of the true or of the predicted class.
        highlights: whether the mistakes are highlighted.
        swap: whether the rows are the predicted classes.
    """

    def __init__(self, noun: str, count: Callable[[], None] | None) -> None:
        self.numbers = Dropdown(
            description="Numbers",
            tooltip="What the cells show: the number of images, or a share of them",
            options=[
                ("Counts", "counts"),
                (f"Share of the true {noun}", "true"),
                ("Share of the prediction", "predicted"),
            ],
            style={"description_width": "62px"},
            layout={"width": "250px"},
        )
        self.highlights, self.swap = (
            Checkbox(value=value, description=name, indent=False, layout={"width": width})
            for value, name, width in (
                (True, "Highlight mistakes", "170px"),
                (False, "Swap axes", "110px"),
            )
        )
        settings = [self.numbers, self.highlights, self.swap]
        button = [] if count is None else [_build_button(count)]
        super().__init__([*settings, *button], layout=_ROW)

    def on_change(self, handler: Callable[[object], None]) -> None:
        """Call `handler` whenever one of the settings changes."""
        for setting in (self.numbers, self.highlights, self.swap):
            setting.observe(handler, names="value")


class PairLists(HBox):
    """Two lists to pick a pair of a true and a predicted class, for example by the keyboard.

    Args:
        class_names: in the order of their labels.
        handler: is called whenever the person picks from a list.

    Attributes:
        true_label: the list of true classes.
        predicted_label: the list of predicted classes.
    """

    def __init__(self, class_names: Sequence[str], handler: Callable[[object], None]) -> None:
        longest_px = widest_px(class_names)
        options = [("choose", _NONE), *((name, label) for label, name in enumerate(class_names))]
        self.true_label, self.predicted_label = (
            Dropdown(
                description=name,
                tooltip="Selects a cell, like a click on it",
                options=options,
                style={"description_width": f"{width_px}px"},
                layout={"width": f"{width_px + max(longest_px, 60) + 40:.0f}px"},
            )
            for name, width_px in (("Or pick: true", 86), ("predicted", 72))
        )
        super().__init__([self.true_label, self.predicted_label], layout=_ROW)
        for labels in (self.true_label, self.predicted_label):
            on_choice(labels, handler)

    @property
    def pair(self) -> Pair | None:
        """The pair in the lists, as (true, predicted); None while a half is missing."""
        labels = (self.true_label.value, self.predicted_label.value)
        return None if _NONE in labels else labels

    @property
    def missing(self) -> str | None:
        """The half of the pair that is not picked yet; None if both or none are."""
        lacks_true, lacks_predicted = (
            labels.value == _NONE for labels in (self.true_label, self.predicted_label)
        )
        if lacks_true == lacks_predicted:
            return None
        return "true" if lacks_true else "predicted"

    def show(self, pair: Pair | None) -> None:
        """Show a selected pair; without one, half a pair that was picked stays."""
        if pair is None and self.missing:
            return
        with written_by_code(self.true_label, self.predicted_label):
            self.true_label.value, self.predicted_label.value = pair or (_NONE, _NONE)


def _build_button(count: Callable[[], None]) -> Button:
    button = Button(
        description="Count now",
        tooltip="Count now; it also happens at each epoch's end and whenever training stops",
        layout={"width": "96px"},
    )
    button.on_click(lambda _button: count())
    return button.add_class("mw-count")
