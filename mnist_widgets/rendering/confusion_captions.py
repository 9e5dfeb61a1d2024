"""Confusion counts for a reader: the colours and numbers of cells, sentences, and a table.

Everything is plain text or numbers; the panels and the static views turn it into HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mnist_widgets.rendering.tables import Table
from mnist_widgets.training.evaluation.measures import (
    accuracy,
    normalize_confusion,
    precision,
    recall,
)

Pair: TypeAlias = tuple[int, int]
Numbers = Literal["counts", "true", "predicted"]
"""What the cells show: counts, or shares of their true or of their predicted class."""

STRONGEST_MISTAKE = 20
"""Images at which a mistake has the strongest colour, as in the tutorial: 2 % of MNIST's."""
DIAGONAL_STRENGTH = -1.0
"""The strength of colour of the diagonal while the mistakes are highlighted."""

_STRONGEST_SHARE = 0.02  # of a class's images: fewer mistakes are enough in a small test set
_FEWEST_STRONGEST = 3
_DASH = "\N{EN DASH}"


MEASURES: Mapping[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "Recall": ("the share of a {noun}'s images that were recognized", recall),
    "Precision": ("the share of a prediction that is right", precision),
}
"""The measures of a class that the tables show: their names, meanings and functions.

In a meaning, `{noun}` stands for what a class is. A function takes `counts[true, predicted]` and
returns float64 (C,), NaN where the measure is undefined.
"""


class ColorKey(NamedTuple):
    """The key to the colours of the cells.

    Attributes:
        lowest: the number without colour.
        highest: the number with the strongest colour.
        diagonal: what its grey means; empty if it is coloured as all other cells.
    """

    lowest: str
    highest: str
    diagonal: str


def find_strongest(counts: Tensor, numbers: Numbers, highlights_mistakes: bool) -> float:
    """Return the count or the share at which a cell has the strongest colour.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells show.
        highlights_mistakes: whether the scale is made for mistakes alone.
    """
    if not highlights_mistakes:
        return counts.sum(dim=1).max().item() if numbers == "counts" else 1.0
    images_per_class = counts.sum().item() / len(counts)
    strongest = round(max(_STRONGEST_SHARE * images_per_class, _FEWEST_STRONGEST))
    if numbers == "counts":
        return min(strongest, STRONGEST_MISTAKE)
    return max(_STRONGEST_SHARE, min(1.0, _FEWEST_STRONGEST / images_per_class))


def color_cells(
    counts: Tensor, numbers: Numbers, highlights_mistakes: bool
) -> npt.NDArray[np.float64]:
    """Return how strongly each cell is coloured: (C, C), 0 to 1, or `DIAGONAL_STRENGTH`.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells show.
        highlights_mistakes: whether the diagonal is grey, and the scale made for mistakes.
    """
    strongest = find_strongest(counts, numbers, highlights_mistakes)
    strengths = (_values_of(counts, numbers) / strongest).nan_to_num(0).clamp(0, 1).numpy()
    if highlights_mistakes:
        np.fill_diagonal(strengths, DIAGONAL_STRENGTH)
    return strengths


def write_cells(counts: Tensor, numbers: Numbers) -> npt.NDArray[np.str_]:
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


def describe_colors(counts: Tensor, numbers: Numbers, highlights_mistakes: bool) -> ColorKey:
    """Return the key to the colours that `color_cells` gives."""
    strongest = find_strongest(counts, numbers, highlights_mistakes)
    lowest, highest = (
        ("0", f"{strongest:,}")
        if numbers == "counts"
        else ("0 %", f"{round(100 * strongest, 1):g} %")
    )
    if not highlights_mistakes:
        return ColorKey(lowest, highest, "")
    return ColorKey(lowest, f"{highest} or more", "right, not highlighted")


def describe_pair(counts: Tensor, pair: Pair, numbers: Numbers, noun: str) -> str:
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
    return f"{sentence}, {_write_share(share)} of {whole}"


def describe_accuracy(counts: Tensor | None) -> tuple[str, str]:
    """Return the accuracy and its counts: `("Accuracy 97.8 %", ": 9,780 of 10,000 right")`."""
    if counts is None:
        return f"Accuracy {_DASH}", ""
    right, total = int(counts.trace()), int(counts.sum())
    return f"Accuracy {_write_share(accuracy(counts))}", f": {right:,} of {total:,} right"


def tabulate_measures(counts: Tensor | None, class_names: Sequence[str], noun: str) -> Table:
    """Return recall and precision of each class as a table; a dash where they are undefined.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None before the first evaluation.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.
    """
    if counts is None:
        counts = torch.zeros(len(class_names), len(class_names), dtype=torch.int64)
    columns = [map(_write_share, compute(counts).tolist()) for _, compute in MEASURES.values()]
    caption = " ".join(f"{name}: {meaning}." for name, (meaning, _) in MEASURES.items())
    rows = list(zip(class_names, *columns, strict=True))
    return Table([noun.title(), *MEASURES], rows, caption.format(noun=noun))


def _values_of(counts: Tensor, numbers: Numbers) -> Tensor:
    return counts.double() if numbers == "counts" else normalize_confusion(counts, numbers)


def _write_share(share: float) -> str:
    return _DASH if math.isnan(share) else f"{format_percent(share)} %"
