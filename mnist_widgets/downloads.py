"""The raw files of MNIST and its relatives: found whole, or fetched, or named in an error.

Torchvision checks only that its files exist, so one that is truncated stays broken for good. Here
each file is checked before it is trusted, and a new one reaches its place whole or not at all.
Transferring and reading the files is left to torchvision, choosing data set and folder to `data`.
"""

from __future__ import annotations

import hashlib
import math
import socket
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

LONGEST_SILENCE_S = 15.0
"""Seconds that a server may fall silent before it is given up."""

# Measured from intact files: torchvision knows only the sums of the archives, which are not kept.
RAW_MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
}


class DataError(RuntimeError):
    """A data set cannot be had: says what is wrong, where, and what to do.

    Attributes:
        reason: What is wrong, as a clause: "MNIST is not on this computer and there is no network".
        remedy: Where the files belong and what to do, as a sentence.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}. {self.remedy}"


def ensure_raw_files(dataset_class: type[MNIST], root: Path, download: bool = True) -> None:
    """See to it that a data set's raw files are whole; where they already are, nothing is written.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass: its name, its files, its mirrors.
        root: The folder that holds, or shall hold, `<name of the class>/raw/`.
        download: Whether to fetch what is missing or damaged. Without a network this ends within
            seconds.

    Raises:
        DataError: Files are missing or damaged, and could not or should not be fetched.
    """
    name = dataset_class.__name__
    folder = root / name / "raw"
    faults = find_faults(dataset_class, folder)
    if not faults:
        return
    problem = _describe_faults(dataset_class, faults)
    remedy = (
        f"The files belong in {folder}: fetch them when there is a network (mnist-widgets data), "
        f"or set MNIST_WIDGETS_DATA to a folder that holds {name}/raw."
    )
    if not download:
        raise DataError(f"{problem} and downloading is switched off", remedy)
    mirror = find_answering_mirror(dataset_class.mirrors, f"{next(iter(faults))}.gz")
    if mirror is None:
        raise DataError(f"{problem} and there is no network", remedy)
    mirrors = [mirror, *(other for other in dataset_class.mirrors if other != mirror)]
    try:
        _fetch_files(dataset_class, faults, mirrors, folder)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{problem} and could not be fetched ({error})", remedy) from error


def find_faults(dataset_class: type[MNIST], folder: Path) -> dict[str, str]:
    """Check the raw files of a data set.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass.
        folder: Where its raw files should lie.

    Returns:
        For each file that cannot be used, by name, what is wrong with it; empty if all is well.
    """
    filenames = [archive.removesuffix(".gz") for archive, _ in dataset_class.resources]
    faults = {
        filename: _find_fault(folder / filename, _get_known_md5(dataset_class, filename))
        for filename in filenames
    }
    return {filename: fault for filename, fault in faults.items() if fault}


def find_answering_mirror(
    mirrors: Sequence[str], filename: str, timeout_s: float = 5.0
) -> str | None:
    """Ask all mirrors for a file at once and take the first that answers, if only with an error.

    Args:
        mirrors: Addresses that end in a slash.
        filename: The file to ask for.
        timeout_s: How long to wait altogether, in seconds.

    Returns:
        One of the mirrors, or None: there is no network, or none that leads to them.
    """
    answers: SimpleQueue[str | None] = SimpleQueue()

    def ask(mirror: str) -> None:
        request = Request(f"{mirror}{filename}", method="HEAD")  # noqa: S310 - torchvision's
        try:
            with urlopen(request, timeout=timeout_s):  # noqa: S310 - own addresses
                answers.put(mirror)
        except HTTPError as error:
            error.close()
            answers.put(mirror)
        except (OSError, HTTPException):
            answers.put(None)

    for mirror in mirrors:  # in threads, because no timeout bounds the look-up of a name
        Thread(target=ask, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + timeout_s
    for _ in mirrors:
        try:
            mirror_or_none = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            return None
        if mirror_or_none:
            return mirror_or_none
    return None


def _describe_faults(dataset_class: type[MNIST], faults: dict[str, str]) -> str:
    is_all_missing = list(faults.values()) == ["is missing"] * len(dataset_class.resources)
    if is_all_missing:
        return f"{dataset_class.__name__} is not on this computer"
    details = ", ".join(f"{filename} {fault}" for filename, fault in faults.items())
    return f"{dataset_class.__name__} is not whole ({details})"


def _get_known_md5(dataset_class: type[MNIST], filename: str) -> str | None:
    return RAW_MD5.get(dataset_class.__name__, {}).get(filename)


def _find_fault(path: Path, md5: str | None) -> str | None:
    """Say what is wrong with a raw file, as the end of a sentence that its name begins."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    fault = _find_length_fault(content)
    if fault or md5 is None:
        return fault
    actual_md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return None if actual_md5 == md5 else f"is damaged: its md5 is {actual_md5}, not {md5}"


def _find_length_fault(content: bytes) -> str | None:
    """Compare a file of bytes in idx format with its header (format: yann.lecun.com/exdb/mnist)."""
    num_dimensions = int.from_bytes(content[3:4], "big")
    header_length = 4 + 4 * num_dimensions
    if not content.startswith(b"\0\0\x08") or len(content) < header_length:
        return "is damaged: it does not begin with the header of an idx file"
    sizes = struct.unpack_from(f">{num_dimensions}I", content, 4)
    expected = header_length + math.prod(sizes)
    if len(content) != expected:
        return f"is damaged: it has {len(content):,} bytes, not {expected:,}"
    return None


def _fetch_files(
    dataset_class: type[MNIST], filenames: Iterable[str], mirrors: Sequence[str], folder: Path
) -> None:
    """Fetch raw files into a temporary folder and move each into place once it is found whole."""
    archive_md5s = dict(dataset_class.resources)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as temporary:
        for filename in filenames:
            archive, fetched = f"{filename}.gz", Path(temporary) / filename
            _fetch_archive(archive, archive_md5s[archive], mirrors, Path(temporary))
            fault = _find_fault(fetched, _get_known_md5(dataset_class, filename))
            if fault:
                raise RuntimeError(f"the fetched {filename} {fault}")
            fetched.replace(folder / filename)


def _fetch_archive(archive: str, md5: str, mirrors: Sequence[str], folder: Path) -> None:
    """Fetch one archive from the first mirror that has it, and unpack it.

    Raises:
        RuntimeError: No mirror has it whole; names each and its error.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    failures = []
    for mirror in mirrors:
        try:
            with _no_endless_waits():
                download_and_extract_archive(
                    f"{mirror}{archive}", str(folder), filename=archive, md5=md5
                )
        except (OSError, RuntimeError, HTTPException) as error:
            failures.append(f"{mirror}{archive}: {error}")
        else:
            return
    raise RuntimeError("; ".join(failures))


@contextmanager
def _no_endless_waits() -> Iterator[None]:
    """Within this context a connection that falls silent ends: torchvision sets no time limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(LONGEST_SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
