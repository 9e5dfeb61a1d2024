"""Save drawings in a file, and load the files of a class as one set.

A file is JSON with a format version, and with the label and the strokes of each drawing. A stroke
is the list of its x and the list of its y, as in Quick, Draw! (github.com/googlecreativelab/
quickdraw-dataset), which is read faster than a list of points. `classes` may name the classes, so
that letters are not taken for digits. Nothing says who drew them:

    {"format": "mnist_widgets drawings", "version": 1,
     "classes": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
     "drawings": [{"label": 7, "strokes": [[[0.2, 0.8, 0.4], [0.1, 0.1, 0.9]]]}]}

Files come from other people. So everything in them is checked, messages repeat no text of them, and
a file has limits: its size, its drawings, and the values in it. Peak memory, measured with
`benchmarks/drawing_memory.py`: reading a file of a million points and making its images takes 203
MB, and a file of only dots, which takes most, 310 MB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeGuard

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.downloads import DataError
from mnist_widgets.data.handwriting.drawing import FARTHEST, MOST_POINTS, Drawing
from mnist_widgets.data.handwriting.drawing_sets import LabeledDrawing, merge_files, to_digit_set
from mnist_widgets.data.handwriting.pixels import PEN_PX
from mnist_widgets.data.tensors import ArrayLike, check_label_range, to_class_labels, to_class_names
from mnist_widgets.system.short_text import shorten
from mnist_widgets.system.user_warnings import warn_user
from mnist_widgets.system.whole_files import write_whole

MOST_BYTES = 50_000_000
MOST_DRAWINGS = 20_000
MOST_VALUES = 2_500_000
"""Numbers, lists and objects in a file; those of a million points in strokes of six points each."""
MOST_CLASSES = 1_000
"""Labels of drawings are from 0 to 999."""

_FORMAT, _VERSION = "mnist_widgets drawings", 1
_FOREIGN = "it is not a file of drawings from mnist_widgets"
_TOO_LARGE = f"it is larger than {MOST_BYTES // 1_000_000} MB; save fewer drawings in one file"
_TOO_MANY = "it has more than about a million points; save fewer drawings in one file"
_REMEDY = "Save the drawings again, or leave this file out."


class _OtherClassesError(ValueError):
    """The file is sound, but its classes are not those that are wanted."""


def save_drawings(
    path: str | Path,
    drawings: Iterable[Drawing],
    labels: ArrayLike,
    class_names: Iterable[object] | None = None,
) -> None:
    """Save drawings with their labels; an existing file is replaced once the new one is complete.

    Example:
        >>> save_drawings("my_digits.json", [Drawing([[(0.5, 0.1), (0.5, 0.9)]])], [1])

    Args:
        path: The file; its name usually ends in `.json`.
        drawings: N drawings.
        labels: Integers (N,) from 0 to 999; a tensor, array or list.
        class_names: The name of each class, in the order of the labels. Then the file is loaded
            only where the classes are the same.

    Raises:
        ValueError: See `write_text`.
        OSError: The file cannot be written.
    """
    text = write_text(drawings, labels, class_names)
    with write_whole(Path(path).expanduser()) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_drawings(path: str | Path) -> list[LabeledDrawing]:
    """Read the drawings and labels of a file, exactly as they were saved.

    Raises:
        DataError: The file is missing, too large, damaged, no file of drawings, or was saved by a
            newer version.
    """
    return _read(path)


def _read(path: str | Path, class_names: Sequence[str] | None = None) -> list[LabeledDrawing]:
    path = Path(path).expanduser()
    if path.is_dir():
        raise DataError(f"{path} is a folder", "Pass the files in it, one by one.")
    if not path.is_file():
        raise DataError(f"there is no file {path}", "Check its name and its folder.")
    try:
        with path.open("rb") as file:
            # ASCII, as JSON is written, takes one byte a character
            return _parse(file.read(MOST_BYTES + 1).decode("ascii"), class_names)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", _REMEDY) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be used: {_FOREIGN}", _REMEDY) from error
    except _OtherClassesError as error:
        remedy = "Pass the names of its classes as class_names, or leave this file out."
        raise DataError(f"{path} cannot be used: {error}", remedy) from error
    except ValueError as error:
        raise DataError(f"{path} cannot be used: {error}", _REMEDY) from error


def load_drawings(
    *paths: str | Path,
    class_names: Iterable[object] = DIGIT_NAMES,
    scale: bool = True,
    center: bool = True,
    pen: float = PEN_PX,
) -> DigitSet:
    """Load the drawings of one or several files as a set of images, in the order of the files.

    A drawing that is in several files, with the same strokes and the same label, counts once; a
    warning says how many were left out. So it does no harm to name a file twice, or a copy of it.

    Example:
        >>> class_set = load_drawings(*Path("class").glob("*.json"))
        >>> Evaluator(class_set.batches(512)).evaluate(model, "cpu")

    Args:
        paths: The files.
        class_names: The name of each class, in the order of the labels.
        scale: See `Drawing.to_image`; so for the others.
        center: Whether to move the center of mass to pixel (14, 14).
        pen: The pen's radius in pixels of the image.

    Raises:
        DataError: There is no drawing, or a file cannot be used, for example because it is one of
            other classes; see `read_drawings`.
        ValueError: `pen` is not above 0 and at most 5, or two class names are equal.
    """
    names = to_class_names(class_names)
    pairs, num_left_out = merge_files(_read(path, names) for path in paths)
    if not pairs:
        reason = "there are no drawings in these files" if paths else "no file was given"
        raise DataError(reason, "Pass files that the drawing pad or save_drawings wrote.")
    if num_left_out:
        num_read = len(pairs) + num_left_out
        warn_user(
            f"{num_left_out:,} of the {num_read:,} drawings were left out, because the same "
            "drawings with the same labels are in an earlier one of these files."
        )
    name = Path(paths[0]).stem if len(paths) == 1 else f"{len(paths):,} files of drawings"
    return to_digit_set(pairs, name, class_names=names, scale=scale, center=center, pen=pen)


def write_text(
    drawings: Iterable[Drawing], labels: ArrayLike, class_names: Iterable[object] | None = None
) -> str:
    """Return the content of a file; the arguments are those of `save_drawings`.

    Raises:
        ValueError: Drawings and labels differ in number, a label is not from 0 to 999 or has no
            class name, two class names are equal, or there are more than 20,000 drawings, about a
            million points, or 50 MB.
    """
    drawings = list(drawings)
    checked = to_class_labels(labels)
    if checked.shape != (len(drawings),):
        raise ValueError(
            f"There are {len(drawings):,} drawings, and the labels have the shape "
            f"{tuple(checked.shape)}; each drawing needs one label."
        )
    names = None if class_names is None else to_class_names(class_names)
    check_label_range(checked, MOST_CLASSES if names is None else min(MOST_CLASSES, len(names)))
    if len(drawings) > MOST_DRAWINGS:
        raise ValueError(f"A file has at most {MOST_DRAWINGS:,} drawings; save several files.")
    entries = [
        {"label": label, "strokes": [list(zip(*each, strict=True)) for each in drawing.strokes]}
        for drawing, label in zip(drawings, checked.tolist(), strict=True)
    ]
    classes = {} if names is None else {"classes": names}
    content = {"format": _FORMAT, "version": _VERSION, **classes, "drawings": entries}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
    try:
        _check_size(text)
    except ValueError as error:
        raise ValueError(f"The file cannot be saved: {error}.") from error
    return text


def parse_text(
    text: str, source: str, class_names: Sequence[str] | None = None
) -> list[LabeledDrawing]:
    """Return the drawings and labels in the content of a file.

    Args:
        text: The content.
        source: The name of the file, for the error message.
        class_names: Names of the classes that the file must have; None for any.

    Raises:
        ValueError: The content is too large, damaged, holds no drawings, was saved by a newer
            version, or has other classes.
    """
    try:
        return _parse(text, class_names)
    except ValueError as error:
        raise ValueError(f"{shorten(source)} cannot be used: {error}.") from error


def _check_size(text: str) -> None:
    """Refuse text that takes too much memory; the message of the ValueError is a clause."""
    if len(text) > MOST_BYTES:
        _refuse(_TOO_LARGE)
    # Each value but the first one follows a comma or an opening bracket.
    if sum(map(text.count, ",[{")) >= MOST_VALUES:
        _refuse(_TOO_MANY)


def _parse(text: str, class_names: Sequence[str] | None) -> list[LabeledDrawing]:
    """Return the drawings and labels; the message of the ValueError is a clause."""
    _check_size(text)
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
        _refuse("a newer version of mnist_widgets saved it; update mnist_widgets on this computer")
    if len(entries) > MOST_DRAWINGS:
        _refuse(f"it has more than {MOST_DRAWINGS:,} drawings")
    classes = content.get("classes")  # None if the file does not name them
    if class_names is not None and classes is not None and classes != list(class_names):
        names = shorten(", ".join(class_names))
        raise _OtherClassesError(
            f"its drawings have other classes than those here, which are {names}"
        )
    num_classes = MOST_CLASSES if class_names is None else len(class_names)
    return [
        _parse_entry(entry, f"drawing {number:,} in it", num_classes)
        for number, entry in enumerate(entries, start=1)
    ]


def _parse_entry(entry: object, name: str, num_classes: int) -> LabeledDrawing:
    if not isinstance(entry, dict):
        _refuse(f"{name} is damaged")
    label, strokes = entry.get("label"), entry.get("strokes")
    if type(label) is not int or not 0 <= label < MOST_CLASSES:
        _refuse(f"the label of {name} is not a whole number from 0 to {MOST_CLASSES - 1}")
    if label >= num_classes:
        raise _OtherClassesError(
            f"{name} has the label {label}, but the labels here are 0 to {num_classes - 1}"
        )
    if not _are_strokes(strokes):
        _refuse(f"a stroke of {name} is not a list of x and a list of y")
    try:
        return Drawing(zip(xs, ys, strict=True) for xs, ys in strokes), label
    except ValueError as error:
        raise ValueError(
            f"{name} has more than {MOST_POINTS:,} points, or a point that is not two numbers from "
            f"{-FARTHEST:,.0f} to {FARTHEST:,.0f}"
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
