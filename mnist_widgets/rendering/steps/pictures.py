"""Small pictures of images and of the gradients of their pixels.

The inputs of the first layer are often the pixels: then an input has a row and a column.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mnist_widgets.rendering.palette import LIGHT
from mnist_widgets.rendering.png_canvas import INK, Canvas
from mnist_widgets.training.recording.scores import to_exact
from mnist_widgets.training.recording.step_record import StepRecord

_EDGE_PX = 140
_FLAT_IMAGE = (28 * 28,)


def find_image_shape(record: StepRecord) -> tuple[int, int] | None:
    """Return height and width of the batch's images; None if the inputs are no images."""
    shape = () if record.inputs is None else tuple(record.inputs.shape[1:])
    if shape == _FLAT_IMAGE:
        return 28, 28
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))
    return (shape[-2], shape[-1]) if is_image and min(shape[-2:]) > 1 else None


def find_pixel_shape(record: StepRecord, layer: str) -> tuple[int, int] | None:
    """Return height and width of the images if a layer's inputs are their pixels, else None."""
    shape, inputs = find_image_shape(record), record.inputs
    if shape is None or inputs is None:
        return None
    pixels, values = to_exact(inputs).flatten(1), to_exact(record.layers[layer].inputs)
    are_pixels = pixels.shape[1] == shape[0] * shape[1] and pixels.equal(values)
    return shape if are_pixels else None


def name_input(index: int, shape: tuple[int, int] | None) -> str:
    """Return an input's number and, in images of this shape, where it is."""
    if shape is None:
        return str(index)
    return f"{index} (row {index // shape[1]}, column {index % shape[1]})"


def draw_image(record: StepRecord, image: int) -> bytes | None:
    """Return an image of the batch as a PNG; None if the inputs are no images.

    The smallest value is black and the largest white, or 0 and 1 where all values lie between.
    """
    shape = find_image_shape(record)
    if shape is None or record.inputs is None:
        return None
    values = to_exact(record.inputs[image])
    lowest, highest = min(0.0, float(values.min())), max(1.0, float(values.max()))
    pixels = (255 * (values - lowest) / (highest - lowest)).nan_to_num().round().to(torch.uint8)
    pixels = pixels.reshape(-1, *shape).permute(1, 2, 0).squeeze(2)
    return _paint(pixels.contiguous()).to_png()


def draw_signed(values: Tensor, shape: tuple[int, int], marked: int) -> bytes:
    """Return numbers as a PNG: orange above 0, blue below, white at 0; one has a frame.

    Args:
        values: (height * width,).
        shape: height and width of the picture.
        marked: the position of the number with a frame.
    """
    strengths = to_exact(values).nan_to_num().reshape(shape)
    strengths = strengths / strengths.abs().max().clamp(min=1e-300)
    above, below = _read_color(LIGHT["mean"]), _read_color(LIGHT["strong"])
    color = torch.where((strengths > 0).unsqueeze(2), above, below)
    pixels = 255 + strengths.abs().unsqueeze(2) * (color - 255)
    canvas = _paint(pixels.round().to(torch.uint8).contiguous())
    scale = _EDGE_PX / max(shape)
    row, column = divmod(marked, shape[1])
    corner, end = (column * scale, row * scale), ((column + 1) * scale, (row + 1) * scale)
    canvas.box(corner, end, None, INK, 1)
    return canvas.to_png()


def _paint(pixels: Tensor) -> Canvas:
    height, width = pixels.shape[:2]
    scale = _EDGE_PX / max(height, width)
    canvas = Canvas(width * scale, height * scale)
    canvas.paste(pixels, (0, 0), scale)
    return canvas


def _read_color(code: str) -> Tensor:
    return torch.tensor(list(bytes.fromhex(code.removeprefix("#"))), dtype=torch.float64)
