"""Check a training step by its effect on a small network.

The hints are in hints/train_step.md.
"""

from __future__ import annotations

from copy import deepcopy
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.exercises.hints import read_hints
from mnist_widgets.exercises.mistakes import Mistake
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, require_result
from mnist_widgets.exercises.step_recorders import (
    LEARNING_RATE,
    SMALL,
    RecordingNet,
    RecordingSGD,
    ReferenceModel,
)
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.training.trainer import TrainStep

_MAX_DIGITS = 6  # of a rounded loss


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
        read_hints("train_step"),
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
    """Two calls with a network, loss function and optimizer that record what happens."""

    def __init__(self, train_step: TrainStep) -> None:
        self._train_step = train_step
        self._events: list[str] = []
        self._losses: list[float] = []
        self._accuracies: list[float] = []

    def check_call(self) -> str:
        self._network = RecordingNet()
        self._reference, self._without_zeroing = (
            ReferenceModel(self._network),
            ReferenceModel(self._network),
        )
        self._batches = [[torch.randn(8, 4), torch.randint(0, 3, (8,))] for _ in range(2)]
        self._optimizer = RecordingSGD(self._network, self._events)
        try:
            self._results = [self._call(self._batches[0])]
        except AttributeError as error:
            if "'float' object has no attribute 'backward'" not in str(error):
                raise
            raise Mistake("item_too_early", "the loss is a plain number, not a tensor") from error
        except RuntimeError as error:
            if "does not require grad" not in str(error):  # torch's message
                raise
            raise Mistake("no_graph", "the loss has no graph of its computation") from error
        if not self._network.num_calls:
            require_result(self._results[0], self._train_step)
            raise Mistake("network_not_asked", "the network was never called")
        if not self._network.is_training:
            raise Mistake("eval_mode", "expected training mode, found evaluation mode")
        if not self._network.training:  # so it would train the next batch in it
            raise Mistake("eval_mode", "expected training mode afterwards, found evaluation mode")
        return f"the network returned scores for {len(self._batches[0][0])} inputs"

    def check_loss(self) -> str:
        if not self._losses:
            raise Mistake("ignores_loss_fn", "`loss_fn` was never called")
        return f"the loss of the first batch is {self._losses[0]:.4f}"

    def check_first_update(self) -> str:
        untouched = deepcopy(self._reference)
        self._reference.train(self._batches[0])
        self._without_zeroing.train(self._batches[0])
        found = self._reference.compare_with(self._network)
        if self._reference.equals(self._network):
            return found
        raise Mistake(self._name_wrong_update(untouched.equals(self._network)), found)

    def check_second_update(self) -> str:
        self._reference.optimizer.zero_grad()
        self._reference.train(self._batches[1])
        self._without_zeroing.train(self._batches[1])
        self._results.append(self._call(self._batches[1]))
        found = self._reference.compare_with(self._network)
        if self._reference.equals(self._network):
            return found
        is_without_zeroing = self._without_zeroing.equals(self._network)
        raise Mistake("forgot_zero_grad" if is_without_zeroing else "wrong_update", found)

    def check_result(self) -> str:
        result: Any = self._results[1]
        require_result(result, self._train_step)
        if isinstance(result, Tensor):
            raise Mistake("returns_tensor", f"expected a float, found {describe(result)}")
        if isinstance(result, bool) or not isinstance(result, Real):
            raise Mistake("returns_no_number", f"expected a float, found {describe(result)}")
        expected = self._losses[1]
        found = f"expected {expected:.6f}, found {float(result):.6f}"
        if abs(float(result) - expected) <= SMALL:
            return found
        if self._returned_accuracies():
            raise Mistake("returns_accuracy", found)
        for digits in range(_MAX_DIGITS):
            if float(result) == round(expected, digits):
                raise Mistake("rounded_loss", found)
        after = functional.cross_entropy(self._network(self._batches[1][0]), self._batches[1][1])
        if abs(float(result) - after.item()) <= SMALL:
            raise Mistake("loss_after_update", found)
        raise Mistake("wrong_loss", found)

    def check_device(self) -> str:
        """Train on PyTorch's `meta` device, which every machine has."""
        meta = torch.device("meta")
        seen: dict[str, str] = {}

        def compare_nothing(_scores: Tensor, targets: Tensor) -> Tensor:
            seen["targets"] = targets.device.type
            return torch.tensor(1.0, requires_grad=True)  # `meta` has no values to return

        class Elsewhere(nn.Linear):
            def forward(self, inputs: Tensor) -> Tensor:
                seen["inputs"] = inputs.device.type
                return torch.empty(len(inputs), 3, device=meta)

        model = Elsewhere(4, 3, device=meta)
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
        self._train_step(model, tuple(self._batches[0]), compare_nothing, optimizer, meta)
        places = ", ".join(f"{name} on {seen.get(name)}" for name in ("inputs", "targets"))
        found = f"expected inputs on meta, targets on meta, found {places}"
        if set(seen.values()) != {"meta"}:
            raise Mistake("device_ignored", found)
        return found

    def _call(self, batch: list[Tensor]) -> Any:  # noqa: ANN401 - any result
        device = torch.device("cpu")
        result = self._train_step(self._network, batch, self._loss_fn, self._optimizer, device)
        if self._network.scores is not None:
            is_right = self._network.scores.argmax(dim=1) == batch[1]
            self._accuracies.append(is_right.double().mean().item())
        return result

    def _returned_accuracies(self) -> bool:
        """Whether both results are accuracies: shares, percentages or counts.

        A single accuracy may equal a rounded loss.
        """
        return any(
            all(
                isinstance(result, Real) and abs(float(result) - scale * accuracy) <= SMALL
                for result, accuracy in zip(self._results, self._accuracies, strict=True)
            )
            for scale in (1, 100, len(self._batches[0][0]))
        )

    def _loss_fn(self, scores: Tensor, targets: Tensor) -> Tensor:
        self._refuse_other_arguments(scores, targets)
        loss = functional.cross_entropy(scores, targets)
        self._losses.append(loss.item())
        if loss.requires_grad:
            loss.register_hook(lambda _: self._events.append("backward"))
        return loss

    def _refuse_other_arguments(self, scores: Any, targets: Any) -> None:  # noqa: ANN401 - any
        raw = self._network.scores
        found = f"expected scores and targets, found {describe(scores)} and {describe(targets)}"
        if raw is None:
            raise Mistake("network_not_asked", "the loss was computed before the scores")
        if not isinstance(scores, Tensor) or not isinstance(targets, Tensor):
            raise Mistake("wrong_loss_arguments", found)
        if scores.dtype == torch.int64 and targets.is_floating_point():
            raise Mistake("loss_arguments_swapped", found)
        if not scores.is_floating_point() or scores.dim() == 1:
            raise Mistake("argmax_before_loss", found)
        for name, variant in {
            "softmax_before_loss": raw.softmax(1),
            "softmax_over_batch": raw.softmax(0),
            "log_softmax_before_loss": raw.log_softmax(1),
        }.items():
            if scores.shape == raw.shape and torch.allclose(scores, variant, atol=SMALL):
                row = ", ".join(f"{value:.2f}" for value in scores[0])
                raise Mistake(name, f"`loss_fn` was given {row} for the first input", row=row)

    def _name_wrong_update(self, is_unchanged: bool) -> str:
        events = self._events
        if not is_unchanged:
            return "wrong_update" if "step" in events else "own_update"
        if "backward" not in events:
            return "forgot_backward"
        if "step" not in events:
            return "forgot_step"
        is_early = events.index("step") < events.index("backward")
        return "update_before_backward" if is_early else "gradients_erased"
