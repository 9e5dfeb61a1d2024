"""The panels of a lab: their names and headings, which of them a button opens, and their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ipywidgets import HBox, VBox, Widget

from mnist_widgets.widgets.panel import Panel

PANELS = {
    "settings": "Settings",
    "loss_chart": "Loss",
    "gallery": "Test images",
    "prediction": "Prediction",
    "confusion": "Confusion matrix",
    "steps": "One training step",
    "drawing": "Draw a digit",
    "training_images": "Training images",
    "runs": "Runs",
}
"""The panels beside the one of the training: their names for `hide`, and their headings."""
ON_REQUEST = {
    "steps": ("Look inside one step", "Close the step", 150),
    "drawing": ("Draw a digit", "Close the drawing", 130),
    "training_images": ("Look at training images", "Close the images", 170),
}
"""Panels that a button opens, by their names for `show`: its words, and its width in pixels."""

TITLES = {"training": "Training", **PANELS, "diagnosis": "Diagnosis"}
_ROW = {"flex_flow": "row wrap", "align_items": "flex-start"}


def lay_out(
    panels: Mapping[str, Panel], openers: Iterable[Widget], places: Iterable[Widget]
) -> list[Widget]:
    """Give the panels their headings, and return the rows of a lab.

    Args:
        panels: those shown, by their names.
        openers: the buttons of the panels on request.
        places: where these panels stand.
    """

    def show(**widths: str) -> list[Widget]:
        shown = {name: panels[name] for name in widths if name in panels}
        for name, panel in shown.items():
            panel.layout.flex = widths[name]
            # the rows at the top need no heading to be seen
            panel.show_heading(TITLES[name], is_hidden=name in ("training", "settings"))
        return list(shown.values())

    # Wrapping makes one column below 800 px, two up to 1,450 px, and three above.
    left = VBox(show(loss_chart="0 0 auto", gallery="0 0 auto"))
    right = HBox(show(confusion="1 1 400px", prediction="1 1 400px"), layout=_ROW)
    left.layout.flex, right.layout.flex = "2 1 480px", "7 1 308px"
    columns = [column for column in (left, right) if column.children]
    return [
        *show(training="0 0 auto", settings="0 0 auto"),
        HBox(columns, layout=_ROW).add_class("mw-columns"),
        HBox(list(openers), layout=_ROW).add_class("mw-openers"),
        *places,
        *show(runs="0 0 auto"),
    ]
