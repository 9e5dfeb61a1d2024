"""Observe the losses of one training step, and their backward passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Real
from typing import Any, TypeGuard

import torch
from torch import Tensor

from mnist_widgets.training.recording.image_losses import compute_image_losses
from mnist_widgets.training.training_step import LossFunction


class LossObserver:
    """Observes what a loss function returns in one step.

    Args:
        on_backward: called at each backward pass.
        keeps_inputs: whether `find_losses` can compute the loss of each image.

    Attributes:
        loss: the first loss, if it is a single number.
    """

    def __init__(self, on_backward: Callable[[], None], *, keeps_inputs: bool) -> None:
        self._report_pass, self._keeps_inputs = on_backward, keeps_inputs
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._num_losses = 0
        self._used_losses: set[int] = set()  # those that had a backward pass
        self._last_pass: int | None = None
        self._notes: list[str] = []
        self.loss: float | None = None

    def on_loss(self, inputs: tuple[Any, ...], loss: object) -> None:
        """Note a loss and the inputs of the loss function."""
        if not isinstance(loss, Tensor):
            return
        if loss.requires_grad:
            loss.register_hook(partial(self._on_backward, self._num_losses))
            self._num_losses += 1
        if loss.numel() != 1 or self.loss is not None:
            return
        self.loss = float(loss.detach())
        has_tensors = len(inputs) >= 2 and all(isinstance(value, Tensor) for value in inputs[:2])
        if has_tensors and self._keeps_inputs:
            self._inputs = (inputs[0].detach().clone(), inputs[1].detach().clone())

    def find_losses(self, loss_fn: LossFunction) -> Tensor | None:
        """Return the loss of each image (B,), if the loss is their mean or their sum."""
        if self._inputs is None or self.loss is None:
            return None
        try:
            return compute_image_losses(loss_fn, *self._inputs, self.loss)
        except Exception:  # the parameters have changed already, so the step must not fail
            self._notes.append("The loss of each image could not be computed.")
            return None

    def write_notes(self, returned: object) -> Iterator[str]:
        """Return a sentence for each thing that is not as usual.

        Args:
            returned: the result of the step.
        """
        yield from self._notes
        if self.loss is None:
            yield "loss_fn did not return a single number."
        elif _is_another_number(returned, self.loss):
            yield f"train_step returned {float(returned):.6g}, loss_fn {self.loss:.6g}."
        if len(self._used_losses) > 1:
            yield (
                f"The step computed gradients of {len(self._used_losses)} losses. `loss`, `losses` "
                "and `outputs` are those of the first, `gradients` are those that the update used."
            )

    def _on_backward(self, loss_index: int, _gradient: Tensor) -> None:
        self._used_losses.add(loss_index)
        backward_pass = torch._C._current_graph_task_id()  # noqa: SLF001 - torch has no public name
        if backward_pass != self._last_pass:  # the same one has a gradient for each of its losses
            self._last_pass = backward_pass
            self._report_pass()


def _is_another_number(returned: object, loss: float) -> TypeGuard[float | Tensor]:
    """Return whether `returned` is a number that is not the loss."""
    if isinstance(returned, Tensor) and returned.numel() == 1:
        returned = returned.item()
    if isinstance(returned, bool) or not isinstance(returned, Real):
        return False
    are_nan = math.isnan(returned) and math.isnan(loss)
    return not are_nan and not math.isclose(returned, loss, rel_tol=1e-4, abs_tol=1e-6)
