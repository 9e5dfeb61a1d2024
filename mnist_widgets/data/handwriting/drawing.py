"""A digit drawn by hand: its strokes, and the images made of them for a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from mnist_widgets.data.handwriting.pixels import FRAME_PX, PEN_PX
from mnist_widgets.data.handwriting.strokes import (
    Strokes,
    center_lines,
    draw_lines,
    fit_lines,
    to_lines,
)
from mnist_widgets.data.tensors import ArrayLike

MOST_POINTS = 10_000
FARTHEST = 1_000.0
"""The largest coordinate of a point, in widths of the pad."""

MNIST_INK = 0.1307
"""The mean of MNIST's 60,000 training images, measured with `measure_ink`; 1 is white all over. The
mean of its 10,000 test images is 0.1325."""

_MOST_AT_ONCE = 1_000  # drawings; drawing their images takes some 15 MB


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
            at the bottom right. Points may lie outside. Strokes without points are left out.
    """

    strokes: Strokes

    def __init__(self, strokes: Iterable[Iterable[Iterable[float]]]) -> None:
        """Check and store the strokes.

        Raises:
            ValueError: The strokes are not lists of points of two numbers from -1,000 to 1,000, or
                there are more than 10,000 points.
        """
        try:
            checked = tuple(_to_points(stroke) for stroke in strokes)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                "The strokes must be lists of points, and each point two numbers, x and y."
            ) from error
        if sum(map(len, checked)) > MOST_POINTS:
            raise ValueError(f"A drawing has at most {MOST_POINTS:,} points.")
        for number in chain.from_iterable(chain.from_iterable(checked)):
            if not abs(number) <= FARTHEST:
                raise ValueError(
                    f"The numbers of a point must be from {-FARTHEST:,.0f} to {FARTHEST:,.0f} "
                    f"widths of the pad, not {number:g}."
                )
        object.__setattr__(self, "strokes", tuple(filter(None, checked)))

    @property
    def is_empty(self) -> bool:
        """Whether there is no point."""
        return not self.strokes

    def to_image(self, *, scale: bool = True, center: bool = True, pen: float = PEN_PX) -> Tensor:
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
        return draw_images([self], scale=scale, center=center, pen=pen)[0]

    def to_stages(
        self, *, scale: bool = True, center: bool = True, pen: float = PEN_PX
    ) -> tuple[Stage, Stage, Stage]:
        """Draw the strokes after each step; the arguments and errors are those of `to_image`."""
        drawn = self.to_image(scale=False, center=False, pen=pen)
        scaled = self.to_image(scale=True, center=False, pen=pen) if scale else drawn
        centered = self.to_image(scale=scale, center=True, pen=pen) if center else scaled
        return (
            Stage("As drawn", True, drawn),
            Stage("Scaled", scale, scaled),
            Stage("Centered", center, centered),
        )


def draw_images(
    drawings: Sequence[Drawing], *, scale: bool = True, center: bool = True, pen: float = PEN_PX
) -> Tensor:
    """Draw N drawings at once, as `Drawing.to_image` does one.

    Returns:
        uint8 (N, 28, 28), white on black.

    Raises:
        ValueError: `pen` is not above 0 and at most 5.
    """
    if not 0 < pen <= 5:
        raise ValueError(f"pen must be above 0 and at most 5 pixels, not {pen}.")
    images = torch.zeros(len(drawings), FRAME_PX, FRAME_PX, dtype=torch.uint8)
    drawn = [index for index, drawing in enumerate(drawings) if not drawing.is_empty]
    for first in range(0, len(drawn), _MOST_AT_ONCE):
        part = drawn[first : first + _MOST_AT_ONCE]
        lines = to_lines([drawings[index].strokes for index in part])
        lines = fit_lines(lines, pen) if scale else lines
        lines = center_lines(lines, pen) if center else lines
        images[part] = torch.from_numpy((draw_lines(lines, pen) * 255).round().astype("uint8"))
    return images


def _to_points(stroke: Iterable[Iterable[float]]) -> tuple[tuple[float, float], ...]:
    """Convert the points of a stroke to floats; `float` alone would also take "0.5" and True.

    Raises:
        TypeError: A point is not two numbers; so for ValueError and OverflowError.
    """
    points = [(x, y) for x, y in stroke]
    if {type(number) for point in points for number in point} & {bool, str, bytes}:
        raise TypeError
    return tuple((float(x), float(y)) for x, y in points)
