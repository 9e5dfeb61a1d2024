"""Measure how a network reads drawings with each stage of the preprocessing on and off.

`SimpleNet` trains on MNIST for three epochs with batches of 512 and Adam (0.001). It reads the 540
drawings of `tests/handwriting_samples.py`: ten digits, three ways of writing each, three sizes,
three places, two pens. Then come the times to load the files of a class, 30 files of 100 drawings
of 60 points, and to draw one drawing of 500 points.

    python benchmarks/drawings.py [--seeds 5]

It needs MNIST in `MNIST_WIDGETS_DATA` or the cache.

Measured in November 2026, five seeds, mean (lowest to highest):

all on       100.0 % (100.0 to 100.0)
center off    82.3 % (80.0 to 83.3)
scale off     46.9 % (46.1 to 47.8)
both off      22.3 % (20.7 to 23.9)

The files take 1.75 s, `to_image` 1.9 ms and `to_stages` 3.9 ms. These are CPU times, because many
other programs shared the two cores.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mnist_widgets import (
    Drawing,
    SimpleNet,
    Trainer,
    load_drawings,
    load_mnist,
    predict_probabilities,
    save_drawings,
)
from mnist_widgets.data.handwriting.drawing import draw_images

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from handwriting_samples import PENS, draw_samples

STAGES = {
    "all on": (True, True),
    "center off": (True, False),
    "scale off": (False, True),
    "both off": (False, False),
}


def measure_accuracies(num_seeds: int) -> None:
    """Train, and print the accuracies with the mean and the range over the seeds."""
    train_set, _ = load_mnist()
    drawings, labels = draw_samples()
    image_sets = {
        name: torch.cat(
            [draw_images(drawings, scale=scale, center=center, pen=pen) for pen in PENS]
        )
        for name, (scale, center) in STAGES.items()
    }
    answers = torch.tensor(labels).repeat(len(PENS))
    found: dict[str, list[float]] = {name: [] for name in STAGES}
    for seed in range(num_seeds):
        torch.manual_seed(seed)
        model = SimpleNet(784, 10)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        batches = train_set.batches(512, shuffle=True)
        Trainer(model, nn.CrossEntropyLoss(), optimizer, batches).fit(3)
        for name, images in image_sets.items():
            is_right = predict_probabilities(model, images).argmax(1) == answers
            found[name].append(100 * float(is_right.float().mean()))
    print(f"{len(answers)} drawings, {num_seeds} seeds")
    for name, values in found.items():
        mean = statistics.mean(values)
        print(f"{name:12}{mean:6.1f} % ({min(values):.1f} to {max(values):.1f})")


def measure_times() -> None:
    """Print the times to load a class's files and to draw one drawing."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.json" for number in range(30)]
        for number, path in enumerate(paths):
            turns = range(100 * number, 100 * (number + 1))  # none is left out as known
            spirals = [make_spiral(60, num_turns=2 + each / 3000) for each in turns]
            save_drawings(path, spirals, [0] * 100)
        print(f"30 files of 100 drawings: {measure(lambda: load_drawings(*paths), 5):.2f} s")
    drawing = make_spiral(500)
    print(f"to_image, 500 points: {1000 * measure(drawing.to_image, 100):.1f} ms")
    print(f"to_stages, 500 points: {1000 * measure(drawing.to_stages, 100):.1f} ms")


def make_spiral(num_points: int, num_turns: float = 2) -> Drawing:
    """Return a drawing of one stroke of some turns."""
    turns = [2 * num_turns * math.pi * index / num_points for index in range(num_points)]
    points = [
        # rounded as the pad rounds them
        (round(0.5 + turn * math.cos(turn) / 30, 4), round(0.5 + turn * math.sin(turn) / 30, 4))
        for turn in turns
    ]
    return Drawing([points])


def measure(function: Callable[[], object], num_times: int) -> float:
    """Return the shortest CPU time of a call in seconds, the least disturbed by others."""
    times = []
    for _ in range(num_times):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    measure_accuracies(parser.parse_args().seeds)
    measure_times()


if __name__ == "__main__":
    main()
