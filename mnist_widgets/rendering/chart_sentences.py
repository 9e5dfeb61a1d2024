"""What each chart shows now, in a sentence or two: its caption, and what screen readers read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mnist_widgets.rendering.captions import format_loss
from mnist_widgets.rendering.confusion_captions import describe_accuracy, write_share
from mnist_widgets.rendering.curves.accuracy_series import AccuracySeries
from mnist_widgets.rendering.curves.loss_series import LossSeries
from mnist_widgets.rendering.curves.series import Numbers, Points
from mnist_widgets.training.evaluation.measures import recall
from mnist_widgets.training.history import TEST_ACCURACY, TRAIN_ACCURACY, History, find_gap

_MIN_BATCHES = 10  # fewer show no trend
_NUM_STRETCHES, _MIN_STRETCH = 20, 5  # parts of a training, and the batches in the shortest
_SAMPLE_SIZE = 4000  # of the losses of a long training, so that a sentence always takes as long
_SURE = 3  # standard deviations; a greater difference is no accident
_SAME = 0.05  # a smaller change, as a share, is called none
_TIMES = 10  # a greater factor is no accident either: noise of losses that explode says nothing
_FAR = 0.25  # a greater distance, as a share, from the first and the last losses is named
_FLAT = 0.1  # a greater distance, as a share, from the last losses is not flat
_DRIFT = 0.03  # a greater change, as a share, from one half of the end to the other is a trend
_MIN_FLAT = 5  # stretches
_BETTER = 0.005  # a smaller difference of two accuracies is not named


def describe_losses(series: LossSeries) -> str:
    """Return the trend of the losses, such as `Loss fell from 2.30 to 0.21 in 480 batches.`.

    The first number is the loss of the first batch, unless that may be an outlier. The others are
    means of several batches. So the words depend neither on the smoothing nor on the scale.

    Args:
        series: of the training, up to date.
    """
    losses, num_batches = series.history.batch_losses, series.num_batches
    first_bad = series.first_bad_batch
    if not num_batches:
        return "No batch has been trained yet."
    last = losses[num_batches - 1]
    if math.isfinite(last):
        words = _describe_trend(losses, num_batches)
        note = f" No number for a loss, first in batch {first_bad:,}." if first_bad else ""
        return f"{words}.{note}{_describe_epochs(series.history)}"
    assert first_bad is not None  # noqa: S101 - the last batch is one
    words = f"{_describe_trend(losses, first_bad - 1)}. " if first_bad > 1 else ""
    return f"{words}The loss is no number any more ({last}), first in batch {first_bad:,}."


def describe_accuracies(series: AccuracySeries) -> str:
    """Return the accuracies of the last epoch that has one, and the gap between them.

    Args:
        series: of the training, up to date.
    """
    history = series.history
    train, test = map(history.find_numbers, (TRAIN_ACCURACY, TEST_ACCURACY))
    epoch = max(train.keys() | test.keys(), default=None)
    if epoch is None:
        return "No accuracy yet. The evaluator computes it at the end of an epoch."
    both = {"training": train, "test": test}
    shares = {words: found[epoch] for words, found in both.items() if epoch in found}
    parts = [f"{words} accuracy {write_share(share)}" for words, share in shares.items()]
    words = f"{', '.join(parts).capitalize()} after epoch {epoch:,}"
    if len(shares) == 2:
        words += f": {_describe_gap(find_gap(train[epoch], test[epoch]))}"
    best = max(test, key=test.__getitem__, default=epoch)
    if "test" in shares and test[best] - test[epoch] >= _BETTER:
        words += f". Highest test accuracy after epoch {best:,}, {write_share(test[best])}"
    return f"{words}."


def describe_confusion(counts: Tensor | None, class_names: Sequence[str], noun: str) -> str:
    """Return the accuracy, the class with the lowest recall, and the most common mistake.

    Args:
        counts: int64 (C, C), `counts[true, predicted]`; None if nothing was evaluated.
        class_names: in the order of the counts.
        noun: what a class is: `digit` or `class`.
    """
    if counts is None or not counts.any():
        return "Nothing has been evaluated yet. The numbers come at the end of an epoch."
    sentence = f"{describe_accuracy(counts)}."
    mistakes = counts.clone().fill_diagonal_(0)
    most = int(mistakes.max())
    if not most:
        return sentence
    pairs = [
        f"{class_names[true]} taken for {class_names[predicted]}"
        for true, predicted in (mistakes == most).nonzero().tolist()
    ]
    times = "once" if most == 1 else f"{most:,} times"
    recalls = recall(counts).nan_to_num(math.inf)  # NaN: a class without images
    labels = (recalls == recalls.min()).nonzero().flatten().tolist()
    worst = [class_names[label] for label in labels]
    taken_for = ""
    if len(labels) == 1:
        of_worst = mistakes[labels[0]]
        taken = [class_names[label] for label in (of_worst == of_worst.max()).nonzero().flatten()]
        taken_for = f", most often taken for {_list_first(taken)}"
    plural = "" if len(worst) == 1 else "es" if noun == "class" else "s"
    return (
        f"{sentence} Hardest {noun}{plural}: {_list_first(worst)}, "
        f"{write_share(recalls.min().item())} recognized{taken_for}. "
        f"Most common mistake{'s' if pairs[1:] else ''}: {_list_first(pairs)}, {times}"
        f"{' each' if pairs[1:] else ''}."
    )


def describe_page(page: str, verdicts: Sequence[str], sentences: Sequence[str]) -> str:
    """Return how many images of a page are recognized, such as `Page 1 of 9: 48 right, 2 wrong.`.

    Args:
        page: names the page.
        verdicts: `"right"`, `"wrong"` or `""` for each image, of which there is at least one.
        sentences: the network's answer for each image, or `""` without a prediction.
    """
    if not any(sentences):
        return f"{page}. The network has not predicted these images yet."
    if not any(verdicts):
        return f"{page}. The network's outputs are no numbers any more (nan)."
    right, wrong = (list(verdicts).count(verdict) for verdict in ("right", "wrong"))
    rest = len(verdicts) - right - wrong
    words = f"{page}: {right} right, {wrong} wrong"
    return f"{words}, {rest} without a prediction." if rest else f"{words}."


def _describe_trend(losses: Sequence[float], num_batches: int) -> str:
    """Return the course of the first `num_batches` losses, some of which are numbers."""
    batches, sample = _sample(losses, num_batches)
    if len(sample) < _MIN_BATCHES:
        return f"Batch {num_batches:,}: loss {format_loss(losses[num_batches - 1])}"
    batches, means, noise, error = _average_stretches(batches, sample)
    begin, end = next(filter(math.isfinite, losses)), means[-1]
    low, high = sorted((abs(means[0]), abs(end)))
    is_accident = high <= _TIMES * low and abs(begin - end) <= _SURE * math.hypot(noise, error)
    if is_accident:  # the first batch may be an outlier: what says the first stretch?
        begin = means[0]
        is_accident = abs(begin - end) <= _SURE * math.hypot(error, error)
    change = abs(begin - end)
    numbers = f"from {format_loss(begin)} to {format_loss(end)} (mean of the last batches)"
    if is_accident or change <= _SAME * abs(begin):
        change = 0
        trend = f"Loss hardly changed in {num_batches:,} batches, {numbers}"
    else:
        verb = "fell" if end < begin else "rose"
        trend = f"Loss {verb} {numbers} in {num_batches:,} batches"
    highest, lowest = means.max(), means.min()
    if highest - max(begin, end) > max(_FAR * max(abs(begin), abs(end)), _SURE * error):
        batch = _round(batches[means.argmax()])
        return f"{trend}; highest near batch {batch:,}, {format_loss(highest)} on average"
    if min(begin, end) - lowest > max(_FAR * abs(end), _SAME * change, _SURE * error):
        batch = _round(batches[means.argmin()])
        return f"{trend}; lowest near batch {batch:,}, {format_loss(lowest)} on average"
    is_far = np.abs(means - end) > min(_FLAT * abs(end), _SAME * change)
    num_flat = int(is_far[::-1].argmax()) if is_far.any() else len(means) - 1
    first_half, second_half = np.array_split(means[-max(num_flat, 2) :], 2)
    drift = abs(first_half.mean() - second_half.mean())
    if not change or num_flat < _MIN_FLAT or drift > _DRIFT * abs(end):
        return trend
    return f"{trend}; nearly flat since batch {_round(batches[-num_flat]):,}"


def _sample(losses: Sequence[float], num_batches: int) -> Points:
    """Return batches at equal distances and their losses, without those that are no numbers."""
    step = math.ceil(num_batches / _SAMPLE_SIZE)
    sample = np.array(losses[:num_batches:step], dtype=float)
    batches = 1.0 + step * np.arange(len(sample))
    return batches[np.isfinite(sample)], sample[np.isfinite(sample)]


def _average_stretches(batches: Numbers, sample: Numbers) -> tuple[Numbers, Numbers, float, float]:
    """Divide a sample of a training into stretches of equal length.

    Returns:
        The middle batch of each stretch and its mean loss; and the standard deviation of a loss
        and of a mean, as they are within most stretches.
    """
    num_stretches = min(_NUM_STRETCHES, len(sample) // _MIN_STRETCH)
    stretches = [np.array_split(points, num_stretches) for points in (batches, sample)]
    middles, means = (np.array([part.mean() for part in parts]) for parts in stretches)
    noise = float(np.median([part.std(ddof=1) for part in stretches[1]]))
    return middles, means, noise, noise / math.sqrt(len(stretches[1][-1]))


def _describe_epochs(history: History) -> str:
    """Return the last test loss, and the lowest one if that is clearly lower; "" without them."""
    losses, num_epochs = history.find_numbers("test_loss"), history.num_epochs
    is_measured = len(history.get("test_loss", [])) >= num_epochs
    if not losses or (is_measured and num_epochs not in losses):  # no number any more
        return ""
    epoch, lowest = max(losses), min(losses, key=losses.__getitem__)
    last = losses[epoch]
    words = f" Test loss {format_loss(last)} after epoch {epoch:,}"
    if last - losses[lowest] > _SAME * abs(last):
        words += f"; lowest after epoch {lowest:,}, at {format_loss(losses[lowest])}"
    return f"{words}."


def _describe_gap(gap: float) -> str:
    """Return a gap in percentage points in words; it is negative if the test is better."""
    if gap < 0:
        return f"the test accuracy is {-gap:.1f} percentage points higher"
    return f"a gap of {gap:.1f} percentage points" if gap else "no gap"


def _list_first(names: Sequence[str]) -> str:
    """Return one or two names, and how many more there are."""
    if len(names) > 2:
        return f"{names[0]} (and {len(names) - 1} others)"
    return " and ".join(names)


def _round(batch: float) -> int:
    """Return the number of a batch with two digits."""
    return int(float(f"{batch:.2g}"))
