"""Check a network like `SimpleNet` by its results, not by its code.

The hints are in hints/network.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_widgets.exercises.mistakes import (
    Mistake,
    compare,
    name_variant,
    recognized,
    rule_out,
)
from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import describe, require_result
from mnist_widgets.exercises.verdict import Verdict
from mnist_widgets.training.devices import device_of

_NUM_PIXELS, _NUM_HIDDEN, _NUM_CLASSES = 28 * 28, 512, 10
_OTHER_ACTIVATIONS = (
    torch.tanh,
    torch.sigmoid,
    functional.gelu,
    functional.leaky_relu,
    functional.elu,
    functional.silu,
)
_TORCH_ERRORS = {
    "missing the required": ("no_forward", "the network has no method `forward`"),
    "Module.__init__() call": ("forgot_super", "the `__init__` of `nn.Module` was not called"),
}
_NUM_IMAGES = 5  # different from all other sizes, to recognize a wrong axis


def check_network(build: Callable[[int, int], nn.Module]) -> Verdict:
    """Check a network like `SimpleNet`: flatten, 512 units with ReLU, one raw score for each class.

    Args:
        build: called as `build(input_dim, num_classes)`, returns the network; usually its class.
            The network takes images (N, ...) with `input_dim` numbers each and returns scores
            (N, `num_classes`).

    Returns:
        The verdict; errors in the student's code are not raised.
    """
    criteria = _Criteria(build)
    return run_check(
        "check_network",
        {
            "It builds a network": criteria.check_building,
            "The network returns 10 scores for each image": criteria.check_shape,
            "It has the parameters of two layers with 512 hidden units": criteria.check_size,
            "ReLU follows the first layer, nothing follows the last": criteria.check_values,
            "It builds networks of other sizes, too": criteria.check_other_sizes,
        },
    )


class _Criteria:
    def __init__(self, build: Callable[[int, int], nn.Module]) -> None:
        self._build = build

    def check_building(self) -> str:
        self._model = _build(self._build, _NUM_PIXELS, _NUM_CLASSES)
        return f"build(784, 10) returned {describe(self._model)}"

    def check_shape(self) -> str:
        images = torch.rand(_NUM_IMAGES, 1, 28, 28).to(device_of(self._model))
        try:
            with recognized(_TORCH_ERRORS):
                scores = self._model(images)
        except RuntimeError as error:
            self._recognize_missing_flatten(images, error)
            raise
        if scores is None:
            raise Mistake("forward_returns_none", "expected scores, found None")
        if not isinstance(scores, Tensor):
            raise Mistake("not_a_tensor", f"expected a tensor of scores, found {describe(scores)}")
        shape, expected = tuple(scores.shape), (_NUM_IMAGES, _NUM_CLASSES)
        found = f"5 images in, expected scores of shape {expected}, found {shape}"
        mistakes = {
            "forgot_flatten": len(shape) > 2,
            "flattens_the_batch": shape in {(_NUM_CLASSES,), (1, _NUM_CLASSES)},
            "wrong_shape": shape != expected,
        }
        return rule_out(found, mistakes, expected=expected, shape=shape)

    def check_size(self) -> str:
        sizes = [tuple(parameter.squeeze().shape) for parameter in self._model.parameters()]
        matrices = [size for size in sizes if len(size) == 2]
        num_found = sum(parameter.numel() for parameter in self._model.parameters())
        num_expected = (_NUM_PIXELS + 1) * _NUM_HIDDEN + (_NUM_HIDDEN + 1) * _NUM_CLASSES
        found = f"expected {num_expected:,} parameters, found {num_found:,}"
        if num_found == num_expected:
            return found
        shared = set.intersection(*map(set, matrices)) if matrices else set()
        num_hidden = max(shared, default=_NUM_HIDDEN)  # the size that both layers have
        num_layers = len(matrices)
        mistakes = {
            "too_few_layers": [sorted(size) for size in matrices] == [[_NUM_CLASSES, _NUM_PIXELS]],
            "layers_not_registered": num_layers < 2,
            "too_many_layers": num_layers > 2,
            "other_hidden_size": num_hidden != _NUM_HIDDEN,
            "wrong_size": True,
        }
        values = {"num_found": num_found, "num_layers": num_layers, "num_hidden": num_hidden}
        return rule_out(found, mistakes, **values)

    def check_values(self) -> str:
        images = torch.rand(64, 1, 28, 28)
        model = self._model.cpu().eval()
        with torch.no_grad():
            scores, in_training = model(images), model.train()(images)
            expected, variants = _compute_variants(model, images.flatten(1))
        words = f"expected a first score of {expected[0, 0]:.3f}, found"
        found = f"{words} {scores[0, 0]:.3f}"
        compare(found, scores, expected, variants, "other_function", **_find_limits(scores))
        # other differences may come from dropout
        if name := name_variant(in_training, [("", expected), *variants]):
            found = f"in training mode, {words} {in_training[0, 0]:.3f}"
            raise Mistake(name, found, **_find_limits(in_training))
        return found

    def check_other_sizes(self) -> str:
        try:
            scores = _build(self._build, 12, 3)(torch.rand(_NUM_IMAGES, 1, 3, 4))
        except Exception as error:
            found = "build(12, 3) returned a network that does not accept 12 numbers for each image"
            raise Mistake("hard_coded_sizes", found) from error
        shape = tuple(scores.shape)
        found = f"build(12, 3), 5 images in, expected scores of shape (5, 3), found {shape}"
        return rule_out(found, {"hard_coded_sizes": shape != (_NUM_IMAGES, 3)})

    def _recognize_missing_flatten(self, images: Tensor, error: RuntimeError) -> None:
        if _returns(self._model, images.flatten(1), (_NUM_IMAGES, _NUM_CLASSES)):
            found = f"images of shape {tuple(images.shape)} do not fit the first layer"
            raise Mistake("forgot_flatten", found) from error
        one_image = images[:1]
        if any(_returns(self._model, one_image, shape) for shape in ((10,), (1, 10))):
            found = "1 image gives 10 scores, but 5 images raise an error"
            raise Mistake("flattens_the_batch", found) from error


def _find_limits(scores: Tensor) -> dict[str, str]:
    return {"least": f"{scores.min():.3f}", "most": f"{scores.max():.3f}"}


def _build(build: Callable[[int, int], nn.Module], input_dim: int, num_classes: int) -> nn.Module:
    """Build the student's network.

    Raises:
        Mistake: if the result is no network.
    """
    found = f"expected a class or function, found {describe(build)}"
    rule_out(found, {"network_given": isinstance(build, nn.Module)})
    with recognized(_TORCH_ERRORS):
        model: Any = build(input_dim, num_classes)
    require_result(model, build)
    if not isinstance(model, nn.Module):
        raise Mistake("not_a_network", f"expected a network, found {describe(model)}")
    return model


def _returns(model: nn.Module, images: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether the model returns scores of this shape for these images."""
    try:
        scores: Any = model(images)
    except Exception:
        return False
    return isinstance(scores, Tensor) and tuple(scores.shape) == shape


