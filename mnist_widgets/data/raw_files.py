"""Find, check and read the raw files of MNIST and similar data sets.

A file may be compressed (`.gz`), and its name may have a dot where torchvision writes a dash. Files
are read in place; nothing is written.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

# Computed from intact files: torchvision only has the checksums of the archives.
_MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class RawFile(NamedTuple):
    """One raw file and what is wrong with it.

    Attributes:
        path: Its path; None if it was not found.
        content: Its bytes, decompressed.
        fault: What is wrong, in words that follow its name ("is missing"); empty if it is intact.
    """

    path: Path | None
    content: bytes
    fault: str


_MISSING = RawFile(None, b"", "is missing")


def find_raw_files(dataset_class: type[MNIST], root: Path) -> dict[str, RawFile]:
    """Find a data set's raw files in a folder.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass.
        root: The folder that holds `<name of the class>/raw/`, or one of these two folders.

    Returns:
        All files by name, missing ones too, in the order of `dataset_class.resources`.
    """
    filenames = [archive.removesuffix(".gz") for archive, _ in dataset_class.resources]
    return {filename: _find_raw_file(dataset_class, root, filename) for filename in filenames}


def list_folders(root: Path, name: str) -> Iterator[Path]:
    """Yield the folders that may hold the raw files.

    All these data sets use the same file names, and only MNIST's checksums are known. So only MNIST
    is searched in folders that are not named after the data set.
    """
    yield root / name / "raw"
    yield root / name
    if name in (root.name, "MNIST"):
        yield root / "raw"
    if name in (root.name, "MNIST") or root.parts[-2:] == (name, "raw"):
        yield root


def find_faults(files: dict[str, RawFile]) -> dict[str, str]:
    """Return what is wrong with each file that cannot be used, by the file's name."""
    return {filename: file.fault for filename, file in files.items() if file.fault}


def decode_idx(content: bytes) -> Tensor:
    """Convert the bytes of an intact file in idx format to a uint8 tensor of its shape."""
    sizes, header_length = _read_header(content)
    pixels = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header_length)
    return pixels.reshape(sizes)


def check_file(path: Path, dataset_name: str, filename: str) -> RawFile:
    """Read a file, decompress it if its name ends in `.gz`, and check it.

    Args:
        path: The file.
        dataset_name: The name of its data set's class.
        filename: The file's name in torchvision, which selects the checksum.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return RawFile(path, b"", f"is damaged: {error}")
    except OSError as error:
        return RawFile(path, b"", f"cannot be read: {error.strerror}")
    md5 = _MNIST_MD5[filename] if dataset_name == "MNIST" else None
    return RawFile(path, content, _find_fault(content, md5))


def _find_raw_file(dataset_class: type[MNIST], root: Path, filename: str) -> RawFile:
    """Return the first intact copy of a raw file, otherwise the first damaged one."""
    name = dataset_class.__name__
    forms = (filename, filename.replace("-idx", ".idx"))
    endings = ("", ".gz")
    damaged = []
    for folder, form, ending in product(list_folders(root, name), forms, endings):
        file = check_file(folder / f"{form}{ending}", name, filename)
        if not file.fault:
            return file
        if file.path:
            damaged.append(file)
    return damaged[0] if damaged else _MISSING


def _find_fault(content: bytes, md5: str | None) -> str:
    """Return what is wrong with the content of an idx file, by its header and checksum."""
    num_dimensions = int.from_bytes(content[3:4], "big")
    if not content.startswith(b"\0\0\x08") or len(content) < 4 + 4 * max(num_dimensions, 1):
        return "is damaged: it does not start with the header of an idx file"
    sizes, header_length = _read_header(content)
    expected = header_length + math.prod(sizes)
    if len(content) != expected:
        return f"is damaged: it has {len(content):,} bytes, not {expected:,}"
    actual_md5 = md5 and hashlib.md5(content, usedforsecurity=False).hexdigest()
    return "" if actual_md5 == md5 else f"is damaged: its md5 is {actual_md5}, not {md5}"


def _read_header(content: bytes) -> tuple[tuple[int, ...], int]:
    """Return an idx file's shape and its header's length (format: yann.lecun.com/exdb/mnist)."""
    num_dimensions = content[3]
    return struct.unpack_from(f">{num_dimensions}I", content, 4), 4 + 4 * num_dimensions
