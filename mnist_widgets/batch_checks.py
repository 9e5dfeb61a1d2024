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
