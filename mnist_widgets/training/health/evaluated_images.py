"""Test images of an evaluator, and fingerprints to recognize an image."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.random import fork_rng
from torch.utils.data import DataLoader, SequentialSampler, TensorDataset

from mnist_widgets.data.digit_set import Batches, to_inputs
from mnist_widgets.training.epoch_batches import find_inputs

MAX_IMAGES = 1_000
_FEWEST_VALUES = 64
_NUM_BLOCKS, _VALUES_OF_A_BLOCK = 16, 16


def choose_test_images(evaluator: object) -> Tensor | None:
    """Return at most 1,000 inputs of an evaluator; None if reading them could change something.

    They are read from `DigitSet.batches`, lists, and a `DataLoader` without workers, a generator of
    its own or a random order.
    """
    batches: Any = getattr(evaluator, "batches", None)
    if isinstance(batches, Batches):
        images = batches.digit_set.images
        spread = torch.linspace(0, len(images) - 1, min(len(images), MAX_IMAGES)).long()
        return to_inputs(images.index_select(0, spread))  # faster than images[spread]
    if isinstance(batches, (list, tuple)):
        return _read(batches)
    if not isinstance(batches, DataLoader):
        return None
    if isinstance(batches.dataset, TensorDataset):
        return batches.dataset.tensors[0][:MAX_IMAGES]
    is_plain = type(batches.sampler) is SequentialSampler and batches.generator is None
    if not is_plain or batches.num_workers:
        return None
    with fork_rng([]):
        return _read(batches)


def _read(batches: Any) -> Tensor | None:  # noqa: ANN401 - any iterable
    chosen: list[Tensor] = []
    num_images = 0
    for batch in batches:
        inputs = find_inputs(batch)
        if inputs is None or (chosen and inputs.shape[1:] != chosen[0].shape[1:]):
            break
        chosen.append(inputs)
        num_images += len(inputs)
        if num_images >= MAX_IMAGES:
            break
    return torch.cat(chosen)[:MAX_IMAGES] if num_images else None


def downsample(images: Tensor, most_values: int = 1_024) -> Tensor:
    """Return images (N, ...) as float32 (N, F), with F of at most `most_values` of their values."""
    values = images.reshape(len(images), -1)
    step = max(1, math.ceil(values.shape[1] / most_values))
    return values[:, ::step].float()


def find_fingerprints(images: Tensor) -> list[float]:
    """Return a number for each image (N, ...); none for inputs with less than 64 values.

    Equal images have the same number, also if their values were scaled differently or differ in
    the last digits, as after `images / 255` and `images * (1 / 255)`.
    """
    num_values = images[0].numel()
    if num_values < _FEWEST_VALUES or images.is_complex():
        return []
    # values side by side are read faster than single ones
    blocks = images.reshape(len(images), -1)[:, : num_values - num_values % _NUM_BLOCKS]
    values = blocks.unflatten(1, (_NUM_BLOCKS, -1))[..., :_VALUES_OF_A_BLOCK].flatten(1)
    values = values.cpu().float()
    largest = values.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    # four steps for each of the 255 gray levels: these lie in the middle of a step
    steps = (values / largest).mul_(1020).round_().double()
    generator = torch.Generator().manual_seed(0)
    # 256 products of 10 and 34 bits: their sum is exact in double precision
    factors = torch.randint(-(2**34), 2**34, (steps.shape[1],), generator=generator).double()
    fingerprints: list[float] = (steps @ factors).tolist()
    return fingerprints
