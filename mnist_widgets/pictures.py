"""Confusion counts, images and predictions as PNGs, for pages on which no widget lives.

How cells are coloured is `confusion_view`, what is said beside the pictures `twins`; the loss has
its own module, `loss_picture`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mnist_widgets.canvas import GRID, INK, QUIET, Canvas, text_width
from mnist_widgets.confusion_view import SET_ASIDE, color_cells, write_cells
from mnist_widgets.images import to_pixels

BAR, RIGHT, WRONG = "#0072b2", "#009e73", "#d55e00"
"""The colours of bars and of frames around images: those of the live panels on a light page."""

CELL_PX, TILE_PX = 40, 36
"""Edges of a confusion matrix's cell and of an image with its frame, in pixels of the page."""

_STRONGEST_CELL = np.array([136, 191, 231])  # the live chart's strongest colour over white
_CELL_ASIDE = np.array([228, 228, 228])
_FRAMES = {"right": (RIGHT, 2.0), "wrong": (WRONG, 3.5), "": (QUIET, 0.5)}


def draw_confusion(counts: Tensor, class_names: Sequence[str], noun: str) -> bytes:
    """Draw a confusion matrix in which the mistakes stand out.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        class_names: what the classes are called, in their order.
        noun: what a class is: `digit` or `class`.

    Returns:
        A PNG; a cell is 40 pixels of the page wide and high.
    """
    strengths, texts = color_cells(counts, "counts", True), write_cells(counts, "counts")
    longest_px = max(map(text_width, class_names))
    side_px = CELL_PX * len(class_names)
    left, are_long = longest_px + 34, longest_px > CELL_PX - 4
    bottom = longest_px + 30 if are_long else 44
    canvas = Canvas(left + side_px + 6, 6 + side_px + bottom)
    for row, name in enumerate(class_names):
        middle = (row + 0.5) * CELL_PX
        canvas.text((left - 8, 6 + middle), name, anchor="rm")
        if are_long:
            canvas.text_upwards((left + middle, 12 + side_px), name, anchor="r")
        else:
            canvas.text((left + middle, 18 + side_px), name)
        for column in range(len(class_names)):
            start = (left + column * CELL_PX, 6 + row * CELL_PX)
            end = (start[0] + CELL_PX, start[1] + CELL_PX)
            canvas.box(start, end, _cell_color(strengths[row, column]), edge="#bdbdbd", width=0.5)
            text = str(texts[row, column])
            middle_of_cell = (start[0] + CELL_PX / 2, start[1] + CELL_PX / 2)
            canvas.text(middle_of_cell, text, color="#9e9e9e" if text == "0" else INK)
    canvas.text_upwards((12, 6 + side_px / 2), f"True {noun}")
    canvas.text((left + side_px / 2, 6 + side_px + bottom - 12), f"Predicted {noun}")
    return canvas.to_png()


def draw_images(images: Tensor, verdicts: Sequence[str], num_columns: int) -> bytes:
    """Draw images in rows, each in a frame that says what the network makes of it.

    Args:
        images: uint8 (N, 28, 28), N at least 1.
        verdicts: `"right"`, `"wrong"` or `""` for each.
        num_columns: images side by side.

    Returns:
        A PNG; each image has a square of 36 pixels of the page.
    """
    canvas = Canvas(num_columns * TILE_PX, math.ceil(len(images) / num_columns) * TILE_PX)
    for at, (image, verdict) in enumerate(zip(images, verdicts, strict=True)):
        x, y = at % num_columns * TILE_PX, at // num_columns * TILE_PX
        color, width = _FRAMES[verdict]
        canvas.box((x + 1, y + 1), (x + TILE_PX - 1.5, y + TILE_PX - 1.5), "black", color, width)
        canvas.paste(to_pixels(image), (x + 4, y + 4), scale=1)
        if verdict == "wrong":  # a mark, for whoever cannot tell the colours
            canvas.box((x + 24, y + 1), (x + 34, y + 11), WRONG)
            canvas.line([(x + 26, y + 3), (x + 32, y + 9)], "black", 1.5)
            canvas.line([(x + 26, y + 9), (x + 32, y + 3)], "black", 1.5)
    return canvas.to_png()


def draw_prediction(
    image: Tensor, probabilities: Tensor, class_names: Sequence[str], true_label: int | None
) -> bytes:
    """Draw one image beside its classes' probabilities as bars, the true class in a frame.

    Args:
        image: (28, 28) or (1, 28, 28), uint8 or floats in [0, 1].
        probabilities: (C,), which sum to 1; NaN is drawn as nothing.
        class_names: what the classes are called, in their order.
        true_label: the image's class, if it is known.

    Returns:
        A PNG, 560 pixels of the page wide.
    """
    longest_px = max(map(text_width, class_names))
    step_px = 368 / len(class_names)
    are_long = longest_px > step_px - 4
    canvas = Canvas(560, 172 + (longest_px + 8 if are_long else 20))
    canvas.paste(to_pixels(image).reshape(28, 28), (4, 16), scale=5)
    for share in (0.0, 0.5, 1.0):
        y = 166 - 150 * share
        canvas.line([(186, y), (556, y)], GRID)
        canvas.text((182, y), f"{share:.0%}", anchor="rm", color=QUIET, size=10)
    for at, (name, share) in enumerate(
        zip(class_names, probabilities.nan_to_num(0).tolist(), strict=True)
    ):
        left, right = 186 + step_px * (at + 0.15), 186 + step_px * (at + 0.85)
        canvas.box((left, 166 - 150 * share), (right, 166), BAR)
        if at == true_label:
            canvas.box((left, 16), (right, 166), None, edge=INK)
            canvas.text(((left + right) / 2, 8), "true", size=10)
        middle = (left + right) / 2
        if are_long:
            canvas.text_upwards((middle, 172), name, anchor="r")
        else:
            canvas.text((middle, 178), name)
    return canvas.to_png()


def _cell_color(strength: float) -> str:
    color = _CELL_ASIDE if strength == SET_ASIDE else 255 + strength * (_STRONGEST_CELL - 255)
    return "#" + "".join(f"{round(part):02x}" for part in color)
