"""Charts as PNGs, drawn without a browser, for pages without live widgets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.data.images import to_pixels
from mnist_widgets.rendering.confusion_captions import color_cells, write_cells
from mnist_widgets.rendering.curves.curves import Curves
from mnist_widgets.rendering.curves.repeat_series import RepeatSeries, count_seeds, name_single
from mnist_widgets.rendering.curves.series import Numbers
from mnist_widgets.rendering.palette import LIGHT, blend_with_white
from mnist_widgets.rendering.png_canvas import (
    GRID,
    INK,
    PIXEL_RATIO,
    QUIET,
    Canvas,
    Position,
    text_width,
)

PLOT = (58, 34, 622, 258)
"""Left, top, right and bottom of the axes of a chart of curves, in pixels of the page."""

CELL_PX, TILE_PX = 40, 36
"""Edges of a confusion matrix's cell and of an image with its frame, in pixels of the page."""

MOST_NUMBERED = 40
"""Classes of a confusion matrix whose cells are large enough for their numbers."""

_SMALL_SIDE_PX = 600
"""The largest edge of a matrix without numbers; from 1,200 classes on, a cell is half a pixel."""

# For each verdict: the colour and the width of an image's frame.
_FRAMES = {"right": (LIGHT["right"], 2.0), "wrong": (LIGHT["wrong"], 3.5), "": (QUIET, 0.5)}

# For each line of a chart of curves, from back to front: its width, 0 for no line; and the corners
# of its dots, 0 for round dots, None for no dots.
_STYLES: dict[str, tuple[int, int | None]] = {
    "faint": (1, None),
    "strong": (2, None),
    "test": (2, 4),
    "train": (2, 0),
    "mean": (0, 0),
    "seeds": (3, None),
}
_RANGE = ("#e4d7e0", LIGHT["seeds"])
"""The fill and the outline of the range of a repeat."""


def draw_curves(
    curves: Curves,
    axis_label: str,
    key: Mapping[str, str],
    seeds: RepeatSeries | None = None,
    spread_words: str = "",
) -> bytes:
    """Draw the losses or the accuracies of a training.

    Args:
        curves: what to draw.
        axis_label: names the values.
        key: the words of lines and points, by the names of their colours.
        seeds: the median and the range of the repeat that the training belongs to, not empty.
        spread_words: what these are of, such as `test loss`.

    Returns:
        A PNG, 640 by 300 pixels of the page.
    """
    x_range, y_range = curves.choose_axes([] if seeds is None else seeds.lines)
    canvas = Canvas(640, 300)
    left, top, right, bottom = PLOT
    top += 0 if seeds is None else 20  # a second line of the key

    def find_x(values: Numbers) -> Numbers:
        return left + (right - left) * x_range.locate(values)

    def find_y(values: Numbers) -> Numbers:
        return bottom + (top - bottom) * y_range.locate(values)

    for x, tick in zip(find_x(x_range.ticks), x_range.ticks, strict=True):
        canvas.line([(x, top), (x, bottom)], GRID)
        canvas.text((x, bottom + 12), f"{tick:,.0f}", size=11)
    for y, tick in zip(find_y(y_range.ticks), y_range.ticks, strict=True):
        canvas.line([(left, y), (right, y)], GRID)
        canvas.text((left - 8, y), f"{tick:g}", anchor="rm", size=11)
    canvas.text(((left + right) / 2, bottom + 32), "Batch")
    canvas.text_upwards((12, (top + bottom) / 2), axis_label)
    if seeds is not None:
        positions, values = seeds.outline
        canvas.area(list(zip(find_x(positions), find_y(values), strict=True)), *_RANGE)
        canvas.area([(left, 29), (left + 22, 29), (left + 22, 39), (left, 39)], *_RANGE)
        _draw_line(canvas, "seeds", [(left, 34), (left + 22, 34)], [])
        words = f"{count_seeds(seeds.repeat)}, {spread_words}: median and range"
        single = name_single(seeds.repeat, curves.history)
        canvas.text((left + 28, 34), f"{words}. Above: {single}", anchor="lm")
    x = left
    for name, label in key.items():
        _draw_line(canvas, name, [(x, 14), (x + 22, 14)], [(x + 11, 14)])
        canvas.text((x + 28, 14), label, anchor="lm")
        x += 48 + text_width(label)
    (faint, strong) = zip(*curves.batches, strict=True)
    lines = {"faint": faint, "strong": strong, **curves.epochs}
    if seeds is not None:
        lines["seeds"] = seeds.main
    for name in filter(lines.__contains__, _STYLES):
        batches, values = lines[name]
        points = list(zip(find_x(batches), find_y(values), strict=True))
        _draw_line(canvas, name, points, points)
    return canvas.to_png()


