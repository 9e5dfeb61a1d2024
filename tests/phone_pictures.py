"""Photos of handwritten digits, made of strokes: paper, light, pens and noise."""

from __future__ import annotations

import math

import numpy as np
from handwriting_samples import arc
from PIL import Image, ImageDraw, ImageFilter

# Points of each stroke in a box of about 1 x 1 from the top left.
STROKES = {
    0: [arc(0.5, 0.5, 0.32, 0.48, -90, 270)],
    1: [[(0.3, 0.25), (0.52, 0.02), (0.5, 0.98)]],
    2: [[*arc(0.5, 0.3, 0.28, 0.28, -170, 40), (0.2, 0.96), (0.82, 0.94)]],
    3: [[*arc(0.45, 0.27, 0.3, 0.25, -150, 90), *arc(0.45, 0.74, 0.35, 0.24, -90, 150)]],
    4: [[(0.38, 0.04), (0.16, 0.58), (0.86, 0.56)], [(0.68, 0.3), (0.64, 0.98)]],
    5: [
        [(0.3, 0.06), (0.26, 0.45), *arc(0.45, 0.68, 0.32, 0.28, -110, 150)],
        [(0.3, 0.06), (0.78, 0.04)],
    ],
    6: [[(0.66, 0.03), (0.3, 0.5), *arc(0.47, 0.72, 0.25, 0.25, -170, 200)]],
    7: [[(0.16, 0.06), (0.84, 0.05), (0.42, 0.98)]],
    8: [
        [
            *arc(0.5, 0.27, 0.25, 0.24, 90, -270),
            *arc(0.5, 0.75, 0.3, 0.24, -90, 270),
        ]
    ],
    9: [[*arc(0.48, 0.28, 0.26, 0.26, 0, -360), (0.72, 0.4), (0.62, 0.98)]],
}
BLACK, BLUE, RED, PENCIL = (25, 25, 30), (35, 50, 150), (190, 30, 40), (120, 118, 116)
PAPER = (236, 232, 222)


def draw_photo(  # noqa: PLR0913 - each test names the few that it needs
    strokes,
    *,
    size=(900, 1200),
    place=(0.3, 0.3),
    height=0.35,
    pen=0.045,
    ink=BLACK,
    paper=PAPER,
    squares=None,
    shadow=0.0,
    noise=4.0,
    turn=0.0,
    seed=0,
):
    """Return a photo as an RGB image.

    Args:
        strokes: points of about [0, 1], or an empty list for blank paper.
        size: width and height in pixels.
        place: the top left corner of the digit, as shares of width and height.
        height: of the digit, as a share of the picture's longer side.
        pen: the width of the stroke, as a share of the digit's height.
        ink, paper: colors.
        squares: the color of squared paper's lines, 24 in the longer side; None for plain paper.
        shadow: how much darker the photo is at its darkest; an edge runs through the picture.
        noise: standard deviation of the grain of the paper, of 255.
        turn: of the digit, in degrees.
        seed: of the noise.
    """
    random = np.random.default_rng(seed)
    width_px, height_px = size
    picture = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(picture)
    longer = max(size)
    if squares:
        for line in range(0, longer, longer // 24):
            draw.line([(line, 0), (line, height_px)], squares, max(1, longer // 500))
            draw.line([(0, line), (width_px, line)], squares, max(1, longer // 500))
    scale, cosine, sine = (
        longer * height,
        math.cos(math.radians(turn)),
        math.sin(math.radians(turn)),
    )
    pen_px = pen * scale
    for stroke in strokes:
        points = [
            (
                place[0] * width_px + scale * (0.5 + (x - 0.5) * cosine - (y - 0.5) * sine),
                place[1] * height_px + scale * (0.5 + (x - 0.5) * sine + (y - 0.5) * cosine),
            )
            for x, y in stroke
        ]
        draw.line(points, ink, max(1, round(pen_px)), joint="curve")
        for x, y in points:
            draw.ellipse([x - pen_px / 2, y - pen_px / 2, x + pen_px / 2, y + pen_px / 2], ink)
    picture = picture.filter(ImageFilter.GaussianBlur(longer / 1200))
    pixels = np.asarray(picture, dtype=float)
    grain = random.normal(0, noise, (height_px, width_px, 1))
    coarse = random.normal(0, noise, (height_px // 40 + 1, width_px // 40 + 1, 1))
    coarse = coarse.repeat(40, 0).repeat(40, 1)[:height_px, :width_px]
    x, y = np.meshgrid(np.linspace(0, 1, width_px), np.linspace(0, 1, height_px))
    edge = 1 / (1 + np.exp(-(x + 0.6 * y - 0.8) * 60))
    light = (1 - shadow * (0.6 * edge + 0.4 * y))[:, :, None]
    pixels = (pixels + coarse + grain) * light
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
