"""Iterate over the batches of one epoch: of a `DataLoader`, of `Batches` or of a list."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sized
from numbers import Integral
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from mnist_widgets.system.interrupts import breakable

_NO_BATCH = object()


class EpochBatches:
    """The batches of one epoch; their number is the length of `train_batches`.

    Args:
        train_batches: The batches; iterated once.
        epoch: The number of the epoch, for error messages.

    Attributes:
        num_batches: Number of batches in the epoch.
    """

    def __init__(self, train_batches: Iterable[Any], epoch: int) -> None:
        self.num_batches = count_batches(train_batches)
        self._epoch = epoch
        self._num_taken = 0
        self._batches: Iterator[Any] = breakable(iter, train_batches)

    def take(self) -> Any:  # noqa: ANN401 - only train_step knows the type
        """Return the next batch.

        Raises:
            RuntimeError: There is none.
        """
        batch = breakable(next, self._batches, _NO_BATCH)
        if batch is _NO_BATCH:
            raise RuntimeError(
                f"train_batches gave {self._num_taken} batches in epoch {self._epoch}, but its "
                f"length is {self.num_batches}. It must give that many in each epoch, as a "
                "DataLoader, DigitSet.batches or a list does; a generator gives them only once."
            )
        self._num_taken += 1
        return batch

    def finish(self) -> None:
        """Call `next` once more after the last batch, as `for` does, and ignore what it returns.

        Only then does torch's `RandomSampler` draw the last number from its generator.
        """
        breakable(next, self._batches, _NO_BATCH)

    def close(self) -> None:
        """End the iteration now: an error that a finalizer raises later would be lost."""
        batches, self._batches = self._batches, iter(())
        if isinstance(batches, Generator):
            breakable(batches.close)


def check_epochs(epochs: object) -> None:
    """Raise a `ValueError` unless `epochs` is a whole number of at least 1."""
    if isinstance(epochs, bool) or not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be a whole number of at least 1, not {epochs!r}")


def count_batches(train_batches: Iterable[Any]) -> int:
    """Return the number of batches in an epoch.

    Raises:
        TypeError: `train_batches` has no length, for example a `DataLoader` over a stream.
        ValueError: It is empty.
    """
    try:
        num_batches = len(train_batches) if isinstance(train_batches, Sized) else None
    except TypeError:  # a DataLoader has a length only if its dataset has one
        num_batches = None
    if num_batches == 0:
        raise ValueError("train_batches is empty: there is no batch to train on.")
    if num_batches is None:
        kind = type(train_batches).__name__
        if isinstance(train_batches, DataLoader):
            kind += f" over a {type(train_batches.dataset).__name__}"
        raise TypeError(
            f"train_batches has no length: it is a {kind}. Use a DataLoader over a dataset with a "
            "length, DigitSet.batches(...) or a list of batches."
        )
    return num_batches


def find_inputs(batch: object) -> Tensor | None:
    """Return the inputs (B, ...) of a batch if it is a tuple or list that starts with them."""
    inputs = batch[0] if isinstance(batch, (tuple, list)) and batch else None
    return inputs if isinstance(inputs, Tensor) and inputs.dim() else None
