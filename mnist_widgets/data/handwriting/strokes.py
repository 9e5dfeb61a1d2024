"""Turn the lines of a pen into pixels, for many drawings at once.

Positions are in pixels from the top left edge of the image; the middle of pixel 0 is at 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_widgets.data.handwriting.pixels import CENTER_PX, DIGIT_PX, FRAME_PX

_SMALLEST_EXTENT_PX = 1e-5  # what is smaller stays a dot
_SHORT_PX = (0.5, 2.0)  # segments up to each length are compared with the pixels near them only
_MOST_AT_ONCE = 400_000  # distances, in chunks that take 1.6 MB

Strokes = tuple[tuple[tuple[float, float], ...], ...]


class Lines(NamedTuple):
    """The segments of N drawings that are not empty, one drawing after the other.

    Attributes:
        ends: (S, 2, 2), the start and the end of each segment, each x and y.
        owners: int64 (S,), the index of the drawing of each segment.
        firsts: int64 (N,), the index of the first segment of each drawing.
    """

    ends: NDArray[np.float64]
    owners: NDArray[np.int64]
    firsts: NDArray[np.int64]

    def find_box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and the highest x and y of each drawing, (N, 2) each."""
        starts, ends = self.ends[:, 0], self.ends[:, 1]
        lowest = np.minimum.reduceat(np.minimum(starts, ends), self.firsts)
        return lowest, np.maximum.reduceat(np.maximum(starts, ends), self.firsts)

    def scale(self, factors: NDArray[np.float64]) -> Lines:
        """Multiply the positions of each drawing by its factor, (N,)."""
        return self._replace(ends=self.ends * factors[self.owners, None, None])

    def move(self, shifts: NDArray[np.float64]) -> Lines:
        """Move each drawing by its x and y, (N, 2)."""
        return self._replace(ends=self.ends + shifts[self.owners, None])

    def put_in_middle(self) -> Lines:
        """Move the box of each drawing to the middle of the frame."""
        lowest, highest = self.find_box()
        return self.move(FRAME_PX / 2 - (lowest + highest) / 2)


def to_lines(drawings: Sequence[Strokes]) -> Lines:
    """Divide strokes into segments, with the pad as wide as the frame.

    Args:
        drawings: The strokes of each drawing, none of them empty. A stroke of a single point
            becomes a segment without length.
    """
    parts = []
    num_segments = []
    for strokes in drawings:
        paths = [np.array(stroke if len(stroke) > 1 else stroke * 2) for stroke in strokes]
        parts += [np.stack([path[:-1], path[1:]], axis=1) for path in paths]
        num_segments.append(sum(len(path) - 1 for path in paths))
    counts = np.array(num_segments)
    ends = np.concatenate(parts) * FRAME_PX
    return Lines(ends, np.repeat(np.arange(len(counts)), counts), counts.cumsum() - counts)


def fit_lines(lines: Lines, pen: float) -> Lines:
    """Scale drawings until the longer side of their ink is 20 pixels, in the middle."""
    lowest, highest = lines.find_box()
    extents = (highest - lowest).max(axis=1)
    factors = (DIGIT_PX - 2 * pen) / np.maximum(extents, _SMALLEST_EXTENT_PX)
    return lines.scale(factors).put_in_middle()


def center_lines(lines: Lines, pen: float) -> Lines:
    """Move drawings until the center of mass of their ink is the middle of pixel (14, 14).

    Where that would cut ink off at the border, they are moved less.
    """
    lines = lines.put_in_middle()
    ink = draw_lines(lines, pen)
    middles = np.arange(FRAME_PX) + 0.5
    totals = ink.sum(axis=(1, 2))[:, None]
    centers = np.stack([ink.sum(axis=1) @ middles, ink.sum(axis=2) @ middles], axis=1)
    shifts = CENTER_PX - centers / np.where(totals > 0, totals, 1)
    lowest, highest = lines.find_box()
    margin = pen + 0.5
    least, most = margin - lowest, FRAME_PX - margin - highest
    shifts = np.where(least <= most, np.clip(shifts, least, most), shifts)
    return lines.move(np.where(totals > 0, shifts, 0))  # 0: all ink is outside the frame


def draw_lines(lines: Lines, pen: float) -> NDArray[np.float32]:
    """Draw lines with a round pen whose edge fades over one pixel.

    Args:
        lines: The segments of N drawings, in pixels.
        pen: The radius in pixels at which the ink is half as dark.

    Returns:
        float32 (N, 28, 28) in [0, 1].
    """
    squares = np.full((len(lines.firsts), FRAME_PX, FRAME_PX), np.inf, dtype=np.float32)
    extents = np.abs(lines.ends[:, 1] - lines.ends[:, 0]).max(axis=1)
    groups = np.searchsorted(_SHORT_PX, extents)
    windows = [min(FRAME_PX, int(short + 2 * (pen + 0.5)) + 1) for short in _SHORT_PX]
    for group, window_px in enumerate([*windows, FRAME_PX]):
        is_chosen = groups == group
        ends, owners = lines.ends[is_chosen].astype(np.float32), lines.owners[is_chosen]
        step = _MOST_AT_ONCE // window_px**2
        for first in range(0, len(ends), step):
            part = slice(first, first + step)
            _lower_squares(squares, ends[part], owners[part], pen, window_px)
    return np.clip(np.float32(pen + 0.5) - np.sqrt(squares), 0, 1)


def _lower_squares(
    squares: NDArray[np.float32],
    ends: NDArray[np.float32],
    owners: NDArray[np.int64],
    pen: float,
    window_px: int,
) -> None:
    """Lower the squared distances (N, 28, 28) where segments are nearer than those before them.

    Only the pixels in a window around each segment are compared, which must hold all of its ink.
    """
    # The first pixel whose middle is in the reach of the pen, which is pen + 0.5 pixels.
    corners = np.ceil(np.minimum(ends[:, 0], ends[:, 1]) - np.float32(pen + 1))
    corners = corners.clip(0, FRAME_PX - window_px).astype(np.int64)
    indices = corners[:, :, None] + np.arange(window_px)  # (S, 2, window), of columns and rows
    middles = indices.astype(np.float32) + np.float32(0.5)
    starts, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    x = (middles[:, 0] - starts[:, :1])[:, None, :]
    y = (middles[:, 1] - starts[:, 1:])[:, :, None]
    dx, dy = along[:, 0, None, None], along[:, 1, None, None]
    lengths = np.maximum(dx * dx + dy * dy, np.float32(1e-12))
    shares = x * (dx / lengths) + y * (dy / lengths)
    np.clip(shares, 0, 1, out=shares)
    nearest = (x - shares * dx) ** 2
    nearest += (y - shares * dy) ** 2
    rows = (owners[:, None] * FRAME_PX + indices[:, 1]) * FRAME_PX
    pixels = rows[:, :, None] + indices[:, 0][:, None, :]
    np.minimum.at(squares.reshape(-1), pixels.reshape(-1), nearest.reshape(-1))  # flat: faster
