"""Check on the first training batch that the evaluator can judge the model after the epoch.

There is no extra forward pass: the check reads the outputs that training computes anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from mnist_widgets.batch_checks import unpack_judged
from mnist_widgets.evaluation import Evaluator, is_without_draws, read_targets
from mnist_widgets.outputs import check_outputs
from mnist_widgets.tensors import to_tensor


@contextmanager
def checking_evaluator(
    evaluator: object, model: nn.Module, inputs: Tensor | None
) -> Iterator[None]:
    """Within this context, check the outputs for `inputs` against what `evaluator` needs.

    Only an `Evaluator` itself is checked: a subclass may judge anything. Calls of the model with
    other arguments, and outputs that are not a tensor with a row for each image, are left out: in
    evaluation mode they may be different.

    Raises:
        TypeError: a batch of the evaluator is no pair.
        ValueError: outputs, targets and loss function of the evaluator do not fit together. Both
            are raised before the weights are updated.
    """
    if type(evaluator) is not Evaluator:
        yield
        return
    targets = _find_targets(evaluator)

    def check(_model: nn.Module, arguments: tuple[Any, ...], outputs: object) -> None:
        if _is_call_on(inputs, arguments) and isinstance(outputs, Tensor):
            hook.remove()
            if outputs.shape[:1] == arguments[0].shape[:1]:
                _check(evaluator, outputs, targets)

    hook = model.register_forward_hook(check)
    try:
        yield
    finally:
        hook.remove()


def _find_targets(evaluator: Evaluator) -> Tensor | None:
    """Return the targets of the evaluator's first batch if taking it draws no random numbers."""
    batches = evaluator.batches
    batch = next(iter(batches), None) if is_without_draws(batches) else None
    return None if batch is None else to_tensor(unpack_judged(batch)[1], "labels")


def _is_call_on(inputs: Tensor | None, arguments: tuple[Any, ...]) -> bool:
    """Return whether a model was called on `inputs` alone, perhaps on their copy on a device."""
    if inputs is None or len(arguments) != 1 or not isinstance(arguments[0], Tensor):
        return False
    return arguments[0].shape == inputs.shape


def _check(evaluator: Evaluator, outputs: Tensor, targets: Tensor | None) -> None:
    try:
        check_outputs(outputs, len(outputs))
        num_images = 0 if targets is None else min(len(outputs), len(targets))
        if targets is not None and num_images:
            some = outputs.detach()[:num_images]
            _check_shapes(evaluator, some, targets[:num_images].to(some.device))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The evaluator cannot judge this model. {error}") from error


def _check_shapes(evaluator: Evaluator, outputs: Tensor, targets: Tensor) -> None:
    """Check the shapes alone: in evaluation mode the model may return values of another kind."""
    try:
        read_targets(evaluator, outputs.softmax(dim=-1), targets)
    except ValueError:
        read_targets(evaluator, outputs.log_softmax(dim=-1), targets)
