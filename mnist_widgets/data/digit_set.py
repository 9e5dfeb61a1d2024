"""A set of labeled 28x28 images in memory, and a fast way to take batches from it.

The pixels are stored as uint8 (47 MB for MNIST) and converted to floats one batch at a time. This
takes 0.4 ms for 512 images, compared with 5 to 12 ms for a training step. A `DataLoader` that
prepares single images takes ten times as long as the training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from mnist_widgets.data.augmentation import Transform, apply_transform
from mnist_widgets.data.digit_checks import check_images, check_labels
from mnist_widgets.data.tensors import ArrayLike, to_class_labels, to_class_names, to_images
from mnist_widgets.system.arguments import is_whole, to_whole
from mnist_widgets.system.short_text import name_callable

DIGIT_NAMES = tuple("0123456789")


def to_inputs(images: ArrayLike) -> Tensor:
    """Convert stored images to a network's inputs, as torchvision's `ToDtype(scale=True)` does.

    Args:
        images: uint8 (N, 28, 28), or (28, 28) for a single image; a tensor, array or list.

    Returns:
        float32 (N, 1, 28, 28) in [0, 1]; N is 1 for a single image.

    Raises:
        ValueError: The images have a different shape or type.
    """
    pixels = to_images(images)
    if pixels.ndim == 2:
        pixels = pixels.unsqueeze(0)
    check_images(pixels)
    return pixels.unsqueeze(1).to(torch.float32).mul_(1 / 255)


class DigitSet(Dataset[tuple[Tensor, int]]):
    """Labeled images in memory: a map-style `Dataset` that also provides whole batches.

    `digit_set[i]` is one image, float32 (1, 28, 28) in [0, 1], and its label. The set works with a
    `DataLoader`; `batches` provides the same images much faster.

    Example:
        >>> digit_set = DigitSet(images, labels, class_names="0123456789", name="my digits")
        >>> for inputs, labels in digit_set.batches(512, shuffle=True): ...

    Attributes:
        images: uint8 (N, 28, 28), white on black.
        labels: int64 (N,), each an index into `class_names`.
        class_names: The meaning of the labels.
        name: The name of the set on screen.
        original_labels: int64 (N,), the labels before `with_wrong_labels`; else `labels`.
    """

    def __init__(
        self, images: ArrayLike, labels: ArrayLike, class_names: Iterable[object], name: str
    ) -> None:
        """Check and store images and labels; uint8 images and int64 labels are not copied.

        Args:
            images: uint8 (N, 28, 28); a tensor, an array, or a list of numbers from 0 to 255.
            labels: Integers (N,) of any type; a tensor, array or list.
            class_names: The names of the classes: strings, or objects that `str` converts.
            name: The name of the set on screen.

        Raises:
            ValueError: Shapes, types or lengths do not fit, a label is out of range, there is no
                image, or two classes have the same name.
        """
        self.images = to_images(images)
        self.labels = to_class_labels(labels)
        self.class_names = to_class_names(class_names)
        self.name = name
        check_images(self.images)
        check_labels(self.labels, len(self.images), len(self.class_names))
        self.original_labels = self.labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice) -> tuple[Tensor, int]:
        if isinstance(index, slice):
            raise TypeError(
                "digit_set[i] is a single image. For some of them, use digit_set.sample(100), or "
                "digit_set.images[:100] and digit_set.labels[:100]."
            )
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no image {index} in {self!r}.")
        return to_inputs(self.images[index])[0], int(self.labels[index])

    def __repr__(self) -> str:
        return f"<DigitSet {self.name}: {len(self):,} images, {len(self.class_names)} classes>"

    def sample(self, num_images: int, seed: int = 0) -> DigitSet:
        """Return a new set of some of the images, drawn at random without repetition.

        The same seed draws the same images, and more of them for a larger `num_images`. Torch's
        global random generator is not used.

        Raises:
            ValueError: `num_images` is not a whole number from 1 to the number of images.
        """
        if not is_whole(num_images) or not 1 <= num_images <= len(self):
            raise ValueError(
                f"A sample of {num_images!r} images cannot be drawn: {self.name} has {len(self):,} "
                f"images here. Choose a whole number from 1 to {len(self):,}."
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        chosen = order[:num_images]
        drawn = DigitSet(self.images[chosen], self.labels[chosen], self.class_names, self.name)
        drawn.original_labels = self.original_labels[chosen]
        return drawn

    def with_wrong_labels(self, share: float, seed: int = 0) -> DigitSet:
        """Return a new set in which some labels are wrong; each wrong one is another class.

        All other classes are equally likely. `set.labels != set.original_labels` shows which are
        wrong. In a set that has wrong labels already, they are drawn again.

        The same seed gives the same labels. They are independent of what `sample` draws with this
        seed, and of the order of shuffled batches. Torch's global random generator is not used.

        Example:
            >>> noisy = train_set.sample(500).with_wrong_labels(0.2)  # 100 wrong labels

        Args:
            share: The part of the labels that are wrong, 0 to 1, rounded to whole labels.
            seed: Of the random numbers that choose the images and their labels.

        Raises:
            ValueError: `share` is not between 0 and 1, or there is only one class.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"The share of wrong labels must be from 0 to 1, not {share!r}.")
        num_classes = len(self.class_names)
        if share and num_classes < 2:
            raise ValueError("A wrong label needs a second class, but this set has only one.")
        generator = torch.Generator().manual_seed(seed)
        num_wrong = round(share * len(self))
        # before the choice: the first permutation of a seed is the one that `sample` takes, and a
        # sample with the same seed would take the wrong labels first
        steps = torch.randint(1, max(num_classes, 2), (num_wrong,), generator=generator)
        chosen = torch.randperm(len(self), generator=generator)[:num_wrong]
        labels = self.original_labels.clone()
        labels[chosen] = (labels[chosen] + steps) % num_classes
        changed = DigitSet(self.images, labels, self.class_names, self.name)
        changed.original_labels = self.original_labels
        return changed

    def batches(
        self,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        transform: Transform | None = None,
    ) -> Batches:
        """Divide the set into batches, in a new order for each epoch if `shuffle` is set.

        Example:
            >>> batches = digit_set.batches(64, shuffle=True, transform=augment)

        Args:
            batch_size: Images in a batch; the last batch may have fewer.
            shuffle: Whether to shuffle the images for each iteration.
            generator: The random generator of the order; by default torch's global one.
            drop_last: Whether to leave out a last batch that is smaller than the others.
            transform: A function that changes the inputs of each batch, such as `augment`; it takes
                and returns float32 (B, 1, 28, 28). Use it for training, not for an `Evaluator`.

        Returns:
            An iterable with a length; each iteration is one epoch.

        Raises:
            ValueError: `batch_size` is no whole number of at least 1.
        """
        return Batches(self, batch_size, shuffle, generator, drop_last, transform)


