"""Load a data set: MNIST, Fashion-MNIST, KMNIST, or the digits that come with the package.

Each loader returns a training set and a test set.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import torch
from torch import Tensor
from torch.nn import functional

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.downloads import DataError, ensure_raw_files
from mnist_widgets.data.raw_files import decode_idx
from mnist_widgets.system.data_folder import read_data_folder

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

BUNDLED_FILE = Path(__file__).parent / "datasets" / "uci_digits.npz"


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder that holds the data sets, each in torchvision's layout (`MNIST/raw/...`).

    The folder may also be `MNIST` or `MNIST/raw` itself, and the files may be compressed (`.gz`).

    Args:
        root: The folder. By default the one named in the environment variable
            `MNIST_WIDGETS_DATA` (spaces and quotes around it are ignored), else the user's cache
            directory.

    Returns:
        An absolute path. The folder may not exist yet.
    """
    chosen = root or read_data_folder()
    return Path(chosen or platformdirs.user_cache_dir("mnist_widgets")).expanduser().absolute()


def load_mnist(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load MNIST: 60,000 handwritten digits for training and 10,000 for testing.

    Args:
        root: See `data_root`.
        download: Whether to download missing or damaged files (11 MB in all).

    Returns:
        The training set and the test set.

    Raises:
        DataError: Files are missing or damaged, and the download failed or is switched off.
    """
    from torchvision.datasets import MNIST

    sets = load_from_torchvision(MNIST, "MNIST", root, download)
    return _remember(load_mnist.__name__, sets)


def load_fashion_mnist(
    root: str | Path | None = None, download: bool = True
) -> tuple[DigitSet, DigitSet]:
    """Load Fashion-MNIST: pieces of clothing in MNIST's format, with their names as classes.

    Arguments, result and errors are those of `load_mnist`; a download is 31 MB.
    """
    from torchvision.datasets import FashionMNIST

    sets = load_from_torchvision(FashionMNIST, "Fashion-MNIST", root, download)
    return _remember(load_fashion_mnist.__name__, sets)


def load_kmnist(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load KMNIST: cursive Japanese characters in MNIST's format, with their readings as classes.

    Arguments, result and errors are those of `load_mnist`; a download is 21 MB.
    """
    from torchvision.datasets import KMNIST

    sets = load_from_torchvision(KMNIST, "KMNIST", root, download)
    return _remember(load_kmnist.__name__, sets)


def load_from_torchvision(
    dataset_class: type[MNIST], name: str, root: str | Path | None = None, download: bool = True
) -> tuple[DigitSet, DigitSet]:
    """Load a data set that torchvision provides in MNIST's format.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass of it.
        name: The name of the set on screen.
        root: See `data_root`.
        download: Whether to download missing or damaged files.

    Returns:
        The training set and the test set.

    Raises:
        DataError: Files are missing or damaged, and the download failed or is switched off.
    """
    files = ensure_raw_files(dataset_class, data_root(root), download)
    images, labels, test_images, test_labels = (decode_idx(each.content) for each in files.values())
    class_names = [each.partition(" - ")[0] for each in dataset_class.classes]  # of "0 - zero"
    train_set = DigitSet(images, labels, class_names, name)
    return train_set, DigitSet(test_images, test_labels, class_names, name)


def load_bundled_digits() -> tuple[DigitSet, DigitSet]:
    """Load the 1,797 real digits that come with the package, resized to look like MNIST's.

    The originals have 8x8 pixels in 17 gray levels (Alpaydin and Kaynak 1998, UCI Machine Learning
    Repository). They are resized to 20x20 pixels and get a border of 4 black pixels, like MNIST's.
    A network trained on MNIST recognizes 63 % of them; without the border, 13 %.

    Returns:
        A training set of 1,438 and a test set of 359.
    """
    with np.load(BUNDLED_FILE) as arrays:
        train_set, test_set = (
            DigitSet(
                _resize_and_pad(torch.from_numpy(arrays[f"{part}_images"])),
                arrays[f"{part}_labels"],
                DIGIT_NAMES,
                "UCI digits",
            )
            for part in ("train", "test")
        )
    return _remember(load_bundled_digits.__name__, (train_set, test_set))


def load_digits(root: str | Path | None = None, download: bool = True) -> tuple[DigitSet, DigitSet]:
    """Load MNIST, or the bundled digits if it is not available, and print which one was loaded.

    Args:
        root: See `data_root`.
        download: Whether to download MNIST. Without a network, this fails within seconds.

    Returns:
        The training set and the test set.
    """
    try:
        train_set, test_set = load_mnist(root, download)
    except DataError as error:
        train_set, test_set = load_bundled_digits()
        message = (
            f"the {len(train_set) + len(test_set):,} bundled {train_set.name} "
            f"({len(train_set):,} for training, {len(test_set):,} for testing), "
            f"because {error.reason}. To download MNIST later, run: mnist-widgets data"
        )
    else:
        message = (
            f"{train_set.name}, {len(train_set):,} training and {len(test_set):,} test images."
        )
    print(f"Data: {message}")  # noqa: T201 - users must see which data they train on
    return train_set, test_set


def find_loader(train_set: DigitSet, test_set: DigitSet) -> str | None:
    """Return the name of the function of this module that loaded these two sets.

    Return None if there is none, or if images or labels were changed after loading.
    """
    return _loaders.get((_identify(train_set), _identify(test_set)))


_loaders: dict[tuple[Hashable, ...], str] = {}


def _remember(loader: str, sets: tuple[DigitSet, DigitSet]) -> tuple[DigitSet, DigitSet]:
    _loaders[tuple(map(_identify, sets))] = loader
    return sets


def _identify(digit_set: DigitSet) -> Hashable:
    """Return a set's name, its class names, and the checksums of its images and labels.

    This takes 20 ms for all of MNIST.
    """
    tensors = (digit_set.images, digit_set.labels)
    checksums = [zlib.crc32(tensor.cpu().contiguous().numpy().data) for tensor in tensors]
    return digit_set.name, digit_set.class_names, *checksums


def _resize_and_pad(images: Tensor) -> Tensor:
    """Convert uint8 (N, 8, 8) in 0..16 to uint8 (N, 28, 28) in 0..255."""
    scaled = images.unsqueeze(1) * (255 / 16)
    resized = functional.interpolate(scaled, size=(20, 20), mode="bicubic").squeeze(1)
    return functional.pad(resized.round().clamp(0, 255).to(torch.uint8), (4, 4, 4, 4))
