"""Scores to change, and the probabilities, the loss and the gradient that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import traitlets
from anywidget import AnyWidget
from torch import Tensor
from torch.nn import functional
from traitlets import Bool, Dict, Float, Int, List, Unicode, validate

from mnist_widgets.data.digit_set import DIGIT_NAMES
from mnist_widgets.data.tensors import ArrayLike, to_class_names, to_tensor
from mnist_widgets.rendering.captions import format_loss
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.widgets.panel import Panel
from mnist_widgets.widgets.theme import read_static

MAX_SCORE = 100.0
"""Scores range from minus this to this."""
TEMPERATURES = 0.1, 10.0
"""The lowest temperature and the highest."""

_EXAMPLE = (0.5, -1.0, 1.0, 2.5, -2.0, 3.0, -1.5, 0.0, 1.5, -0.5)
_EXAMPLE_CLASS = 3  # which a network with these scores takes for a 5
_CHOICES = ("scores", "true_class", "temperature", "softmax_twice")


class LossExplorer(Panel):
    """The way from a network's scores to its loss: softmax, cross-entropy, and their gradient.

    Each score has a slider and a number field. The probabilities, the loss and the gradient follow
    at once, in the page, even while the kernel is busy. With `z` the scores, `T` the temperature,
    and `y` 1 for the true class and 0 for the others:

    - Softmax applied once: `p = softmax(z / T)` and `loss = -ln p[true_class]`. The gradient of the
      loss with respect to the scores is `(p - y) / T`.
    - Softmax applied twice, as in a network that ends in softmax before a loss that expects scores:
      `q = softmax(p)` and `loss = -ln q[true_class]`. With `g = q - y`, the gradient of the loss
      with respect to the scores is `p * (g - sum(p * g)) / T`. The loss stays above
      `ln(1 + (C - 1) / e)`, 1.46 for 10 classes.

    Example:
        ```python
        explorer = LossExplorer()
        explorer.scores = model(test_set.images[:1] / 255)[0]
        explorer.true_class = int(test_set.labels[0])
        explorer
        ```

    Args:
        class_names: the names of the C classes, in their order: strings, or objects that `str`
            turns into names; no two alike.
        scores: (C,), the first scores; by default an example.
        true_class: the first true class; by default that of the example.

    Attributes:
        scores: C numbers from -100 to 100, a trait; a tensor, an array or a list sets it.
        true_class: from 0 to C - 1, a trait.
        temperature: from 0.1 to 10, a trait; at first 1.
        softmax_twice: whether softmax is applied twice, a trait; at first False.

    Raises:
        ValueError: if `class_names` has fewer than two names, or two that are equal.
        TraitError: if a trait is set to another value than these.
    """

    scores: Any = traitlets.Any(())
    true_class = Int(0)
    temperature = Float(1.0)
    softmax_twice = Bool(False)

    def __init__(
        self,
        class_names: Iterable[object] = DIGIT_NAMES,
        scores: ArrayLike | None = None,
        true_class: int | None = None,
    ) -> None:
        self._class_names = to_class_names(class_names)
        size = len(self._class_names)
        if size < 2:
            raise ValueError(f"class_names must have two names or more, not {size}.")
        if scores is None:
            scores = [_EXAMPLE[label % len(_EXAMPLE)] for label in range(size)]
        if true_class is None:
            true_class = min(_EXAMPLE_CLASS, size - 1)
        self._page = _Page(self._class_names)
        super().__init__("mw-loss-explorer", [self._page])
        self.scores, self.true_class = scores, true_class
        for name in _CHOICES:
            traitlets.link((self, name), (self._page, name))
        self._page.first_values = {name: getattr(self, name) for name in _CHOICES}
        self.observe(self.schedule_redraw, _CHOICES)

    @property
    def probabilities(self) -> Tensor:
        """The softmax of the scores divided by the temperature, float64 (C,)."""
        return self._compute().probabilities

    @property
    def loss(self) -> float:
        """The cross-entropy of the true class."""
        return self._compute().loss

    @property
    def gradient(self) -> Tensor:
        """The gradient of the loss with respect to the scores, float64 (C,)."""
        return self._compute().gradient

    def static_view(self) -> StaticView:
        """Return a table of scores, probabilities and gradient, with the loss as its caption."""
        numbers = self._compute()
        columns = zip(
            self._class_names,
            self.scores,
            numbers.probabilities.tolist(),
            numbers.gradient.tolist(),
            strict=True,
        )
        rows = [
            [name, f"{score:.4g}", f"{100 * share:.2f} %", f"{slope:+.3g}"]
            for name, score, share, slope in columns
        ]
        caption = (
            f"Loss {format_loss(numbers.loss)} for the true class "
            f"{self._class_names[self.true_class]}, at temperature {self.temperature:g}, with "
            f"softmax applied {'twice' if self.softmax_twice else 'once'}. The gradient is that of "
            "the loss with respect to the scores."
        )
        return StaticView.of_table(["class", "score", "probability", "gradient"], rows, caption)

    def redraw(self) -> None:
        """Note that the numbers have changed; the page shows them itself."""
        self.mark_static_view_stale()

    def _compute(self) -> _Numbers:
        with torch.inference_mode(False), torch.enable_grad():
            scores = torch.tensor(self.scores, dtype=torch.float64, requires_grad=True)
            scaled = scores / self.temperature
            probabilities = scaled.softmax(dim=0)
            taken_for_scores = probabilities if self.softmax_twice else scaled
            loss = functional.cross_entropy(taken_for_scores, torch.tensor(self.true_class))
            (gradient,) = torch.autograd.grad(loss, scores)
        return _Numbers(probabilities.detach(), loss.item(), gradient)

    @validate("scores")
    def _check_scores(self, proposal: dict[str, Any]) -> tuple[float, ...]:
        size = len(self._class_names)
        try:
            scores = to_tensor(proposal["value"], "scores", torch.float64).detach().double()
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        if scores.shape != (size,):
            raise traitlets.TraitError(
                f"scores must be {size} numbers, one for each class, but their shape is "
                f"{tuple(scores.shape)}."
            )
        if not (scores.abs() <= MAX_SCORE).all():  # nor nan
            raise traitlets.TraitError(
                f"scores must be from {-MAX_SCORE:g} to {MAX_SCORE:g}, not {scores.tolist()}."
            )
        return tuple(scores.tolist())

    @validate("true_class")
    def _check_class(self, proposal: dict[str, int]) -> int:
        label, size = proposal["value"], len(self._class_names)
        if not 0 <= label < size:
            raise traitlets.TraitError(f"true_class is {label}; it must be from 0 to {size - 1}.")
        return label

    @validate("temperature")
    def _check_temperature(self, proposal: dict[str, float]) -> float:
        temperature, (least, greatest) = proposal["value"], TEMPERATURES
        if not least <= temperature <= greatest:
            raise traitlets.TraitError(
                f"temperature is {temperature:g}; it must be from {least:g} to {greatest:g}."
            )
        return temperature


class _Numbers(NamedTuple):
    probabilities: Tensor
    loss: float
    gradient: Tensor


class _Page(AnyWidget):
    """The panel's content; `loss_explorer.js` draws it, and writes the first four traits.

    Attributes:
        first_values: what "Start again" sets these four traits to.
    """

    # as text: to watch a file, anywidget keeps a reference to every widget ever made
    _esm = read_static("elements.js", "loss_explorer_logic.js", "loss_explorer.js")
    _css = read_static("loss_explorer.css")

    scores = traitlets.Tuple().tag(sync=True)
    true_class = Int().tag(sync=True)
    temperature = Float(1.0).tag(sync=True)
    softmax_twice = Bool().tag(sync=True)
    first_values = Dict().tag(sync=True)
    class_names = List(Unicode()).tag(sync=True)
    score_limit = Float(MAX_SCORE).tag(sync=True)
    temperature_limits = List(Float(), list(TEMPERATURES)).tag(sync=True)

    def __init__(self, class_names: Sequence[str]) -> None:
        super().__init__(class_names=list(class_names))
        self.add_class("mw-loss-page")
