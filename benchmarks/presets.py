"""Measure the presets on the bundled digits and, if MNIST_WIDGETS_DATA names its folder, on MNIST.

For each preset and each seed it prints what `Preset.watch_for` speaks of. `one-hidden` is the
network of the lessons with the training of the preset `convolutional`.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from mnist_widgets import DigitSet, load_bundled_digits, load_mnist
from mnist_widgets.runs.presets import PRESETS, Preset

_CONVOLUTIONAL = PRESETS["convolutional"]
_ONE_HIDDEN = replace(
    _CONVOLUTIONAL,
    name="one-hidden",
    settings=replace(_CONVOLUTIONAL.settings, network="one-hidden", hidden_units=512),
)


def main() -> None:
    """Print a line for each preset, data set and seed."""
    presets = {**PRESETS, "one-hidden": _ONE_HIDDEN}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(presets), metavar="preset")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = {"bundled": load_bundled_digits()}
    if os.environ.get("MNIST_WIDGETS_DATA"):
        data["MNIST"] = load_mnist()
    print(
        "preset         data    seed  loss: first    max  last  train: last  test: best  last   gap"
    )
    for name in options.names:
        for source, sets in data.items():
            for seed in range(options.seeds):
                print(f"{name:14} {source:8} {seed:3} {_measure(presets[name], sets, seed)}")


def _measure(preset: Preset, data: tuple[DigitSet, DigitSet], seed: int) -> str:
    history = replace(preset.settings, seed=seed).build(*data, device="cpu").fit(preset.epochs)
    train, test = history["train_accuracy"], history["test_accuracy"]
    losses = history.batch_losses
    return (
        f"{losses[0]:11.2f} {max(losses):6.2f} {history['train'][-1]:6.3f} {train[-1]:12.1%} "
        f"{max(test):11.1%} {test[-1]:6.1%} {100 * (train[-1] - test[-1]):5.1f}"
    )


if __name__ == "__main__":
    main()
