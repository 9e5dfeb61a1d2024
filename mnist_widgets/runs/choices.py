"""The values of settings that are chosen from a list, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from mnist_widgets.training import models


def squared_error(logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Return the mean squared error of the probabilities, measured against one-hot targets.

    The softmax is part of the loss, as in cross-entropy: the network's outputs are raw scores with
    each loss function.

    Args:
        logits: (B, C), raw scores.
        labels: int64 (B,).
        reduction: as for `nn.MSELoss`.
    """
    targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.mse_loss(logits.softmax(dim=1), targets, reduction=reduction)


@dataclass(frozen=True)
class Choice:
    """One value of a setting that is chosen from a list.

    Attributes:
        label: its name on screen, as within a sentence.
        explanation: what it does, in one line.
    """

    label: str
    explanation: str


@dataclass(frozen=True)
class OptimizerChoice(Choice):
    """An optimizer.

    Attributes:
        class_name: its class in `torch.optim`.
        options: arguments of the class beside parameters, learning rate and weight decay.
        usual_decay: its weight decay if none is chosen, the default of the class.
    """

    class_name: str
    options: Mapping[str, float] = field(default_factory=dict)
    usual_decay: float = 0.0

    def build(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float | None
    ) -> Optimizer:
        """Return the optimizer of these parameters; None stands for the usual weight decay."""
        weight_decay = self.usual_decay if weight_decay is None else weight_decay
        make: Callable[..., Optimizer] = getattr(torch.optim, self.class_name)
        return make(parameters, lr=learning_rate, weight_decay=weight_decay, **self.options)

    def to_code(self, learning_rate: float, weight_decay: float) -> str:
        """Return the expression that builds the optimizer of a `model`."""
        options = "".join(f", {name}={value}" for name, value in self.options.items())
        if weight_decay or self.usual_decay:
            options += f", weight_decay={format_number(weight_decay)}"
        rate = format_number(learning_rate)
        return f"torch.optim.{self.class_name}(model.parameters(), lr={rate}{options})"


@dataclass(frozen=True)
class LossChoice(Choice):
    """A loss function.

    Attributes:
        loss_fn: takes outputs (B, C) and labels (B,).
        code: the lines that define it as `loss_fn`.
    """

    loss_fn: Callable[[Tensor, Tensor], Tensor]
    code: str


@dataclass(frozen=True)
class NetworkChoice(Choice):
    """A network.

    Attributes:
        build: returns it for a number of classes, of hidden units, and a share of dropout.
        unused: names of the settings that change nothing in it.
    """

    build: Callable[[int, int, float], nn.Module]
    unused: frozenset[str] = frozenset()


OPTIMIZERS: Mapping[str, OptimizerChoice] = {
    "sgd": OptimizerChoice("SGD", "Each step goes straight downhill.", "SGD"),
    "momentum": OptimizerChoice(
        "SGD with momentum", "Steps keep some of their last direction.", "SGD", {"momentum": 0.9}
    ),
    "rmsprop": OptimizerChoice("RMSprop", "Shorter steps where gradients are large.", "RMSprop"),
    "adam": OptimizerChoice("Adam", "Momentum, and a step length per weight.", "Adam"),
    "adamw": OptimizerChoice(
        "AdamW", "Adam, with weight decay apart from the gradients.", "AdamW", usual_decay=0.01
    ),
}
LOSSES: Mapping[str, LossChoice] = {
    "cross-entropy": LossChoice(
        "cross-entropy",
        "Punishes confidence in wrong answers.",
        nn.CrossEntropyLoss(),
        "loss_fn = nn.CrossEntropyLoss()",
    ),
    "mse": LossChoice(
        "mean squared error",
        "Squared error of the ten probabilities.",
        squared_error,
        """
def loss_fn(logits, labels):
    targets = nn.functional.one_hot(labels, logits.shape[1]).float()
    return nn.functional.mse_loss(logits.softmax(dim=1), targets)

""",
    ),
}


NETWORKS: Mapping[str, NetworkChoice] = {
    "linear": NetworkChoice(
        "linear network",
        "No hidden layer: each score is a weighted sum of pixels.",
        models.build_linear,
        unused=frozenset({"hidden_units", "dropout"}),
    ),
    "one-hidden": NetworkChoice(
        "one hidden layer", "The network of the lessons.", models.build_one_hidden
    ),
    "two-hidden": NetworkChoice(
        "two hidden layers", "Two hidden layers of the same width.", models.build_two_hidden
    ),
    "convolutional": NetworkChoice(
        "convolutional network",
        "Small filters look for the same shape everywhere in the image.",
        models.build_convolutional,
    ),
}
SCHEDULES: Mapping[str, Choice] = {
    "constant": Choice("constant rate", "The learning rate stays as chosen."),
    "cosine": Choice("cosine schedule", "The learning rate falls smoothly, to almost 0."),
    "step": Choice("step schedule", "After half of the epochs, a tenth of the learning rate."),
}
AUGMENTATIONS: Mapping[bool, Choice] = {
    False: Choice("no augmentation", "The images are used as they are."),
    True: Choice("augmentation", "Each image is shifted, turned and scaled a little each time."),
}


def format_number(number: float) -> str:
    """Return a number exactly and without an exponent, such as `0.00001` or `10`."""
    return np.format_float_positional(number, trim="-")


def read_number(text: str) -> float:
    """Return the number that a text writes, with a decimal point or a decimal comma.

    Raises:
        ValueError: if the text is not a number, or not a finite one.
    """
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return number
