"""A set of labelled 28x28 images in memory, and the fast way to take batches from it.

Where images come from is left to `data`. The pixels stay uint8 (47 MB for MNIST) and become floats
one whole batch at a time: 0.4 ms for 512 images, beside a training step of some 12 ms. A
`DataLoader` that prepares single images takes ten times as long as the training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from mnist_widgets.tensors import ArrayLike, to_class_labels, to_class_names, to_images


def to_inputs(images: ArrayLike) -> Tensor:
    """Turn stored images into what a network takes, equal to torchvision's `ToDtype(scale=True)`.

    Args:
        images: uint8 (N, 28, 28), or (28, 28) for a single image; a tensor, an array or a list.

    Returns:
        float32 (N, 1, 28, 28) in [0, 1]; N is 1 for a single image.

    Raises:
        ValueError: The images have another shape or type.
    """
    pixels = to_images(images)
    if pixels.ndim == 2:
        pixels = pixels.unsqueeze(0)
    _check_images(pixels)
    return pixels.unsqueeze(1).to(torch.float32).mul_(1 / 255)


class DigitSet(Dataset[tuple[Tensor, int]]):
    """Labelled images in memory: a map-style `Dataset` that also hands out whole batches.

    `digit_set[i]` is one image, float32 (1, 28, 28) in [0, 1], and its label. A `DataLoader` takes
    the set as it is; `batches` gives the same images much faster.

    Example:
        >>> digit_set = DigitSet(images, labels, class_names="0123456789", name="my digits")
        >>> for inputs, labels in digit_set.batches(512, shuffle=True): ...

    Attributes:
        images: uint8 (N, 28, 28), white on black.
        labels: int64 (N,), each an index into `class_names`.
        class_names: What the labels mean.
        name: What to call the set on screen.
    """

    def __init__(
        self, images: ArrayLike, labels: ArrayLike, class_names: Iterable[object], name: str
    ) -> None:
        """Check the images and labels and keep them; tensors and arrays of these types are shared.

        Args:
            images: uint8 (N, 28, 28); a tensor, an array, or a list of numbers from 0 to 255.
            labels: whole numbers (N,) of any type; a tensor, an array or a list.
            class_names: The names of the classes: strings, or objects that `str` turns into names.
            name: The name of the set on screen.

        Raises:
            ValueError: Shapes, types or lengths do not fit, a label is out of range, there is no
                image, or two classes have the same name.
        """
        self.images = to_images(images)
        self.labels = to_class_labels(labels)
        self.class_names = to_class_names(class_names)
        self.name = name
        _check_images(self.images)
        _check_labels(self.labels, len(self.images), len(self.class_names))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no image {index} in {self!r}.")
        return to_inputs(self.images[index])[0], int(self.labels[index])

    def __repr__(self) -> str:
        return f"<DigitSet {self.name}: {len(self):,} images, {len(self.class_names)} classes>"

    def batches(
        self,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> Batches:
        """Cut the set into batches, in a new order in each epoch if `shuffle` is set.

        Args:
            batch_size: Images in a batch; the last batch takes what is left.
            shuffle: Whether to mix the images anew for each iteration.
            generator: Where the order is drawn from; torch's global generator if there is none.
            drop_last: Whether to leave out a last batch that would be smaller than the others.

        Returns:
            An iterable with a length, to be run through as often as there are epochs.

        Raises:
            ValueError: `batch_size` is below 1.
        """
        return Batches(self, batch_size, shuffle, generator, drop_last)


class Batches:
    """The batches of a `DigitSet`: each iteration is one epoch of `(inputs, labels)`.

    Inputs are float32 (B, 1, 28, 28) in [0, 1], labels int64 (B,). Made by `DigitSet.batches`.

    Attributes:
        digit_set: Where the images come from.
        batch_size: Images in a batch; the last batch may have fewer.
        shuffle: Whether each iteration mixes the images anew.
        generator: Where the order is drawn from; torch's global generator if it is None.
        drop_last: Whether a last batch that would be smaller than the others is left out.
    """

    def __init__(
        self,
        digit_set: DigitSet,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(
                f"batch_size is {batch_size}; it must be a whole number of at least 1."
            )
        self.digit_set = digit_set
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last

    @property
    def num_images(self) -> int:
        """Images in one epoch."""
        num_stored = len(self.digit_set)
        return num_stored - num_stored % self.batch_size if self.drop_last else num_stored

    def __len__(self) -> int:
        return math.ceil(self.num_images / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        num_stored = len(self.digit_set)
        if self.shuffle:
            order = torch.randperm(num_stored, generator=self.generator)
        else:
            order = torch.arange(num_stored)
        for start in range(0, self.num_images, self.batch_size):
            yield self._take(order[start : start + self.batch_size])

    def _take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        # index_select copies these uint8 images three times as fast as images[chosen].
        images = self.digit_set.images.index_select(0, chosen)
        return to_inputs(images), self.digit_set.labels.index_select(0, chosen)

    def __repr__(self) -> str:
        order = "shuffled" if self.shuffle else "in order"
        return f"<{len(self):,} batches of {self.batch_size} from {self.digit_set!r}, {order}>"


def check_same_classes(train_batches: object, test_batches: object) -> None:
    """Check that two data sets number their classes alike, if both name their classes.

    Args:
        train_batches: a data set or its batches, such as a `DigitSet`, `Batches` or a `DataLoader`.
        test_batches: the same.

    Raises:
        ValueError: The names or their order differ. "0 - zero", as torchvision's MNIST has it, and
            "0" are the same name.
    """
    train_names, test_names = map(_find_class_names, (train_batches, test_batches))
    if train_names is None or test_names is None or train_names == test_names:
        return
    train_names, test_names = _shorten(train_names), _shorten(test_names)
    if train_names == test_names:
        return
    different = [pair for pair in zip(train_names, test_names, strict=False) if len({*pair}) > 1]
    first, other = different[0] if different else map(len, (train_names, test_names))
    raise ValueError(
        "The training set and the test set must have the same classes in the same order. The "
        f"training set has {first!r} where the test set has {other!r}"
        f"{'' if different else ' classes'}."
    )


def _find_class_names(source: object) -> tuple[str, ...] | None:
    """Return the class names of a data set, or of the one behind batches or a subset."""
    if isinstance(source, Batches):
        return source.digit_set.class_names
    if isinstance(source, (DataLoader, Subset)):
        return _find_class_names(source.dataset)
    if isinstance(source, DigitSet):
        return source.class_names
    names = getattr(source, "classes", None)  # the attribute of torchvision's data sets
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _shorten(names: tuple[str, ...]) -> tuple[str, ...]:
    """Shorten names such as "0 - zero" to "0" if they still differ."""
    short_names = tuple(name.partition(" - ")[0] for name in names)
    return short_names if len({*short_names}) == len(names) else names


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"The images are {images.dtype} of the shape {tuple(images.shape)}; "
            "they must be torch.uint8 of the shape (N, 28, 28), a tensor, an array or a list."
        )


def _check_labels(labels: Tensor, num_images: int, num_classes: int) -> None:
    if labels.ndim != 1:
        raise ValueError(
            f"The labels are {labels.dtype} of the shape {tuple(labels.shape)}; "
            "they must be a tensor, an array or a list of the shape (N,)."
        )
    if num_images == 0:
        raise ValueError("There are no images; a DigitSet needs at least one.")
    if len(labels) != num_images:
        raise ValueError(f"There are {num_images:,} images but {len(labels):,} labels.")
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        position = int(wrong.nonzero()[0])
        raise ValueError(
            f"Label {labels[position]} at position {position} is out of range: "
            f"with {num_classes} class names labels run from 0 to {num_classes - 1}."
        )
