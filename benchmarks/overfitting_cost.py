"""Measure what the overfitting lab costs, as ratios within one run.

It compares an epoch of the default network with and without the training accuracy, a run of 500
images with 20 % wrong labels for 40 epochs with six default epochs, and an epoch of the
convolutional network with a default one. They take turns, so that other load on the machine affects
all of them. The results are medians.

    python benchmarks/overfitting_cost.py [--rounds 3]

It needs MNIST, in `MNIST_WIDGETS_DATA` or the cache.
"""

from __future__ import annotations

import argparse
import statistics
import time

from mnist_widgets import DigitSet, Evaluator, RunConfig, load_mnist

FEW_IMAGES = "images=500 noise=0.2 batch=32"
CONVOLUTIONAL = "network=convolutional hidden=128 lr=0.003 batch=128 schedule=cosine"
Data = tuple[DigitSet, DigitSet]


def measure(text: str, epochs: int, data: Data, *, has_train_accuracy: bool = True) -> float:
    """Return the processor seconds of a run with these settings."""
    trainer = RunConfig.from_string(text).build(*data, device="cpu")
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
    measure("", 1, data)  # warm up
    ratios: dict[str, list[float]] = {"train accuracy": [], "few images": [], "convolutional": []}
    for _ in range(num_rounds):
        default = measure("", 1, data)
        without = measure("", 1, data, has_train_accuracy=False)
        ratios["train accuracy"].append(default / without)
        ratios["few images"].append(measure(FEW_IMAGES, 40, data) / (6 * default))
        ratios["convolutional"].append(measure(CONVOLUTIONAL, 1, data) / default)
    limits = {"train accuracy": "at most 1.05", "few images": "at most 1", "convolutional": "-"}
    for name, found in ratios.items():
        listed = ", ".join(f"{ratio:.3f}" for ratio in sorted(found))
        print(f"{name:15} {statistics.median(found):.3f} (limit: {limits[name]}; all: {listed})")


if __name__ == "__main__":
    main()
