"""Download the raw files of MNIST and similar data sets, and check them.

Torchvision only checks that its files exist, so it would never replace a truncated file. Here each
file is checked before it is used, and a download is moved into place only when it is complete.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterable, Sequence
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from mnist_widgets.data.raw_files import (
    RawFile,
    check_file,
    find_faults,
    find_raw_files,
    list_folders,
)
from mnist_widgets.system.short_text import list_first

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

LONGEST_SILENCE_S = 15.0
"""Timeout of a connection: the time without any data after which a download fails."""

_MOST_NAMED = 4  # files in an error message
# of the command that downloads a data set, by the name of its class
_OPTIONS = {"FashionMNIST": " --dataset fashion-mnist", "KMNIST": " --dataset kmnist"}


class DataError(RuntimeError):
    """A data set is not available.

    Attributes:
        reason: What is wrong, as a clause: "MNIST is not on this computer and there is no network".
        remedy: What to do, as a sentence.
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
    """Return a data set's raw files, after downloading those that are missing or damaged.

    Args:
        dataset_class: `torchvision.datasets.MNIST` or a subclass.
        root: The folder that holds the data sets; downloads go to `<name of the class>/raw/` in it.
            Nothing is written if all files are intact.
        download: Whether to download missing or damaged files. Without a network, this fails within
            seconds.

    Returns:
        The files by name, in the order of `dataset_class.resources`.

    Raises:
        DataError: Files are missing or damaged, and the download failed or is switched off; or
            `root` is a file.
    """
    name = dataset_class.__name__
    folder = root / name / "raw"
    files = find_raw_files(dataset_class, root)
    faults = find_faults(files)
    if not faults:
        return files
    problem = _describe_faults(name, files, root)
    if file := _find_file_on_way(folder):
        raise DataError(
            f"{problem} and {file} is a file, not a folder",
            f"Set MNIST_WIDGETS_DATA to a folder that holds {name}/raw, or to one for a download.",
        )
    remedy = (
        f"The files belong in {folder}: download them when there is a network (mnist-widgets "
        f"data{_OPTIONS.get(name, '')}), or set MNIST_WIDGETS_DATA to a folder that holds "
        f"{name}/raw."
    )
    if not download:
        raise DataError(f"{problem} and downloading is switched off", remedy)
    mirror = find_answering_mirror(dataset_class.mirrors, f"{next(iter(faults))}.gz")
    if mirror is None:
        raise DataError(f"{problem} and there is no network", remedy)
    mirrors = [mirror, *(other for other in dataset_class.mirrors if other != mirror)]
    usual_timeout_s = socket.getdefaulttimeout()
    socket.setdefaulttimeout(LONGEST_SILENCE_S)  # torchvision sets none
    try:
        _fetch_files(dataset_class, faults, mirrors, folder)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{problem} and the download failed ({error})", remedy) from error
    finally:
        socket.setdefaulttimeout(usual_timeout_s)
    return find_raw_files(dataset_class, root)


def find_answering_mirror(
    mirrors: Sequence[str], filename: str, timeout_s: float = 5.0
) -> str | None:
    """Request a file from all mirrors at once and return the first that answers.

    An answer may be an HTTP error: it shows that the mirror can be reached.

    Args:
        mirrors: URLs that end in a slash.
        filename: The file to request.
        timeout_s: The total time to wait, in seconds.

    Returns:
        One of the mirrors, or None if none can be reached.
    """
    answers: SimpleQueue[str | None] = SimpleQueue()

    def request(mirror: str) -> None:
        head = Request(f"{mirror}{filename}", method="HEAD")  # noqa: S310 - torchvision's URL
        answer: str | None = mirror
        try:
            urlopen(head, timeout=timeout_s).close()  # noqa: S310
        except HTTPError as error:
            error.close()
        except (OSError, HTTPException):
            answer = None
        answers.put(answer)

    for mirror in mirrors:  # in threads, because the timeout does not apply to a DNS lookup
        Thread(target=request, args=(mirror,), daemon=True).start()
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
    """Return why a data set cannot be used, and what the deepest folder holds instead."""
    if not any(file.path for file in files.values()):
        missing = f"{name} is not on this computer"
        folder = root
        try:
            folder = next((each for each in list_folders(root, name) if each.is_dir()), root)
            names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        except OSError as error:
            return f"{missing} ({folder} cannot be read: {error.strerror})"
        found = sorted(each for each in names if not each.startswith("."))
        return f"{missing} ({folder} holds {list_first(found, _MOST_NAMED)})" if found else missing
    details = ", ".join(
        f"{filename} {file.fault}"
        + (f" (found as {file.path})" if file.path and file.path.name != filename else "")
        for filename, file in files.items()
        if file.fault
    )
    return f"{name} is incomplete ({details})"


def _find_file_on_way(folder: Path) -> Path | None:
    """Return the file that has the path of a folder or of one above it, if there is one."""
    try:
        return next((path for path in (folder, *folder.parents) if path.is_file()), None)
    except OSError:  # a folder that this user may not search
        return None


def _fetch_files(
    dataset_class: type[MNIST], filenames: Iterable[str], mirrors: Sequence[str], folder: Path
) -> None:
    """Download raw files to a temporary folder and move each into place once it is checked."""
    archive_md5s = dict(dataset_class.resources)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as temporary:
        for filename in filenames:
            archive, fetched = f"{filename}.gz", Path(temporary) / filename
            _fetch_archive(archive, archive_md5s[archive], mirrors, Path(temporary))
            if fault := check_file(fetched, dataset_class.__name__, filename).fault:
                raise RuntimeError(f"the downloaded {filename} {fault}")
            fetched.replace(folder / filename)


def _fetch_archive(archive: str, md5: str, mirrors: Sequence[str], folder: Path) -> None:
    """Download one archive from the first mirror that has it, and extract it.

    Raises:
        RuntimeError: No mirror has an intact copy; the message names each and its error.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    failures = []
    for mirror in mirrors:
        try:
            download_and_extract_archive(
                f"{mirror}{archive}", str(folder), filename=archive, md5=md5
            )
        except (OSError, RuntimeError, HTTPException) as error:
            failures.append(f"{mirror}{archive}: {error}")
        else:
            return
    raise RuntimeError("; ".join(failures))
