"""The arithmetic of an optimizer for one weight, step by step, with its numbers.

The formulas are those of the documentation of `torch.optim`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mnist_widgets.training.recording.step_record import StepRecord

_UNSHOWN_OPTIONS = {
    "SGD": ("maximize",),
    "RMSprop": ("maximize", "centered", "momentum"),
    "Adam": ("maximize", "amsgrad"),
    "AdamW": ("maximize", "amsgrad"),
}


class Calculation(NamedTuple):
    """One line of arithmetic.

    Attributes:
        name: of the result.
        formula: with `{}` for each of the numbers; options of the optimizer are written in it.
        numbers: measured numbers, in the order of the formula.
        result: of the formula.
    """

    name: str
    formula: str
    numbers: tuple[float, ...]
    result: float

    @property
    def is_weight(self) -> bool:
        """Whether the result and the first number are values of the weight."""
        return self.name in ("weight after decay", "new value")


class WeightUpdate(NamedTuple):
    """How one weight got its new value.

    Attributes:
        old: its value before the step.
        gradient: as the update used it; None if it has none.
        new: its value after the step.
        calculations: from the gradient to the new value; empty if they are not known.
        explanation: why there are no calculations; "" if there are.
    """

    old: float
    gradient: float | None
    new: float
    calculations: tuple[Calculation, ...]
    explanation: str


def explain_update(record: StepRecord, name: str, index: tuple[int, ...]) -> WeightUpdate:
    """Return the arithmetic of the update of one weight.

    Args:
        record: of the step.
        name: of the parameter.
        index: of the weight in the parameter.

    Raises:
        KeyError: the record has no such parameter.
    """
    old, new = _pick(record.before[name], index), _pick(record.after[name], index)
    gradients = record.gradients.get(name)
    gradient = None if gradients is None else _pick(gradients, index)
    explanation = _find_obstacle(record, name, (old, new, gradient or 0.0))
    if explanation or gradient is None:
        return WeightUpdate(old, gradient, new, (), explanation)
    state = {
        key: _pick(value, index)
        for key, value in record.optimizer_state.before.get(name, {}).items()
        if value is not None
    }
    rule = _RULES[record.optimizer]
    calculations = tuple(rule(old, gradient, record.options[name], state))
    # float32 keeps seven digits of a weight
    tolerance = max(1e-6 * abs(old), 1e-4 * abs(new - old), 1e-12)
    if not abs(calculations[-1].result - new) <= tolerance:
        words = (
            f"The new value is not the one that {record.optimizer} computes from this gradient, so "
            "its arithmetic is not shown. train_step may change the weight in another way, too."
        )
        return WeightUpdate(old, gradient, new, (), words)
    return WeightUpdate(old, gradient, new, calculations, "")


def _find_obstacle(record: StepRecord, name: str, numbers: Iterable[float]) -> str:
    """Return why the arithmetic of a parameter's update cannot be shown; "" if it can."""
    if "update" not in record.events or name not in record.gradients:
        seen = "update" in record.events
        return "This weight has no gradient." if seen else "No update by the optimizer was seen."
    if name not in record.options:
        return "The optimizer does not hold this weight."
    if not all(map(math.isfinite, numbers)):
        return "Not all of these numbers are finite, so there is no arithmetic to show."
    options, dtype = record.options[name], record.before[name].dtype
    unshown = [key for key in _UNSHOWN_OPTIONS.get(record.optimizer, ()) if options.get(key)]
    words = f" with {unshown[0]}={options[unshown[0]]}" if unshown else ""
    if dtype not in (torch.float32, torch.float64):
        words = f" with numbers of the type {dtype}"
    is_shown = record.optimizer in _RULES and not words
    return "" if is_shown else f"The arithmetic of {record.optimizer}{words} is not shown."


def _pick(value: Tensor | float, index: tuple[int, ...]) -> float:
    """Return one number of a tensor; a number and a tensor without axes are that number."""
    if isinstance(value, Tensor):
        return float(value[index] if value.dim() else value)
    return float(value)


