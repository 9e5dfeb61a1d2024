"""Observe one training step by hooks on model, loss and optimizer."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from mnist_widgets.training.recording.loss_observer import LossObserver
from mnist_widgets.training.recording.source_lines import find_code, find_line
from mnist_widgets.training.recording.step_record import LayerRecord
from mnist_widgets.training.training_step import LossFunction, TrainStep

MOST_ROWS = 64
"""Rows of a tensor that a record has which is not in full."""


class StepObserver:
    """Observes one step by hooks.

    Args:
        train_step: the step, whose lines are noted.
        model: the network.
        optimizer: has its parameters.
        in_full: see `StepRecorder`.
    """

    def __init__(
        self, train_step: TrainStep, model: nn.Module, optimizer: Optimizer, *, in_full: bool
    ) -> None:
        self._code = find_code(train_step)
        self._model, self._optimizer, self._in_full = model, optimizer, in_full
        self._thread = threading.get_ident()
        self._num_lazy = sum(map(is_lazy, model.parameters()))
        self._notes: list[str] = []
        self._num_layers = 0  # that have a hook
        self._has_seen_layer = False
        self.events: list[str] = []
        self.lines: dict[str, int] = {}
        self.outputs: Tensor | None = None
        self.losses = LossObserver(self._on_backward, keeps_inputs=in_full)
        self.layers: dict[str, LayerRecord] = {}
        self.gradients: dict[str, Tensor] = {}
        self.options = self.copy_options()
        self.has_old_gradients = False
        self.is_in_training_mode: bool | None = None

    def watch(self, hooks: ExitStack, loss_fn: LossFunction) -> LossFunction:
        """Observe model, optimizer and loss function until `hooks` is closed.

        Returns:
            The loss function to call: the same one, or a function that wraps it.
        """
        for name, module in self._model.named_modules() if self._in_full else ():
            if isinstance(module, nn.Linear) and not is_lazy(module.weight):
                note = f"The layer {name!r} accepts no hook, so it is not recorded."
                with self._noting(note):
                    hooks.enter_context(module.register_forward_hook(self._on_layer(name)))
                    self._num_layers += 1
        with self._noting("The model accepts no hook, so its outputs are not recorded."):
            hooks.enter_context(self._model.register_forward_hook(self._on_forward))
        self._watch_update(hooks)
        for owner in (self._optimizer, self._model):
            with self._noting(f"{type(owner).__name__}.zero_grad could not be observed."):
                hooks.enter_context(_called_before(owner, "zero_grad", self._on_zero_grad))
        if isinstance(loss_fn, nn.Module):
            with self._noting("The loss function accepts no hook."):
                hooks.enter_context(loss_fn.register_forward_hook(self._on_loss_module))
            return loss_fn

        @wraps(loss_fn)
        def compute(*arguments: Any, **options: Any) -> Tensor:  # noqa: ANN401 - as loss_fn
            loss = loss_fn(*arguments, **options)
            self._on_loss(arguments, loss)
            return loss

        return compute

    def _watch_update(self, hooks: ExitStack) -> None:
        optimizer = self._optimizer
        if not hasattr(optimizer, "register_step_pre_hook"):
            self._notes.append("The optimizer is not one of torch, so its update was not seen.")
            return
        with self._noting("The optimizer accepts no hook, so its update was not seen."):
            hooks.enter_context(optimizer.register_step_post_hook(self._after_update))
            hooks.enter_context(optimizer.register_step_pre_hook(self._before_update))

    @contextmanager
    def _noting(self, sentence: str) -> Iterator[None]:
        """Keep a sentence for the notes if something within this context fails."""
        try:
            yield
        except Exception:
            self._notes.append(sentence)

    def copy_parameters(self) -> dict[str, Tensor]:
        """Return a copy of each parameter that has a shape."""
        return {name: self._copy_rows(value) for name, value in self._parameters().items()}

    def copy_gradients(self) -> dict[str, Tensor]:
        """Return a copy of each gradient."""
        gradients = {name: value.grad for name, value in self._parameters().items()}
        return {
            name: self._copy_rows(value) for name, value in gradients.items() if value is not None
        }

    def copy_optimizer_state(self) -> dict[str, dict[str, Any]]:
        """Return a copy of the optimizer's state of each parameter."""
        state = getattr(self._optimizer, "state", {}) if self._in_full else {}
        return {
            name: {
                key: value.detach().clone() if isinstance(value, Tensor) else copy(value)
                for key, value in state[parameter].items()
            }
            for name, parameter in self._parameters().items()
            if parameter in state
        }

    def copy_options(self) -> dict[str, dict[str, Any]]:
        """Return a copy of the optimizer's options for each parameter that it holds."""
        names = {id(value): name for name, value in self._parameters().items()}
        return {
            names[id(parameter)]: {
                key: value.detach().clone() if isinstance(value, Tensor) else copy(value)
                for key, value in group.items()
                if key != "params"
            }
            for group in getattr(self._optimizer, "param_groups", [])
            for parameter in group["params"]
            if id(parameter) in names
        }

    def write_notes(self, inputs: Tensor | None, returned: object) -> Iterator[str]:
        """Return a sentence for each thing that could not be observed."""
        yield from self._notes
        if not self._in_full:
            yield "This record is not complete: see `in_full` of `record_next`."
        if inputs is None:
            yield "The batch is no pair of tensors, so its inputs are not recorded."
        if "forward" not in self.events:
            yield "No forward pass of the model was seen."
        elif self._num_layers and not self._has_seen_layer:
            yield "No linear layer was seen in a forward pass; a compiled model hides them."
        if "forward" in self.events and self.outputs is None:
            yield "The model's outputs are no tensor, so they are not recorded."
        if self._num_lazy:
            yield "Some parameters had no shape before the step, so `before` does not have them."
        if "loss" not in self.events:
            yield "No call of loss_fn was seen, so the loss is not known."
        else:
            yield from self.losses.write_notes(returned)

    def _parameters(self) -> dict[str, Tensor]:
        named: Iterable[tuple[str, Tensor]] = self._model.named_parameters()
        return {name: value for name, value in named if not is_lazy(value)}

    def _copy_rows(self, value: Tensor) -> Tensor:
        if not self._in_full and value.dim():
            value = value[:: math.ceil(len(value) / MOST_ROWS) or 1]
        return value.detach().clone()

    def _note(self, event: str) -> None:
        self.events.append(event)
        line = find_line(self._code, self._thread)
        if line is not None:
            self.lines.setdefault(event, line)

    def _on_layer(self, name: str) -> Callable[..., None]:
        unknown = f"The layer {name!r} does not take one tensor and return one, so it is left out."

        def keep(_module: nn.Module, inputs: tuple[object, ...], outputs: object) -> None:
            if not torch.is_grad_enabled() or ("loss" in self.events and name in self.layers):
                return  # an evaluation within the step, or after the pass that gave the loss
            self._has_seen_layer = True
            if len(inputs) == 1 and isinstance(inputs[0], Tensor) and isinstance(outputs, Tensor):
                self.layers[name] = LayerRecord(
                    inputs[0].detach().clone(), outputs.detach().clone()
                )
            elif unknown not in self._notes:
                self._notes.append(unknown)

        return keep

    def _on_forward(self, model: nn.Module, _inputs: object, outputs: object) -> None:
        self._note("forward")
        if self.is_in_training_mode is None and torch.is_grad_enabled():
            self.is_in_training_mode = model.training
        is_for_loss = torch.is_grad_enabled() and "loss" not in self.events
        if self.outputs is None or is_for_loss:
            self.outputs = copy_tensor(outputs)

    def _on_loss_module(self, _module: nn.Module, inputs: tuple[Any, ...], loss: object) -> None:
        self._on_loss(inputs, loss)

    def _on_loss(self, inputs: tuple[Any, ...], loss: object) -> None:
        if not torch.is_grad_enabled():
            return  # an evaluation within the step
        self._note("loss")
        self.losses.on_loss(inputs, loss)

    def _on_backward(self) -> None:
        if "backward" not in self.events:
            gradients = (parameter.grad for parameter in self._model.parameters())
            self.has_old_gradients = any(
                gradient is not None and bool(gradient.any()) for gradient in gradients
            )
        self._note("backward")

    def _before_update(
        self, _optimizer: Optimizer, arguments: tuple[object, ...], options: dict[str, object]
    ) -> None:
        if not _has_closure(*arguments[1:], *options.values()):
            self._on_update()

    def _after_update(
        self, _optimizer: Optimizer, arguments: tuple[object, ...], options: dict[str, object]
    ) -> None:
        if _has_closure(*arguments[1:], *options.values()):  # it has just computed the gradients
            self._on_update()

    def _on_update(self) -> None:
        self._note("update")
        self.gradients = self.copy_gradients()
        self.options = self.copy_options()

    def _on_zero_grad(self) -> None:
        self._note("zero_grad")


def _has_closure(*arguments: object) -> bool:
    """Return whether `optimizer.step` got a function, which computes the gradients."""
    return any(map(callable, arguments))


def copy_tensor(value: object) -> Tensor | None:
    """Return a copy of a tensor; None for anything else."""
    return value.detach().clone() if isinstance(value, Tensor) else None


@contextmanager
def _called_before(owner: Any, name: str, observe: Callable[[], None]) -> Iterator[None]:  # noqa: ANN401 - any object
    """Call `observe` before each call of a method of an object."""
    method = getattr(owner, name, None)
    if method is None:
        yield
        return

    @wraps(method)
    def call(*arguments: Any, **options: Any) -> object:  # noqa: ANN401 - as the method
        observe()
        return method(*arguments, **options)

    own = vars(owner).get(name)
    vars(owner)[name] = call
    try:
        yield
    finally:
        if own is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = own
