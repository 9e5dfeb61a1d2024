"""Images and filters in words, for the gallery's frames, tooltips and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import get_args

from torch import Tensor

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.rendering.captions import format_share
from mnist_widgets.training.evaluation.predictions import Predictions
from mnist_widgets.training.evaluation.selection import ImageFilter, Reaction, find_wrong_labels

_NO_REACTION: dict[Reaction, str] = {
    "memorized": "The network repeats none of the wrong labels.",
    "resisted": "The network gives the true class of no image with a wrong label.",
    "neither": "For each wrong label the network gives this label or the true class.",
}


def describe_images(
    digit_set: DigitSet, probabilities: Tensor, indices: Tensor
) -> tuple[list[str], list[str], list[str]]:
    """Return three lists of words about images: names, verdicts and sentences.

    Args:
        digit_set: the images and their labels.
        probabilities: float32 (N, C), for all images of the set; zeros before a prediction, and NaN
            from a network that has diverged.
        indices: int64 (M,), the positions of the images to describe.

    Returns:
        Names such as `Image 1,234: true 4, predicted 9 with 61 %`; verdicts about the true class:
        `"right"`, `"wrong"`, or `""` without a prediction; and sentences as `describe_answer`
        writes them, `""` before a prediction. Where the label is wrong, the name says it, too.
    """
    class_names = digit_set.class_names
    shares, predicted = probabilities[indices].max(dim=1)
    truths, labels = digit_set.original_labels[indices], digit_set.labels[indices]
    columns = (indices, truths, labels, predicted, shares)
    names, verdicts, sentences = [], [], []
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for index, truth, label, guess, share in rows:
        name, verdict = f"Image {index:,}: true {class_names[truth]}", ""
        if label != truth:
            name += f", wrong label {class_names[label]}"
        if share > 0:
            name += f", predicted {class_names[guess]} with {format_share(share)}"
            verdict = "right" if guess == truth else "wrong"
            if label != truth and guess in (label, truth):
                name += " (memorized)" if guess == label else " (resisted)"
        elif math.isnan(share):
            name += ", the network's outputs are no numbers (nan)"
        names.append(name)
        verdicts.append(verdict)
        sentences.append(describe_answer(probabilities[index], class_names, truth) if share else "")
    return names, verdicts, sentences


def list_wrong_labels(digit_set: DigitSet, indices: Tensor) -> list[str]:
    """Return the wrong label of each image at int64 (M,) positions, "" where it is right."""
    labels, truths = digit_set.labels[indices], digit_set.original_labels[indices]
    rows = zip(labels.tolist(), truths.tolist(), strict=True)
    return ["" if label == truth else digit_set.class_names[label] for label, truth in rows]


def describe_wrong_labels(digit_set: DigitSet, predictions: Predictions | None) -> str:
    """Return a sentence on the wrong labels of a set and on what the network says of them.

    Returns:
        "" if no label is wrong.
    """
    wrong = find_wrong_labels(digit_set.labels, digit_set.original_labels, predictions)
    if not wrong.num_wrong:
        return ""
    if not wrong.reactions:
        return f"{wrong.num_wrong:,} of {len(digit_set):,} labels are wrong."
    memorized, resisted, neither = map(wrong.count, get_args(Reaction))
    labels = "label" if wrong.num_wrong == 1 else "labels"
    return (
        f"Of {wrong.num_wrong:,} wrong {labels}, the network repeats {memorized:,} (memorized); "
        f"it gives the true class for {resisted:,} (resisted) and another one for {neither:,}."
    )


def describe_answer(
    probabilities: Tensor, class_names: Sequence[str], true_label: int | None = None
) -> str:
    """Return the answer for one image in a sentence, such as `The network says 7 with 93 %.`.

    Args:
        probabilities: (C,), for one image.
        class_names: the names of the classes.
        true_label: the image's class, if it is known.
    """
    if probabilities.isnan().any():
        words = "The network's outputs are no numbers any more (nan)."
    else:
        words = f"The network says {describe_prediction(probabilities, class_names)}."
    return words if true_label is None else f"True {class_names[true_label]}. {words}"


def describe_prediction(probabilities: Tensor, class_names: Sequence[str]) -> str:
    """Return the two likeliest classes in words, such as `7 with 93 %, then 2 with 5 %`."""
    answers = zip(probabilities.tolist(), class_names, strict=True)
    likeliest = sorted(answers, key=itemgetter(0), reverse=True)[:2]  # of equals the first
    return ", then ".join(f"{name} with {format_share(share)}" for share, name in likeliest)


def name_filter(wanted: ImageFilter, class_names: Sequence[str]) -> str:
    """Return a filter's name, such as `Mistakes`, `Wrong, resisted` or `True 4, predicted 9`."""
    if wanted.is_right is not None:
        return "Right" if wanted.is_right else "Mistakes"
    if wanted.reaction is not None:
        return f"Wrong, {wanted.reaction}"
    if wanted.has_wrong_label:
        return "Wrong labels"
    true = "" if wanted.label is None else f"True {class_names[wanted.label]}"
    if wanted.predicted is None:
        return true or "All"
    predicted = class_names[wanted.predicted]
    return f"{true}, predicted {predicted}" if true else f"Predicted {predicted}"


def explain_absence(wanted: ImageFilter, class_names: Sequence[str]) -> str:
    """Return a sentence for a filter that no image passes."""
    if wanted.is_right is not None:
        return "No prediction is right yet." if wanted.is_right else "Not a single mistake."
    if wanted.reaction is not None:
        return _NO_REACTION[wanted.reaction]
    if wanted.has_wrong_label:
        return "No label is wrong."
    true = "image" if wanted.label is None else class_names[wanted.label]
    if wanted.predicted is None:
        return f"No image shows a true {true}."
    return f"No {true} is taken for {class_names[wanted.predicted]} at present."
