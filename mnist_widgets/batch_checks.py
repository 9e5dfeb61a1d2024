"""What batches hold: whether the usual training step can unpack one, and how large the last is."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from mnist_widgets.digit_set import Batches
from mnist_widgets.epoch_batches import find_inputs


def check_pair(batch: object) -> None:
    """Check that the usual training step can unpack a batch.

    Raises:
        TypeError: it is not a pair of tensors.
    """
    parts = batch if isinstance(batch, (tuple, list)) else ()
    if len(parts) == 2 and all(hasattr(part, "to") for part in parts):
        return
    raise TypeError(
        "A batch must be a pair of tensors, (inputs, targets), but train_batches gave "
        f"{_describe(batch)}. Make it give pairs, or pass a train_step of your own that unpacks "
        "such batches."
    )


def unpack_judged(batch: object) -> tuple[object, object]:
    """Return the inputs and targets of an evaluator's batch.

    Raises:
        TypeError: it is not a pair.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, targets = batch
        return inputs, targets
    raise TypeError(
        "A batch must be a pair of tensors, (inputs, targets), but the evaluator's batches gave "
        f"{_describe(batch)}. Make them give pairs, or pass an evaluator of your own that unpacks "
        "such batches."
    )


def _describe(batch: object) -> str:
    if isinstance(batch, (tuple, list)):
        kinds = ", ".join(type(part).__name__ for part in batch)
        return f"a {type(batch).__name__} of {len(batch)} parts ({kinds})"
    if isinstance(batch, dict):
        return f"a dict with the keys {', '.join(map(repr, batch))}"
    if isinstance(batch, Tensor):
        return f"a single tensor of shape {tuple(batch.shape)}"
    return f"a {type(batch).__name__}"


def count_last_images(train_batches: Iterable[Any]) -> int | None:
    """Return the number of images in an epoch's last batch; None if it is not known."""
    if isinstance(train_batches, Batches):
        return _size_of_last(train_batches.num_images, train_batches.batch_size)
    if isinstance(train_batches, DataLoader):
        size, sampler = train_batches.batch_size, train_batches.sampler
        if size is None or train_batches.drop_last or not isinstance(sampler, Sized):
            return None
        return _size_of_last(len(sampler), size)
    if isinstance(train_batches, (list, tuple)):
        inputs = find_inputs(train_batches[-1])
        return None if inputs is None else len(inputs)
    return None


def _size_of_last(num_images: int, batch_size: int) -> int:
    return num_images % batch_size or batch_size
