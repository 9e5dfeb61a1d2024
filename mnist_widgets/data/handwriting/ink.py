"""Find the one digit in a photo of paper.

The paper may be lit unevenly, be squared, or be black with white chalk. A photo goes through these
steps: white paper or dark ground, remove the background, threshold, choose the pieces of ink that
are the digit, thicken thin strokes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mnist_widgets.data.handwriting.pixels import DIGIT_PX, PEN_PX, fit_ink

WORKING_PX = 640
"""The longer side of a photo in which ink is searched."""

SMALLEST_DIGIT_PX = 24
"""The shortest longer side of a digit, of 640 pixels; below, its strokes are a pixel wide."""

NO_INK = "it has no ink that stands out from the paper"
TOO_NOISY = (
    "its digit does not stand out from the paper, or fills the picture; leave some empty paper "
    "around the digit, and take the picture in better light"
)
AT_EDGE = "its ink touches the edge; leave some empty paper around the digit"
SEVERAL = "it shows more than one digit; crop the picture to one"
TOO_SMALL = "its digit is too small; take it from nearer, or crop the picture to the digit"

_BRIGHTEST_GROUND = 0.6  # of a chalkboard; 1 is white
_PAPER_PX, _GAP_PX = 160, 43  # longer side of a small copy; strokes are narrower than the gap
_CELL_PX = 4
_SHARES = (0.4, 0.55, 0.7)  # of the contrast of the ink; squared paper needs the higher ones
_NOT_INK = 0.9996  # share of the pixels; a small digit has 120 or more
_FAINTEST = 0.18  # contrast of ink with the paper: 0 none, 1 black on white
_SPECK = 0.08  # of the size of the largest piece; smaller ones are left out
_MOST_PIECES, _FARTHEST, _WIDEST = 4, 0.35, 1.6  # one digit: longer sides apart, width of a height
_CROP_PX = 160


class Box(NamedTuple):
    """The rows and columns that hold some ink, up to but without `bottom` and `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    @property
    def longer(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    def distance_to(self, other: Box) -> int:
        """Return how many rows or columns lie between two boxes, whichever are more."""
        rows = max(self.top, other.top) - min(self.bottom, other.bottom)
        columns = max(self.left, other.left) - min(self.right, other.right)
        return max(rows, columns)


class RefusedPictureError(ValueError):
    """A picture cannot be used. The message is a clause that says why and what to do."""


def find_digit(photo: Tensor) -> Tensor:
    """Find the digit in a photo, and scale and center it as MNIST's are.

    Args:
        photo: float32 (3, H, W) in [0, 1]; the longer side has 640 pixels.

    Returns:
        uint8 (28, 28), white on black.

    Raises:
        RefusedPictureError: There is no ink, more than one digit, only noise, or the digit is too
            small or touches the edge.
    """
    contrast = measure_contrast(photo)
    strongest = float(contrast.quantile(_NOT_INK, interpolation="nearest"))
    if strongest < _FAINTEST:
        raise RefusedPictureError(TOO_SMALL if contrast.max() > 2 * _FAINTEST else NO_INK)
    if strongest < 8 * (contrast - contrast.median()).abs().median():
        raise RefusedPictureError(TOO_NOISY)
    for share in _SHARES:
        mask = contrast > share * strongest
        digit = _choose_pieces(mask)
        if digit is None or (share > _SHARES[0] and digit.sum() < mask.sum() / 2):
            continue  # perhaps the lines of squared paper, which are fainter than the ink
        ink = _thicken(_crop(contrast * digit) > share * strongest)
        return fit_ink(ink[None])[0].mul(255).round().to(torch.uint8)
    raise RefusedPictureError(AT_EDGE)


def measure_contrast(photo: Tensor) -> Tensor:
    """Return how much darker each pixel is than the paper around it.

    Light and shadow change paper and ink by the same factor, so their ratio is compared. On a dark
    ground it is how much brighter each pixel is, as a difference.

    Args:
        photo: float32 (3, H, W) in [0, 1].

    Returns:
        float32 (H, W) in [0, 1]: 0 where there is only paper.
    """
    is_dark = _is_dark_ground(photo.mean(0))
    gray = 1 - photo.amax(0) if is_dark else photo.amin(0)  # the latter: blue and red ink are dark
    size = list(gray.shape)
    small_size = [max(1, round(side * _PAPER_PX / max(size))) for side in size]
    small = functional.interpolate(gray[None, None], size=small_size, mode="area")
    # Closing: strokes, narrower than the gap, take the brightness of the paper on both sides, and
    # the edge of a shadow stays where it is.
    reach = _GAP_PX // 2
    padded = functional.pad(small, [reach] * 4, mode="replicate")
    paper = -_spread_maximum(-_spread_maximum(padded))[:, :, reach:-reach, reach:-reach]
    paper = -functional.max_pool2d(-paper, 3, 1, 1)  # interpolation would leave a line at an edge
    paper = functional.interpolate(paper, size=size, mode="bilinear")[0, 0]
    smooth = functional.avg_pool2d(gray[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    contrast = (paper - smooth).clamp(min=0)
    return contrast if is_dark else contrast / paper.clamp(min=0.05)


def _spread_maximum(images: Tensor) -> Tensor:
    """Return the maximum of the square around each pixel of images (1, 1, H, W)."""
    reach = _GAP_PX // 2
    rows = functional.max_pool2d(images, (_GAP_PX, 1), 1, (reach, 0))
    return functional.max_pool2d(rows, (1, _GAP_PX), 1, (0, reach))


def _is_dark_ground(gray: Tensor) -> bool:
    """Return whether the ink is brighter than the ground of an image (H, W).

    Strokes differ from what is around them in one direction only, the edge of a shadow in both.
    """
    small = functional.interpolate(gray[None, None], size=(64, 64), mode="area")
    around = functional.avg_pool2d(small, 17, 1, 8, count_include_pad=False)
    is_brighter = (small - around).pow(3).sum() > 0
    return bool(is_brighter and gray.median() < _BRIGHTEST_GROUND)


def _choose_pieces(mask: Tensor) -> Tensor | None:
    """Return the part of a mask (H, W) that is one digit: its largest piece, and those beside it.

    Pieces less than some 8 pixels apart count as one. Those that touch the edge, such as a pen or
    a table, and specks are left out. Return None if nothing else is there.

    Raises:
        RefusedPictureError: It is too small, or there are more.
    """
    height, width = mask.shape
    edges = (0, -width % _CELL_PX, 0, -height % _CELL_PX)
    padded = functional.pad(mask.float(), edges)[None, None]
    pieces = _label_pieces(functional.max_pool2d(padded, _CELL_PX)[0, 0] > 0)
    num_pixels = functional.avg_pool2d(padded, _CELL_PX)[0, 0] * _CELL_PX**2
    sizes = torch.zeros(pieces.numel() + 1)
    sizes.index_add_(0, pieces.flatten(), num_pixels.flatten())
    sizes[torch.cat([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])] = 0
    main = _find_box(pieces == sizes.argmax()) if sizes.any() else Box(0, 0, 0, 0)
    longer_px = main.longer * _CELL_PX
    if longer_px < SMALLEST_DIGIT_PX:
        if num_pixels.sum() > sizes.sum():
            return None
        raise RefusedPictureError(TOO_SMALL)
    kept = (sizes > _SPECK * sizes.max()).nonzero().flatten()
    boxes = [_find_box(pieces == piece) for piece in kept]
    if len(boxes) > _MOST_PIECES:
        raise RefusedPictureError(
            f"it has {len(boxes)} separate pieces of ink, more than one digit has; write one digit "
            "on plain paper, or crop the picture to one"
        )
    digit = torch.isin(pieces, kept)
    whole = _find_box(digit)
    is_far = any(main.distance_to(box) > _FARTHEST * main.longer for box in boxes)
    if is_far or whole.width > _WIDEST * whole.height:
        raise RefusedPictureError(SEVERAL)
    whole_cells = digit.repeat_interleave(_CELL_PX, 0).repeat_interleave(_CELL_PX, 1)
    return mask & whole_cells[:height, :width]


def _label_pieces(cells: Tensor) -> Tensor:
    """Return the number of the piece of each cell, int64 (H, W); 0 for no piece.

    Cells of a piece touch each other, by a corner at least.
    """
    numbers = torch.arange(1, cells.numel() + 1, dtype=torch.float32).view_as(cells) * cells
    while True:
        spread = functional.max_pool2d(numbers[None, None], 3, 1, 1)[0, 0] * cells
        if torch.equal(spread, numbers):
            return numbers.long()
        numbers = spread


def _find_box(mask: Tensor) -> Box:
    """Return the box of a mask (H, W) that is not empty."""
    rows, columns = (mask.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def _crop(ink: Tensor) -> Tensor:
    """Cut the ink out of an image (H, W) and scale its longer side to 160 pixels."""
    box = _find_box(ink > 0)
    cut = ink[None, None, box.top : box.bottom, box.left : box.right]
    size = [max(1, round(side * _CROP_PX / box.longer)) for side in (box.height, box.width)]
    return functional.interpolate(cut, size=size, mode="bilinear", antialias=True)[0, 0]


def _thicken(mask: Tensor) -> Tensor:
    """Widen strokes that are thinner than those of the pen; return float32 with room around them.

    Scaled down to 20 pixels, a thin stroke would become a faint line that MNIST does not have.
    """
    outlined = functional.pad(mask.float(), (1, 1, 1, 1))
    outline = sum(float((outlined.diff(dim=axis) != 0).sum()) for axis in (0, 1))
    # A stroke of the width w and the length l has the area w * l and the outline 2 * l. Counted
    # along pixels, an outline in all directions is 4 / pi times as long.
    radius = float(outlined.sum()) / (outline * torch.pi / 4)
    longer = max(mask.shape)
    # With both sides wider by `growth`, the radius is PEN_PX when the longer side is DIGIT_PX.
    growth = (PEN_PX / DIGIT_PX * longer - radius) / (1 - 2 * PEN_PX / DIGIT_PX)
    room = max(1, math.ceil(growth))
    padded = functional.pad(mask.float(), (room, room, room, room))
    if growth < 0.5:
        return padded
    axis = torch.arange(-room, room + 1.0)
    disc = ((axis[:, None] ** 2 + axis**2) <= growth**2).float()
    covered = functional.conv2d(padded[None, None], disc[None, None], padding=room)[0, 0]
    return (covered > 0.5).float()
