"""A white sheet to draw charts on, turned into PNG bytes without a browser.

It is dark on white, so that it can be read on any background. What is drawn is left to `pictures`
and `loss_picture`; Pillow draws it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from PIL import ImageFont

FINENESS = 2
"""PNG pixels for each pixel of the page: pictures stay crisp on fine screens and in print."""

INK, QUIET, GRID = "#212121", "#616161", "#e0e0e0"

_OCTREE = 2  # of Pillow's ways to choose colours the fast one

Place = tuple[float, float]
"""From the left and from the top, in pixels of the page."""


class Canvas:
    """A white picture, and places on it in pixels of the page."""

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw

        size = (round(width * FINENESS), round(height * FINENESS))
        self.image = Image.new("RGB", size, "white")
        self._pen = ImageDraw.Draw(self.image)

    def line(self, places: Sequence[Place], color: str, width: float = 1) -> None:
        """Draw a line through places; a single one is no line."""
        fine = [(x * FINENESS, y * FINENESS) for x, y in places]
        self._pen.line(fine, fill=color, width=round(width * FINENESS), joint="curve")

    def box(
        self, start: Place, end: Place, fill: str | None, edge: str | None = None, width: float = 1
    ) -> None:
        """Draw a box between two corners."""
        corners = [value * FINENESS for value in (*start, *end)]
        self._pen.rectangle(corners, fill=fill, outline=edge, width=round(width * FINENESS))

    def dot(self, place: Place, color: str, corners: int = 0) -> None:
        """Draw a round dot, or a regular polygon that stands on one of its corners."""
        x, y = (value * FINENESS for value in place)
        if corners:
            self._pen.regular_polygon((x, y, 5 * FINENESS), corners, 45, fill=color)
        else:
            radius = 4 * FINENESS
            corner = (x - radius, y - radius, x + radius, y + radius)
            self._pen.ellipse(corner, fill=color, outline="white", width=FINENESS)

    def text(
        self, place: Place, text: str, anchor: str = "mm", color: str = INK, size: int = 12
    ) -> None:
        """Write; `anchor` is Pillow's: which point of the text lies at `place`."""
        fine = (place[0] * FINENESS, place[1] * FINENESS)
        self._pen.text(fine, text, fill=color, font=_font(size), anchor=anchor)

    def text_upwards(self, place: Place, text: str, anchor: str = "mm") -> None:
        """Write from bottom to top: its middle lies at `place`, or its end with the anchor `r`."""
        from PIL import Image

        width, height = math.ceil(text_width(text) * FINENESS), 20 * FINENESS
        strip = Canvas(width / FINENESS, 20)
        strip.text((0, 10), text, anchor="lm")
        turned = strip.image.transpose(Image.Transpose.ROTATE_90)
        x, y = (value * FINENESS for value in place)
        top = y if anchor == "r" else y - width / 2
        self.image.paste(turned, (round(x - height / 2), round(top)))

    def paste(self, pixels: Tensor, place: Place, scale: int) -> None:
        """Draw a grey image (28, 28), each of its pixels `scale` pixels of the page wide."""
        from PIL import Image

        grown = np.kron(pixels.numpy(), np.ones((scale * FINENESS,) * 2, dtype=np.uint8))
        self.image.paste(
            Image.fromarray(grown), (round(place[0] * FINENESS), round(place[1] * FINENESS))
        )

    def to_png(self) -> bytes:
        """Return what was drawn."""
        # so few colours look the same and take a third of the bytes
        buffer = io.BytesIO()
        self.image.quantize(48, _OCTREE).save(buffer, "PNG")
        return buffer.getvalue()


def text_width(text: str) -> float:
    """Return how wide a name is in a picture, in pixels of the page."""
    return _font(12).getlength(text) / FINENESS


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(size * FINENESS)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, so that it cannot write into pictures.")
    return font
