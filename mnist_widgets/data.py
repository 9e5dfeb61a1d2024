"""The data sets: MNIST and two relatives through torchvision, and one that is always there.

Each loader gives a training set and a test set. Keeping images and cutting batches is left to
`digit_set`, checking and fetching files to `downloads`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import platformdirs
import torch
from torch import Tensor

from mnist_widgets.digit_set import Batches, DigitSet, to_inputs
from mnist_widgets.downloads import DataError, ensure_raw_files
from mnist_widgets.raw_files import decode_idx

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

__all__ = [
    "Batches",
    "DataError",
    "DigitSet",
    "data_root",
    "find_loader",
    "load_bundled_digits",
    "load_digits",
    "load_fashion_mnist",
    "load_from_torchvision",
    "load_kmnist",
    "load_mnist",
    "to_inputs",
]

DIGIT_NAMES = tuple("0123456789")
BUNDLED_FILE = Path(__file__).parent / "datasets" / "uci_digits.npz"


def data_root(root: str | Path | None = None) -> Path:
    """Find the folder that holds the data sets, each in torchvision's layout (`MNIST/raw/...`).

    The folder may also be `MNIST` or `MNIST/raw` itself, and the files may be packed (`.gz`).

    Args:
        root: The folder, if not the one set in `MNIST_WIDGETS_DATA` (spaces around its name are
            ignored), or without that the user's cache directory.

    Returns:
        An absolute path, which need not exist.
    """
    chosen = root or os.environ.get("MNIST_WIDGETS_DATA", "").strip()
    return Path(chosen or platformdirs.user_cache_dir("mnist_widgets")).expanduser().absolute()


def load_mnist(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load MNIST: 60,000 handwritten digits to train on and 10,000 to test.

    Args:
        root: See `data_root`.
        download: Whether files that are missing or damaged may be fetched (11 MB in all).

    Returns:
        The training set and the test set.

    Raises:
        DataError: Files are missing or damaged, and could not or should not be fetched.
    """
    from torchvision.datasets import MNIST

    sets = load_from_torchvision(MNIST, "MNIST", DIGIT_NAMES, root, download)
    return _remember(load_mnist.__name__, sets)


def load_fashion_mnist(
    root: str | Path | None = None, download: bool = True
) -> tuple[DigitSet, DigitSet]:
    """Load Fashion-MNIST: pieces of clothing in MNIST's format, with their names as classes.

    Arguments, result and errors are those of `load_mnist`; a download is 31 MB.
    """
    from torchvision.datasets import FashionMNIST

    sets = load_from_torchvision(
        FashionMNIST, "Fashion-MNIST", FashionMNIST.classes, root, download
    )
    return _remember(load_fashion_mnist.__name__, sets)


def load_kmnist(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load KMNIST: cursive Japanese characters in MNIST's format, with their readings as classes.

    Arguments, result and errors are those of `load_mnist`; a download is 21 MB.
    """
    from torchvision.datasets import KMNIST

    sets = load_from_torchvision(KMNIST, "KMNIST", KMNIST.classes, root, download)
    return _remember(load_kmnist.__name__, sets)


def load_from_torchvision(
    dataset_class: type[MNIST],
    name: str,
    class_names: Sequence[str],
    root: str | Path | None = None,
    download: bool = True,
) -> tuple[DigitSet, DigitSet]:
    """Load any data set that torchvision keeps in MNIST's format.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass of it.
        name: What to call the set on screen.
        class_names: What the labels mean.
        root: See `data_root`.
        download: Whether files that are missing or damaged may be fetched.

    Returns:
        The training set and the test set.

    Raises:
        DataError: Files are missing or damaged, and could not or should not be fetched.
    """
    files = ensure_raw_files(dataset_class, data_root(root), download)
    train_images, train_labels, test_images, test_labels = (
        decode_idx(file.content) for file in files.values()
    )
    return (
        DigitSet(train_images, train_labels.long(), class_names, name),
        DigitSet(test_images, test_labels.long(), class_names, name),
    )


def load_bundled_digits() -> tuple[DigitSet, DigitSet]:
    """Load the 1,797 real digits that come with the package, made to look like MNIST's.

    They are 8x8 pixels in 17 grey levels (Alpaydin and Kaynak 1998, UCI Machine Learning
    Repository). Resized to 20x20 and framed by 4 black pixels, as MNIST's are, a network trained on
    MNIST reads 63 % of them; without the frame, 13 %.

    Returns:
        A training set of 1,438 and a test set of 359.
    """
    with np.load(BUNDLED_FILE) as arrays:
        train_set, test_set = (
            DigitSet(
                _frame_like_mnist(torch.from_numpy(arrays[f"{part}_images"])),
                torch.from_numpy(arrays[f"{part}_labels"]).long(),
                DIGIT_NAMES,
                "UCI digits",
            )
            for part in ("train", "test")
        )
    return _remember(load_bundled_digits.__name__, (train_set, test_set))


def load_digits(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load MNIST where it can be had, else the bundled digits, and print one line that says which.

    Args:
        root: See `data_root`.
        download: Whether MNIST may be fetched. Without a network it takes seconds to notice.

    Returns:
        The training set and the test set.
    """
    try:
        train_set, test_set = load_mnist(root, download)
    except DataError as error:
        train_set, test_set = load_bundled_digits()
        message = (
            f"the {len(train_set) + len(test_set):,} bundled {train_set.name} "
            f"({len(train_set):,} to train on, {len(test_set):,} to test), "
            f"because {error.reason}. To fetch MNIST later, run: mnist-widgets data"
        )
    else:
        message = (
            f"{train_set.name}, {len(train_set):,} training and {len(test_set):,} test images."
        )
    print(f"Data: {message}")  # noqa: T201 - everybody shall see what they train on
    return train_set, test_set


def find_loader(train_set: DigitSet, test_set: DigitSet) -> str | None:
    """Return the function of this package that gave these two sets; None for any others.

    A set whose images or labels were changed after loading is another set.
    """
    if train_set not in _loaded_by:
        return None
    loader = _loaded_by[train_set].loader
    for digit_set, is_training_set in ((train_set, True), (test_set, False)):
        source = _Source(loader, is_training_set, _checksum(digit_set))
        if _loaded_by.get(digit_set) != source:
            return None
    return loader


class _Source(NamedTuple):
    loader: str
    is_training_set: bool
    checksum: int


_loaded_by: WeakKeyDictionary[DigitSet, _Source] = WeakKeyDictionary()


def _remember(loader: str, sets: tuple[DigitSet, DigitSet]) -> tuple[DigitSet, DigitSet]:
    for digit_set, is_training_set in zip(sets, (True, False), strict=True):
        _loaded_by[digit_set] = _Source(loader, is_training_set, _checksum(digit_set))
    return sets


def _checksum(digit_set: DigitSet) -> int:
    """Return a checksum of images and labels, in 20 ms for all of MNIST."""
    images, labels = digit_set.images, digit_set.labels
    return zlib.crc32(_to_bytes(labels), zlib.crc32(_to_bytes(images)))


def _to_bytes(tensor: Tensor) -> memoryview:
    return tensor.cpu().contiguous().numpy().data


def _frame_like_mnist(images: Tensor) -> Tensor:
    """Turn uint8 (N, 8, 8) in 0..16 into uint8 (N, 28, 28) in 0..255."""
    resized = torch.nn.functional.interpolate(
        images.unsqueeze(1) * (255 / 16), size=(20, 20), mode="bicubic"
    )
    pixels = resized.squeeze(1).round().clamp(0, 255).to(torch.uint8)
    return torch.nn.functional.pad(pixels, (4, 4, 4, 4))
