"""What the network sees of a drawing: a picture and a switch for each stage of preprocessing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from ipywidgets import HTML, Checkbox, HBox, VBox
from torch import Tensor

from mnist_widgets.data.handwriting.drawing import MNIST_INK, Drawing, Stage, measure_ink
from mnist_widgets.data.images import to_png
from mnist_widgets.rendering.captions import to_html

_SWITCHES = {"Scaled": "Scale", "Centered": "Center"}
_TOOLTIPS = {
    "Scaled": "Make the longer side of the drawing 20 pixels long, as in MNIST",
    "Centered": "Move the drawing's center of mass to the center, as in MNIST",
}
_NOTHING = Drawing([]).to_stages()
_CLOSE = 0.1
"""Ink that differs less from MNIST's average, as a share of it, counts as alike."""


class StageView(VBox):
    """The pictures of the stages, with a checkbox for each that can be switched off.

    Args:
        on_switch: called when a person switches a stage.
    """

    def __init__(self, on_switch: Callable[[], None]) -> None:
        self._names = [HTML("<span>As drawn</span>"), *map(_switch, _SWITCHES)]
        for box in self._names[1:]:
            box.observe(lambda _change: on_switch(), "value")
        # in one widget, so that pictures and ink are one message and are laid out once
        self._pictures = HTML().add_class("mw-stage-pictures")
        title = HTML("<h4>What the network sees</h4>").add_class("mw-stages-title")
        super().__init__([title, HBox(self._names).add_class("mw-stage-names"), self._pictures])
        self.add_class("mw-stages")

    @property
    def scale(self) -> bool:
        """Whether the drawing is scaled."""
        return bool(self._names[1].value)

    @property
    def center(self) -> bool:
        """Whether the drawing is centered."""
        return bool(self._names[2].value)

    def show(self, stages: Sequence[Stage] | None) -> None:
        """Show the stages of a drawing.

        Args:
            stages: the three of `Drawing.to_stages`; None if nothing is drawn.
        """
        pictures = []
        for stage in stages or _NOTHING:
            off = "" if stage.is_on else ", switched off"
            words = f"the drawing, 28 by 28 pixels{off}" if stages else "nothing is drawn"
            source = base64.b64encode(to_png(stage.image)).decode()
            pictures.append(
                f'<img alt="{stage.name}: {words}" src="data:image/png;base64,{source}">'
            )
        ink = describe_ink(stages[-1].image) if stages else ""
        self._pictures.value = f"<div>{''.join(pictures)}</div><p>{to_html(ink)}</p>"


def describe_ink(image: Tensor) -> str:
    """Compare the ink of an image with that of MNIST's images, in a sentence.

    Args:
        image: uint8 (28, 28).
    """
    ink = measure_ink(image)
    difference = ink / MNIST_INK - 1
    if abs(difference) < _CLOSE:
        words = "about as much as MNIST's average"
    else:
        words = f"{'more' if difference > 0 else 'less'} than MNIST's average"
    return f"Ink: {100 * ink:.1f} % of full white, {words} ({100 * MNIST_INK:.1f} %; a 1 has less)."


def _switch(name: str) -> Checkbox:
    return Checkbox(value=True, description=_SWITCHES[name], tooltip=_TOOLTIPS[name], indent=False)
