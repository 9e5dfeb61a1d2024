"""The raw files of MNIST and its relatives: found whole, or fetched, or named in an error.

Torchvision checks only that its files exist, so one that is truncated stays broken for good. Here
each file is checked before it is trusted, and a new one reaches its place whole or not at all.
Torchvision transfers the files; `raw_files` finds and reads them.
"""

from __future__ import annotations

import socket
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

from mnist_widgets.raw_files import RawFile, check_file, find_faults, find_raw_files

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

LONGEST_SILENCE_S = 15.0
"""Seconds that a server may fall silent before it is given up."""

_MOST_NAMED = 4


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


def ensure_raw_files(
    dataset_class: type[MNIST], root: Path, download: bool = True
) -> dict[str, RawFile]:
    """Return a data set's raw files, whole; what is missing or damaged is fetched.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass: its name, its files, its mirrors.
        root: The folder below which the files lie; new ones go to `<name of the class>/raw/` there.
            Where all files are whole, nothing is written.
        download: Whether to fetch what is missing or damaged. Without a network this ends within
            seconds.

    Returns:
        The files by name, in the order of `dataset_class.resources`.

    Raises:
        DataError: Files are missing or damaged, and could not or should not be fetched.
    """
    name = dataset_class.__name__
    folder = root / name / "raw"
    files = find_raw_files(dataset_class, root)
    faults = find_faults(files)
    if not faults:
        return files
    problem = _describe_faults(name, files, root)
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
    return find_raw_files(dataset_class, root)


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


def _describe_faults(name: str, files: dict[str, RawFile], root: Path) -> str:
    """Return what keeps a data set from being used, with what was found instead."""
    if all(file.is_missing for file in files.values()):
        try:
            held = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        except OSError as error:
            return f"{name} is not on this computer ({root} cannot be read: {error.strerror})"
        others = [held_name for held_name in held if not held_name.startswith(".")]
        if not others:
            return f"{name} is not on this computer"
        more = ", ..." if len(others) > _MOST_NAMED else ""
        return (
            f"{name} is not on this computer ({root} holds {', '.join(others[:_MOST_NAMED])}{more})"
        )
    details = ", ".join(
        f"{filename} {file.fault}"
        + (f" (found as {file.path})" if file.path and file.path.name != filename else "")
        for filename, file in files.items()
        if file.fault
    )
    return f"{name} is not whole ({details})"


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
            if fault := check_file(fetched, dataset_class.__name__, filename).fault:
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
