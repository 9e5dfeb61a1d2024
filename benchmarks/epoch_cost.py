"""Measure what an epoch costs beyond its arithmetic, as ratios within one run.

It compares three ways through 118 batches of 512 images: the same batch again and again (only
arithmetic), `Trainer` with `DigitSet.batches`, and the tutorial's loop with a `DataLoader` and its
transforms. The first two take turns, so that other load on the machine affects both. The results
are medians. Taking and converting a batch depends on the memory, not on the arithmetic, so the
difference is also printed in milliseconds: on a computer with fast arithmetic the ratio is higher.

    python benchmarks/epoch_cost.py [--rounds 5]

It uses MNIST from `MNIST_WIDGETS_DATA` or the cache, otherwise random images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from mnist_widgets import DataError, DigitSet, SimpleNet, Trainer, load_mnist, train_step

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

BATCH_SIZE = 512
TARGETS = {"Trainer / fixed batch": 1.03, "Trainer / tutorial's loop": 1 / 9}


class TutorialSet(Dataset):
    """The same images as in the tutorial: each one is transformed when it is read."""

    def __init__(self, digit_set: DigitSet) -> None:
        self.digit_set = digit_set
        self.transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.digit_set)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = v2.functional.to_pil_image(self.digit_set.images[index])
        return self.transform(picture), int(self.digit_set.labels[index])


def load_images() -> DigitSet:
    """Return MNIST's training set, or random images if it is missing."""
    try:
        return load_mnist(download=False)[0]
    except DataError as error:
        print(f"Random images instead of MNIST: {error}")
        images = torch.randint(0, 256, (60_000, 28, 28), dtype=torch.uint8)
        labels = torch.randint(0, 10, (60_000,))
        return DigitSet(images, labels, tuple("0123456789"), "random images")


def make_learner() -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """Return a new network, its loss function and its optimizer."""
    model = SimpleNet(28 * 28, 10)
    return model, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)


def train_fixed_batch(digit_set: DigitSet) -> None:
    """Train one batch as often as an epoch has batches."""
    model, loss_fn, optimizer = make_learner()
    batches = digit_set.batches(BATCH_SIZE)
    batch = next(iter(batches))
    for _ in range(len(batches)):
        train_step(model, batch, loss_fn, optimizer, torch.device("cpu"))


def train_with_trainer(digit_set: DigitSet) -> None:
    """Train an epoch with the kit's `Trainer`."""
    model, loss_fn, optimizer = make_learner()
    batches = digit_set.batches(BATCH_SIZE, shuffle=True)
    Trainer(model, loss_fn, optimizer, batches, device="cpu").fit(1)


def train_as_in_the_tutorial(digit_set: DigitSet) -> None:
    """Train an epoch with the tutorial's loop and optimizer."""
    model, loss_fn, _ = make_learner()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TutorialSet(digit_set), batch_size=BATCH_SIZE, shuffle=True)
    for batch in loader:
        train_step(model, batch, loss_fn, optimizer, torch.device("cpu"))


def measure(work: Callable[[DigitSet], None], digit_set: DigitSet) -> float:
    """Return the seconds that `work` takes."""
    began = time.perf_counter()
    work(digit_set)
    return time.perf_counter() - began


def main() -> None:
    """Print the median times, and the ratios with their limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    num_rounds = parser.parse_args().rounds
    digit_set = load_images()
    print(f"{digit_set!r}, {torch.get_num_threads()} thread(s), {num_rounds} rounds")

    quick = {"fixed batch": train_fixed_batch, "Trainer": train_with_trainer}
    for work in quick.values():
        work(digit_set)  # warm up
    rounds = [
        {name: measure(work, digit_set) for name, work in quick.items()} for _ in range(num_rounds)
    ]
    medians = {name: statistics.median(times[name] for times in rounds) for name in quick}
    medians["tutorial's loop"] = measure(train_as_in_the_tutorial, digit_set)
    for name, seconds in medians.items():
        print(f"{name:16} {seconds:6.2f} s an epoch")

    ratios = {
        "Trainer / fixed batch": statistics.median(
            times["Trainer"] / times["fixed batch"] for times in rounds
        ),
        "Trainer / tutorial's loop": medians["Trainer"] / medians["tutorial's loop"],
    }
    extra_s = statistics.median(times["Trainer"] - times["fixed batch"] for times in rounds)
    num_batches = len(digit_set.batches(BATCH_SIZE))
    print(f"Trainer - fixed batch      {1000 * extra_s / num_batches:.2f} ms a batch")
    for name, ratio in ratios.items():
        print(f"{name:26} {ratio:.3f}   (limit {TARGETS[name]:.3f})")


if __name__ == "__main__":
    main()
