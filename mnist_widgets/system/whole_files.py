"""Write files that are never incomplete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, and move that file into place at the end.

    So after an interrupt, an error or with a full disk the earlier file remains. A symbolic link
    stays, and the file that it names is replaced.

    Example:
        >>> with write_whole(path) as temporary:
        ...     temporary.write_text("all of it")

    Raises:
        OSError: The file cannot be written.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
