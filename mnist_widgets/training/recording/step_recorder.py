"""Record one training step: what went in, what came out, and what changed.

The step is the real one. Hooks observe it, and copies keep its numbers, so model, optimizer and
random generators are afterwards exactly as without the recording.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from mnist_widgets.training.devices import device_of
from mnist_widgets.training.epoch_batches import check_pair, find_inputs
from mnist_widgets.training.recording.source_lines import find_code
from mnist_widgets.training.recording.step_observer import StepObserver, copy_tensor
from mnist_widgets.training.recording.step_record import OptimizerState, StepRecord
from mnist_widgets.training.training_step import LossFunction, TrainStep
from mnist_widgets.training.training_step import train_step as usual_train_step


def record_step(
    model: nn.Module,
    batch: Any,  # noqa: ANN401 - whatever the training step takes
    loss_fn: LossFunction,
    optimizer: Optimizer,
    device: torch.device | None = None,
    *,
    train_step: TrainStep = usual_train_step,
) -> StepRecord:
    """Train on one batch with `train_step`, and return a record of the step.

    Example:
        ```python
        record = record_step(model, batch, loss_fn, optimizer)
        change = record.after["1.weight"] - record.before["1.weight"]
        ```

    Args:
        model: the network, in training mode.
        batch: as for `train_step`, usually inputs (B, ...) and targets (B, ...).
        loss_fn: as for `train_step`.
        optimizer: has the parameters of `model`.
        device: the device for the computation; by default that of the model.
        train_step: trains one batch.

    Raises:
        TypeError: if `loss_fn` is a class, or the batch is no pair of tensors for the usual step.
    """
    if isinstance(loss_fn, type):
        raise TypeError(f"loss_fn is the class {loss_fn.__name__} itself. Make an instance of it.")
    if train_step is usual_train_step:
        check_pair(batch)
    recorder = StepRecorder(train_step)
    recorder(model, batch, loss_fn, optimizer, device or device_of(model))
    return recorder.records[-1]


class StepRecorder:
    """A training step that calls another one, and keeps a record of it.

    Args:
        train_step: the step to record.
        in_full: whether the records are complete. Others are made faster: `losses`, `layers` and
            `optimizer_state` are missing, and `before`, `after` and `gradients` have at most
            `MOST_ROWS` rows of each tensor, at equal distances.

    Attributes:
        records: of the steps so far; a step that failed has none.
    """

    def __init__(self, train_step: TrainStep, *, in_full: bool = True) -> None:
        self._train_step, self._in_full = train_step, in_full
        self.records: list[StepRecord] = []

    def __call__(
        self,
        model: nn.Module,
        batch: Any,  # noqa: ANN401 - whatever the training step takes
        loss_fn: LossFunction,
        optimizer: Optimizer,
        device: torch.device,
    ) -> float:
        """Train on one batch; see `record_step`."""
        observer = StepObserver(self._train_step, model, optimizer, in_full=self._in_full)
        before, state_before = observer.copy_parameters(), observer.copy_optimizer_state()
        inputs = copy_tensor(find_inputs(batch))
        targets = copy_tensor(batch[1]) if inputs is not None and len(batch) == 2 else None
        with ExitStack() as hooks:
            seen_loss_fn = observer.watch(hooks, loss_fn)
            returned = self._train_step(model, batch, seen_loss_fn, optimizer, device)
        record = StepRecord(
            inputs=inputs,
            targets=targets,
            outputs=observer.outputs,
            loss=observer.losses.loss,
            losses=observer.losses.find_losses(loss_fn),
            gradients=observer.gradients or observer.copy_gradients(),
            before=before,
            after=observer.copy_parameters(),
            optimizer=type(optimizer).__name__,
            options=observer.options,
            optimizer_state=OptimizerState(state_before, observer.copy_optimizer_state()),
            events=tuple(observer.events),
            lines=observer.lines,
            layers=observer.layers,
            has_old_gradients=observer.has_old_gradients,
            is_in_training_mode=observer.is_in_training_mode,
            returned=returned,
            code=find_code(self._train_step),
            is_full=self._in_full,
            notes=tuple(observer.write_notes(inputs, returned)),
        )
        self.records.append(record)
        return returned
