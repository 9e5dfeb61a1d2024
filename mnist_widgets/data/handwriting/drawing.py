"""A digit drawn by hand: its strokes, and the images made of them for a network."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_widgets.data.handwriting.strokes import (
    FRAME_PX,
    center_lines,
    draw_lines,
    fit_lines,
    to_lines,
)
from mnist_widgets.data.tensors import ArrayLike

MOST_POINTS = 10_000
FARTHEST = 1_000.0
"""The largest coordinate of a point, in widths of the pad."""

MNIST_INK = 0.133
"""The mean of MNIST's training images; 1 is an image that is white all over."""


def measure_ink(image: ArrayLike) -> float:
    """Return the mean of a uint8 image of any shape; 1 is an image that is white all over."""
    return float(torch.as_tensor(image).to(torch.float32).mean()) / 255


@dataclass(frozen=True, eq=False)
class Stage:
    """What one step of the preprocessing makes of a drawing.

    Attributes:
        name: "As drawn", "Scaled" or "Centered".
        is_on: Whether the step is on; otherwise the image is that of the stage before.
        image: uint8 (28, 28), white on black.
    """

    name: str
    is_on: bool
    image: Tensor


@dataclass(frozen=True, init=False)
class Drawing:
    """The strokes of a digit drawn by hand; drawings with the same strokes are equal.

    Attributes:
        strokes: Each stroke as its points (x, y), from (0, 0) at the top left of the pad to (1, 1)
            at the bottom right. Points may lie outside.
    """

    strokes: tuple[tuple[tuple[float, float], ...], ...]

    def __init__(self, strokes: Iterable[Iterable[Iterable[float]]]) -> None:
        """Check and store the strokes.

        Raises:
            ValueError: The strokes are not lists of points of two finite numbers, or there are
                more than 10,000 points.
        """
        try:
            checked = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in strokes)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                "The strokes must be lists of points, and each point two numbers, x and y."
            ) from error
        if sum(map(len, checked)) > MOST_POINTS:
            raise ValueError(f"A drawing has at most {MOST_POINTS:,} points.")
        for stroke in checked:
            for x, y in stroke:
                if not (math.isfinite(x) and math.isfinite(y)):
                    raise ValueError(f"The numbers of a point must be finite, not ({x}, {y}).")
                if max(abs(x), abs(y)) > FARTHEST:
                    raise ValueError(f"The point ({x:g}, {y:g}) is too far outside the pad.")
        object.__setattr__(self, "strokes", checked)

    @property
    def is_empty(self) -> bool:
        """Whether there is no point."""
        return not any(self.strokes)

    def to_image(self, *, scale: bool = True, center: bool = True, pen: float = 1.3) -> Tensor:
        """Draw the strokes as MNIST's digits are drawn.

        Args:
            scale: Whether to make the longer side of the ink 20 pixels; otherwise the pad is the
                whole image.
            center: Whether to move the center of mass to pixel (14, 14), counted from 0.
            pen: The pen's radius in pixels of the image.

        Returns:
            uint8 (28, 28), white on black; all zero for an empty drawing.

        Raises:
            ValueError: `pen` is not above 0 and at most 5.
        """
        return self.to_stages(scale=scale, center=center, pen=pen)[-1].image

    def to_stages(
        self, *, scale: bool = True, center: bool = True, pen: float = 1.3
    ) -> tuple[Stage, Stage, Stage]:
        """Draw the strokes after each step; the arguments and errors are those of `to_image`."""
        if not 0 < pen <= 5:
            raise ValueError(f"pen must be above 0 and at most 5 pixels, not {pen}.")
        if self.is_empty:
            blank = torch.zeros(FRAME_PX, FRAME_PX, dtype=torch.uint8)
            images = [blank, blank, blank]
        else:
            drawn = to_lines(self.strokes)
            scaled = fit_lines(drawn, pen) if scale else drawn * FRAME_PX
            centered = center_lines(scaled, pen) if center else scaled
            steps = (drawn * FRAME_PX, scaled, centered)
            images = [
                torch.from_numpy((draw_lines(lines, pen) * 255).round().astype("uint8"))
                for lines in steps
            ]
        names = ("As drawn", "Scaled", "Centered")
        first, second, third = map(Stage, names, (True, scale, center), images)
        return first, second, third
