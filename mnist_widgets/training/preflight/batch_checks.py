"""Check that batches are no single images, and that the last one to train on is large enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from inspect import isfunction
from itertools import islice
from typing import Any

from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset

from mnist_widgets.data.digit_set import Batches
from mnist_widgets.data.unseen_batches import iterate_unseen
from mnist_widgets.system.short_text import name_callable
from mnist_widgets.training.epoch_batches import describe_batch, find_inputs, unpack_pair

# The iterators of these modules give their batches once; one of the user's may start again.
_ONE_USE_MODULES = ("builtins", "itertools", "torch.utils.data.dataloader")

SINGLE_IMAGE = (
    "The last batch of each epoch has a single image, and batch norm cannot train on one. Leave "
    "that batch out with drop_last=True, in DigitSet.batches(...) or DataLoader(...), or change "
    "the batch size."
)


def check_repeatable(batches: object, name: str) -> None:
    """Check that batches can be iterated in each epoch; nothing is iterated here.

    Args:
        batches: Those of a trainer or an evaluator.
        name: Of the batches, such as `"evaluator.batches"`.

    Raises:
        TypeError: They cannot be iterated, or only once.
    """
    kind = type(batches)
    if not (hasattr(kind, "__iter__") or hasattr(kind, "__getitem__")):
        found = (
            f"the class {batches.__name__}"
            if isinstance(batches, type)
            else describe_batch(batches)
        )
        fix = ""
        if isfunction(batches):
            fix = f" If the function yields batches, pass list({name_callable(batches)}())."
        raise TypeError(
            f"{name} is {found}, which cannot be iterated. Pass batches such as "
            f"test_set.batches(512), a DataLoader or a list.{fix}"
        )
    if isinstance(batches, Iterator) and kind.__module__ in _ONE_USE_MODULES:
        raise TypeError(
            f"{name} is {describe_batch(batches)}, which gives its batches only once, but they are "
            "needed in each epoch. Pass digit_set.batches(512), a DataLoader, or a list: "
            "list(batches)."
        )


def check_data_set(batches: object) -> None:
    """Check that an evaluator's batches are not a data set, whose images are single.

    The check loads one image of a data set, and never a batch of a loader.

    Raises:
        TypeError: They are.
    """
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        images = iterate_unseen(batches)  # type: ignore[arg-type] # by index
        for image in islice(images, 1):
            unpack_pair(image)


def count_last_images(train_batches: Iterable[Any]) -> int | None:
    """Return the number of images in an epoch's last batch; None if it is unknown."""
    if isinstance(train_batches, Batches):
        return train_batches.num_images % train_batches.batch_size or train_batches.batch_size
    if isinstance(train_batches, DataLoader):
        cuts = train_batches.batch_sampler  # the user's own, or that of the loader's batch size
        if type(cuts) is not BatchSampler or cuts.drop_last or not isinstance(cuts.sampler, Sized):
            return None
        return len(cuts.sampler) % cuts.batch_size or cuts.batch_size
    if isinstance(train_batches, (list, tuple)):
        inputs = find_inputs(train_batches[-1])
        return None if inputs is None else len(inputs)
    return None


@contextmanager
def batch_norms_checked(
    batch_norms: Iterable[nn.Module], train_batches: Iterable[Any], inputs: Tensor | None
) -> Iterator[None]:
    """Within this context a layer raises a `ValueError` if it cannot train on the last batch.

    It can if each image has several values in a channel, as after a `Conv1d`, or becomes several
    rows. This depends on the layer's inputs, so within this context the layers have hooks.

    Args:
        batch_norms: Layers that fail on a single row with one value in each channel.
        train_batches: The batches of an epoch.
        inputs: The inputs of the batch that is trained in this context, if known.
    """

    def check(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if layer.training and arguments and inputs is not None:
            num_rows, _, *lengths = arguments[0].shape
            if num_rows == len(inputs) and set(lengths) <= {1}:
                raise ValueError(SINGLE_IMAGE)

    with ExitStack() as hooks:
        if count_last_images(train_batches) == 1:
            for layer in batch_norms:
                hooks.enter_context(layer.register_forward_pre_hook(check))
        yield
