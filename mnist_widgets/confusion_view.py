"""Confusion counts made fit for the eye: colours and numbers of cells, sentences, a table.

Counting and dividing is left to `evaluation`. The sentences and the table are HTML.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mnist_widgets.measures import accuracy, normalize_confusion, precision, recall

Pair = tuple[int, int]
Numbers = Literal["counts", "true", "predicted"]
"""What the cells say: counts, or shares of their true or of their predicted class."""

STRONGEST_MISTAKE = 20
"""Images from which on a mistake has the strongest colour, as in the tutorial: 2 % of MNIST's."""
SET_ASIDE = -1.0
"""The strength of colour of a right answer where mistakes stand out."""

_STRONGEST_SHARE = 0.02  # of a class's images: a small test set has fewer mistakes to tell apart
_FEWEST_STRONGEST = 3
_DASH = "\N{EN DASH}"


def find_strongest(counts: Tensor, numbers: Numbers, mistakes_stand_out: bool) -> float:
    """Return the count or the share from which on a cell has the strongest colour.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells say.
        mistakes_stand_out: whether the scale is made for mistakes alone.
    """
    if not mistakes_stand_out:
        return counts.sum(dim=1).max().item() if numbers == "counts" else 1.0
    images_per_class = counts.sum().item() / len(counts)
    strongest = round(max(_STRONGEST_SHARE * images_per_class, _FEWEST_STRONGEST))
    if numbers == "counts":
        return min(strongest, STRONGEST_MISTAKE)
    return max(_STRONGEST_SHARE, min(1.0, _FEWEST_STRONGEST / images_per_class))


def color_cells(
    counts: Tensor, numbers: Numbers, mistakes_stand_out: bool
) -> npt.NDArray[np.float64]:
    """Return how strongly each cell is coloured: (C, C), 0 to 1, or `SET_ASIDE`.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`, not all 0.
        numbers: what the cells say.
        mistakes_stand_out: whether the diagonal is set aside.
    """
    strongest = find_strongest(counts, numbers, mistakes_stand_out)
    strengths = (_values_of(counts, numbers) / strongest).nan_to_num(0).clamp(0, 1).numpy()
    if mistakes_stand_out:
        np.fill_diagonal(strengths, SET_ASIDE)
    return strengths


def write_cells(counts: Tensor, numbers: Numbers) -> npt.NDArray[np.str_]:
    """Return each cell's number as text (C, C), as short as it can be; shares are in per cent."""
    write = "{:.0f}".format if numbers == "counts" else format_percent
    return np.array(
        [[write(value) for value in row] for row in _values_of(counts, numbers).tolist()]
    )


def format_percent(share: float) -> str:
    """Return a share of 1 in per cent, such as `97.8`; only nothing is `0`, only all is `100`."""
    if math.isnan(share):
        return _DASH
    if share in (0, 1):
        return f"{100 * share:.0f}"
    percent = f"{100 * share:.1f}"
    return {"0.0": "<0.1", "100.0": ">99.9"}.get(percent, percent)


def describe_colors(counts: Tensor, numbers: Numbers, mistakes_stand_out: bool) -> str:
    """Return the key to the colours that `color_cells` gives."""
    strongest = find_strongest(counts, numbers, mistakes_stand_out)
    none, most = (
        ("0", f"{strongest:,}")
        if numbers == "counts"
        else ("0 %", f"{round(100 * strongest, 1):g} %")
    )
    ramp = f'{none}<i class="mw-ramp"></i>{most}'
    if not mistakes_stand_out:
        return f'<div class="mw-key"><span>{ramp}</span></div>'
    aside = '<span><i class="mw-aside"></i>right, set aside</span>'
    return f'<div class="mw-key"><span>{ramp} or more</span>{aside}</div>'


def describe_pair(
    counts: Tensor, pair: Pair, numbers: Numbers, class_names: Sequence[str], noun: str
) -> str:
    """Return in words what one cell says, such as `True 4, predicted 9: 12 images`.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`.
        pair: (true, predicted).
        numbers: what the cells say.
        class_names: what the classes are called, in their order.
        noun: what a class is: `digit` or `class`.
    """
    true_name, predicted_name = (html.escape(class_names[label]) for label in pair)
    count = int(counts[pair])
    images = "image" if count == 1 else "images"
    sentence = f"True {true_name}, predicted {predicted_name}: {count:,} {images}"
    if numbers == "counts":
        return sentence
    share = normalize_confusion(counts, numbers)[pair].item()
    whole = f"the images of that {noun}" if numbers == "true" else "those predictions"
    return f"{sentence}, {_in_words(share)} of {whole}"


def describe_accuracy(counts: Tensor | None) -> str:
    """Return the accuracy in words: `Accuracy 97.8 %: 9,780 of 10,000 right`."""
    if counts is None:
        return f"<strong>Accuracy</strong> {_DASH}"
    right, total = int(counts.trace()), int(counts.sum())
    share = _in_words(accuracy(counts))
    return f"<strong>Accuracy {share}</strong>: {right:,} of {total:,} right"


def tabulate_measures(counts: Tensor | None, class_names: Sequence[str], noun: str) -> str:
    """Return recall and precision of each class as a table; a dash is what is undefined.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None before the first evaluation.
        class_names: what the classes are called, in their order.
        noun: what a class is: `digit` or `class`.
    """
    if counts is None:
        counts = torch.zeros(len(class_names), len(class_names), dtype=torch.int64)
    measures = zip(class_names, recall(counts).tolist(), precision(counts).tolist(), strict=True)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td>{_in_words(of_true)}</td><td>{_in_words(of_predicted)}</td></tr>"
        for name, of_true, of_predicted in measures
    )
    titles = "".join(
        f'<th scope="col">{title}</th>' for title in (noun.title(), "Recall", "Precision")
    )
    return (
        f"<table><caption>Recall: the share of a {noun}'s images that were recognized. "
        "Precision: the share of a prediction that is right.</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _values_of(counts: Tensor, numbers: Numbers) -> Tensor:
    return counts.double() if numbers == "counts" else normalize_confusion(counts, numbers)


def _in_words(share: float) -> str:
    return _DASH if math.isnan(share) else f"{html.escape(format_percent(share))} %"
