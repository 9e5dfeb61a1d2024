"""Check a training step by its effect on a small network.

The hints are in hints/train_step.md.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from mnist_widgets.exercises.device_criterion import check_devices
from mnist_widgets.exercises.mistakes import Mistake, name_variant, recognized, rule_out
from mnist_widgets.exercises.recorders import (
    LEARNING_RATE,
    Call,
    RecordingNetwork,
    ReferenceModel,
)
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, require_result
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.training.devices import device_of
from mnist_widgets.training.training_step import LossFunction, TrainStep

_MAX_DIGITS = 6  # of a rounded loss
_SMALL = 1e-5  # the largest difference of equal losses
_TORCH_ERRORS = {
    "'float' object has no attribute 'backward'": (
        "item_too_early",
        "the loss is a plain number, not a tensor",
    ),
    "does not require grad": ("no_graph", "the loss has no graph of its computation"),
}


def check_train_step(train_step: TrainStep) -> Verdict:
    """Check one step of training: forward, loss, backward, update, zero gradients.

    Args:
        train_step: called as `train_step(model, batch, loss_fn, optimizer, device)`, where `batch`
            is a pair of inputs and targets on the CPU and `model` is on `device`; returns the loss
            of the batch before the update as a float. It may set gradients to zero at the start
            or at the end.

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(train_step)
    return run_check(
        "check_train_step",
        {
            "It computes scores for a batch": criteria.check_call,
            "`loss_fn` compares the raw scores with the targets": criteria.check_loss,
            "The weights move against the gradients": criteria.check_first_update,
            "The next batch starts from fresh gradients": criteria.check_second_update,
            "It returns the loss as a plain number": criteria.check_result,
            "The batch goes to the device of the network": criteria.check_device,
        },
    )


