"""Crop, scale and center images of digits as MNIST's are.

In MNIST the longer side of a digit is 20 pixels, and its center of mass lies on pixel (14, 14) of
28x28, counted from 0 (measured; LeCun et al., yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import torch
from torch import Tensor

FRAME_PX = 28
DIGIT_PX = 20
CENTER_PX = 14.5
"""The middle of pixel 14, in pixels from the edge of the frame."""
PEN_PX = 1.3
"""Radius of the pen that draws strokes, and that thin strokes on photos are thickened to."""


def fit_ink(ink: Tensor) -> Tensor:
    """Crop images to their ink, scale and center them as MNIST's are.

    The longer side of the ink becomes 20 pixels, and its center of mass moves to pixel (14, 14), by
    a whole number of pixels. An image of 28x28 that already has this size and place stays as it is,
    and so does one without ink.

    Args:
        ink: float32 (N, H, W), 0 where there is no ink; of any size.

    Returns:
        float32 (N, 28, 28), the mean ink below each pixel. Enlarged images are interpolated.
    """
    tops, heights = _find_extents(ink.amax(2))
    lefts, widths = _find_extents(ink.amax(1))
    scales = torch.maximum(heights, widths) / DIGIT_PX  # pixels of `ink` in one of the result
    rows = _make_weights(ink.sum(2), tops, heights, scales)
    columns = _make_weights(ink.sum(1), lefts, widths, scales)
    return rows @ ink @ columns.transpose(1, 2)


def _find_extents(profiles: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the ink of profiles (N, L) begins, and its length, float32 (N,) each.

    An empty profile begins at 0 and has the length L.
    """
    is_ink = profiles > 0
    is_ink |= ~is_ink.any(dim=1, keepdim=True)
    begins = is_ink.int().argmax(dim=1)
    ends = profiles.shape[1] - is_ink.flip(1).int().argmax(dim=1)
    return begins.float(), (ends - begins).float()


def _make_weights(mass: Tensor, begins: Tensor, lengths: Tensor, scales: Tensor) -> Tensor:
    """Return how much each of L pixels along one axis adds to each of the 28, (N, 28, L).

    Args:
        mass: (N, L), the ink along the axis.
        begins: (N,), where the ink begins, in pixels.
        lengths: (N,), in pixels.
        scales: (N,), pixels for each of the 28.
    """
    edges = torch.arange(mass.shape[1], dtype=torch.float32)
    centers = (mass @ (edges + 0.5)) / mass.sum(dim=1).clamp(min=1e-9)
    # A whole number of pixels, so that an image of the right size is moved without blur. A half,
    # which symmetric digits have, is rounded down, despite small numerical errors.
    starts = (CENTER_PX - (centers - begins) / scales - 1e-3).round()
    room = (FRAME_PX - lengths / scales).floor().clamp(min=0)
    starts = torch.minimum(starts.clamp(min=0), room)

    middles = torch.arange(FRAME_PX) + 0.5 - starts[:, None]
    middles = (begins[:, None] + middles * scales[:, None])[:, :, None]
    # The mean over the area of the pixel, and over at least one pixel of the image. The latter is
    # linear interpolation.
    halves = (scales.clamp(min=1) / 2)[:, None, None]
    overlaps = torch.minimum(middles + halves, edges + 1) - torch.maximum(middles - halves, edges)
    return overlaps.clamp(min=0) / (2 * halves)
