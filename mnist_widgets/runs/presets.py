"""Presets: settings of a run by name, good ones and bad ones, and what to watch for.

`benchmarks/presets.py` measures them; each sentence is true of the bundled digits and of MNIST,
unless it names one of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.settings import SETTINGS


@dataclass(frozen=True)
class Preset:
    """Settings of a run that show something.

    Attributes:
        name: as in `dashboard(preset="overfitting")`.
        label: its name on screen.
        settings: those of the run; any seed will do.
        epochs: how many to train.
        watch_for: two sentences.
    """

    name: str
    label: str
    settings: RunConfig
    epochs: int
    watch_for: str

    def apply(self, config: RunConfig) -> RunConfig:
        """Return the settings of the preset with the seed of `config`."""
        return replace(self.settings, seed=config.seed)

    def fits(self, config: RunConfig, fixed: Collection[str]) -> bool:
        """Return whether the preset leaves the settings named in `fixed` as they are."""
        return not find_differences(self.apply(config), config) & set(fixed)


def find_differences(config: RunConfig, other: RunConfig) -> set[str]:
    """Return the names of the settings that differ."""
    return {
        setting.name
        for setting in SETTINGS
        if getattr(config, setting.name) != getattr(other, setting.name)
    }


_OVERFITTING = RunConfig(learning_rate=0.005, batch_size=32, train_images=500, label_noise=0.2)
_SMALL_STEPS = RunConfig(learning_rate=0.001, batch_size=128)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "overfitting",
            "Overfitting",
            _OVERFITTING,
            40,
            "Training accuracy rises above 90 %, although a fifth of the labels are wrong. Test "
            "accuracy ends far below it.",
        ),
        Preset(
            "dropout",
            "Overfitting with dropout",
            replace(_OVERFITTING, dropout=0.7),
            40,
            "The gap between training and test accuracy is smaller than with Overfitting. Test "
            "accuracy ends higher.",
        ),
        Preset(
            "augmentation",
            "Overfitting with augmentation",
            replace(_OVERFITTING, augment=True),
            40,
            "The network sees each image a little differently each time. The gap is smaller than "
            "with Overfitting.",
        ),
        Preset(
            "few-images",
            "Few training images",
            RunConfig(learning_rate=0.005, batch_size=32, train_images=50),
            40,
            "Training accuracy reaches 100 %: 50 images are easy to memorize. Test accuracy ends "
            "far below it.",
        ),
        Preset(
            "rate-too-high",
            "Learning rate too high",
            replace(_SMALL_STEPS, learning_rate=0.1),
            5,
            "The loss jumps far above its first value in the first batches. Later it falls, but "
            "test accuracy stays low.",
        ),
        Preset(
            "rate-too-low",
            "Learning rate too low",
            replace(_SMALL_STEPS, optimizer="sgd", learning_rate=0.0001),
            5,
            "The loss falls so slowly that it stays near its first value. More epochs would help, "
            "but a higher rate helps more.",
        ),
        Preset(
            "linear",
            "Linear network",
            RunConfig(learning_rate=0.003, batch_size=32, network="linear"),
            5,
            "This network is too simple to memorize: training and test accuracy stay close. After "
            "5 epochs both are below 97 %.",
        ),
        Preset(
            "convolutional",
            "Convolutional network",
            RunConfig(
                learning_rate=0.003,
                batch_size=64,
                hidden_units=64,
                network="convolutional",
                schedule="cosine",
            ),
            5,
            "It has fewer parameters than one hidden layer of 512 units. On MNIST its test "
            "accuracy reaches 98.5 % within 5 epochs.",
        ),
        Preset(
            "small-batch",
            "Small batches",
            RunConfig(batch_size=4, train_images=1000),
            5,
            "The loss jumps from batch to batch: 4 images are a small sample. The smoothed line "
            "falls all the same.",
        ),
    )
}
"""All presets by their names, in the order of the list."""
