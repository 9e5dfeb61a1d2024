"""The controls of the confusion chart: what its cells show, and two lists to pick a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import Checkbox, HBox, Widget

from mnist_widgets.rendering.confusion_captions import Pair
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code
from mnist_widgets.widgets.parts.controls import NOTHING, ROW, Disclosure, button, dropdown
from mnist_widgets.widgets.parts.figures import widest_px


class CellSettings(HBox):
    """What the cells show: a list, and a button that opens the row of rarer settings.

    Args:
        noun: what a class is: `digit` or `class`.
        count: requests new counts; a button calls it. Without it there is no button.

    Attributes:
        numbers: counts, or shares of the true or of the predicted class.
        highlights: whether the mistakes are highlighted.
        swap: whether the rows are the predicted classes.
        rarer: the row of rarer settings. It stands behind this one, and always takes a line of its
            own, so that the button stays where it is.
    """

    def __init__(self, noun: str, count: Callable[[], None] | None) -> None:
        self.numbers = dropdown(
            "Show",
            "What the cells show: the number of images, or a share of them",
            [
                ("Counts", "counts"),
                (f"% of true {noun}", "true"),
                ("% of predicted", "predicted"),
            ],
            label_px=40,
            width_px=140,
        )
        self.highlights = Checkbox(value=True, description="Highlight mistakes", indent=False)
        self.swap = Checkbox(value=False, description="Swap axes", indent=False)
        self.highlights.layout.width, self.swap.layout.width = "154px", "102px"
        more: list[Widget] = [self.highlights, self.swap]
        if count is not None:
            tooltip = "Count now; it also happens at each epoch's end and whenever training stops"
            more.append(button("Count now", tooltip, count, width_px=84))
        self.rarer = HBox(more, layout=ROW | {"justify_content": "flex-end", "width": "100%"})
        opener = Disclosure("More", "Fewer", self.rarer, width_px=60)
        super().__init__([self.numbers, opener], layout=ROW | {"justify_content": "flex-end"})


class PairLists(HBox):
    """Two lists to pick a pair of a true and a predicted class, for example with the keyboard.

    Args:
        class_names: in the order of their labels.
        handler: is called whenever the person picks from a list.

    Attributes:
        true_label: the list of true classes.
        predicted_label: the list of predicted classes.
    """

    def __init__(self, class_names: Sequence[str], handler: Callable[[object], None]) -> None:
        classes = [(name, label) for label, name in enumerate(class_names)]
        options = [("\N{EN DASH}", NOTHING), *classes]
        tooltip, name_px = "Selects a cell, like a click on it", widest_px(class_names)
        self.true_label, self.predicted_label = (
            dropdown(name, tooltip, options, label_px=label_px, width_px=label_px + name_px + 40)
            for name, label_px in (("Cell: true", 64), ("predicted", 64))
        )
        super().__init__([self.true_label, self.predicted_label], layout=ROW)
        for labels in self.children:
            on_choice(labels, handler)

    @property
    def pair(self) -> Pair | None:
        """The pair in the lists, as (true, predicted); None while a half is missing."""
        labels = (self.true_label.value, self.predicted_label.value)
        return None if NOTHING in labels else labels

    @property
    def missing(self) -> str | None:
        """The half of the pair that is not picked yet; None if both or none are."""
        halves = {"true": self.true_label, "predicted": self.predicted_label}
        missing = [name for name, labels in halves.items() if labels.value == NOTHING]
        return missing[0] if len(missing) == 1 else None

    def show(self, pair: Pair | None) -> None:
        """Show a selected pair; without one, half a pair that was picked stays."""
        if pair is None and self.missing:
            return
        with written_by_code(*self.children):
            self.true_label.value, self.predicted_label.value = pair or (NOTHING, NOTHING)
