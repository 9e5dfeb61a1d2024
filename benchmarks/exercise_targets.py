"""Measure the accuracy that small networks reach in five epochs, to set the goals of `check_run`.

Each setting is trained with several seeds on MNIST or on the bundled digits, with at most 50,000
parameters. With every seed, the tutorial's settings should miss the goal of `check_run`, and the
better settings should reach it.

    python benchmarks/exercise_targets.py [--data bundled] [--seeds 5]

With MNIST it takes about half an hour on two cores. `MNIST_WIDGETS_DATA` names its folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from mnist_widgets import (
    BatchReport,
    Callback,
    DigitSet,
    SimpleNet,
    Trainer,
    load_bundled_digits,
    load_mnist,
)
from mnist_widgets.exercises import check_run

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import nn

NUM_EPOCHS = 5


@dataclass(frozen=True)
class Setting:
    """The settings of one training."""

    name: str
    build: Callable[[], nn.Module]
    batch_size: int
    learning_rate: float
    has_cycle: bool = False


def build_small_net() -> nn.Module:
    """Build the tutorial's network with 62 hidden units: 49,300 parameters."""
    return SimpleNet(28 * 28, 10, hidden_units=62)


def build_cnn() -> nn.Module:
    """Build a network of two strided convolutions: 46,826 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 5, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


SETTINGS = {
    "mnist": [
        Setting("tutorial's settings", build_small_net, 512, 1e-3),
        Setting("small batches", build_small_net, 64, 1e-3),
        Setting("small batches, larger steps", build_small_net, 64, 3e-3),
        Setting("small batches, rising and falling steps", build_small_net, 64, 5e-3, True),
        Setting("CNN", build_cnn, 128, 3e-3),
    ],
    "bundled": [
        Setting("tutorial's settings", build_small_net, 512, 1e-3),
        Setting("lesson's settings", build_small_net, 32, 1e-3),
        Setting("small batches, larger steps", build_small_net, 16, 3e-3),
        Setting("small batches, rising and falling steps", build_small_net, 16, 5e-3, True),
        Setting("CNN, rising and falling steps", build_cnn, 16, 5e-3, True),
    ],
}


class OneCycle(Callback):
    """Raise the learning rate and then lower it to almost 0 within one run."""

    def __init__(self, optimizer: torch.optim.Optimizer, highest: float, num_steps: int) -> None:
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=highest, total_steps=num_steps + 1
        )

    def on_batch_end(self, trainer: Trainer, report: BatchReport) -> None:
        """Set the learning rate of the next batch."""
        self._schedule.step()


def train(setting: Setting, train_set: DigitSet, seed: int) -> Trainer:
    """Train for five epochs with this seed."""
    torch.manual_seed(seed)
    model = setting.build()
    optimizer = torch.optim.Adam(model.parameters(), lr=setting.learning_rate)
    batches = train_set.batches(setting.batch_size, shuffle=True)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, batches)
    if setting.has_cycle:
        num_steps = NUM_EPOCHS * len(batches)
        trainer.callbacks.append(OneCycle(optimizer, setting.learning_rate, num_steps))
    trainer.fit(NUM_EPOCHS)
    return trainer


def main() -> None:
    """Print the lowest and the highest accuracy of each setting, and how many runs pass."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=SETTINGS, default="bundled")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    train_set, _ = load_mnist(download=False) if options.data == "mnist" else load_bundled_digits()
    for setting in SETTINGS[options.data]:
        verdicts = [check_run(train(setting, train_set, seed)) for seed in range(options.seeds)]
        shares = [verdict.details[-1].numbers.rpartition(" ")[2] for verdict in verdicts]
        passed = f"{sum(map(bool, verdicts))} of {len(verdicts)} pass"
        print(f"{setting.name:40s} {min(shares)} to {max(shares)}, {passed}", flush=True)


if __name__ == "__main__":
    main()
