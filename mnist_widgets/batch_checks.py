"""What batches hold: how many there are, how many images the last one has, and which are inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from mnist_widgets.digit_set import Batches


def count_batches(train_batches: Iterable[Any]) -> int:
    """Return the number of batches in an epoch.

    Raises:
        TypeError: `train_batches` has no length, as a `DataLoader` over a stream has none.
        ValueError: it is empty.
    """
    try:
        num_batches = len(train_batches) if isinstance(train_batches, Sized) else None
    except TypeError:  # a DataLoader has a length only if its dataset has one
        num_batches = None
    if num_batches is None:
        over = ""
        if isinstance(train_batches, DataLoader):
            over = f" over a {type(train_batches.dataset).__name__}"
        raise TypeError(
            f"train_batches has no length: it is a {type(train_batches).__name__}{over}. Use a "
            "DataLoader over a dataset with a length, DigitSet.batches(...) or a list of batches."
        )
    if num_batches == 0:
        raise ValueError("train_batches is empty: there is no batch to train on.")
    return num_batches


def find_inputs(batch: object) -> Tensor | None:
    """Return the inputs (B, ...) of a batch that is a tuple or list beginning with them."""
    inputs = batch[0] if isinstance(batch, (tuple, list)) and batch else None
    return inputs if isinstance(inputs, Tensor) and inputs.dim() else None


def check_pair(batch: object) -> None:
    """Check that the usual training step can unpack a batch.

    Raises:
        TypeError: it is not a pair of tensors.
    """
    if isinstance(batch, (tuple, list)):
        if len(batch) == 2 and all(hasattr(part, "to") for part in batch):
            return
        kinds = ", ".join(type(part).__name__ for part in batch)
        found = f"a {type(batch).__name__} of {len(batch)} parts ({kinds})"
    elif isinstance(batch, dict):
        found = f"a dict with the keys {', '.join(map(repr, batch))}"
    elif isinstance(batch, Tensor):
        found = f"a single tensor of shape {tuple(batch.shape)}"
    else:
        found = f"a {type(batch).__name__}"
    raise TypeError(
        f"A batch must be a pair of tensors, (inputs, targets), but train_batches gave {found}. "
        "Make it give pairs, or pass a train_step of your own that unpacks such batches."
    )


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
