"""Encode images as PNG bytes for a browser: one image, or many in one sprite.

Pillow encodes them, because torchvision deprecated its own encoder in 0.29.
"""

from __future__ import annotations

import io
import math

import torch
from torch import Tensor

from mnist_widgets.data.tensors import ArrayLike, to_images

IMAGE_SHAPES = ((28, 28), (1, 28, 28))


def to_png(image: ArrayLike, scale: int = 1) -> bytes:
    """Encode one image as a grey PNG.

    Args:
        image: (28, 28) or (1, 28, 28), uint8 in 0..255 or floats in [0, 1].
        scale: edge of each of the image's pixels, in PNG pixels.

    Returns:
        A PNG of 28 * scale by 28 * scale pixels.

    Raises:
        ValueError: if the image has another shape, type or range, or scale is below 1.
    """
    values = to_images(image)
    if tuple(values.shape) not in IMAGE_SHAPES:
        raise ValueError(
            f"The image has the shape {tuple(values.shape)}; it must be (28, 28) or (1, 28, 28). "
            "For several images use to_sprite."
        )
    if scale < 1:
        raise ValueError(f"scale is {scale}; it must be a whole number of at least 1.")
    pixels = to_pixels(values).reshape(28, 28)
    return _encode(pixels.repeat_interleave(scale, 0).repeat_interleave(scale, 1))


def to_sprite(images: ArrayLike, num_columns: int) -> bytes:
    """Encode many images as one grey PNG: a grid filled row by row, its unused cells black.

    Args:
        images: (N, 28, 28) or (N, 1, 28, 28), uint8 in 0..255 or floats in [0, 1]; N at least 1.
        num_columns: images side by side.

    Returns:
        A PNG, 28 * num_columns pixels wide and 28 pixels high for each row.

    Raises:
        ValueError: if the images have another shape, type or range, or num_columns is below 1.
    """
    values = to_images(images)
    if tuple(values.shape[1:]) not in IMAGE_SHAPES or len(values) == 0:
        raise ValueError(
            f"The images have the shape {tuple(values.shape)}; it must be (N, 28, 28) or "
            "(N, 1, 28, 28) with N at least 1. For a single image use to_png."
        )
    if num_columns < 1:
        raise ValueError(f"num_columns is {num_columns}; it must be a whole number of at least 1.")
    num_images = len(values)
    num_rows = math.ceil(num_images / num_columns)
    cells = torch.zeros(num_rows * num_columns, 28, 28, dtype=torch.uint8)
    cells[:num_images] = to_pixels(values).reshape(num_images, 28, 28)
    grid = cells.view(num_rows, num_columns, 28, 28).transpose(1, 2)
    return _encode(grid.reshape(num_rows * 28, num_columns * 28))


def to_pixels(images: Tensor) -> Tensor:
    """Convert images of any shape to uint8 in 0..255, on the CPU.

    Raises:
        ValueError: if they are neither uint8 nor floats in [0, 1].
    """
    images = images.detach().cpu()
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise ValueError(f"The pixels are {images.dtype}; they must be torch.uint8 or floats.")
    darkest, brightest = images.min().item(), images.max().item()
    if not (darkest >= 0 and brightest <= 1):  # refuses NaN, too
        raise ValueError(
            f"The pixels range from {darkest:g} to {brightest:g}; floats must lie in [0, 1]. "
            "Pixels in 0..255 must be torch.uint8."
        )
    return images.mul(255).round().to(torch.uint8)


def _encode(pixels: Tensor) -> bytes:
    """Encode uint8 pixels (height, width) as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(buffer, "PNG")
    return buffer.getvalue()