class _Criteria:
    """Call the step twice, with a network, loss function and optimizer that record their use."""

    def __init__(self, train_step: TrainStep) -> None:
        self._train_step = train_step
        self._events: list[str] = []
        self._calls: list[Call] = []
        self._has_trained_in_training_mode = True
        self._losses: list[float] = []
        self._accuracies: list[float] = []

    def check_call(self) -> str:
        layers = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
        self._network = RecordingNetwork(layers, self._record_call)
        self._reference, self._without_zeroing = ReferenceModel(layers), ReferenceModel(layers)
        self._batches = [[torch.randn(8, 4), torch.randint(0, 3, (8,))] for _ in range(2)]
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=LEARNING_RATE)
        self._optimizer.register_step_pre_hook(lambda *_: self._events.append("step"))
        with recognized(_TORCH_ERRORS):
            self._results = [self._call(self._batches[0])]
        if not self._calls:
            require_result(self._results[0], self._train_step)
            raise Mistake("network_not_asked", "the network was never called")
        if not self._has_trained_in_training_mode:
            raise Mistake("eval_mode", "expected training mode, found evaluation mode")
        if not self._network.training:  # it would train the next batch wrongly
            raise Mistake("eval_mode", "expected training mode afterwards, found evaluation mode")
        return f"the network returned scores for {len(self._batches[0][0])} inputs"

    def check_loss(self) -> str:
        if not self._losses:
            raise Mistake("ignores_loss_fn", "`loss_fn` was never called")
        return f"the loss of the first batch is {self._losses[0]:.4f}"

    def check_first_update(self) -> str:
        self._reference.train(self._batches[0])
        self._without_zeroing.train(self._batches[0])
        found = self._reference.compare_with(self._network)
        if self._reference.equals(self._network):
            return found
        is_unchanged, events = self._reference.is_unchanged(self._network), self._events
        mistakes = {
            "own_update": not is_unchanged and "step" not in events,
            "wrong_update": not is_unchanged,
            "forgot_backward": "backward" not in events,
            "forgot_step": "step" not in events,
            "update_before_backward": events[:1] == ["step"],
            "gradients_erased": True,
        }
        return rule_out(found, mistakes)

    def check_second_update(self) -> str:
        self._reference.optimizer.zero_grad()
        self._reference.train(self._batches[1])
        self._without_zeroing.train(self._batches[1])
        with torch.no_grad():  # the step may compute other losses too, for example to print them
            scores = self._network.layers(self._batches[1][0])
        self._second_loss = functional.cross_entropy(scores, self._batches[1][1]).item()
        self._results.append(self._call(self._batches[1]))
        found = self._reference.compare_with(self._network)
        mistakes = {
            "forgot_zero_grad": self._without_zeroing.equals(self._network),
            "wrong_update": not self._reference.equals(self._network),
        }
        return rule_out(found, mistakes)

    def check_result(self) -> str:
        result: Any = self._results[1]
        require_result(result, self._train_step)
        mistakes = {
            "returns_tensor": isinstance(result, Tensor),
            "returns_no_number": isinstance(result, bool) or not isinstance(result, Real),
        }
        rule_out(f"expected a float, found {describe(result)}", mistakes)
        expected, value = self._second_loss, float(result)
        after = functional.cross_entropy(self._network(self._batches[1][0]), self._batches[1][1])
        found = f"expected {expected:.6f}, found {value:.6f}"
        if abs(value - expected) <= _SMALL:
            return found
        mistakes = {
            "returns_accuracy": self._returned_accuracies(),
            "rounded_loss": value in {round(expected, digits) for digits in range(_MAX_DIGITS)},
            "loss_after_update": abs(value - after.item()) <= _SMALL,
            "wrong_loss": True,
        }
        return rule_out(found, mistakes)

    def check_device(self) -> str:
        meta = torch.device("meta")

        def train(network: nn.Module, loss_fn: LossFunction, optimizer: Optimizer) -> None:
            self._train_step(network, tuple(self._batches[0]), loss_fn, optimizer, meta)
            here = device_of(network).type
            found = f"expected the network on meta, found it on {here}"
            rule_out(found, {"device_ignored": here != "meta"})

        return check_devices(train)

    def _record_call(self, call: Call) -> None:
        self._calls.append(call)
        if torch.is_grad_enabled() and not call[0]:  # without gradients, it is an evaluation
            self._has_trained_in_training_mode = False

    def _call(self, batch: list[Tensor]) -> Any:  # noqa: ANN401 - any result
        device = torch.device("cpu")
        result = self._train_step(self._network, batch, self._loss_fn, self._optimizer, device)
        if self._calls:
            is_right = self._calls[-1][1].argmax(dim=1) == batch[1]
            self._accuracies.append(is_right.double().mean().item())
        return result

    def _returned_accuracies(self) -> bool:
        """Whether both results are accuracies: shares, percentages or counts.

        Two results are compared, because a single accuracy may equal a rounded loss.
        """
        return any(
            all(
                isinstance(result, Real) and abs(float(result) - scale * accuracy) <= _SMALL
                for result, accuracy in zip(self._results, self._accuracies, strict=True)
            )
            for scale in (1, 100, len(self._batches[0][0]))
        )

    def _loss_fn(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002 - torch's names
        self._refuse_other_arguments(input, target)
        loss = functional.cross_entropy(input, target)
        self._losses.append(loss.item())
        if loss.requires_grad:
            loss.register_hook(lambda _: self._events.append("backward"))
        return loss

    def _refuse_other_arguments(self, scores: Any, targets: Any) -> None:  # noqa: ANN401 - any
        rule_out("the loss was computed before the scores", {"network_not_asked": not self._calls})
        raw = self._calls[-1][1]
        found = f"expected scores and targets, found {describe(scores)} and {describe(targets)}"
        if not isinstance(scores, Tensor) or not isinstance(targets, Tensor):
            raise Mistake("wrong_loss_arguments", found)
        mistakes = {
            "loss_arguments_swapped": scores.dtype == torch.int64 and targets.is_floating_point(),
            "argmax_before_loss": not scores.is_floating_point() or scores.dim() == 1,
        }
        rule_out(found, mistakes)
        variants = {
            "softmax_before_loss": raw.softmax(1),
            "softmax_over_batch": raw.softmax(0),
            "log_softmax_before_loss": raw.log_softmax(1),
        }
        if name := name_variant(scores, variants.items()):
            row = ", ".join(f"{value:.2f}" for value in scores[0])
            raise Mistake(name, f"`loss_fn` was given {row} for the first input", row=row)
