"""Take the batches of one epoch from a `DataLoader`, from `Batches` or from a list."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sized
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from mnist_widgets.interrupts import breakable

_NO_BATCH = object()


class EpochBatches:
    """The batches of one epoch, as many as the length of `train_batches` says.

    Args:
        train_batches: is iterated once, which draws what it draws at random.
        epoch: its number, for error messages.

    Attributes:
        num_batches: batches in the epoch.
    """

    def __init__(self, train_batches: Iterable[Any], epoch: int) -> None:
        self.num_batches = count_batches(train_batches)
        self._epoch = epoch
        self._num_taken = 0
        self._batches: Iterator[Any] = breakable(iter, train_batches)

    def take(self) -> Any:  # noqa: ANN401 - only train_step knows the type
        """Return the next batch.

        Raises:
            RuntimeError: if there is none.
        """
        batch = breakable(next, self._batches, _NO_BATCH)
        if batch is _NO_BATCH:
            raise RuntimeError(self._describe_misfit(f"{self._num_taken} batches"))
        self._num_taken += 1
        return batch

    def finish(self) -> None:
        """Ask once more after the last batch, as `for` does; what comes then is not trained.

        Only then does torch's `RandomSampler` draw the last number from its generator.
        """
        breakable(next, self._batches, _NO_BATCH)

    def close(self) -> None:
        """End the iteration here and now: Python swallows what is raised in a finalizer."""
        batches, self._batches = self._batches, iter(())
        if isinstance(batches, Generator):
            breakable(batches.close)

    def _describe_misfit(self, given: str) -> str:
        return (
            f"train_batches gave {given} in epoch {self._epoch}, but its length is "
            f"{self.num_batches}. It must give that many in each epoch, as a DataLoader, "
            "DigitSet.batches or a list does; a generator gives them only once."
        )


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
