"""Check that the evaluator fits the training and, on its first batch, the model.

The second check uses the outputs that the training computes, so it adds no forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from mnist_widgets.data.digit_set import Batches
from mnist_widgets.data.tensors import to_tensor
from mnist_widgets.training.evaluation.evaluator import Evaluator, read_targets
from mnist_widgets.training.evaluation.outputs import (
    check_outputs,
    find_loss_kind,
    find_reduction,
)
from mnist_widgets.training.evaluation.unseen_batches import is_without_draws
from mnist_widgets.training.preflight.batch_checks import unpack_pair

# one loss, of log-probabilities or of scores
_SAME_LOSS: dict[type[nn.Module], type[nn.Module]] = {nn.NLLLoss: nn.CrossEntropyLoss}


@contextmanager
def checking_evaluator(
    evaluator: object, model: nn.Module, inputs: Tensor | None
) -> Iterator[None]:
    """Within this context, check that the outputs for `inputs` fit `evaluator`.

    Subclasses of `Evaluator` are not checked, since they may compute anything. Calls of the model
    with other arguments are not checked either, nor are outputs that are not a tensor with a row
    for each image: they may be different in evaluation mode.

    Raises:
        TypeError: A batch of the evaluator is not a pair.
        ValueError: Outputs, targets and loss function of the evaluator do not fit together. Both
            errors come before the weights are updated.
    """
    if type(evaluator) is not Evaluator:
        yield
        return
    targets = _find_targets(evaluator)

    def check(_model: nn.Module, arguments: tuple[Any, ...], outputs: object) -> None:
        shapes = [getattr(argument, "shape", None) for argument in arguments]
        if inputs is not None and shapes == [inputs.shape] and isinstance(outputs, Tensor):
            hook.remove()
            if outputs.shape[:1] == inputs.shape[:1]:
                _check(evaluator, outputs, targets)

    with model.register_forward_hook(check) as hook:
        yield


def compare_losses(loss_fn: object, evaluator: Evaluator, *, divides: bool) -> str | None:
    """Return why training loss and test loss cannot be compared, and the fix; None if they can.

    Args:
        loss_fn: The loss function of the training.
        evaluator: Its loss is a mean over the images.
        divides: Whether the training step may divide a sum by the number of images.
    """
    kinds = [find_loss_kind(each) for each in (loss_fn, evaluator.loss_fn)]
    of_training, of_evaluator = (_SAME_LOSS.get(kind.module, kind.module) for kind in kinds)
    if nn.Module not in (of_training, of_evaluator) and of_training is not of_evaluator:
        return (
            f"The training loss is {of_training.__name__}, but the test loss is "
            f"{of_evaluator.__name__}, so the two cannot be compared. Pass the loss function of "
            "the training to the evaluator: Evaluator(batches, loss_fn)."
        )
    if find_reduction(loss_fn) == "sum" and not divides:
        return (
            "The training loss is the sum over the images of a batch, but the test loss is the "
            'mean over the images, so the two cannot be compared. Use reduction="mean", with a '
            "larger learning rate."
        )
    return None


def check_order(evaluator: object) -> None:
    """Check that an `Evaluator` predicts the images in the order of its set, as far as is known.

    Raises:
        ValueError: It shuffles them.
    """
    if isinstance(evaluator, Evaluator) and _are_shuffled(evaluator.batches):
        raise ValueError(
            "The evaluator shuffles its images, so an ImageGallery cannot know which prediction "
            "belongs to which image. Pass batches in the order of the set to Evaluator, such as "
            "test_set.batches(512), or a DataLoader without shuffle=True."
        )


def _are_shuffled(batches: object) -> bool:
    if isinstance(batches, DataLoader):
        # with a batch_sampler of one's own, the loader's sampler is not used
        sampler = getattr(batches.batch_sampler, "sampler", batches.sampler)
        return isinstance(sampler, (RandomSampler, SubsetRandomSampler, WeightedRandomSampler))
    return isinstance(batches, Batches) and batches.shuffle


def _find_targets(evaluator: Evaluator) -> Tensor | None:
    """Return the targets of the evaluator's first batch if loading it draws no random numbers."""
    batches = evaluator.batches
    batch = next(iter(batches), None) if is_without_draws(batches) else None
    return None if batch is None else to_tensor(unpack_pair(batch)[1], "labels")


def _check(evaluator: Evaluator, outputs: Tensor, targets: Tensor | None) -> None:
    try:
        check_outputs(outputs, len(outputs))
        if targets is not None and (num_images := min(len(outputs), len(targets))):
            some = outputs.detach()[:num_images]
            _check_shapes(evaluator, some, targets[:num_images].to(some.device))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The evaluator cannot evaluate this model. {error}") from error


def _check_shapes(evaluator: Evaluator, outputs: Tensor, targets: Tensor) -> None:
    """Check only the shapes: in evaluation mode the model may return other values."""
    try:
        read_targets(evaluator, outputs.softmax(dim=-1), targets)
    except ValueError:
        read_targets(evaluator, outputs.log_softmax(dim=-1), targets)
