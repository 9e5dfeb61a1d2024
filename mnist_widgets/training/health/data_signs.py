"""Signs in the images and labels of the batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mnist_widgets.training.evaluation.module_state import predicting
from mnist_widgets.training.health.evaluated_images import downsample
from mnist_widgets.training.health.finding import Sign
from mnist_widgets.training.health.loss_signs import is_flat
from mnist_widgets.training.health.observations import Observations, is_chance
from mnist_widgets.training.models import unwrap

_LARGE_SPREAD = 5.0
_SMALL_SPREAD, _SMALL_VALUE = 0.02, 0.05
_IMAGES_FOR_SPREAD = 64
_NUM_LEAKED = 3
_FEW_IMAGES, ENOUGH_IMAGES = 150, 500
_IMAGES_OF_A_CLASS = 5
_LARGEST_SHARE = 0.9
_FIRST_CHECK = 20


def find_unscaled_inputs(seen: Observations) -> str | None:
    """Find a model that receives inputs such as 0 to 255, or such as 0 to 1/255."""
    received = seen.received
    if received is None or (received.is_floating_point() and _is_scaled(received)):
        return None
    inputs = _find_first_inputs(seen.trainer.model, received[:_IMAGES_FOR_SPREAD])
    if inputs is None or not inputs.is_floating_point() or _is_scaled(inputs):
        return None
    lowest, highest = (float(value) for value in inputs.aminmax())
    spread = float(inputs.float().std())
    return f"The inputs are from {lowest:.3g} to {highest:.3g}, with a spread of {spread:.3g}."


def find_unrelated_labels(seen: Observations) -> str | None:
    """Find labels that the recorded images do not help to guess, if the loss does not fall."""
    if not seen.predicts_classes() or seen.num_kept < _FEW_IMAGES:
        return None
    if seen.num_batches < _FIRST_CHECK or not is_flat(seen):
        return None
    images = torch.cat([downsample(images) for images, _ in seen.batches])
    labels = torch.cat([labels for _, labels in seen.batches])
    images, labels = images[labels >= 0], labels[labels >= 0]  # the others do not count
    half = len(images) // 2
    classes = labels[:half].unique()
    if len(classes) < 2 or half < _IMAGES_OF_A_CLASS * len(classes):
        return None
    means = torch.stack([images[:half][labels[:half] == each].mean(dim=0) for each in classes])
    guesses = classes[torch.cdist(images[half:], means).argmin(dim=1)]
    # always guessing a class that nearly all images have is hard to beat
    largest = float(labels.bincount().max()) / len(labels)
    if largest > _LARGEST_SHARE or not is_chance(guesses, labels[half:]):
        return None
    num_right = int((guesses == labels[half:]).sum())
    return (
        f"Of {len(guesses)} training images, {num_right} are nearest to the mean image of their "
        f"own class among {len(classes)} classes, no more than by chance; and the loss does not "
        "fall."
    )


def wants_more_images(seen: Observations) -> bool:
    """Return whether more images, up to `ENOUGH_IMAGES`, would help `find_unrelated_labels`."""
    return seen.num_batches >= _FIRST_CHECK and seen.predicts_classes() and is_flat(seen, 10)


def find_leaked_images(seen: Observations) -> str | None:
    """Find test images among the training images."""
    if len(seen.leaked) < _NUM_LEAKED or seen.test_images is None:
        return None
    return (
        f"{len(seen.leaked)} of {len(seen.test_images):,} test images were among "
        f"{seen.num_images:,} images of training batches."
    )


def _find_first_inputs(model: nn.Module, received: Tensor) -> Tensor | None:
    """Return the inputs of the first layer with parameters.

    Returns:
        None if they are unknown, or if their scale does not matter: this layer, or the next one
        with parameters, normalizes its inputs.
    """
    model = unwrap(model)  # a compiled model calls no hooks of its layers
    layers = [module for module in model.modules() if [*module.parameters(recurse=False)]]
    if not layers or any("Norm" in type(layer).__name__ for layer in layers[:2]):
        return None
    first = layers[0]
    given: list[Tensor] = []

    def keep(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        given.extend(arguments[:1])

    with predicting(model) as device, first.register_forward_pre_hook(keep):
        model(received.to(device))
    return given[0] if given else None


def _is_scaled(inputs: Tensor) -> bool:
    """Return whether inputs have a usual spread; also those that are too few to have one."""
    values = inputs[:_IMAGES_FOR_SPREAD].float()
    if values.numel() < 2:
        return True
    spread = float(values.std())
    is_small = spread < _SMALL_SPREAD and float(values.abs().max()) < _SMALL_VALUE
    return not is_small and not spread > _LARGE_SPREAD


INPUT_SIGNS = (
    Sign(
        "inputs not scaled",
        find_unscaled_inputs,
        "Scale the inputs to [0, 1], for example images / 255 once, or to a mean of 0 and a spread "
        "of 1.",
    ),
    Sign(
        "test images in the training batches",
        find_leaked_images,
        "Train on images that are not in the test set. Otherwise the test accuracy says nothing "
        "about new images.",
    ),
)
LABEL_SIGN = Sign(
    "labels that have nothing to do with the images",
    find_unrelated_labels,
    "Look at some training images with their labels. Images and labels must be in the same order: "
    "shuffle them together.",
)