@dataclass(eq=False, repr=False)
class Batches:
    """The batches of a `DigitSet`: each iteration is one epoch of `(inputs, labels)`.

    Inputs are float32 (B, 1, 28, 28) in [0, 1], labels int64 (B,). Made by `DigitSet.batches`,
    which explains the attributes. With a `transform`, an iteration raises a `ValueError` if the
    result is not float32 of the shape of the inputs.
    """

    digit_set: DigitSet
    batch_size: int
    shuffle: bool = False
    generator: torch.Generator | None = None
    drop_last: bool = False
    transform: Transform | None = None

    def __post_init__(self) -> None:
        self.batch_size = to_whole(self.batch_size, "batch_size")

    @property
    def num_images(self) -> int:
        """The number of images in one epoch."""
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
            chosen = order[start : start + self.batch_size]
            # index_select copies uint8 images three times as fast as images[chosen]
            images = self.digit_set.images.index_select(0, chosen)
            inputs = to_inputs(images)
            if self.transform is not None:
                inputs = apply_transform(self.transform, inputs)
            yield inputs, self.digit_set.labels.index_select(0, chosen)

    def __repr__(self) -> str:
        order = "shuffled" if self.shuffle else "in order"
        change = "" if self.transform is None else f", changed by {name_callable(self.transform)}"
        return (
            f"<{len(self):,} batches of {self.batch_size} from {self.digit_set!r}, {order}{change}>"
        )


def check_same_classes(train_batches: object, test_batches: object) -> None:
    """Check that two data sets have the same classes in the same order, if both name them.

    Args:
        train_batches: A data set or its batches, such as a `DigitSet`, `Batches` or a `DataLoader`.
        test_batches: The same.

    Raises:
        ValueError: The names or their order differ. "0 - zero", the name in torchvision's MNIST,
            equals "0".
    """
    train_names, test_names = map(find_class_names, (train_batches, test_batches))
    if train_names is None or test_names is None:
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


def find_class_names(source: object) -> tuple[str, ...] | None:
    """Return the class names of a data set, also when given its batches or a subset."""
    if isinstance(source, Batches):
        return source.digit_set.class_names
    if isinstance(source, (DataLoader, Subset)):
        return find_class_names(source.dataset)
    # torchvision's data sets call them `classes`
    names = getattr(source, "class_names", getattr(source, "classes", None))
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def check_class_names(names: Sequence[str], source: object) -> None:
    """Check that a chart's class names fit a data set, if it names its classes.

    Names of one's own are accepted for as many classes; the digits only for digits.

    Raises:
        ValueError: They do not fit.
    """
    names = tuple(names)
    wanted = find_class_names(source) or names
    if len(wanted) != len(names) or (names == DIGIT_NAMES and _shorten(wanted) != names):
        raise ValueError(
            f"The test set has {len(wanted)} classes ({', '.join(wanted[:3])}, ...), the chart has "
            f"{len(names)} ({', '.join(names[:3])}, ...). Make the chart with the class names of "
            "the test set, such as ConfusionChart(test_set.class_names)."
        )


def _shorten(names: tuple[str, ...]) -> tuple[str, ...]:
    """Shorten names such as "0 - zero" to "0" if this keeps them different."""
    short_names = tuple(name.partition(" - ")[0] for name in names)
    return short_names if len({*short_names}) == len(names) else names
