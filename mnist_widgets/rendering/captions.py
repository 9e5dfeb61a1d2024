"""Metrics, losses, shares, durations and errors in words."""

from __future__ import annotations

import html
import math

from mnist_widgets.system.short_text import shorten

_MAX_MESSAGE = 300  # characters of an error's message


def format_loss(loss: float) -> str:
    """Return a loss with three significant digits, such as `0.0981`, `2.30` or `nan`."""
    if not math.isfinite(loss):
        return str(loss)
    return (
        f"{loss:#.3g}".removesuffix(".") if 1e-4 <= abs(loss) < 1e4 or loss == 0 else f"{loss:.2e}"
    )


def is_accuracy(name: str) -> bool:
    """Return whether a metric of this name is a share, which is written in per cent."""
    return "accuracy" in name


def name_metric(name: str) -> str:
    """Return a metric of a `History` in words, such as `Test loss`."""
    return "Mean loss" if name == "train" else name.replace("_", " ").capitalize()


def format_metric(name: str, value: float) -> str:
    """Return an accuracy in per cent, and any other metric like a loss."""
    return f"{100 * value:.2f} %" if is_accuracy(name) else format_loss(value)


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: `12 s`, `3 min 20 s`, `2 h 5 min`."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole_seconds} s" if minutes else f"{whole_seconds} s"


def name_error(error: BaseException) -> str:
    """Return an error's type, and its message if it has one; a very long one is shortened."""
    words = shorten(str(error), _MAX_MESSAGE)
    return f"{type(error).__name__}: {words}" if words else f"{type(error).__name__}."


def format_share(share: float) -> str:
    """Return a share in per cent, such as `93 %`; `0 %` and `100 %` are exact."""
    if math.isnan(share):  # from a network that has diverged
        return "nan %"
    percent = round(100 * share)
    if percent == 0 and share > 0:
        return "under 1 %"
    if percent == 100 and share < 1:
        return "over 99 %"
    return f"{percent} %"


def to_html(words: str) -> str:
    """Return plain text as HTML in which no line ends between a number and its `%`."""
    return html.escape(words).replace(" %", "\N{NO-BREAK SPACE}%")
