"""Augmentation: each image of a batch is turned, scaled and shifted a little, each differently.

A network that is trained on such images does not learn the exact place, size and slope of the
digits in the training set. After ten epochs of MNIST, `SimpleNet` reads 98.1 % instead of 97.8 % of
the test images, and 84 % instead of 70 % of the bundled digits, which other people wrote in another
way; an epoch takes a third longer (`benchmarks/augmentation.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from mnist_widgets.system.short_text import name_callable

Transform: TypeAlias = Callable[[Tensor], Tensor]
"""Changes the inputs of a batch: float32 (B, 1, 28, 28) to float32 of the same shape."""

MAX_TURN_DEGREES = 10.0
MAX_SHIFT_PX = 2.0
SCALES = (0.9, 1.1)


def augment(inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Turn, scale and shift each image by random amounts, and fill what becomes empty with black.

    An image turns by up to 10 degrees in either direction, is scaled by a factor of 0.9 to 1.1,
    and moves by up to 2 pixels along each axis, all about its center. All amounts in these ranges
    are equally likely.

    Example:
        >>> batches = train_set.batches(64, shuffle=True, transform=augment)

    Args:
        inputs: float32 (B, 1, 28, 28), such as the inputs of a batch. They are not changed.
        generator: The random generator, on the CPU; by default torch's global one.

    Returns:
        float32 (B, 1, 28, 28) on the device of `inputs`; in [0, 1] if they are.

    Raises:
        ValueError: The inputs have a different shape or type.
    """
    if inputs.dtype != torch.float32 or inputs.shape[1:] != (1, 28, 28):
        raise ValueError(
            f"The inputs are {inputs.dtype} of shape {tuple(inputs.shape)}; augment takes "
            "torch.float32 of shape (B, 1, 28, 28). to_inputs(images) or a batch has this form."
        )
    unit = torch.rand(4, len(inputs), generator=generator, dtype=torch.float32)
    turn, x_shift, y_shift = unit[:3] * 2 - 1
    smallest, largest = SCALES
    return warp(
        inputs,
        turns=turn * MAX_TURN_DEGREES,
        scales=smallest + unit[3] * (largest - smallest),
        shifts=torch.stack([x_shift, y_shift], dim=1) * MAX_SHIFT_PX,
    )


def warp(inputs: Tensor, turns: Tensor, scales: Tensor, shifts: Tensor) -> Tensor:
    """Turn and scale images about their centers, then shift them.

    Args:
        inputs: float32 (B, 1, 28, 28).
        turns: (B,) in degrees, clockwise.
        scales: (B,); 2 doubles the size.
        shifts: (B, 2) in pixels, to the right and down.

    Returns:
        float32 (B, 1, 28, 28), interpolated between neighboring pixels (bilinear), black outside.
    """
    # For each pixel of the result, theta gives its place in the input: the reverse of the motion.
    # Places are counted from the center, in halves of the image.
    angles = turns * (math.pi / 180)
    cosines, sines = angles.cos() / scales, angles.sin() / scales
    backward = torch.stack([cosines, sines, -sines, cosines], dim=1).view(-1, 2, 2)
    offsets = shifts.unsqueeze(2) * (2 / inputs.shape[-1])
    theta = torch.cat([backward, -backward @ offsets], dim=2).to(inputs.device)
    grid = functional.affine_grid(theta, list(inputs.shape), align_corners=False)
    return functional.grid_sample(inputs, grid, align_corners=False)


def apply_transform(transform: Transform, inputs: Tensor) -> Tensor:
    """Return the inputs of a batch, changed by a transform.

    Raises:
        ValueError: The result is not float32 of the shape of the inputs.
    """
    shape = inputs.shape
    result: object = transform(inputs)
    if isinstance(result, Tensor) and (result.dtype, result.shape) == (torch.float32, shape):
        return result
    found = type(result).__name__
    if isinstance(result, Tensor):
        found = f"{result.dtype} of shape {tuple(result.shape)}"
    raise ValueError(
        f"The transform {name_callable(transform)} returned {found}. It must return the changed "
        f"inputs: torch.float32 of their shape, here {tuple(shape)}."
    )
