"""The second move of a step: the forward pass."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_sum, format_value, write_factor
from mnist_widgets.rendering.steps.pictures import find_pixel_shape, name_input
from mnist_widgets.rendering.steps.view import MoveView, make_view, mark_chosen, name_image
from mnist_widgets.training.recording.scores import find_scores, name_output, to_exact
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import (
    Activation,
    WeightedSum,
    compute_sum,
    find_activation,
    list_layers,
    name_bias,
    name_weight,
)

_NUM_UNITS = 10
_NUM_TERMS = 4
_MOST_CLASSES = 20
_MISSING = (
    "Missing: no call of model(inputs) was seen, so there are no scores. Without scores there "
    "is no loss, and the network cannot learn."
)


def show_forward(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the most active units, the scores, and the chosen unit's weighted sum."""
    if "forward" not in record.events:
        return make_view([StaticView.of_words(_MISSING)])
    choice = clamp(choice, record)
    scores, code = _show_outputs(record, choice.image)
    if not list_layers(record):
        words = "The network has no linear layer whose units can be shown."
        return make_view([StaticView.of_words(words), *scores], code)
    activation = find_activation(record, choice.layer)
    units = list(_show_units(record, choice, activation))
    computed = compute_sum(record, choice.layer, choice.unit, choice.image)
    if computed is None:
        words = (
            f"The output of unit {choice.unit} is not the weighted sum of its inputs with the "
            "weights before the step, so the sum is not shown."
        )
        return make_view([*units, *scores, StaticView.of_words(words)], code)
    weighted_sum = _show_sum(record, choice, computed, activation)
    return make_view([*units, *scores, *weighted_sum], _write_code(choice, computed))


def _show_units(
    record: StepRecord, choice: StepChoice, activation: Activation | None
) -> Iterator[StaticView]:
    sums = to_exact(record.layers[choice.layer].outputs[choice.image])
    titles, columns = ["Unit", "Weighted sum"], [sums]
    if activation is not None and activation.name:
        titles.append(f"After {activation.name}")
        columns.append(activation.values[choice.image])
    units = columns[-1].topk(min(_NUM_UNITS, len(sums))).indices.tolist()
    units = units if choice.unit in units else [*units, choice.unit]
    rows = [
        [
            mark_chosen(unit, unit == choice.unit),
            *(format_value(float(column[unit])) for column in columns),
        ]
        for unit in units
    ]
    layer = f"the layer {choice.layer}" if choice.layer else "the only layer"
    yield StaticView.of_words(
        f"{int((sums > 0).sum())} of the {len(sums)} units of {layer} have a weighted sum above 0 "
        f"on {name_image(record, choice.image)}."
    )
    yield StaticView.of_table(titles, rows, "The most active units, and the chosen one")


def _show_sum(
    record: StepRecord, choice: StepChoice, computed: WeightedSum, activation: Activation | None
) -> Iterator[StaticView]:
    products = computed.products
    terms = find_largest(products, _NUM_TERMS, choice.weight)
    shown = [float(products[term]) for term in terms]
    bias = {} if computed.bias is None else {"bias": computed.bias}
    written = format_sum([*shown, *bias.values()], computed.total)
    rest = written.name_rest(len(products) - len(terms), " inputs")
    parts = {rest: written.rest} if rest else {}
    parts.update(zip(bias, written.parts[len(terms) :], strict=True))
    shape = find_pixel_shape(record, choice.layer)
    formula, rows = [], []
    for term, product in zip(terms, written.parts, strict=False):
        value, weight = (
            format_value(float(factors[term])) for factors in (computed.inputs, computed.weights)
        )
        formula.append(f"{write_factor(value)} x {write_factor(weight)}")
        name = mark_chosen(name_input(term, shape), term == choice.weight)
        rows.append([name, value, weight, product])
    for name, part in parts.items():
        rows.append([name, "", "", part])
        formula.append(f"{write_factor(part)} ({name})")
    rows.append(["weighted sum", "", "", written.total])
    words = f"Unit {choice.unit}: {' + '.join(formula)} = {written.total}"
    if activation is not None and activation.name:
        passed_on = float(activation.values[choice.image, choice.unit])
        result = written.total if passed_on == computed.total else format_value(passed_on, 5)
        rows.append([f"after {activation.name}", "", "", result])
        words += f", {activation.name} -> {result}"
    yield StaticView.of_words(words)
    caption = "The largest products, and that of the chosen weight"
    yield StaticView.of_table(["Input", "Value", "Weight", "Product"], rows, caption)


def _write_code(choice: StepChoice, computed: WeightedSum) -> str:
    bias = f" + record.before[{name_bias(choice.layer)!r}][{choice.unit}]"
    return (
        f"inputs = record.layers[{choice.layer!r}].inputs[{choice.image}]\n"
        f"weights = record.before[{name_weight(choice.layer)!r}][{choice.unit}]\n"
        f"((inputs * weights).sum(){'' if computed.bias is None else bias}).item()"
    )


def _show_outputs(record: StepRecord, image: int) -> tuple[list[StaticView], str]:
    """Return the scores of an image, or what else the model returned, and code for it."""
    outputs = record.outputs
    if outputs is None or outputs.dim() == 0 or image >= len(outputs):
        words = "The model's outputs are no tensor with a row for each image."
        return [StaticView.of_words(words)], ""
    code = f"record.outputs[{image}]"
    if outputs.dim() == 2 and outputs.shape[1] > 1 and outputs.is_floating_point():
        return list(_show_scores(record, outputs, image)), f"{code}.tolist()"
    if outputs[image].numel() != 1:
        words = f"The model's outputs have the shape {tuple(outputs.shape)}, so they are no scores."
        return [StaticView.of_words(words)], ""
    words = (
        f"The model's output for {name_image(record, image)} is one number, "
        f"{format_value(float(outputs[image]))}: there are no scores of classes."
    )
    return [StaticView.of_words(words)], f"{code}.item()"


def _show_scores(record: StepRecord, outputs: Tensor, image: int) -> Iterator[StaticView]:
    values, kind = to_exact(outputs[image]), name_output(outputs)
    scores = find_scores(record)
    columns, titles = [values], ["Output", "Value"]
    caption = f"The model's outputs for {name_image(record, image)}"
    if scores is None:
        yield StaticView.of_words(
            "The loss does not show whether the model's outputs are scores of classes, so their "
            "softmax is not shown."
        )
    else:
        columns.append(scores.probabilities[image])
        titles = ["Class", kind.capitalize(), "Softmax"]
        caption += ", and their softmax"
    if scores is not None and kind == "probability":
        yield StaticView.of_words(
            "The model's outputs are probabilities already, and the loss applies the softmax a "
            "second time."
        )
    classes = list(range(len(values)))
    if len(values) > _MOST_CLASSES:
        classes = values.topk(_MOST_CLASSES).indices.tolist()
        caption += f": the {_MOST_CLASSES} largest of {len(values)}"
    rows = [
        [str(index), *(format_value(float(column[index])) for column in columns)]
        for index in classes
    ]
    yield StaticView.of_table(titles, rows, caption)