def draw_confusion(counts: Tensor, class_names: Sequence[str], noun: str) -> bytes:
    """Draw a confusion matrix that highlights the mistakes.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.

    Returns:
        A PNG; a cell is 40 pixels of the page wide and high. With more than `MOST_NUMBERED`
        classes it is a small square without number, and the classes have no names.
    """
    if len(class_names) > MOST_NUMBERED:
        return _draw_small_cells(counts, noun)
    strengths, texts = color_cells(counts, "counts", True), write_cells(counts, "counts")
    side_px = CELL_PX * len(class_names)
    longest_px = max(map(text_width, class_names))
    left, bottom = longest_px + 34, longest_px + 30 if longest_px > CELL_PX - 4 else 44
    canvas = Canvas(left + side_px + 6, 6 + side_px + bottom)
    _write_names(canvas, class_names, (left, 12 + side_px), CELL_PX)
    for row, name in enumerate(class_names):
        y = 6 + (row + 0.5) * CELL_PX
        canvas.text((left - 8, y), name, anchor="rm")
        for column, text in enumerate(texts[row]):
            x, half = left + (column + 0.5) * CELL_PX, CELL_PX / 2
            color = blend_with_white(LIGHT["cell"], strengths[row, column])
            if row == column:
                color = blend_with_white(LIGHT["diagonal"])
            canvas.box((x - half, y - half), (x + half, y + half), color, "#bdbdbd", 0.5)
            canvas.text((x, y), text, color="#9e9e9e" if text == "0" else INK)
    canvas.text_upwards((12, 6 + side_px / 2), f"True {noun}")
    canvas.text((left + side_px / 2, 6 + side_px + bottom - 12), f"Predicted {noun}")
    return canvas.to_png()


def _draw_small_cells(counts: Tensor, noun: str) -> bytes:
    fine_px = max(1, _SMALL_SIDE_PX * PIXEL_RATIO // len(counts))
    side_px = len(counts) * fine_px / PIXEL_RATIO
    ramp = [blend_with_white(LIGHT["cell"], step / 64) for step in range(65)]
    grey = blend_with_white(LIGHT["diagonal"])
    colors = np.array([[*bytes.fromhex(color[1:])] for color in [*ramp, grey]], np.uint8)
    steps = np.ceil(64 * color_cells(counts, "counts", True)).astype(int)
    np.fill_diagonal(steps, len(ramp))
    canvas = Canvas(side_px + 40, side_px + 40)
    canvas.paste(torch.from_numpy(colors[steps]), (34, 6), scale=fine_px / PIXEL_RATIO)
    canvas.text_upwards((16, 6 + side_px / 2), f"True {noun}")
    canvas.text((34 + side_px / 2, side_px + 24), f"Predicted {noun}")
    return canvas.to_png()


def draw_images(images: Tensor, verdicts: Sequence[str], num_columns: int) -> bytes:
    """Draw images in rows, each in a frame that says whether it is recognized.

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
        if verdict == "wrong":  # not by colour alone
            canvas.box((x + 24, y + 1), (x + 34, y + 11), color)
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
        class_names: in the order of the probabilities.
        true_label: the image's class, if it is known.

    Returns:
        A PNG, 560 pixels of the page wide.
    """
    longest_px = max(map(text_width, class_names))
    step_px = 368 / len(class_names)
    canvas = Canvas(560, 172 + (longest_px + 8 if longest_px > step_px - 4 else 20))
    canvas.paste(to_pixels(image).reshape(28, 28), (4, 16), scale=5)
    for share in (0.0, 0.5, 1.0):
        y = 166 - 150 * share
        canvas.line([(186, y), (556, y)], GRID)
        canvas.text((182, y), f"{share:.0%}", anchor="rm", color=QUIET, size=10)
    for at, share in enumerate(probabilities.nan_to_num(0).clamp(0, 1).tolist()):
        left, right = 186 + step_px * (at + 0.15), 186 + step_px * (at + 0.85)
        canvas.box((left, 166 - 150 * share), (right, 166), LIGHT["strong"])
        if at == true_label:
            canvas.box((left, 16), (right, 166), None, edge=INK)
            canvas.text(((left + right) / 2, 8), "true", size=10)
    _write_names(canvas, class_names, (186, 172), step_px)
    return canvas.to_png()


def draw_words(words: str) -> bytes:
    """Write a sentence, where there is nothing to draw."""
    canvas = Canvas(text_width(words) + 40, 60)
    canvas.text((20, 30), words, anchor="lm")
    return canvas.to_png()


def _draw_line(
    canvas: Canvas, name: str, line: Sequence[Position], dots: Sequence[Position]
) -> None:
    width, num_corners = _STYLES[name]
    if width:
        canvas.line(line, LIGHT[name], width)
    if num_corners is not None:
        for dot in dots:
            canvas.dot(dot, LIGHT[name], num_corners)


def _write_names(canvas: Canvas, names: Sequence[str], start: Position, step_px: float) -> None:
    """Write names in columns below `start`, all of them upwards if one is too wide."""
    are_long = max(map(text_width, names)) > step_px - 4
    for at, name in enumerate(names):
        x = start[0] + step_px * (at + 0.5)
        if are_long:
            canvas.text_upwards((x, start[1]), name, anchor="r")
        else:
            canvas.text((x, start[1] + 6), name)
