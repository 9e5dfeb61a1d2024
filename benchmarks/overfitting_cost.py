"""Measure what the overfitting lab costs, as ratios within one run.

It compares an epoch of the default network with and without the training accuracy, a run of the
preset "overfitting" with six default epochs, and an epoch of the preset "convolutional" with a
default one. They take turns, so that other load on the machine affects all of them. The results are
medians.

    python benchmarks/overfitting_cost.py [--rounds 3]

It needs MNIST, in `MNIST_WIDGETS_DATA` or the cache.
"""

from __future__ import annotations

import argparse
import statistics
import time

from mnist_widgets import DigitSet, Evaluator, RunConfig, load_mnist
from mnist_widgets.runs.presets import PRESETS

DEFAULT = RunConfig()
Data = tuple[DigitSet, DigitSet]


def measure(
    config: RunConfig, epochs: int, data: Data, *, has_train_accuracy: bool = True
) -> float:
    """Return the processor seconds of a run with these settings."""
    trainer = config.build(*data, device="cpu")
    if not has_train_accuracy and isinstance(trainer.evaluator, Evaluator):
        trainer.evaluator.train_batches = None
    began_s = time.process_time()
    trainer.fit(epochs)
    return time.process_time() - began_s


def main() -> None:
    """Print the ratios with their limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    num_rounds = parser.parse_args().rounds
    data = load_mnist(download=False)
    measure(DEFAULT, 1, data)  # warm up
    overfitting, convolutional = PRESETS["overfitting"], PRESETS["convolutional"]
    ratios: dict[str, list[float]] = {"train accuracy": [], "overfitting": [], "convolutional": []}
    for _ in range(num_rounds):
        default = measure(DEFAULT, 1, data)
        without = measure(DEFAULT, 1, data, has_train_accuracy=False)
        ratios["train accuracy"].append(default / without)
        few = measure(overfitting.settings, overfitting.epochs, data)
        ratios["overfitting"].append(few / (6 * default))
        ratios["convolutional"].append(measure(convolutional.settings, 1, data) / default)
    limits = {"train accuracy": "at most 1.05", "overfitting": "at most 1", "convolutional": "-"}
    for name, found in ratios.items():
        listed = ", ".join(f"{ratio:.3f}" for ratio in sorted(found))
        print(f"{name:15} {statistics.median(found):.3f} (limit: {limits[name]}; all: {listed})")


if __name__ == "__main__":
    main()
