"""Panels side by side, with one static view for all."""

from __future__ import annotations

from collections.abc import Sequence

from ipywidgets import HBox, VBox

from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.widgets.panel import Panel


class Row(Panel):
    """Panels side by side; where the window is narrow, one below the other.

    Example:
        ```python
        Row(confusion, [gallery, prediction])
        ```

    Args:
        columns: a panel for each column, or a list of panels to stand one below the other.
    """

    def __init__(self, *columns: Panel | Sequence[Panel]) -> None:
        stacks = [[column] if isinstance(column, Panel) else list(column) for column in columns]
        self._panels = [panel for stack in stacks for panel in stack]
        boxes = [VBox(stack, layout={"flex": "1 1 400px"}) for stack in stacks]
        row = HBox(boxes, layout={"flex_flow": "row wrap"})
        super().__init__("mw-row", [row.add_class("mw-columns")])

    def static_view(self) -> StaticView:
        """Return the static views of all panels, one below the other."""
        return join_views(panel.static_view() for panel in self._panels)
