"""Check a function that predicts probabilities.

The hints are in hints/predict_probabilities.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mnist_widgets.exercises.mistakes import Mistake, compare, rule_out
from mnist_widgets.exercises.recorders import Call, RecordingNetwork
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import as_tensor, describe, require_result, require_tensor
from mnist_widgets.exercises.verdict import Verdict

_NUM_IMAGES = 6


def check_predict_probabilities(predict: Callable[[nn.Module, Tensor], Tensor]) -> Verdict:
    """Check a function that predicts the probability of each class.

    Args:
        predict: called as `predict(model, images)`, with a network that returns raw scores (N, 10)
            and float images (N, 1, 28, 28) in [0, 1] on the network's device; returns the
            probabilities (N, 10). It uses evaluation mode, computes no gradients, and restores
            the network's mode. It changes neither the images nor a setting of torch.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(predict)
    return run_check(
        "check_predict_probabilities",
        {
            "It calls the network in evaluation mode": criteria.check_call,
            "It returns a tensor with ten numbers for each image": criteria.check_shape,
            "They are the softmax of each image's scores": criteria.check_values,
            "It computes no gradients": criteria.check_gradients,
            "It restores the mode of the network": criteria.check_mode,
            "It changes neither the images nor torch's settings": criteria.check_side_effects,
        },
    )


class _Criteria:
    def __init__(self, predict: Callable[[nn.Module, Tensor], Any]) -> None:
        self._predict = predict
        self._calls: list[Call] = []

    def check_call(self) -> str:
        self._network = self._make_network()
        self._images = torch.rand(_NUM_IMAGES, 1, 28, 28)
        self._given_images = self._images.clone()
        self._result = self._predict(self._network, self._given_images)
        self._has_gradients_enabled = torch.is_grad_enabled()
        require_result(self._result, self._predict)
        if not self._calls:
            raise Mistake("network_not_asked", "expected a call of the network, found none")
        is_training = any(mode for mode, _ in self._calls)
        found = f"expected evaluation mode, found {_name_mode(is_training)}"
        return rule_out(found, {"forgot_eval": is_training})

    def check_shape(self) -> str:
        probabilities = as_tensor(self._result)
        expected, shape = (_NUM_IMAGES, 10), tuple(probabilities.shape)
        found = f"expected shape {expected}, found {shape}"
        if shape == expected:
            require_tensor(self._result)
            return found
        if probabilities.numel() == _NUM_IMAGES:
            is_label = not probabilities.is_floating_point()
            raise Mistake("returns_labels" if is_label else "returns_highest_only", found)
        raise Mistake("wrong_shape", found, result=describe(self._result))

    def check_values(self) -> str:
        found_values = as_tensor(self._result).float()
        with torch.no_grad():
            scores = self._network.layers[:2](self._images)
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
        return compare(found, found_values, expected, variants.items(), "other_numbers")

    def check_gradients(self) -> str:
        keeps_gradients = getattr(self._result, "requires_grad", False)
        found = f"expected requires_grad=False, found {keeps_gradients}"
        return rule_out(found, {"keeps_gradients": keeps_gradients})

    def check_mode(self) -> str:
        for begins_training in (True, False):
            network = self._make_network().train(begins_training)
            self._predict(network, self._images.clone())
            before, after = _name_mode(begins_training), _name_mode(network.training)
            found = f"the network was in {before} before and in {after} after the call"
            name = "mode_not_restored" if begins_training else "always_trains_afterwards"
            rule_out(found, {name: before != after})
            others = [layer for layer in network.modules() if layer.training != begins_training]
            words = f"after the call, the network is in {before}, but not all of its layers are"
            rule_out(words, {"layers_not_restored": others})
        return "training mode and evaluation mode were both restored"

    def check_side_effects(self) -> str:
        are_equal = torch.equal(self._given_images, self._images)
        rule_out("the images have other values after the call", {"changes_images": not are_equal})
        found = f"expected torch.is_grad_enabled() to be True, found {self._has_gradients_enabled}"
        return rule_out(found, {"gradients_stay_disabled": not self._has_gradients_enabled})

    def _make_network(self) -> RecordingNetwork:
        """Return a network with dropout, in training mode."""
        linear = nn.Linear(28 * 28, 10)
        nn.init.normal_(linear.weight, std=0.1)
        layers = nn.Sequential(nn.Flatten(), linear, nn.Dropout(0.5))
        return RecordingNetwork(layers, self._calls.append)


def _name_mode(is_training: bool) -> str:
    return "training mode" if is_training else "evaluation mode"