def _explain_sgd(
    old: float, gradient: float, options: Mapping[str, Any], state: Mapping[str, float]
) -> Iterator[Calculation]:
    rate, momentum = float(options["lr"]), float(options["momentum"])
    direction, name = gradient, "gradient"
    if options["weight_decay"]:
        calculation = _decay(old, gradient, options)
        yield calculation
        direction, name = calculation.result, calculation.name
    if momentum:
        share = 1 - float(options["dampening"])
        if "momentum_buffer" in state:
            velocity = momentum * state["momentum_buffer"] + share * direction
            factor = "" if share == 1 else f"{share:g} x "
            formula = f"{momentum:g} x {{}} + {factor}{{}}"
            numbers: tuple[float, ...] = (state["momentum_buffer"], direction)
            yield Calculation("velocity", formula, numbers, velocity)
        else:
            velocity = direction
            words = f"{{}}, the {name}, because this is the first update"
            yield Calculation("velocity", words, (direction,), velocity)
        if options["nesterov"]:
            formula = f"{{}} + {momentum:g} x {{}}"
            numbers = (direction, velocity)
            direction += momentum * velocity
            yield Calculation("direction (Nesterov)", formula, numbers, direction)
        else:
            direction = velocity
    yield Calculation(
        "new value", f"{{}} - {rate:g} x {{}}", (old, direction), old - rate * direction
    )


def _explain_rmsprop(
    old: float, gradient: float, options: Mapping[str, Any], state: Mapping[str, float]
) -> Iterator[Calculation]:
    rate, alpha, eps = (float(options[key]) for key in ("lr", "alpha", "eps"))
    if options["weight_decay"]:
        calculation = _decay(old, gradient, options)
        yield calculation
        gradient = calculation.result
    earlier = state.get("square_avg", 0.0)
    average = alpha * earlier + (1 - alpha) * gradient**2
    yield Calculation(
        "average of the squares",
        f"{alpha:g} x {{}} + {1 - alpha:g} x {{}}^2",
        (earlier, gradient),
        average,
    )
    divisor = math.sqrt(average) + eps
    yield Calculation("divisor", f"sqrt({{}}) + {eps:g}", (average,), divisor)
    yield Calculation(
        "new value",
        f"{{}} - {rate:g} x {{}} / {{}}",
        (old, gradient, divisor),
        old - rate * gradient / divisor,
    )


def _explain_adam(
    old: float, gradient: float, options: Mapping[str, Any], state: Mapping[str, float]
) -> Iterator[Calculation]:
    rate, eps, decay = (float(options[key]) for key in ("lr", "eps", "weight_decay"))
    beta1, beta2 = map(float, options["betas"])
    num_updates = round(state.get("step", 0)) + 1
    if decay and options.get("decoupled_weight_decay"):
        kept = old * (1 - rate * decay)
        formula = f"{{}} x (1 - {rate:g} x {decay:g})"
        yield Calculation("weight after decay", formula, (old,), kept)
        old = kept
    elif decay:
        calculation = _decay(old, gradient, options)
        yield calculation
        gradient = calculation.result
    earlier, earlier_squares = state.get("exp_avg", 0.0), state.get("exp_avg_sq", 0.0)
    mean = beta1 * earlier + (1 - beta1) * gradient
    formula = f"{beta1:g} x {{}} + {1 - beta1:g} x {{}}"
    yield Calculation("average of the gradients", formula, (earlier, gradient), mean)
    squares = beta2 * earlier_squares + (1 - beta2) * gradient**2
    formula = f"{beta2:g} x {{}} + {1 - beta2:g} x {{}}^2"
    yield Calculation("average of the squares", formula, (earlier_squares, gradient), squares)
    corrected = mean / (1 - beta1**num_updates)
    formula = f"{{}} / (1 - {beta1:g}^{num_updates})"
    yield Calculation("corrected average", formula, (mean,), corrected)
    corrected_squares = squares / (1 - beta2**num_updates)
    formula = f"{{}} / (1 - {beta2:g}^{num_updates})"
    yield Calculation("corrected squares", formula, (squares,), corrected_squares)
    yield Calculation(
        "new value",
        f"{{}} - {rate:g} x {{}} / (sqrt({{}}) + {eps:g})",
        (old, corrected, corrected_squares),
        old - rate * corrected / (math.sqrt(corrected_squares) + eps),
    )


def _explain_adamw(
    old: float, gradient: float, options: Mapping[str, Any], state: Mapping[str, float]
) -> Iterator[Calculation]:
    # before torch 2.7 AdamW had no option for it
    return _explain_adam(old, gradient, {**options, "decoupled_weight_decay": True}, state)


def _decay(old: float, gradient: float, options: Mapping[str, Any]) -> Calculation:
    decay = float(options["weight_decay"])
    formula = f"{{}} + {decay:g} x {{}}"
    name = "gradient with weight decay"
    return Calculation(name, formula, (gradient, old), gradient + decay * old)


_RULES: Mapping[str, Callable[..., Iterator[Calculation]]] = {
    "SGD": _explain_sgd,
    "RMSprop": _explain_rmsprop,
    "Adam": _explain_adam,
    "AdamW": _explain_adamw,
}
