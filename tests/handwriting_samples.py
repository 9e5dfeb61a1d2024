"""Three ways of writing each digit, as strokes of a pen, in sizes and places of your choice."""

from __future__ import annotations

import itertools
import math

from mnist_widgets import Drawing


def line(*corners):
    """Return points along straight lines from corner to corner."""
    return [
        (x + (to_x - x) * step / 8, y + (to_y - y) * step / 8)
        for (x, y), (to_x, to_y) in itertools.pairwise(corners)
        for step in range(9)
    ]


def arc(x, y, radius_x, radius_y, begin, end):
    """Return points on an ellipse; 0 degrees is to the right of its center, 90 below it."""
    angles = [math.radians(begin + (end - begin) * step / 24) for step in range(25)]
    return [(x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles]


def curve(start, pull, end):
    """Return points on a quadratic Bezier curve, which leaves the start towards `pull`."""
    points = []
    for step in range(17):
        t = step / 16
        weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
        x, y = (
            sum(w * each[axis] for w, each in zip(weights, (start, pull, end), strict=True))
            for axis in (0, 1)
        )
        points.append((x, y))
    return points


# The strokes of each way by digit, in a box of 1 x 1 from the top left.
WAYS = {
    0: {
        "round": [arc(0.5, 0.5, 0.38, 0.48, -90, 270)],
        "narrow and slanted": [
            [(x + 0.25 * (0.5 - y), y) for x, y in arc(0.5, 0.5, 0.26, 0.48, -60, 300)]
        ],
        "not quite closed": [arc(0.5, 0.5, 0.34, 0.46, -50, 285)],
    },
    1: {
        "a bar": [line((0.5, 0.02), (0.5, 0.98))],
        "slanted": [line((0.64, 0.02), (0.38, 0.98))],
        "with a flag and a foot": [
            line((0.34, 0.22), (0.52, 0.02), (0.52, 0.97)),
            line((0.32, 0.97), (0.72, 0.97)),
        ],
    },
    2: {
        "a swan": [
            [*arc(0.48, 0.28, 0.3, 0.27, -165, 35), *line((0.72, 0.43), (0.16, 0.97), (0.84, 0.95))]
        ],
        "with a loop": [
            [
                *arc(0.48, 0.27, 0.28, 0.25, -160, 45),
                *curve((0.68, 0.45), (0.5, 0.8), (0.22, 0.9)),
                *arc(0.26, 0.83, 0.12, 0.09, 120, 400),
                *curve((0.36, 0.87), (0.6, 1.0), (0.86, 0.88)),
            ]
        ],
        "like a Z": [line((0.2, 0.08), (0.76, 0.06), (0.18, 0.95), (0.82, 0.95))],
    },
    3: {
        "round": [[*arc(0.45, 0.27, 0.3, 0.25, -150, 90), *arc(0.45, 0.75, 0.34, 0.23, -90, 150)]],
        "flat top": [
            [*line((0.2, 0.05), (0.76, 0.05), (0.42, 0.42)), *arc(0.44, 0.69, 0.34, 0.27, -90, 150)]
        ],
        "with a nose": [
            [
                *curve((0.2, 0.12), (0.95, -0.1), (0.66, 0.36)),
                *curve((0.66, 0.36), (0.58, 0.46), (0.38, 0.48)),
                *curve((0.38, 0.48), (0.9, 0.46), (0.76, 0.76)),
                *curve((0.76, 0.76), (0.6, 1.06), (0.18, 0.92)),
            ]
        ],
    },
    4: {
        "open": [line((0.24, 0.05), (0.2, 0.52), (0.8, 0.5)), line((0.74, 0.08), (0.7, 0.98))],
        "closed": [line((0.68, 0.98), (0.68, 0.03), (0.14, 0.64), (0.88, 0.64))],
        "round and open": [
            [
                *curve((0.2, 0.06), (0.1, 0.56), (0.4, 0.54)),
                *curve((0.4, 0.54), (0.66, 0.52), (0.76, 0.1)),
            ],
            line((0.78, 0.06), (0.66, 0.98)),
        ],
    },
    5: {
        "with a loose roof": [
            [*line((0.3, 0.06), (0.26, 0.45)), *arc(0.45, 0.68, 0.32, 0.28, -120, 150)],
            line((0.4, 0.01), (0.86, -0.03)),
        ],
        "in one go": [
            [
                *line((0.78, 0.05), (0.34, 0.06), (0.28, 0.44)),
                *arc(0.44, 0.68, 0.32, 0.27, -115, 150),
            ]
        ],
        "like an S": [
            [
                *curve((0.78, 0.08), (0.3, 0.0), (0.26, 0.36)),
                *curve((0.26, 0.36), (0.84, 0.44), (0.7, 0.78)),
                *curve((0.7, 0.78), (0.52, 1.05), (0.18, 0.92)),
            ]
        ],
    },
    6: {
        "curved": [
            [
                *curve((0.68, 0.04), (0.2, 0.26), (0.23, 0.7)),
                *arc(0.48, 0.72, 0.26, 0.25, -170, 190),
            ]
        ],
        "straight": [[*line((0.6, 0.02), (0.27, 0.62)), *arc(0.48, 0.73, 0.25, 0.24, -155, 205)]],
        "with a small loop": [
            [
                *curve((0.6, 0.03), (0.14, 0.4), (0.3, 0.86)),
                *curve((0.3, 0.86), (0.5, 1.08), (0.66, 0.82)),
                *curve((0.66, 0.82), (0.64, 0.56), (0.3, 0.74)),
            ]
        ],
    },
    7: {
        "plain": [line((0.16, 0.06), (0.84, 0.05), (0.42, 0.98))],
        "crossed": [line((0.18, 0.06), (0.82, 0.05), (0.44, 0.98)), line((0.3, 0.5), (0.8, 0.48))],
        "curved": [
            [
                *curve((0.18, 0.12), (0.4, 0.02), (0.8, 0.07)),
                *curve((0.8, 0.07), (0.54, 0.44), (0.48, 0.98)),
            ]
        ],
    },
    8: {
        "two rings": [
            arc(0.5, 0.22, 0.2, 0.2, 90, 450),
            arc(0.5, 0.74, 0.3, 0.24, -90, 270),
        ],
        "in one go": [
            [*arc(0.5, 0.27, 0.25, 0.24, 90, -270), *arc(0.5, 0.75, 0.3, 0.24, -90, 270)]
        ],
        "crossing": [
            [
                *arc(0.52, 0.24, 0.23, 0.22, 0, -140),
                *line((0.345, 0.38), (0.68, 0.62)),
                *arc(0.48, 0.76, 0.26, 0.22, -35, 215),
                *line((0.27, 0.63), (0.7, 0.36)),
            ]
        ],
    },
    9: {
        "straight": [[*arc(0.48, 0.28, 0.26, 0.26, 0, -360), *line((0.74, 0.3), (0.66, 0.98))]],
        "curved": [
            [
                *arc(0.48, 0.28, 0.26, 0.25, -20, -360),
                *curve((0.74, 0.3), (0.8, 0.98), (0.26, 0.92)),
            ]
        ],
        "slanted": [
            [*arc(0.5, 0.26, 0.24, 0.24, -40, -330), *line((0.72, 0.2), (0.66, 0.45), (0.46, 0.98))]
        ],
    },
}
PENS = (1.0, 1.6)
SIZES = (0.3, 0.5, 0.85)
PLACES = {"top left": (0.0, 0.0), "middle": (0.5, 0.5), "bottom right": (1.0, 1.0)}


def draw(strokes, size=1.0, place=(0.5, 0.5)):
    """Return a drawing of strokes in a box of 1 x 1.

    Args:
        strokes: Points of each stroke.
        size: The side of the box on the pad, at most 1.
        place: Where the room beside the box is, for x and y: 0 puts it to the left or top.
    """
    left, top = (share * (1 - size) for share in place)
    return Drawing([[(left + x * size, top + y * size) for x, y in each] for each in strokes])


def draw_samples():
    """Return the drawings of all ways, sizes and places, and their labels."""
    pairs = [
        (draw(strokes, size, place), label)
        for label, ways in WAYS.items()
        for strokes in ways.values()
        for size in SIZES
        for place in PLACES.values()
    ]
    return [drawing for drawing, _ in pairs], [label for _, label in pairs]
