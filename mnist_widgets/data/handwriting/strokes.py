"""Turn the lines of a pen into pixels.

Positions are in pixels from the top left edge of the image; the middle of pixel 0 is at 0.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_PX = 28
DIGIT_PX = 20
CENTER_PX = 14.5
"""The middle of pixel 14, in pixels from the edge of the frame."""

_SMALLEST_EXTENT = 1e-6  # of the pad; a smaller drawing is a dot
_MOST_AT_ONCE = 512  # segments; their distances to all pixels take 1.6 MB

Lines = NDArray[np.float64]
"""Segments (S, 2, 2): start and end, each x and y."""


def to_lines(strokes: tuple[tuple[tuple[float, float], ...], ...]) -> Lines:
    """Divide strokes into segments; a stroke of a single point is a segment without length."""
    parts = [np.array(stroke if len(stroke) > 1 else stroke * 2) for stroke in strokes if stroke]
    return np.concatenate([np.stack([part[:-1], part[1:]], axis=1) for part in parts])


def fit_lines(lines: Lines, pen: float) -> Lines:
    """Scale lines until the longer side of their ink is 20 pixels, in the middle of the frame."""
    extent = float(np.ptp(lines, axis=(0, 1)).max())
    scale = (DIGIT_PX - 2 * pen) / extent if extent > _SMALLEST_EXTENT else FRAME_PX
    return _put_in_middle(lines * scale)


def center_lines(lines: Lines, pen: float) -> Lines:
    """Move lines until the center of mass of their ink is the middle of pixel (14, 14).

    Where that would cut ink off at the border, it is moved less.
    """
    lines = _put_in_middle(lines)
    ink = draw_lines(lines, pen)
    middles = np.arange(FRAME_PX) + 0.5
    total = ink.sum()
    if total == 0:  # all of it is outside the frame
        return lines
    shift = CENTER_PX - np.array([ink.sum(0) @ middles, ink.sum(1) @ middles]) / total
    margin = pen + 0.5
    lowest = margin - lines.min(axis=(0, 1))
    highest = FRAME_PX - margin - lines.max(axis=(0, 1))
    return lines + np.where(lowest <= highest, np.clip(shift, lowest, highest), shift)


def draw_lines(lines: Lines, pen: float) -> NDArray[np.float32]:
    """Draw lines with a round pen whose edge fades over one pixel.

    Args:
        lines: Segments (S, 2, 2) in pixels.
        pen: The radius in pixels at which the ink is half as dark.

    Returns:
        float32 (28, 28) in [0, 1].
    """
    squares = np.full((FRAME_PX, FRAME_PX), np.inf, dtype=np.float32)
    for first in range(0, len(lines), _MOST_AT_ONCE):
        part = _measure_squares(lines[first : first + _MOST_AT_ONCE].astype(np.float32))
        np.minimum(squares, part, out=squares)
    return np.clip(np.float32(pen + 0.5) - np.sqrt(squares), 0, 1)


def _measure_squares(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure the squared distance of each pixel's middle to the nearest line, (28, 28)."""
    middles = np.arange(FRAME_PX, dtype=np.float32) + np.float32(0.5)
    starts, along = lines[:, 0], lines[:, 1] - lines[:, 0]
    x = middles[None, None, :] - starts[:, 0, None, None]
    y = middles[None, :, None] - starts[:, 1, None, None]
    dx, dy = along[:, 0, None, None], along[:, 1, None, None]
    lengths = np.maximum(dx * dx + dy * dy, np.float32(1e-12))
    share = np.clip((x * dx + y * dy) / lengths, 0, 1)
    nearest: NDArray[np.float32] = ((x - share * dx) ** 2 + (y - share * dy) ** 2).min(axis=0)
    return nearest


def _put_in_middle(lines: Lines) -> Lines:
    middle = (lines.min(axis=(0, 1)) + lines.max(axis=(0, 1))) / 2
    return lines + (FRAME_PX / 2 - middle)
