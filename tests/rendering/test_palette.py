"""Tests for `mnist_widgets.rendering.palette`."""

from __future__ import annotations

from mnist_widgets.rendering.palette import DARK, LIGHT

MIN_CONTRAST = 3  # of graphical objects: WCAG 2.2, criterion 1.4.11
BACKGROUNDS = {"light": "#ffffff", "dark": "#111111"}  # of JupyterLab's notebooks
MARKS = ["strong", "faint", "mean", "test", "seeds", "run-0", "run-1", "run-2", "run-3"]
FRAMES = ["right", "wrong"]


def compute_luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb`, from 0 to 1, as WCAG 2 defines it."""
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def compute_contrast(color: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted(map(compute_luminance, (color, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_is_that_of_wcag():
    assert compute_contrast("#000000", "#ffffff") == 21
    assert round(compute_contrast("#767676", "#ffffff"), 2) == 4.54  # WebAIM's checker


def test_marks_and_frames_stand_out_from_light_and_dark_pages():
    too_pale = [
        f"{name} {color} on {theme_name}: {contrast:.2f}"
        for theme_name, colors in (("light", LIGHT), ("dark", {**LIGHT, **DARK}))
        for name, color in colors.items()
        if name in MARKS + FRAMES
        and (contrast := compute_contrast(color, BACKGROUNDS[theme_name])) < MIN_CONTRAST
    ]
    assert not too_pale, too_pale


def test_frames_stand_out_from_black_images():
    for name in FRAMES:
        assert compute_contrast(LIGHT[name], "#000000") >= MIN_CONTRAST
