"""Check that the evaluator fits the training and, on its first batch, the model.

The second check uses the outputs that the training computes, so it adds no forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from mnist_widgets.data.digit_set import Batches
from mnist_widgets.data.tensors import to_tensor
from mnist_widgets.data.unseen_batches import is_without_draws
from mnist_widgets.training.epoch_batches import unpack_pair
from mnist_widgets.training.evaluation.classification import (
    OTHER_TASKS,
    are_class_rows,
    check_num_classes,
    describe_surplus,
)
from mnist_widgets.training.evaluation.evaluator import Evaluator, read_targets
from mnist_widgets.training.evaluation.loss_kinds import find_loss_kind, find_option, find_reduction
from mnist_widgets.training.evaluation.outputs import check_outputs

# one loss, of log-probabilities or of scores
_SAME_LOSS: dict[type[nn.Module], type[nn.Module]] = {nn.NLLLoss: nn.CrossEntropyLoss}
_OPTIONS: dict[str, float] = {  # that change a loss, and what each is if it is not given, or None
    "weight": 1.0,
    "pos_weight": 1.0,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "beta": 1.0,
    "delta": 1.0,
    "log_target": 0.0,
    "margin": 1.0,
    "p": 1,
}


class EvaluatorCheck:
    """What the checks of an evaluator have seen of a training step.

    Attributes:
        doubts: The warnings.
    """

    def __init__(self) -> None:
        self.doubts: list[str] = []
        self.outputs: Tensor | None = None  # of the model, if the evaluator measures them

    def check_targets(self, outputs: object, targets: object) -> None:
        """Check the arguments of the loss function: the targets of the model's outputs are classes.

        Raises:
            ValueError: They are numbers for each output, such as the pixels of an autoencoder.
        """
        if not isinstance(targets, Tensor) or outputs is not self.outputs:
            return
        has_rows = targets.dim() == 2 and targets.shape == getattr(outputs, "shape", None)
        if has_rows and not _may_be_classes(targets):
            raise ValueError(
                f"The evaluator cannot evaluate this model. The loss function gets targets, "
                f"{targets.dtype} of shape {tuple(targets.shape)}, that name no class of an image. "
                f"{OTHER_TASKS}"
            )


@contextmanager
def checking_evaluator(
    evaluator: object, model: nn.Module, inputs: Tensor | None
) -> Iterator[EvaluatorCheck]:
    """Within this context, check that the outputs for `inputs` fit `evaluator`.

    Subclasses of `Evaluator` are not checked, since they may compute anything, nor are models that
    accept no hook. Calls of the model with other arguments are not checked either, nor are outputs
    that are not a tensor with a row for each image: they may be different in evaluation mode.

    Raises:
        TypeError: A batch of the evaluator is not a pair.
        ValueError: Outputs, targets and loss function of the evaluator do not fit together. Both
            errors come before the weights are updated.
    """
    seen = EvaluatorCheck()
    if type(evaluator) is not Evaluator:
        yield seen
        return
    targets = _find_targets(evaluator)

    def check(_model: nn.Module, arguments: tuple[Any, ...], outputs: object) -> None:
        shapes = [getattr(argument, "shape", None) for argument in arguments]
        if inputs is not None and shapes == [inputs.shape] and isinstance(outputs, Tensor):
            hook.remove()
            if outputs.shape[:1] == inputs.shape[:1]:
                _check(evaluator, outputs, targets)
                surplus = describe_surplus(evaluator.batches, outputs)
                seen.doubts.extend([] if surplus is None else [surplus])
                seen.outputs = outputs

    try:
        hook = model.register_forward_hook(check)
    except Exception:  # a model of torch.jit.script accepts no hook
        yield seen
        return
    with hook:
        yield seen


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
    if of_training is not nn.Module and of_training is of_evaluator:
        other = [name for name in _OPTIONS if not _is_same(name, loss_fn, evaluator.loss_fn)]
        if other:
            return (
                f"The training loss has other options ({', '.join(other)}) than the test loss, so "
                "the two cannot be compared. To compare them, pass the loss function of the "
                "training to the evaluator: Evaluator(batches, loss_fn)."
            )
    if find_reduction(loss_fn) == "sum" and not divides:
        return (
            "The training loss is the sum over the images of a batch, but the test loss is the "
            'mean over the images, so the two cannot be compared. Use reduction="mean", with a '
            "larger learning rate."
        )
    return None


def _is_same(name: str, *loss_fns: object) -> bool:
    """Return whether two loss functions have the same value of an option."""
    first, second = (find_option(each, name, None) for each in loss_fns)
    if first is second:
        return True
    first, second = (
        torch.as_tensor(_OPTIONS[name] if value is None else value, dtype=torch.float64).cpu()
        for value in (first, second)
    )
    has_one_shape = first.shape == second.shape or 0 in (first.dim(), second.dim())
    return has_one_shape and bool(torch.isclose(first, second).all())


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


def _may_be_classes(targets: Tensor) -> bool:
    """Return whether targets (B, C) name a class of each image, or perhaps several."""
    largest = targets == targets.amax(dim=1, keepdim=True)
    return bool((largest.sum(dim=1) == 1).all()) or are_class_rows(targets)


def _check(evaluator: Evaluator, outputs: Tensor, targets: Tensor | None) -> None:
    try:
        check_outputs(outputs, len(outputs))
        if find_loss_kind(evaluator.loss_fn).compares_each:
            check_num_classes(evaluator.batches, outputs)
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
