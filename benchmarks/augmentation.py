"""Measure what augmentation gains in accuracy, and what it costs in time.

`SimpleNet` trains on MNIST with batches of 512 and Adam (0.001), with and without `augment`, which
take turns epoch by epoch. After 3 and 10 epochs it is evaluated on

- MNIST's test images;
- the same, each turned by up to 20 degrees and shifted by up to 3 pixels;
- the bundled digits, written by other people and digitized in another way;
- photos of strokes: ten digits, five slopes, three widths, loaded as `load_pictures` does.

    python benchmarks/augmentation.py [--seeds 5]

It needs MNIST in `MNIST_WIDGETS_DATA` or the cache.

Measured in November 2026, five seeds, percent, mean (lowest to highest):

Epochs        MNIST test           moved                bundled              photos
 3, without   96.0 (95.8 to 96.2)  57.6 (56.9 to 58.5)  63.0 (62.0 to 63.7)  93.9 (93.3 to 94.7)
 3, with      96.5 (96.5 to 96.7)  87.5 (87.1 to 87.9)  71.9 (70.8 to 73.0)  96.3 (95.3 to 98.0)
10, without   97.8 (97.7 to 97.8)  67.1 (65.8 to 67.8)  69.7 (67.8 to 71.6)  94.9 (94.0 to 96.0)
10, with      98.1 (97.9 to 98.3)  93.1 (93.0 to 93.3)  83.6 (82.9 to 84.9)  96.0 (94.7 to 97.3)

An epoch with augmentation took 1.33 times as long, on two cores that other programs also used. On
photos, which are scaled and centered, there is less to gain than on digits that are not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from mnist_widgets import (
    SimpleNet,
    Trainer,
    augment,
    load_bundled_digits,
    load_mnist,
    predict_probabilities,
)
from mnist_widgets.data.augmentation import warp
from mnist_widgets.data.digit_set import to_inputs
from mnist_widgets.data.handwriting.ink import find_digit

# isort: split
import numpy as np
import torch  # after the kit, which sets the number of its threads
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from phone_pictures import STROKES, draw_photo

EPOCHS = (3, 10)
Images = tuple[Tensor, Tensor]


def move(images: Tensor, degrees: float, shift_px: float) -> Tensor:
    """Turn and shift each image by random amounts, the same at each call."""
    unit = torch.rand(3, len(images), generator=torch.Generator().manual_seed(0)) * 2 - 1
    shifts = unit[1:].T * shift_px
    return warp(to_inputs(images), unit[0] * degrees, torch.ones(len(images)), shifts)


def take_photos() -> Images:
    """Return the digits of 150 photos, uint8 (150, 28, 28), and their labels."""
    images, labels = [], []
    for digit, strokes in STROKES.items():
        for width in (0.75, 1.0, 1.3):
            stretched = [[(x * width, y) for x, y in stroke] for stroke in strokes]
            for turn in (-20, -10, 0, 10, 20):
                photo = draw_photo(stretched, size=(480, 640), turn=turn, shadow=0.4)
                images.append(find_digit(torch.from_numpy(np.array(photo)).permute(2, 0, 1) / 255))
                labels.append(digit)
    return torch.stack(images), torch.tensor(labels)


def measure(model: nn.Module, sets: dict[str, Images]) -> dict[str, float]:
    """Return the accuracy on each set, in percent."""
    return {
        name: 100 * float((predict_probabilities(model, images).argmax(1) == labels).float().mean())
        for name, (images, labels) in sets.items()
    }


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    num_seeds = parser.parse_args().seeds
    train_set, test_set = load_mnist()
    bundled = load_bundled_digits()
    sets = {
        "MNIST test": (test_set.images, test_set.labels),
        "moved": (move(test_set.images, 20, 3), test_set.labels),
        "bundled": tuple(
            torch.cat([getattr(part, name) for part in bundled]) for name in ("images", "labels")
        ),
        "photos": take_photos(),
    }
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    times: dict[str, list[float]] = {"without": [], "with": []}
    for seed in range(num_seeds):
        torch.manual_seed(seed)
        trainings = {}
        for kind, transform in (("without", None), ("with", augment)):
            model = SimpleNet(784, 10)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
            batches = train_set.batches(512, shuffle=True, transform=transform)
            trainings[kind] = Trainer(model, nn.CrossEntropyLoss(), optimizer, batches)
        for epoch in range(1, max(EPOCHS) + 1):
            for kind, trainer in trainings.items():
                begin = time.perf_counter()
                trainer.fit(1)
                times[kind].append(time.perf_counter() - begin)
                if epoch in EPOCHS:
                    found.setdefault((epoch, kind), []).append(measure(trainer.model, sets))
    print(f"{'':24}" + "".join(f"{name:>24}" for name in sets))
    for (epoch, kind), accuracies in sorted(
        found.items(), key=lambda item: (item[0][0], item[0][1] == "with")
    ):
        row = f"{epoch:2} epochs, {kind:8}"
        for name in sets:
            values = [each[name] for each in accuracies]
            row += f"   {statistics.mean(values):5.1f} % ({min(values):.1f} to {max(values):.1f})"
        print(row)
    ratios = [one / other for one, other in zip(times["with"], times["without"], strict=True)]
    median = statistics.median(times["without"])
    print(
        f"Seconds an epoch without: {median:.2f}; with / without: {statistics.median(ratios):.2f}"
    )


if __name__ == "__main__":
    main()
