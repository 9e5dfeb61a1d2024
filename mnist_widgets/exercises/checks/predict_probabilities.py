"""Judges a function that turns a network's scores into probabilities.

The words of its hints are in hints/predict_probabilities.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.runner import examine
from mnist_widgets.exercises.sandbox import as_tensor, describe, refuse_lists, refuse_nothing
from mnist_widgets.exercises.verdict import Verdict

_NUM_IMAGES = 6


def check_predict_probabilities(predict: Callable[[nn.Module, Tensor], Tensor]) -> Verdict:
    """Check a function that asks a network for the probabilities of its classes.

    Args:
        predict: called as `predict(model, images)`, with a network that gives raw scores (N, 10)
            and images of float (N, 1, 28, 28) in [0, 1] on the network's device; gives the
            probabilities (N, 10). Meanwhile the network is in evaluation mode and computes no
            gradients, afterwards it is in the mode it came in.

    Returns:
        The verdict; nothing the student's code does is raised.
    """
    trial = _Trial(predict)
    return examine(
        "check_predict_probabilities",
        read_hints("predict_probabilities"),
        {
            "It asks the network, in evaluation mode": trial.judge_call,
            "It gives a tensor with ten numbers for each image": trial.judge_shape,
            "They are probabilities: the softmax of each image's scores": trial.judge_values,
            "No gradients are kept": trial.judge_gradients,
            "The network is back in its mode afterwards": trial.judge_mode,
        },
    )


class _Trial:
    def __init__(self, predict: Callable[[nn.Module, Tensor], Any]) -> None:
        self._predict = predict

    def judge_call(self) -> str:
        self._network = _Network()
        self._images = torch.rand(_NUM_IMAGES, 1, 28, 28)
        self._result = self._predict(self._network, self._images)
        refuse_nothing(self._result, self._predict)
        if not self._network.modes:
            raise Mistake("network_not_asked", "expected a call of the network, found none")
        words = "training" if any(self._network.modes) else "evaluation"
        found = f"expected evaluation mode, found {words} mode"
        if any(self._network.modes):
            raise Mistake("forgot_eval", found)
        return found

    def judge_shape(self) -> str:
        probabilities = as_tensor(self._result)
        expected, shape = (_NUM_IMAGES, 10), tuple(probabilities.shape)
        found = f"expected shape {expected}, found {shape}"
        if shape == expected:
            refuse_lists(self._result)
            return found
        if probabilities.numel() == _NUM_IMAGES:
            is_label = not probabilities.is_floating_point()
            raise Mistake("returns_labels" if is_label else "returns_highest_only", found)
        raise Mistake("wrong_shape", found, result=describe(self._result))

    def judge_values(self) -> str:
        found_values = as_tensor(self._result).detach().float()
        with torch.no_grad():
            scores = self._network.score(self._images)
        expected = scores.softmax(1)
        found = (
            f"expected {expected[0, 0]:.3f} for the first image's 0, found "
            f"{found_values[0, 0]:.3f}; its ten numbers sum to {found_values[0].sum():.3f}"
        )
        variants = {
            "raw_scores": scores,
            "log_probabilities": scores.log_softmax(1),
            "softmax_over_images": scores.softmax(0),
            "softmax_over_everything": scores.flatten().softmax(0).reshape(scores.shape),
            "softmax_twice": expected.softmax(1),
            "sigmoid_not_softmax": scores.sigmoid(),
            "exponentials_only": scores.exp(),
            "shares_of_raw_scores": scores / scores.sum(1, keepdim=True),
            "percent": expected * 100,
        }
        if torch.allclose(found_values, expected, atol=1e-4):
            return found
        for name, variant in variants.items():
            if torch.allclose(found_values, variant, rtol=1e-3, atol=1e-4):
                raise Mistake(name, found)
        raise Mistake("other_numbers", found)

    def judge_gradients(self) -> str:
        if getattr(self._result, "requires_grad", False):
            raise Mistake("keeps_gradients", "expected requires_grad=False, found True")
        return "expected and found no gradients"

    def judge_mode(self) -> str:
        for begins_training in (True, False):
            network = _Network().train(begins_training)
            self._predict(network, self._images)
            before, after = (
                "training" if mode else "evaluation" for mode in (begins_training, network.training)
            )
            found = f"the network came in {before} mode and was left in {after} mode"
            if before != after:
                name = "mode_not_restored" if begins_training else "always_trains_afterwards"
                raise Mistake(name, found)
        return "the network came in training and in evaluation mode and was left in the same"


class _Network(nn.Module):
    """A network with dropout that notes in which mode it is asked; handed over in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)
        nn.init.normal_(self.linear.weight, std=0.1)
        self.modes: list[bool] = []
        self._note_mode = self.modes.append  # a deep copy of the network notes in the same list

    def forward(self, images: Tensor) -> Tensor:
        self._note_mode(self.training)
        return nn.functional.dropout(self.score(images), 0.5, self.training)

    def score(self, images: Tensor) -> Tensor:
        scores: Tensor = self.linear(images.flatten(1))
        return scores
