"""Save drawings in a file, and load the files of a class as one set.

A file is JSON with a format version, and with the label and the strokes of each drawing. A stroke
is the list of its x and the list of its y, as in Quick, Draw! (github.com/googlecreativelab/
quickdraw-dataset), which is read faster than a list of points. Nothing says who drew them:

    {"format": "mnist_widgets drawings", "version": 1,
     "drawings": [{"label": 7, "strokes": [[[0.2, 0.8, 0.4], [0.1, 0.1, 0.9]]]}]}

Files come from other people, so everything in them is checked, and messages repeat nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn, TypeGuard

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.downloads import DataError
from mnist_widgets.data.handwriting.drawing import MOST_POINTS, Drawing, draw_images
from mnist_widgets.data.handwriting.pixels import PEN_PX
from mnist_widgets.data.loaders import DIGIT_NAMES
from mnist_widgets.data.tensors import ArrayLike, check_label_range, to_class_labels
from mnist_widgets.system.whole_files import write_whole

MOST_BYTES = 50_000_000
MOST_DRAWINGS = 20_000
"""In a file; drawing their images takes some 200 MB of memory."""

_FORMAT, _VERSION = "mnist_widgets drawings", 1
_FOREIGN = "it does not hold drawings that mnist_widgets saved"
_TOO_LARGE = f"it has more than {MOST_BYTES // 1_000_000} MB; save fewer drawings in one file"
_REMEDY = "Save the drawings again, or leave this file out."


def save_drawings(path: str | Path, drawings: Iterable[Drawing], labels: ArrayLike) -> None:
    """Save drawings with their labels; an existing file is replaced once the new one is complete.

    Example:
        >>> save_drawings("my_digits.json", [Drawing([[(0.5, 0.1), (0.5, 0.9)]])], [1])

    Args:
        path: The file; its name usually ends in `.json`.
        drawings: N drawings.
        labels: Integers (N,) from 0 to 9; a tensor, array or list.

    Raises:
        ValueError: See `write_text`.
        OSError: The file cannot be written.
    """
    text = write_text(drawings, labels)
    with write_whole(Path(path).expanduser()) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_drawings(path: str | Path) -> list[tuple[Drawing, int]]:
    """Read the drawings and labels of a file, exactly as they were saved.

    Raises:
        DataError: The file is missing, too large, damaged, no file of drawings, or was saved by a
            newer version.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Name the files in it: folder/my_digits.json.")
    if not path.is_file():
        raise DataError(f"there is no file {path}", "Check its name, and where it lies.")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            _refuse(_TOO_LARGE)
        return _parse(content.decode("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", _REMEDY) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be used: {_FOREIGN}", _REMEDY) from error
    except ValueError as error:
        raise DataError(f"{path} cannot be used: {error}", _REMEDY) from error


def load_drawings(
    *paths: str | Path, scale: bool = True, center: bool = True, pen: float = PEN_PX
) -> DigitSet:
    """Load the drawings of one or several files as a set of images, in the order of the files.

    Example:
        >>> class_set = load_drawings(*Path("class").glob("*.json"))
        >>> Evaluator(class_set.batches(512)).evaluate(model, "cpu")

    Args:
        paths: The files.
        scale: See `Drawing.to_image`; so for the others.
        center: Whether to move the center of mass to pixel (14, 14).
        pen: The pen's radius in pixels of the image.

    Raises:
        DataError: There is no drawing, or a file cannot be used; see `read_drawings`.
        ValueError: `pen` is not above 0 and at most 5.
    """
    pairs = [pair for path in paths for pair in read_drawings(path)]
    if not pairs:
        reason = "there are no drawings in these files" if paths else "no file is named"
        raise DataError(reason, "Name files that save_drawings or the drawing pad has written.")
    drawings, labels = zip(*pairs, strict=True)
    images = draw_images(drawings, scale=scale, center=center, pen=pen)
    name = Path(paths[0]).stem if len(paths) == 1 else f"{len(paths):,} files of drawings"
    return DigitSet(images, labels, DIGIT_NAMES, name)


def write_text(drawings: Iterable[Drawing], labels: ArrayLike) -> str:
    """Return the content of a file; the arguments are those of `save_drawings`.

    Raises:
        ValueError: Drawings and labels differ in number, a label is not from 0 to 9, or there are
            more than 20,000 drawings or 50 MB.
    """
    drawings = list(drawings)
    checked = to_class_labels(labels)
    if checked.shape != (len(drawings),):
        raise ValueError(
            f"There are {len(drawings):,} drawings, and the labels have the shape "
            f"{tuple(checked.shape)}; each drawing needs one label."
        )
    check_label_range(checked, len(DIGIT_NAMES))
    if len(drawings) > MOST_DRAWINGS:
        raise ValueError(f"A file has at most {MOST_DRAWINGS:,} drawings; save several files.")
    entries = [
        {"label": label, "strokes": [list(zip(*each, strict=True)) for each in drawing.strokes]}
        for drawing, label in zip(drawings, checked.tolist(), strict=True)
    ]
    content = {"format": _FORMAT, "version": _VERSION, "drawings": entries}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
    if len(text) > MOST_BYTES:
        raise ValueError(f"The file cannot be saved: {_TOO_LARGE}.")
    return text


def parse_text(text: str, source: str) -> list[tuple[Drawing, int]]:
    """Return the drawings and labels in the content of a file.

    Args:
        text: The content.
        source: The name of the file, for the error message.

    Raises:
        ValueError: The content is too large, damaged, holds no drawings, or was saved by a newer
            version.
    """
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"{source} cannot be used: {error}.") from error


def _parse(text: str) -> list[tuple[Drawing, int]]:
    """Return the drawings and labels; the message of the ValueError is a clause."""
    if len(text) > MOST_BYTES:
        _refuse(_TOO_LARGE)
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is damaged, or not a file of drawings") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        _refuse(_FOREIGN)
    version, entries = content.get("version"), content.get("drawings")
    if type(version) is not int or version < 1 or not isinstance(entries, list):
        _refuse(_FOREIGN)
    if version > _VERSION:
        _refuse("a newer version of mnist_widgets saved it; update mnist_widgets here, too")
    if len(entries) > MOST_DRAWINGS:
        _refuse(f"it has more than {MOST_DRAWINGS:,} drawings")
    return [_parse_entry(entry, number) for number, entry in enumerate(entries, start=1)]


def _parse_entry(entry: object, number: int) -> tuple[Drawing, int]:
    if not isinstance(entry, dict):
        _refuse(f"its drawing {number:,} is damaged")
    label, strokes = entry.get("label"), entry.get("strokes")
    if type(label) is not int or not 0 <= label < len(DIGIT_NAMES):
        _refuse(f"the label of its drawing {number:,} is not a digit from 0 to 9")
    if not _are_strokes(strokes):
        _refuse(f"the strokes of its drawing {number:,} are not lists of x and lists of y")
    try:
        return Drawing(zip(xs, ys, strict=True) for xs, ys in strokes), label
    except ValueError as error:
        raise ValueError(
            f"its drawing {number:,} has more than {MOST_POINTS:,} points, or points that are not "
            "two numbers near the pad"
        ) from error


def _are_strokes(value: object) -> TypeGuard[list[list[list[float]]]]:
    """Return whether a value is a list of pairs of lists; `Drawing` checks what they hold."""
    return isinstance(value, list) and all(
        isinstance(stroke, list)
        and len(stroke) == 2
        and all(isinstance(numbers, list) for numbers in stroke)
        for stroke in value
    )


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
