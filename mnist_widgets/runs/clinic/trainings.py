"""Build the trainings of the clinic.

Their parts look like those of a healthy training when they are printed: the number is all that a
student gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.loaders import load_bundled_digits
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.training_step import LossFunction, TrainStep

MISSING_DIGIT = 8
_NUM_PIXEL_VALUES = 255


@dataclass(frozen=True)
class Recipe:
    """How to build one training.

    Attributes:
        config: its settings; the seed is also that of the changes below.
        choose_images: returns the training images, given the training set, the test set and the
            seed.
        change: changes the trainer, which is new.
        clears, computes: whether the training step clears the gradients, and computes them.
    """

    config: RunConfig
    choose_images: Callable[[DigitSet, DigitSet, int], DigitSet] = lambda train, _test, _seed: train
    change: Callable[[Trainer], None] = lambda _trainer: None
    clears: bool = True
    computes: bool = True

    def build(self, seed: int | None = None, device: torch.device | str | None = None) -> Trainer:
        """Return a new trainer on the bundled digits, the same each time.

        Args:
            seed: replaces that of the settings.
            device: where to train; by default the best of this machine.
        """
        config = self.config if seed is None else replace(self.config, seed=seed)
        train_set, test_set = load_bundled_digits()
        images = self.choose_images(train_set, test_set, config.seed)
        trainer = config.build(images, test_set, device=device)
        trainer.train_step = _write_step(clears=self.clears, computes=self.computes)
        self.change(trainer)
        trainer.config = None  # the settings would give some faults away
        return trainer


def _write_step(*, clears: bool, computes: bool) -> TrainStep:
    def train_step(
        model: nn.Module,
        batch: tuple[Tensor, Tensor],
        loss_fn: LossFunction,
        optimizer: Optimizer,
        device: torch.device,
    ) -> float:
        inputs, targets = (tensor.to(device) for tensor in batch)
        loss = loss_fn(model(inputs), targets)
        if computes:
            loss.backward()
        optimizer.step()
        if clears:
            optimizer.zero_grad()
        return loss.item()

    return train_step


def keep_some(num_images: int) -> Callable[[DigitSet, DigitSet, int], DigitSet]:
    """Return a function that chooses the first training images."""
    return lambda train, _test, _seed: _select(train, torch.arange(num_images))


def leave_out_a_digit(train: DigitSet, _test: DigitSet, _seed: int) -> DigitSet:
    """Return the training images of the other nine digits."""
    return _select(train, (train.labels != MISSING_DIGIT).nonzero().flatten())


def include_test_images(train: DigitSet, test: DigitSet, _seed: int) -> DigitSet:
    """Return as many images as in the training set, half of them all test images, twice."""
    num_others = len(train) - 2 * len(test)
    images = [test.images, test.images, train.images[:num_others]]
    labels = [test.labels, test.labels, train.labels[:num_others]]
    return _make_set(train, torch.cat(images), torch.cat(labels))


def shuffle_labels(train: DigitSet, _test: DigitSet, seed: int) -> DigitSet:
    """Return some training images, whose labels are in another order."""
    some = _select(train, torch.arange(160))
    order = torch.randperm(len(some), generator=torch.Generator().manual_seed(seed + 1))
    return _make_set(train, some.images, some.labels[order])


def multiply_pixels(trainer: Trainer) -> None:
    """Let the network get pixels from 0 to 255."""

    def multiply(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (_NUM_PIXEL_VALUES * inputs[0],)

    trainer.model.register_forward_pre_hook(multiply)


def add_softmax(trainer: Trainer) -> None:
    """Let the network return probabilities."""
    trainer.model.register_forward_hook(lambda _module, _inputs, scores: scores.softmax(dim=1))


def forget_hidden_layer(trainer: Trainer) -> None:
    """Leave the weights and biases of the hidden layer out of the optimizer."""
    layer: Any = trainer.model.linear2
    trainer.optimizer.param_groups[0]["params"] = list(layer.parameters())


def lower_biases(trainer: Trainer) -> None:
    """Let all hidden units be 0 for all images, so that they have no gradient."""
    layer: Any = trainer.model.linear1
    with torch.no_grad():
        layer.bias.fill_(-20.0)


def _select(digit_set: DigitSet, indexes: Tensor) -> DigitSet:
    return _make_set(digit_set, digit_set.images[indexes], digit_set.labels[indexes])


def _make_set(like: DigitSet, images: Tensor, labels: Tensor) -> DigitSet:
    return DigitSet(images, labels, like.class_names, like.name)
