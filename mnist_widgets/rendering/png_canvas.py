"""Draw charts with Pillow and return them as PNG bytes, without a browser.

They are dark on white, so that they can be read on any background.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from PIL import ImageFont

PIXEL_RATIO = 2
"""PNG pixels for each pixel of the page: pictures stay crisp on fine screens and in print."""

INK, QUIET, GRID = "#212121", "#616161", "#e0e0e0"

_OCTREE = 2  # Pillow's fastest way to choose colours

Position: TypeAlias = tuple[float, float]
"""From the left and from the top, in pixels of the page."""


class Canvas:
    """A white picture, addressed in pixels of the page."""

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw

        size = (round(width * PIXEL_RATIO), round(height * PIXEL_RATIO))
        self.image = Image.new("RGB", size, "white")
        self._pen = ImageDraw.Draw(self.image)

    def line(self, positions: Sequence[Position], color: str, width: float = 1) -> None:
        """Draw a line through positions; a single position draws nothing."""
        fine = [(x * PIXEL_RATIO, y * PIXEL_RATIO) for x, y in positions]
        self._pen.line(fine, fill=color, width=round(width * PIXEL_RATIO), joint="curve")

    def box(
        self,
        start: Position,
        end: Position,
        fill: str | None,
        edge: str | None = None,
        width: float = 1,
    ) -> None:
        """Draw a box between two corners."""
        corners = [value * PIXEL_RATIO for value in (*start, *end)]
        self._pen.rectangle(corners, fill=fill, outline=edge, width=round(width * PIXEL_RATIO))

    def area(self, corners: Sequence[Position], fill: str, edge: str) -> None:
        """Fill the area within some corners, at least two, and draw its outline."""
        fine = [(x * PIXEL_RATIO, y * PIXEL_RATIO) for x, y in corners]
        self._pen.polygon(fine, fill=fill, outline=edge, width=PIXEL_RATIO)

    def dot(self, position: Position, color: str, num_corners: int = 0) -> None:
        """Draw a round dot, or a regular polygon that stands on one of its corners."""
        x, y = (value * PIXEL_RATIO for value in position)
        if num_corners:
            self._pen.regular_polygon((x, y, 5 * PIXEL_RATIO), num_corners, 45, fill=color)
        else:
            radius = 4 * PIXEL_RATIO
            corner = (x - radius, y - radius, x + radius, y + radius)
            self._pen.ellipse(corner, fill=color, outline="white", width=PIXEL_RATIO)

    def text(
        self, position: Position, text: str, anchor: str = "mm", color: str = INK, size: int = 12
    ) -> None:
        """Write text; `anchor` is the point of it that lies at `position`, in Pillow's terms."""
        fine = (position[0] * PIXEL_RATIO, position[1] * PIXEL_RATIO)
        self._pen.text(fine, text, fill=color, font=_font(size), anchor=anchor)

    def text_upwards(self, position: Position, text: str, anchor: str = "mm") -> None:
        """Write text upwards; its middle, or with the anchor `r` its end, lies at `position`."""
        from PIL import Image

        width, height = math.ceil(text_width(text) * PIXEL_RATIO), 20 * PIXEL_RATIO
        strip = Canvas(width / PIXEL_RATIO, 20)
        strip.text((0, 10), text, anchor="lm")
        turned = strip.image.transpose(Image.Transpose.ROTATE_90)
        x, y = (value * PIXEL_RATIO for value in position)
        top = y if anchor == "r" else y - width / 2
        self.image.paste(turned, (round(x - height / 2), round(top)))

    def paste(self, pixels: Tensor, position: Position, scale: float) -> None:
        """Draw an image, each of its pixels `scale` pixels of the page wide.

        Args:
            pixels: uint8, grey (H, W) or with colours (H, W, 3).
            position: of its corner at the top left.
            scale: in pixels of the page.
        """
        from PIL import Image

        x, y = (round(value * PIXEL_RATIO) for value in position)
        image = Image.fromarray(pixels.numpy())
        width, height = (max(1, round(edge * scale * PIXEL_RATIO)) for edge in image.size)
        self.image.paste(image.resize((width, height), Image.Resampling.NEAREST), (x, y))

    def to_png(self) -> bytes:
        """Return the picture as PNG bytes."""
        # with 48 colours a chart looks the same and has a third of the bytes
        buffer = io.BytesIO()
        self.image.quantize(48, _OCTREE).save(buffer, "PNG")
        return buffer.getvalue()


def text_width(text: str) -> float:
    """Return the width of a text of size 12, in pixels of the page."""
    return _font(12).getlength(text) / PIXEL_RATIO


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * PIXEL_RATIO)