def _compute_variants(model: nn.Module, inputs: Tensor) -> tuple[Tensor, list[tuple[str, Tensor]]]:
    """Return the correct scores for these weights, and those of common mistakes."""
    squeezed = [parameter.float().squeeze() for parameter in model.parameters()]
    parameters = {tuple(sorted(parameter.shape)): parameter for parameter in squeezed}
    sizes = ((_NUM_HIDDEN, _NUM_PIXELS), (_NUM_HIDDEN,), (_NUM_CLASSES, _NUM_HIDDEN), (10,))
    if not set(sizes) <= set(parameters):
        found = ", ".join(str(tuple(parameter.shape)) for parameter in model.parameters())
        raise Mistake("wrong_size", f"expected parameters of sizes {sizes}, found {found}")
    weight1, bias1, weight2, bias2 = (parameters[size] for size in sizes)
    if weight1.shape[0] == _NUM_PIXELS:  # the student computes images @ weight
        weight1 = weight1.T
    if weight2.shape[0] == _NUM_HIDDEN:
        weight2 = weight2.T
    sums = functional.linear(inputs, weight1, bias1)
    activated = [activation(sums) for activation in _OTHER_ACTIVATIONS]
    right, no_relu, *others = (
        functional.linear(hidden, weight2, bias2) for hidden in (sums.relu(), sums, *activated)
    )
    variants = [("no_relu", no_relu)]
    for scores in (right, no_relu, *others):
        variants += [
            ("softmax_in_network", scores.softmax(1)),
            ("softmax_over_images", scores.softmax(0)),
            ("log_softmax_in_network", scores.log_softmax(1)),
            ("sigmoid_at_the_end", scores.sigmoid()),
            ("relu_at_the_end", scores.relu()),
        ]
    variants += [("other_activation", scores) for scores in others]
    return right, variants
