"""Confusion counts for a reader: the colours and numbers of cells, and sentences.

The results are plain text or numbers; the panels and the static views make HTML of them.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mnist_widgets.training.evaluation.measures import accuracy, normalize_confusion

Pair: TypeAlias = tuple[int, int]
CellNumbers = Literal["counts", "true", "predicted"]
"""What the cells show: counts, or shares of their true or of their predicted class."""

STRONGEST_MISTAKE = 20
"""The count at which a mistake has the strongest colour, as in the tutorial."""
DIAGONAL_STRENGTH = -1.0
"""The value of the diagonal's cells while the mistakes are highlighted."""

_STRONGEST_SHARE = 0.02  # of a class's images: fewer mistakes are enough in a small test set
_FEWEST_STRONGEST = 3
_DASH = "\N{EN DASH}"


def find_strongest(counts: Tensor, numbers: CellNumbers, highlights_mistakes: bool) -> float:
    """Return the count or the share at which a cell has the strongest colour.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells show.
        highlights_mistakes: whether the scale ends at a number that fits mistakes.
    """
    if not highlights_mistakes:
        return counts.sum(dim=1).max().item() if numbers == "counts" else 1.0
    images_per_class = counts.sum().item() / len(counts)
    strongest = round(max(_STRONGEST_SHARE * images_per_class, _FEWEST_STRONGEST))
    if numbers == "counts":
        return min(strongest, STRONGEST_MISTAKE)
    return max(_STRONGEST_SHARE, min(1.0, _FEWEST_STRONGEST / images_per_class))


def color_cells(
    counts: Tensor, numbers: CellNumbers, highlights_mistakes: bool
) -> npt.NDArray[np.float64]:
    """Return the strength of each cell's colour: (C, C), 0 to 1, or `DIAGONAL_STRENGTH`.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells show.
        highlights_mistakes: whether the diagonal is grey and the scale fits mistakes.
    """
    strongest = find_strongest(counts, numbers, highlights_mistakes)
    strengths = (_values_of(counts, numbers) / strongest).nan_to_num(0).clamp(0, 1).numpy()
    if highlights_mistakes:
        np.fill_diagonal(strengths, DIAGONAL_STRENGTH)
    return strengths


def write_cells(counts: Tensor, numbers: CellNumbers) -> npt.NDArray[np.str_]:
    """Return each cell's number as short text (C, C); shares are in per cent."""
    write = "{:.0f}".format if numbers == "counts" else format_percent
    return np.array(
        [[write(value) for value in row] for row in _values_of(counts, numbers).tolist()]
    )


def format_percent(share: float) -> str:
    """Return a share in per cent, such as `97.8`; `0` and `100` are exact."""
    if math.isnan(share):
        return _DASH
    if share in (0, 1):
        return f"{100 * share:.0f}"
    percent = f"{100 * share:.1f}"
    return {"0.0": "<0.1", "100.0": ">99.9"}.get(percent, percent)


def write_share(share: float) -> str:
    """Return a share in per cent with its unit, such as `97.8 %`; a dash if it is undefined."""
    return _DASH if math.isnan(share) else f"{format_percent(share)} %"


def describe_colors(
    counts: Tensor, numbers: CellNumbers, highlights_mistakes: bool
) -> tuple[str, str, str]:
    """Return the key to the colours that `color_cells` gives, in words.

    Returns:
        The number without colour, the number with the strongest colour, and what the grey of the
        diagonal means, which is empty if the diagonal is coloured as all other cells.
    """
    strongest = find_strongest(counts, numbers, highlights_mistakes)
    if numbers == "counts":
        lowest, highest = "0", f"{strongest:,}"
    else:
        lowest, highest = "0 %", f"{round(100 * strongest, 1):g} %"
    if not highlights_mistakes:
        return lowest, highest, ""
    return lowest, f"{highest} or more", "right, not highlighted"


def describe_pair(counts: Tensor, pair: Pair, numbers: CellNumbers, noun: str) -> str:
    """Return in words what one cell shows, such as `12 images`.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`.
        pair: (true, predicted).
        numbers: what the cells show.
        noun: what a class is: `digit` or `class`.
    """
    count = int(counts[pair])
    sentence = "1 image" if count == 1 else f"{count:,} images"
    if numbers == "counts":
        return sentence
    share = normalize_confusion(counts, numbers)[pair].item()
    whole = f"the images of that {noun}" if numbers == "true" else "those predictions"
    return f"{sentence}, {write_share(share)} of {whole}"


def describe_accuracy(counts: Tensor) -> str:
    """Return the accuracy and its counts, such as `Accuracy 97.8 %: 9,780 of 10,000 right`."""
    right, total = int(counts.trace()), int(counts.sum())
    return f"Accuracy {write_share(accuracy(counts))}: {right:,} of {total:,} right"


def _values_of(counts: Tensor, numbers: CellNumbers) -> Tensor:
    return counts.double() if numbers == "counts" else normalize_confusion(counts, numbers)
