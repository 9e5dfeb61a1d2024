"""Measure overfitting and its remedies: the figures of lesson 5.

The base run is that of the preset "overfitting": one hidden layer of 512 units, 500 images, a fifth
of them with wrong labels, 40 epochs of batches of 32, Adam, 0.005. Each remedy changes one setting
of it. For each run:

- training and test accuracy after the last epoch, and the gap between them, in points;
- of the wrong labels: the share that is memorized (the network answers the wrong label) and the
  share that is resisted (it answers the true digit; other answers are neither).

    python benchmarks/overfitting.py [--seeds 5] [--data mnist bundled]

It prints the median, and the lowest to the highest, and in how many seeds the gap is narrower and
the test accuracy higher than in the base run of the same seed. Without MNIST in
`MNIST_WIDGETS_DATA` or the cache, it measures the bundled digits alone. `overfitting_cost.py`
measures the times.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import asdict, dataclass

from mnist_widgets import (
    DataError,
    DigitSet,
    RunConfig,
    load_bundled_digits,
    load_mnist,
    predict_probabilities,
)
from mnist_widgets.runs.presets import PRESETS

Data = tuple[DigitSet, DigitSet]

BASE, NUM_EPOCHS = PRESETS["overfitting"].settings, PRESETS["overfitting"].epochs
REMEDIES = {
    "base": ("", NUM_EPOCHS),
    "1,000 images": ("images=1000", NUM_EPOCHS),
    "dropout 0.7": ("dropout=0.7", NUM_EPOCHS),
    "16 hidden units": ("hidden=16", NUM_EPOCHS),
    "3 epochs": ("", 3),
    "augmentation": ("augment=yes", NUM_EPOCHS),
    "convolution": ("network=convolutional", NUM_EPOCHS),
    "AdamW, decay 0.01": ("adamw", NUM_EPOCHS),
    "AdamW, decay 1": ("adamw decay=1", NUM_EPOCHS),
    "Adam, decay 0.01": ("decay=0.01", NUM_EPOCHS),
    "no wrong labels": ("noise=0", NUM_EPOCHS),
    "augmentation, dropout 0.7": ("augment=yes dropout=0.7", NUM_EPOCHS),
    "linear": ("network=linear", NUM_EPOCHS),
    "two hidden layers": ("network=two-hidden", NUM_EPOCHS),
    "convolution, augmentation": ("network=convolutional augment=yes", NUM_EPOCHS),
    "5,000 images": ("images=5000", NUM_EPOCHS),
    "60,000 images, 3 epochs": ("images=60000", 3),
}
"""The settings that differ from the base run, and the number of epochs."""


@dataclass(frozen=True)
class Result:
    """The figures of a run, in percent; the gap in points."""

    train: float
    test: float
    gap: float
    memorized: float
    resisted: float


def measure(config: RunConfig, num_epochs: int, data: Data) -> Result:
    """Train, and return the figures; nan for wrong labels if there are none."""
    trainer = config.build(*data)
    evaluator, trainer.evaluator = trainer.evaluator, None  # once, at the end, is enough
    trainer.fit(num_epochs)
    found = evaluator.evaluate(trainer.model, trainer.device)
    train, test = (100 * found[name] for name in ("train_accuracy", "test_accuracy"))
    images = config.choose_images(data[0])
    is_wrong = images.labels != images.original_labels
    memorized = resisted = float("nan")
    if is_wrong.any():
        answers = predict_probabilities(trainer.model, images.images[is_wrong]).argmax(dim=1)
        memorized, resisted = (
            100 * (answers == labels[is_wrong]).float().mean().item()
            for labels in (images.labels, images.original_labels)
        )
    return Result(train, test, train - test, memorized, resisted)


def print_table(data: Data, num_seeds: int) -> None:
    """Train all runs that the data are large enough for, and print a row for each."""
    print(f"\n{data[0]!r}, {num_seeds} seeds: median (lowest to highest)")
    names = ("train", "test", "gap", "memorized", "resisted")
    print(f"{'':26}" + "".join(f"{name:>18}" for name in names) + "   narrower  better")
    base: list[Result] = []
    for name, (changes, num_epochs) in REMEDIES.items():
        config = RunConfig.from_string(changes, defaults=BASE)
        if (config.train_images or 0) > len(data[0]):
            continue
        results = [
            measure(config.with_values(seed=seed), num_epochs, data) for seed in range(num_seeds)
        ]
        base = base or results
        row = f"{name:26}"
        for column in names:
            values = [asdict(result)[column] for result in results]
            row += (
                f"{statistics.median(values):6.1f} ({min(values):.0f} to {max(values):.0f})".rjust(
                    18
                )
            )
        pairs = list(zip(results, base, strict=True))
        narrower = sum(result.gap < other.gap for result, other in pairs)
        better = sum(result.test > other.test for result, other in pairs)
        print(f"{row}   {narrower:8}  {better:6}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--data", nargs="+", choices=("mnist", "bundled"), default=["mnist", "bundled"]
    )
    arguments = parser.parse_args()
    if "bundled" in arguments.data:
        print_table(load_bundled_digits(), arguments.seeds)
    if "mnist" not in arguments.data:
        return
    try:
        mnist = load_mnist(download=False)
    except DataError as error:
        print(f"No figures of MNIST: {error}")
        return
    print_table(mnist, arguments.seeds)


if __name__ == "__main__":
    main()
