"""Measure what `HealthMonitor` costs at batch 512, as a ratio within one run.

Epochs with and without the monitor take turns, so that other load on the machine affects both. Each
trains the same network anew and evaluates it. The results are medians.

    python benchmarks/health.py [--rounds 15]

It uses MNIST from `MNIST_WIDGETS_DATA` or the cache, otherwise random images.
"""

from __future__ import annotations

import argparse
import statistics
import time

from mnist_widgets import (
    Callback,
    DataError,
    DigitSet,
    Evaluator,
    HealthMonitor,
    SimpleNet,
    Trainer,
    load_mnist,
)

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import nn

BATCH_SIZE = 512
LIMIT = 1.02


def load_images() -> tuple[DigitSet, DigitSet]:
    """Return MNIST, or random images if it is missing."""
    try:
        return load_mnist(download=False)
    except DataError as error:
        print(f"Random images instead of MNIST: {error}")
        sets = []
        for num_images in (60_000, 10_000):
            images = torch.randint(0, 256, (num_images, 28, 28), dtype=torch.uint8)
            labels = torch.randint(0, 10, (num_images,))
            sets.append(DigitSet(images, labels, tuple("0123456789"), "random images"))
        return sets[0], sets[1]


def measure(sets: tuple[DigitSet, DigitSet], callbacks: list[Callback]) -> float:
    """Return the seconds of an epoch."""
    torch.manual_seed(0)
    model = SimpleNet(28 * 28, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    trainer = Trainer(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        sets[0].batches(BATCH_SIZE, shuffle=True),
        evaluator=Evaluator(sets[1].batches(BATCH_SIZE)),
        callbacks=callbacks,
        device="cpu",
    )
    began_s = time.perf_counter()
    trainer.fit(1)
    return time.perf_counter() - began_s


def main() -> None:
    """Print the median times of an epoch, and their ratio with its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    num_rounds = parser.parse_args().rounds
    sets = load_images()
    print(f"{sets[0]!r}, {torch.get_num_threads()} thread(s), {num_rounds} rounds")
    for callbacks in ([], [HealthMonitor()]):
        measure(sets, callbacks)  # warm up
    rounds = []
    for number in range(num_rounds):
        kinds: list[list[Callback]] = [[], [HealthMonitor()]]
        order = (0, 1) if number % 2 else (1, 0)  # the second epoch of a pair may be the slower one
        times = {index: measure(sets, kinds[index]) for index in order}
        rounds.append((times[0], times[1]))
    for name, times in zip(("without", "with"), zip(*rounds, strict=True), strict=True):
        print(f"{name:8} {statistics.median(times):6.2f} s an epoch")
    ratio = statistics.median(watched / plain for plain, watched in rounds)
    print(f"with / without {ratio:.3f}   (limit {LIMIT:.3f})")


if __name__ == "__main__":
    main()
