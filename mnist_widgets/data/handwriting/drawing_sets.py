"""Drawings with labels: merge them without counting one twice, and make a set of images of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.handwriting.drawing import Drawing, draw_images
from mnist_widgets.data.handwriting.pixels import PEN_PX

LabeledDrawing: TypeAlias = tuple[Drawing, int]


def merge_files(
    files: Iterable[Iterable[LabeledDrawing]], kept: Iterable[LabeledDrawing] = ()
) -> tuple[list[LabeledDrawing], int]:
    """Merge the drawings of files, and leave out those that are known already.

    A drawing is known if one with the same strokes and the same label is. If a file holds it twice
    and it is known once, one of the two is new: so a file gives back all that it holds.

    Args:
        files: The drawings of each file, each with its label.
        kept: What is known before.

    Returns:
        The new drawings in their order, and how many were left out.
    """
    known, num_left_out = Counter(kept), 0
    new: list[LabeledDrawing] = []
    for pairs in files:
        unmatched = known.copy()
        for pair in pairs:
            if unmatched[pair] > 0:
                unmatched[pair] -= 1
                num_left_out += 1
            else:
                new.append(pair)
                known[pair] += 1
    return new, num_left_out


def to_digit_set(
    pairs: Iterable[LabeledDrawing],
    name: str = "drawings",
    *,
    class_names: Iterable[object] = DIGIT_NAMES,
    scale: bool = True,
    center: bool = True,
    pen: float = PEN_PX,
) -> DigitSet:
    """Return drawings as images with labels.

    Example:
        >>> pairs = [(Drawing([[(0.5, 0.1), (0.5, 0.9)]]), 1)]
        >>> to_digit_set(pairs, "one", center=False)

    Args:
        pairs: Drawings, each with its label.
        name: Of the set.
        class_names: The name of each class, in the order of the labels.
        scale: See `Drawing.to_image`; so for the others.
        center: Whether to move the center of mass to pixel (14, 14).
        pen: The pen's radius in pixels of the image.

    Raises:
        ValueError: There is no drawing, a label has no class name, or `pen` is not above 0 and at
            most 5.
    """
    pairs = list(pairs)
    images = draw_images([drawing for drawing, _ in pairs], scale=scale, center=center, pen=pen)
    return DigitSet(images, [label for _, label in pairs], class_names, name)
