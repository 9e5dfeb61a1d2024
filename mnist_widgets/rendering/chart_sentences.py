"""What each chart shows now, in a sentence or two: its caption, and what screen readers read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mnist_widgets.rendering.captions import format_loss
from mnist_widgets.rendering.confusion_captions import describe_accuracy, write_share
from mnist_widgets.rendering.series import Points
from mnist_widgets.training.evaluation.measures import recall
from mnist_widgets.training.history import History

_MIN_BATCHES = 10  # fewer show no trend
_SAME = 0.05  # a smaller change, as a share, is called none
_NUM_STRETCHES = 20
_MIN_FLAT = 4  # stretches


def describe_losses(history: History, smoothed: Points) -> str:
    """Return the trend of the losses, such as `Loss fell from 2.30 to 0.21 in 480 batches.`.

    Args:
        history: of the training.
        smoothed: positions (M,) and smoothed losses (M,), as far as the chart draws them.
    """
    losses = history.batch_losses
    num_batches = len(losses)
    if not num_batches:
        return "No batch has been trained yet."
    if not math.isfinite(losses[-1]):
        first = int(np.isfinite(np.array(losses)).argmin()) + 1
        return f"The loss is {format_loss(losses[-1])}; it is no number since batch {first:,}."
    if num_batches < _MIN_BATCHES or len(smoothed[1]) < _MIN_BATCHES:
        return f"Batch {num_batches:,}: loss {format_loss(losses[-1])}."
    begin, end = smoothed[1][0], smoothed[1][-1]
    if abs(end - begin) <= _SAME * max(abs(begin), abs(end)):
        trend = f"stayed near {format_loss(end)}"
    else:
        verb = "fell" if end < begin else "rose"
        trend = f"{verb} from {format_loss(begin)} to {format_loss(end)}"
        if flat_since := _find_flat(smoothed, num_batches):
            return (
                f"Loss {trend} in {num_batches:,} batches; nearly flat since batch {flat_since:,}."
                f"{_describe_epochs(history)}"
            )
    return f"Loss {trend} in {num_batches:,} batches.{_describe_epochs(history)}"


def describe_confusion(counts: Tensor | None, class_names: Sequence[str], noun: str) -> str:
    """Return the accuracy, the most common mistake, and the class with the lowest recall.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None if nothing was evaluated.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.
    """
    if counts is None:
        return "Nothing has been evaluated yet. The numbers come at the end of an epoch."
    sentence = f"{''.join(describe_accuracy(counts))}."
    mistakes = counts.clone().fill_diagonal_(0)
    most = int(mistakes.max())
    if not most:
        return sentence
    true, predicted = divmod(int(mistakes.argmax()), len(counts))
    times = "once" if most == 1 else f"{most:,} times"
    recalls = recall(counts).nan_to_num(math.inf)
    worst = int(recalls.argmin())
    return (
        f"{sentence} Most common mistake: {class_names[true]} taken for {class_names[predicted]}, "
        f"{times}. Hardest {noun}: {class_names[worst]}, "
        f"{write_share(recalls[worst].item())} recognized."
    )


def describe_page(page: str, verdicts: Sequence[str]) -> str:
    """Return how many images of a page are recognized, such as `Page 1 of 9: 48 right, 2 wrong.`.

    Args:
        page: names the page.
        verdicts: `"right"`, `"wrong"` or `""` for each image.
    """
    if not any(verdicts):
        return f"{page}. The network has not predicted these images yet."
    return f"{page}: {list(verdicts).count('right')} right, {list(verdicts).count('wrong')} wrong."


def _find_flat(smoothed: Points, num_batches: int) -> int | None:
    """Return the batch from which the losses hardly change, with two digits; None for a trend."""
    positions, losses = smoothed
    stretches = np.minimum(_NUM_STRETCHES * positions / (num_batches + 1), _NUM_STRETCHES - 1)
    means = np.array(
        [
            losses[is_in].mean() if (is_in := stretches.astype(int) == number).any() else math.nan
            for number in range(_NUM_STRETCHES)
        ]
    )
    means = means[np.isfinite(means)]
    is_far = np.abs(means - means[-1]) > _SAME * abs(losses[0] - losses[-1])
    first_flat = len(means) - int(is_far[::-1].argmax()) if is_far.any() else 0
    if len(means) - first_flat < _MIN_FLAT:
        return None
    return int(float(f"{max(1.0, first_flat * num_batches / len(means)):.2g}"))


def _describe_epochs(history: History) -> str:
    tests = [loss for loss in history.get("test_loss", []) if math.isfinite(loss)]
    if not tests or len(tests) != len(history["test_loss"]):
        return ""
    last, lowest = tests[-1], min(tests)
    words = f" Test loss {format_loss(last)} after epoch {len(tests)}"
    if lowest < (1 - _SAME) * last:
        best = tests.index(lowest) + 1
        words += f"; it was lowest after epoch {best}: {format_loss(lowest)}"
    return f"{words}."
