"""Numbers, durations and errors as a reader wants to see them, in HTML and in plain words."""

from __future__ import annotations

import html
import math
import traceback

from mnist_widgets.curves import Numbers
from mnist_widgets.history import History


def format_loss(loss: float) -> str:
    """Return a loss with three significant digits, such as `0.0981`, `2.30` or `nan`."""
    if not math.isfinite(loss):
        return str(loss)
    return (
        f"{loss:#.3g}".removesuffix(".") if 1e-4 <= abs(loss) < 1e4 or loss == 0 else f"{loss:.2e}"
    )


def describe_losses(history: History, smoothed: Numbers) -> str:
    """Return in words what the last points of a loss curve show.

    Args:
        history: what the curve was drawn from.
        smoothed: (N,), the curve's smoothed losses, as far as they have a place in it.
    """
    losses = history.batch_losses
    if not losses:
        return "No batch has been trained yet."
    last = f"Batch {len(losses):,}: loss {format_loss(losses[-1])}"
    sentences = [f"{last}, smoothed {format_loss(smoothed[-1])}." if len(smoothed) else f"{last}."]
    if history.num_epochs:
        epoch = f"Epoch {history.num_epochs}: mean {format_loss(history['train'][-1])}"
        test_losses = history.get("test_loss")
        sentences.append(
            f"{epoch}, test loss {format_loss(test_losses[-1])}." if test_losses else f"{epoch}."
        )
    return " ".join(sentences)


def format_duration(seconds: float) -> str:
    """Return a duration in the units that matter: `12 s`, `3 min 20 s`, `2 h 5 min`."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole_seconds} s" if minutes else f"{whole_seconds} s"


def describe_error(error: BaseException) -> str:
    """Return an alert in HTML: the error's type and message, its traceback folded away."""
    message = html.escape(str(error) or "no further message")
    lines = html.escape("".join(traceback.format_exception(error)))
    return (
        f'<div role="alert"><strong>{type(error).__name__}:</strong> {message}'
        f"<details><summary>Traceback</summary><pre>{lines}</pre></details></div>"
    )


def name_error(error: BaseException) -> str:
    """Return an error's type, and its message if it has one."""
    return f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__}."


def format_share(share: float) -> str:
    """Return a share of 1 in per cent, such as `93 %`; no `0 %` or `100 %` that are not exact."""
    if math.isnan(share):  # what a network says that has diverged
        return "nan %"
    percent = round(100 * share)
    if percent == 0 and share > 0:
        return "under 1 %"
    if percent == 100 and share < 1:
        return "over 99 %"
    return f"{percent} %"
