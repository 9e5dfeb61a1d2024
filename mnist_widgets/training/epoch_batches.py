"""Iterate over the batches of one epoch, and take each apart into inputs and targets.

The batches are a `DataLoader`, `Batches` or a list.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from numbers import Number
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mnist_widgets.system.arguments import to_whole
from mnist_widgets.system.interrupts import breakable

_NO_BATCH = object()


def iterate_epoch(train_batches: Iterable[Any], epoch: int) -> Generator[Any, None, None]:
    """Yield the batches of one epoch; their number is the length of `train_batches`.

    Close this generator at the end of the epoch: an error that a finalizer raises would be lost.

    Args:
        train_batches: The batches; iterated once.
        epoch: The number of the epoch, for error messages.

    Raises:
        RuntimeError: There are fewer batches, or a `DataLoader` has more.
    """
    num_batches = count_batches(train_batches)
    batches = breakable(iter, train_batches)
    try:
        for num_taken in range(num_batches):
            batch = breakable(next, batches, _NO_BATCH)
            if batch is _NO_BATCH:
                raise RuntimeError(
                    f"train_batches gave {num_taken} batches in epoch {epoch}, but its length is "
                    f"{num_batches}. It must give that many in each epoch, as a DataLoader, "
                    "DigitSet.batches or a list does; a generator gives them only once."
                )
            yield batch
        # Like `for`: only then does torch's RandomSampler draw the last number of its generator.
        num_surplus, loader = 0, train_batches if isinstance(train_batches, DataLoader) else None
        # the last batch of each worker's share may be smaller than the others
        most = 0 if loader is None else max(loader.num_workers - 1, 0)
        while num_surplus <= most and breakable(next, batches, _NO_BATCH) is not _NO_BATCH:
            num_surplus += 1
        if num_surplus > most and loader is not None:
            raise RuntimeError(
                f"The DataLoader gave more than {num_batches} batches in epoch {epoch}, but its "
                "length is that number, so some of its data is never used. If its dataset is an "
                "IterableDataset, its __len__ must be right, and each worker must give only its "
                "own share: see torch.utils.data.get_worker_info, or use num_workers=0."
            )
    finally:
        if isinstance(batches, Generator):
            breakable(batches.close)


def check_epochs(epochs: object) -> None:
    """Raise a `ValueError` unless `epochs` is a whole number of at least 1."""
    to_whole(epochs, "epochs")


def count_batches(train_batches: Any) -> int:  # noqa: ANN401 - perhaps without a length
    """Return the number of batches in an epoch.

    Raises:
        TypeError: `train_batches` has no length, for example a `DataLoader` over a stream.
        ValueError: It is empty.
    """
    try:
        num_batches = len(train_batches)
    except TypeError as error:  # a DataLoader has a length only if its dataset has one
        kind = type(train_batches).__name__
        if isinstance(train_batches, DataLoader):
            kind += f" over a {type(train_batches.dataset).__name__}"
        raise TypeError(
            f"train_batches has no length: it is a {kind}. Use a DataLoader over a dataset with a "
            "length, DigitSet.batches(...) or a list of batches."
        ) from error
    if num_batches == 0:
        raise ValueError("train_batches is empty: there is no batch to train on.")
    return num_batches


def find_inputs(batch: object) -> Tensor | None:
    """Return the inputs (B, ...) of a batch if it is a tuple or list that starts with them."""
    inputs = batch[0] if isinstance(batch, (tuple, list)) and batch else None
    return inputs if isinstance(inputs, Tensor) and inputs.dim() else None


def check_pair(batch: object, train_batches: object = None) -> None:
    """Check that `train_step` can unpack a batch, of `train_batches` if they are known.

    Raises:
        TypeError: The batch is not a pair of tensors, or is a single image and its label.
    """
    match batch:
        case [Tensor(), Number()]:
            raise _single_images("train_batches is", 64)
        case [_, Tensor() as label] if label.dim() == 0 and isinstance(train_batches, Dataset):
            raise _single_images("train_batches is", 64)
        case [inputs, targets] if hasattr(inputs, "to") and hasattr(targets, "to"):
            return
    raise _no_pair(batch, "train_batches gave", "a train_step")


def unpack_pair(batch: object) -> tuple[object, object]:
    """Return the inputs and targets of an evaluator's batch.

    Raises:
        TypeError: The batch is not a pair, or is a single image and its label.
    """
    match batch:
        case [_, Number()]:
            raise _single_images("The evaluator's batches are", 512)
        case [_, Tensor() as label] if label.dim() == 0:
            raise _single_images("The evaluator's batches are", 512)
        case [inputs, targets]:
            return inputs, targets
    raise _no_pair(batch, "the evaluator's batches gave", "an evaluator")


def _single_images(source: str, batch_size: int) -> TypeError:
    return TypeError(
        f"{source} a data set: single images and their labels. Cut it into batches with "
        f"digit_set.batches({batch_size}), or with DataLoader(dataset, batch_size={batch_size})."
    )


def _no_pair(batch: object, source: str, part: str) -> TypeError:
    return TypeError(
        "A batch must be a pair of tensors, (inputs, targets), but "
        f"{source} {describe_batch(batch)}. Use batches of pairs, or pass {part} of your own for "
        "such batches."
    )


def describe_batch(batch: object) -> str:
    """Return what a batch is, or what batches are, in a few words."""
    if isinstance(batch, (tuple, list)):
        kinds = ", ".join(type(part).__name__ for part in batch)
        return f"a {type(batch).__name__} of {len(batch)} parts ({kinds})"
    if isinstance(batch, dict):
        return f"a dict with the keys {', '.join(map(repr, batch))}"
    if isinstance(batch, Tensor):
        return f"a single tensor of shape {tuple(batch.shape)}"
    return f"a {type(batch).__name__}"
