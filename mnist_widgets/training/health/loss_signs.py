"""Signs in the losses and metrics of a training."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import stdev

from mnist_widgets.training.health.finding import Sign
from mnist_widgets.training.health.observations import Observations
from mnist_widgets.training.history import History

_PATIENCE = 40
"""Batches that a loss has to fall, at least; an epoch, if it is longer, up to `_LONGEST`."""
_LONGEST = 100
_SMALL_BATCH = 16
"""Images of a batch; smaller ones have losses by chance, so that more batches are needed."""
_FLAT_SHARE = 0.97
_CLEAR_FALL = 0.95
_LARGE_UPDATE = 0.1
_FIRST_SPIKES = 10
"""Batches in which a loss may rise: the first steps of RMSprop are large."""
_NO_CAUSES = {
    *("loss not finite", "loss not falling", "rate too high", "rate too low", "dead units"),
    *("evaluation mode left on", "test images in the training batches", "overfitting"),
}
"""Findings that do not explain why a loss does not fall."""


def find_not_finite(seen: Observations) -> str | None:
    """Find a loss that is NaN or infinite."""
    report = seen.report
    if report is None or math.isfinite(report.loss):
        return None
    previous = f"; that of the batch before was {seen.losses[-2]:.3g}" if report.step > 1 else ""
    return f"The loss of this batch is {report.loss}{previous}."


def is_flat(seen: Observations, num_losses: int = 20) -> bool:
    """Return whether the last losses are no better than always the same answer."""
    losses, (reference, _) = _last_losses(seen, num_losses), _find_reference(seen)
    if not all(map(math.isfinite, losses)) or not _mean(losses) >= _FLAT_SHARE * reference > 0:
        return False
    return seen.find_loss_of_guessing() is not None or seen.is_right_by_chance()


def find_not_falling(seen: Observations) -> str | None:
    """Find a loss that stays where it began, or where an answer without the image would be."""
    is_time = seen.is_epoch_end or _has_trained(seen, _LONGEST)
    if not _has_trained(seen, _PATIENCE) or not is_time or not is_flat(seen) or _falls(seen):
        return None
    losses, (_, words) = _last_losses(seen), _find_reference(seen)
    return f"The mean of the last {len(losses)} losses is {_mean(losses):.3g}; {words}."


def _falls(seen: Observations) -> bool:
    """Return whether the losses may still fall, for example from a high start.

    They do if the last ones are clearly below those halfway. They may if a few large losses raise
    their mean, as those of the rare images of a class.
    """
    losses, half = _last_losses(seen), len(seen.losses) // 2
    halfway = seen.losses[max(half - len(losses), 0) : half]
    error = stdev(losses) / math.sqrt(len(losses))
    is_above = _mean(losses) - error >= _FLAT_SHARE * _find_reference(seen)[0]
    return _mean(losses) < _CLEAR_FALL * _mean(halfway) or not is_above


def find_rate_too_high(seen: Observations) -> str | None:
    """Find losses that have risen and stay high or left the units dead, with large updates."""
    update, num_losses = seen.largest_update, _PATIENCE - _FIRST_SPIKES
    if not _has_trained(seen, _PATIENCE) or (update or 0.0) < _LARGE_UPDATE or _is_explained(seen):
        return None
    reference, words = _find_reference(seen)
    highest = max(seen.losses)
    if highest <= 1.3 * max(reference, seen.losses[0]):
        return None
    if is_flat(seen, num_losses):
        window = _last_losses(seen, num_losses)
        then = f"the mean of the last {len(window)} is {_mean(window):.3g}; {words}"
    elif "dead units" in seen.names:
        then = "now nearly all units of a hidden layer are 0 on all images"
    else:
        return None
    return (
        f"The loss rose to {highest:.3g}, and {then}. One update changed a layer's weights by "
        f"about {update or 0.0:.2g} times their size."
    )


def find_rate_too_low(seen: Observations) -> str | None:
    """Find a loss that does not fall because the weights hardly change."""
    update, report = seen.latest_update, seen.report
    if update is None or report is None or _is_explained(seen) or not find_not_falling(seen):
        return None
    # units that a high rate has made zero hardly change either
    if "rate too high" in seen.names or update * report.num_batches >= _LARGE_UPDATE:
        return None
    losses = _last_losses(seen)
    return (
        f"The mean of the last {len(losses)} losses is {_mean(losses):.3g}, and the first one was "
        f"{seen.losses[0]:.3g}. One update changes no layer's weights by more than "
        f"about {100 * update:.2g} % of their size; that is at most "
        f"{100 * update * report.num_batches:.2g} % in an epoch of {report.num_batches} batches."
    )


def find_overfitting(seen: Observations) -> str | None:
    """Find a test loss that rises, or a gap of the accuracies if there is no test loss."""
    history = seen.trainer.history
    for prefix in ("test", "val"):
        if (loss := f"{prefix}_loss") in history:
            return None if history.find_last(loss) is None else _find_rise(history, loss)
        in_training, in_test = map(history.find_last, ("train_accuracy", f"{prefix}_accuracy"))
        if in_training is None or in_test is None:
            continue
        if in_training - in_test >= 0.1 and history.num_epochs > 3:
            return (
                f"{100 * in_training:.1f} % of the training images are right, but only "
                f"{100 * in_test:.1f} % of the test images."
            )
    return None


def _find_rise(history: History, name: str) -> str | None:
    losses = history.find_numbers(name)
    best = min(losses, key=losses.__getitem__)
    lowest, later = losses[best], [loss for epoch, loss in losses.items() if epoch >= best]
    num_rises = sum(second > first for first, second in pairwise(later))
    if num_rises < 3 or not 0 < 1.2 * lowest <= later[-1]:
        return None
    return (
        f"The test loss was lowest after epoch {best}, {lowest:.3g}. It has risen {num_rises} "
        f"times since then, and is now {later[-1]:.3g}."
    )


def _find_reference(seen: Observations) -> tuple[float, str]:
    """Return the loss that a training must fall below, and a clause that explains it."""
    guess = seen.find_loss_of_guessing()
    if guess is not None:
        return guess, f"always guessing the same has a loss of {guess:.3g}"
    # the loss of a few images alone may be small by chance
    is_large = seen.report is not None and seen.report.num_images >= 16
    first = seen.losses[:1] if is_large else seen.losses[:10]
    return _mean(first), f"at the start it was {_mean(first):.3g}"


def _has_trained(seen: Observations, num_batches: int) -> bool:
    """Return whether this many batches were trained, or as many images in small batches."""
    return seen.num_batches >= _count_batches(seen, num_batches)


def _last_losses(seen: Observations, num_batches: int = 20) -> list[float]:
    """Return the losses of this many last batches, or of as many images in small batches."""
    return seen.losses[-_count_batches(seen, num_batches) :]


def _count_batches(seen: Observations, num_batches: int) -> int:
    return max(num_batches, math.ceil(num_batches * _SMALL_BATCH / seen.batch_size))


def _is_explained(seen: Observations) -> bool:
    return bool(seen.names - _NO_CAUSES)


def _mean(losses: list[float]) -> float:
    return math.fsum(losses) / max(len(losses), 1)


NOT_FINITE = Sign(
    "loss not finite",
    find_not_finite,
    "Reset the weights and start again with a smaller learning rate. If that does not help, look "
    "for NaN or very large numbers in the images.",
)
LOSS_SIGNS = (
    Sign(
        "loss not falling",
        find_not_falling,
        "The network does not use the images yet. Look for the cause: the learning rate, the order "
        "of the training step, the labels, or weights that are all zero.",
    ),
    Sign(
        "rate too high",
        find_rate_too_high,
        "Reset the weights and use a learning rate that is ten times smaller: the updates "
        "overshoot.",
    ),
    Sign(
        "rate too low",
        find_rate_too_low,
        "Use a learning rate that is ten times larger, more than once if needed: the updates are "
        "too small to get anywhere.",
    ),
)
OVERFITTING = Sign(
    "overfitting",
    find_overfitting,
    "The network memorizes its training images. Stop earlier, or use more images, fewer hidden "
    "units, dropout or weight decay.",
)
