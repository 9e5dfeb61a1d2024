"""Explain errors that PyTorch raises when a model does not fit its inputs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mnist_widgets.training.models import unwrap

_TYPE_ERROR = (
    r"same dtype|same datatype|expected scalar type|Input type|input dtype|not implemented for"
)
_SHAPE_ERROR = r"shapes cannot be multiplied|size mismatch|to have \d+ channels|Expected .*input to"
_MISSING_ARGUMENT = r"forward\(\) missing \d+ required positional arguments?: (.+)"


@contextmanager
def explaining(model: nn.Module, inputs: Tensor | None) -> Iterator[None]:
    """Within this context, replace errors that can be explained by a `ValueError`."""
    try:
        yield
    except Exception as error:
        explanation = explain_error(error, model, inputs)
        if explanation is None:
            raise
        raise ValueError(explanation) from error


def explain_error(  # noqa: PLR0911 - one return for each explanation
    error: Exception, model: nn.Module, inputs: Tensor | None
) -> str | None:
    """Return why a model failed on a batch and the fix, as a sentence; None if unknown.

    Args:
        error: Raised by the model or its training step.
        model: The model.
        inputs: The model's inputs, if they are known.
    """
    message = str(error)
    if "Expected more than 1 value per channel" in message:
        return (
            "Batch norm cannot train on a batch of a single image. Use larger batches, or leave "
            "out a last one of a single image with drop_last=True."
        )
    if target := re.search(r"Target (-?\d+) is out of bounds", message):
        return (
            f"A target is {target[1]}, which is none of the classes of the model's outputs. Number "
            "the classes from 0, and give the model one output for each class."
        )
    if "grad can be implicitly created only for scalar outputs" in message:
        return (
            "The loss function returns one loss for each image, but backward() needs a single "
            "number. Let it return the mean."
        )
    if "nference tensor" in message:  # with a small or a capital letter
        return (
            "The model or the batches were made in torch.inference_mode(), so there is no training "
            "with them. Make them outside of it."
        )
    if "does not require grad" in message:
        return _explain_missing_gradient(model)
    layer, given = _find_failed_layer(error, model)
    if layer is unwrap(model) and (missing := re.search(_MISSING_ARGUMENT, message)):
        return (
            f"The model was called without {missing[1]}. An Evaluator and the panels pass it one "
            "tensor, the inputs of a batch. For a model of several inputs write an evaluator of "
            "your own, with evaluate(model, device)."
        )
    if inputs is None or layer is None or not isinstance(error, RuntimeError):
        return None
    if re.search(_SHAPE_ERROR, message):
        return _explain_shape(layer, given, inputs)
    parameter = next((each for each in model.parameters() if each.is_floating_point()), inputs)
    is_image = inputs.is_floating_point() or inputs.dtype == torch.uint8  # int64 may be indices
    is_other_type = is_image and inputs.dtype != parameter.dtype
    if is_other_type and re.search(_TYPE_ERROR, message):
        return describe_types(inputs.dtype, parameter.dtype)
    return None


def _explain_missing_gradient(model: nn.Module) -> str:
    if not torch.is_grad_enabled():
        return (
            "Gradients are switched off, so there is nothing to train. Switch them on with "
            "torch.set_grad_enabled(True), and train outside of torch.no_grad() and "
            "torch.inference_mode()."
        )
    if any(parameter.requires_grad for parameter in model.parameters()):
        return (
            "The loss does not depend on the model's weights, so there is nothing to train. "
            "Compute outputs and loss from tensors, without detach(), item(), numpy() or "
            "torch.no_grad()."
        )
    return (
        "Every parameter of the model is frozen (requires_grad is False), so there is nothing to "
        "train. Unfreeze some with parameter.requires_grad_(True)."
    )


def describe_types(inputs: torch.dtype, parameters: torch.dtype) -> str:
    """Return two sentences: the types of inputs and parameters, and how to make them equal."""
    found = f"The inputs are {inputs}, but the model's parameters are {parameters}."
    default = torch.get_default_dtype()
    if default != torch.float32 and default in (inputs, parameters):
        wrong = "model" if default == parameters else "data"
        fix = (
            f"torch's default dtype was changed to {default}: call "
            f"torch.set_default_dtype(torch.float32) and make the {wrong} again."
        )
    elif parameters == torch.float32:
        fix = "Convert the inputs in the data, with inputs.float(), and scale them to [0, 1]."
    else:
        fix = "Convert the model with model.float()."
    return f"{found} {fix}"


def _find_failed_layer(
    error: Exception, model: nn.Module
) -> tuple[nn.Module | None, Tensor | None]:
    """Return the innermost layer that was computing when the error was raised, and its input."""
    modules = {id(module) for module in model.modules()}
    layer, given = None, None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if id(caller := frame.f_locals.get("self")) in modules:
            layer, given = caller, frame.f_locals.get("input", given)  # torch's name for it
    return layer, given if isinstance(given, Tensor) else None


def _explain_shape(layer: nn.Module, given: Tensor | None, inputs: Tensor) -> str | None:
    """Return which shape the inputs have, which one the layer expects, and a fix."""
    if given is None:
        return None
    shape = tuple(given.shape)
    if isinstance(layer, nn.Linear):
        num_values = given[:1].numel()
        expected, fix = f"(N, {layer.in_features})", f"Give it in_features={shape[-1]}."
        if num_values == layer.in_features:
            fix = "Put nn.Flatten() before it."
        elif given.dim() == 4:
            fix = f"Put nn.Flatten() before it, and give it in_features={num_values}."
    elif isinstance(layer, nn.Conv2d):
        expected = f"(N, {layer.in_channels}, height, width)"
        is_image = given.dim() == 4
        fix = f"Give it in_channels={shape[1]}." if is_image else "Do not flatten its images."
    else:
        return None
    return (
        f"The inputs have the shape {tuple(inputs.shape)}. The layer {layer} expects {expected}, "
        f"but gets {shape}. {fix}"
    )
