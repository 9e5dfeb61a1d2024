"""The second move of a step: the forward pass."""

from __future__ import annotations

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_sum, format_value
from mnist_widgets.rendering.steps.pictures import find_image_shape
from mnist_widgets.rendering.steps.view import MoveView, make_view, name_image
from mnist_widgets.training.recording.scores import are_probabilities, find_scores, to_exact
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import (
    Activation,
    compute_sum,
    find_activation,
    list_layers,
    name_bias,
    name_weight,
)

_NUM_UNITS = 10
_NUM_TERMS = 4
_MOST_CLASSES = 20
MISSING = (
    "Missing: train_step did not call the model, so there are no scores. Without scores there is "
    "no loss, and the network cannot learn."
)


def show_forward(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the most active units, the chosen unit's weighted sum, and the scores."""
    if "forward" not in record.events:
        return make_view([StaticView.of_words(MISSING)])
    choice = clamp(choice, record)
    views, code = [], ""
    if list_layers(record):
        activation = find_activation(record, choice.layer)
        views.append(_show_units(record, choice, activation))
        sum_views, code = _show_sum(record, choice, activation)
        views.extend(sum_views)
    else:
        words = "The network has no linear layer whose units can be shown."
        views.append(StaticView.of_words(words))
    score_view, score_code = _show_scores(record, choice.image)
    return make_view([*views, score_view], code or score_code)


def _show_units(
    record: StepRecord, choice: StepChoice, activation: Activation | None
) -> StaticView:
    sums = to_exact(record.layers[choice.layer].outputs[choice.image])
    passed_on = sums if activation is None else activation.values[choice.image]
    units = passed_on.topk(min(_NUM_UNITS, len(sums))).indices.tolist()
    units = units if choice.unit in units else [*units, choice.unit]
    titles, columns = ["Unit", "Weighted sum"], [sums]
    if activation is not None and activation.name != "no activation function":
        titles.append(f"After {activation.name}")
        columns.append(passed_on)
    rows = [
        [str(unit), *(format_value(float(column[unit])) for column in columns)] for unit in units
    ]
    num_active = int((sums > 0).sum())
    caption = (
        f"The most active units of the layer {choice.layer or 'of the network'} on "
        f"{name_image(record, choice.image)}, and the chosen unit. {num_active} of {len(sums)} "
        "units have a sum above 0."
    )
    return StaticView.of_table(titles, rows, caption)


def _show_sum(
    record: StepRecord, choice: StepChoice, activation: Activation | None
) -> tuple[list[StaticView], str]:
    computed = compute_sum(record, choice.layer, choice.unit, choice.image)
    if computed is None:
        words = (
            f"The output of unit {choice.unit} is not the weighted sum of its inputs with the "
            "weights before the step, so the sum is not shown."
        )
        return [StaticView.of_words(words)], ""
    products = computed.products
    terms = find_largest(products, _NUM_TERMS, choice.weight)
    shown = [float(products[term]) for term in terms]
    num_others = len(products) - len(terms)
    others = float(products.sum()) - sum(shown)
    parts = [*shown, *([others] if num_others else []), computed.bias or 0.0, computed.total]
    *product_words, bias, total = format_sum(parts)
    factors = [
        (format_value(float(computed.inputs[term])), format_value(float(computed.weights[term])))
        for term in terms
    ]
    rows = [
        [_name_input(record, choice, term), value, weight, product]
        for term, (value, weight), product in zip(terms, factors, product_words, strict=False)
    ]
    formula = " + ".join(f"{value} x {_in_brackets(weight)}" for value, weight in factors)
    if num_others:
        rows.append([f"the other {num_others} inputs", "", "", product_words[-1]])
        formula += f" + {_in_brackets(product_words[-1])} (the other {num_others} inputs)"
    if computed.bias is not None:
        rows.append(["bias", "", "", bias])
        formula += f" + {_in_brackets(bias)} (bias)"
    rows.append(["weighted sum", "", "", total])
    formula += f" = {total}"
    if activation is not None and "ReLU" in activation.name:
        passed_on = float(activation.values[choice.image, choice.unit])
        formula += f", {activation.name} -> {format_value(passed_on)}"
    caption = (
        f"Unit {choice.unit}: the inputs with the largest products, and weight {choice.weight}"
    )
    titles = ["Input", "Value", "Weight", "Product"]
    views = [StaticView.of_words(formula), StaticView.of_table(titles, rows, caption)]
    bias_code = "" if computed.bias is None else f" + {_read(name_bias(choice.layer), choice.unit)}"
    code = (
        f"inputs = record.layers[{choice.layer!r}].inputs[{choice.image}]\n"
        f"weights = {_read(name_weight(choice.layer), choice.unit)}\n"
        f"((inputs * weights).sum(){bias_code}).item()"
    )
    return views, code


def _read(name: str, unit: int) -> str:
    return f"record.before[{name!r}][{unit}]"


def _in_brackets(number: str) -> str:
    return f"({number})" if number.startswith("-") else number


def _name_input(record: StepRecord, choice: StepChoice, index: int) -> str:
    position = find_position(record, choice.layer, index)
    return str(index) if position is None else f"{index} (row {position[0]}, column {position[1]})"


def find_position(record: StepRecord, layer: str, index: int) -> tuple[int, int] | None:
    """Return row and column of a layer's input in the image; None if it is no pixel."""
    shape = find_image_shape(record)
    if shape is None or record.inputs is None or not has_pixels(record, layer):
        return None
    return index // shape[1], index % shape[1]


def has_pixels(record: StepRecord, layer: str) -> bool:
    """Return whether a layer's inputs are the pixels of grey images."""
    shape, inputs = find_image_shape(record), record.inputs
    if shape is None or inputs is None:
        return False
    pixels, values = to_exact(inputs).flatten(1), to_exact(record.layers[layer].inputs)
    return pixels.shape == (len(inputs), shape[0] * shape[1]) and pixels.equal(values)


def _show_scores(record: StepRecord, image: int) -> tuple[StaticView, str]:
    outputs = record.outputs
    if outputs is None or not outputs.is_floating_point() or not outputs.numel():
        return StaticView.of_words("The model's outputs are not shown: they are no tensor."), ""
    name = name_image(record, image)
    if outputs.dim() != 2 or outputs.shape[1] < 2 or image >= len(outputs):
        single = (
            outputs.numel() == len(outputs) and image < len(outputs) if outputs.dim() else False
        )
        if not single:
            words = (
                f"The model's outputs have the shape {tuple(outputs.shape)}; they are no scores."
            )
            return StaticView.of_words(words), ""
        value = format_value(float(outputs[image]))
        words = f"The model's output for {name} is {value}, one number and no scores of classes."
        return StaticView.of_words(words), f"record.outputs[{image}].item()"
    scores = find_scores(record)
    values = to_exact(outputs[image])
    classes = list(range(len(values)))
    if len(classes) > _MOST_CLASSES:
        classes = values.topk(_MOST_CLASSES).indices.tolist()
    if scores is None:
        kind = "probabilities" if are_probabilities(outputs) else "outputs"
        rows = [[str(index), format_value(float(values[index]))] for index in classes]
        caption = (
            f"The model's {kind} for {name}. The loss does not show that they are scores, so "
            "there is no softmax here."
        )
        return StaticView.of_table(["Output", "Value"], rows, caption), f"record.outputs[{image}]"
    shares = scores.probabilities[image]
    rows = [
        [str(index), format_value(float(values[index])), format_value(float(shares[index]))]
        for index in classes
    ]
    caption = f"The scores of {name}, and their softmax"
    if are_probabilities(outputs):
        caption += (
            ". The model's outputs are probabilities already, so the loss applies the softmax a "
            "second time"
        )
    view = StaticView.of_table(["Class", "Score", "Softmax"], rows, caption)
    return view, f"record.outputs[{image}].softmax(dim=0)"
