"""The colours of charts and frames, and what they stand for.

The hues are from Okabe and Ito's palette, each chosen to stand out from its background: white, or
the grey of the dark theme. Style sheets use them as `--mw-strong` and so on, PNGs use `LIGHT`.
"""

from __future__ import annotations

LIGHT = {
    "strong": "#0072b2",  # of the bars of probabilities, too
    "faint": "#4898cf",  # between a blue and the background
    "mean": "#d55e00",
    "test": "#009e73",
    "train": "#d55e00",
    "seeds": "#8a4a76",  # the median and the range of a repeat
    # earlier runs: reddish purple and orange, dark enough for white
    "run-0": "#111111",
    "run-1": "#c2629a",
    "run-2": "#c07d00",
    "run-3": "#d55e00",
    # frames of images; an image is black and white in both themes
    "right": "#009e73",
    "wrong": "#d55e00",
    # The cells of a confusion matrix are translucent, so the same colours work in both themes. They
    # are light enough for numbers of one colour.
    "cell": "rgba(30, 136, 210, 0.62)",  # the strongest
    "no-cell": "rgba(30, 136, 210, 0)",
    "diagonal": "rgba(128, 128, 128, 0.22)",  # while the mistakes are highlighted
}
"""Colours on light pages, as CSS writes them."""
DARK = {
    "strong": "#56b4e9",
    "faint": "#2a7db0",
    "mean": "#e69f00",
    "test": "#cc79a7",
    "train": "#e69f00",
    "seeds": "#b9e08c",
    # bluish green and vermilion, light enough for dark grey
    "run-0": "#f5f5f5",
    "run-1": "#1fc294",
    "run-2": "#f0e442",
    "run-3": "#ee8042",
}
"""The colours that differ on dark pages."""

LOSS_KEY = {
    "faint": "each batch",
    "strong": "smoothed",
    "mean": "mean of an epoch",
    "test": "test loss",
}
"""The lines and points of a loss chart, by the names of their colours."""


ACCURACY_KEY = {"train": "training accuracy", "test": "test accuracy"}
"""The lines of an accuracy chart, by the names of their colours."""


def css_variables() -> str:
    """Return style rules that define all colours for the panels."""
    light, dark = (
        "".join(f"--mw-{name}: {color}; " for name, color in colors.items())
        for colors in (LIGHT, DARK)
    )
    return f'.mw-panel {{ {light}}}\n[data-jp-theme-light="false"] .mw-panel {{ {dark}}}\n'


def blend_with_white(rgba: str, strength: float = 1) -> str:
    """Return a translucent colour over a white page, with a share `strength` of its alpha."""
    *rgb, alpha = map(float, rgba.removeprefix("rgba(").removesuffix(")").split(","))
    return "#" + "".join(f"{round(255 + strength * alpha * (part - 255)):02x}" for part in rgb)
