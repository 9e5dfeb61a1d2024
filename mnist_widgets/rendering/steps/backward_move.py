"""The fourth move of a step: the backward pass."""

from __future__ import annotations

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_sum, format_value
from mnist_widgets.rendering.steps.pictures import draw_signed, find_pixel_shape, name_input
from mnist_widgets.rendering.steps.view import (
    MoveView,
    make_view,
    mark_chosen,
    read_label,
)
from mnist_widgets.training.recording.scores import find_scores, to_exact
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import (
    find_activation,
    list_layers,
    name_weight,
    split_gradient,
)

_NUM_TERMS = 6
_MISSING = (
    "Missing: train_step did not call loss.backward(). Without gradients the optimizer has "
    "nothing to use, and the network does not learn."
)
_NOT_SEEN = (
    "The backward pass was not seen, because train_step does not use loss_fn. The gradients here "
    "are those that the update used."
)
_NOT_CLEARED = (
    "Missing: train_step did not call zero_grad(). Unless it clears the gradients in another way, "
    "the next backward pass adds to them."
)


def show_backward(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the size of the gradients, that of the chosen unit, and the chosen weight's terms."""
    views = [StaticView.of_words(words) for words in _write_remarks(record)]
    if "backward" in record.events and not record.gradients:
        words = "The gradients are not known: they were cleared, and no update used them."
        views.append(StaticView.of_words(words))
    if not record.gradients:
        return make_view(views)
    words = "The norm is the size of a gradient: the root of the sum of its squares."
    views.extend([StaticView.of_words(words), _show_sizes(record)])
    choice = clamp(choice, record)
    name = name_weight(choice.layer)
    if not list_layers(record) or name not in record.gradients:
        name = next(iter(record.gradients))
        return make_view(views, f"record.gradients[{name!r}].norm().item()")
    shape = find_pixel_shape(record, choice.layer)
    if shape is not None:
        views.append(_show_picture(record, choice, shape))
    terms, code = _show_terms(record, choice, name_input(choice.weight, shape))
    return make_view([*views, *terms], code)


def _write_remarks(record: StepRecord) -> list[str]:
    remarks = []
    events = record.events
    if "backward" not in events:
        is_own_loss = "loss" not in events and record.gradients
        remarks.append(_NOT_SEEN if is_own_loss else _MISSING)
        if record.gradients and not is_own_loss:
            remarks.append("The gradients here were there before the step.")
    elif "update" in events and "backward" not in events[: events.index("update")]:
        remarks.append(
            "The update came before the backward pass, so it did not use the gradients of this "
            "batch."
        )
        if record.has_changed():
            remarks.append("The gradients here are older: those that the update used.")
    if record.has_old_gradients:
        remarks.append(
            "The gradients of an earlier batch were not cleared, and the backward pass added to "
            "them: each gradient is a sum over several batches."
        )
    if "zero_grad" not in events:
        remarks.append(_NOT_CLEARED)
    return remarks


def _show_sizes(record: StepRecord) -> StaticView:
    rows = [
        [name, str(tuple(gradient.shape)), format_value(float(to_exact(gradient).norm()))]
        for name, gradient in record.gradients.items()
    ]
    return StaticView.of_table(
        ["Parameter", "Shape", "Norm of the gradient"], rows, "The size of the gradient by layer"
    )


def _show_picture(record: StepRecord, choice: StepChoice, shape: tuple[int, int]) -> StaticView:
    gradient = record.gradients[name_weight(choice.layer)][choice.unit]
    picture = draw_signed(gradient, shape, choice.weight)
    lowest, highest = (format_value(float(value)) for value in gradient.aminmax())
    words = (
        f"The gradient of the weights of unit {choice.unit}, one for each pixel: from {lowest} "
        f"(blue is below 0) to {highest} (orange is above 0). The frame shows weight "
        f"{choice.weight}."
    )
    return StaticView.of_picture(picture, words, f"Gradient of unit {choice.unit}")


def _show_terms(record: StepRecord, choice: StepChoice, place: str) -> tuple[list[StaticView], str]:
    name = name_weight(choice.layer)
    gradient = format_value(float(record.gradients[name][choice.unit, choice.weight]))
    title = f"weight {place} of unit {choice.unit}"
    code = f"record.gradients[{name!r}][{choice.unit}, {choice.weight}].item()"
    split = split_gradient(record, choice.layer, choice.unit, choice.weight)
    if split is None:
        words = (
            f"The gradient of {title} is {gradient}. Its terms, one for each image, cannot be "
            "computed from the record of this step, so they are not shown."
        )
        return [StaticView.of_words(words)], code
    terms = split.terms
    images = find_largest(terms, _NUM_TERMS, choice.image)
    shown = [float(terms[image]) for image in images]
    written = format_sum(shown, float(terms.sum()))
    rows = [
        [
            mark_chosen(image, image == choice.image),
            read_label(record, image),
            format_value(float(split.unit_gradients[image])),
            format_value(float(split.inputs[image])),
            term,
        ]
        for image, term in zip(images, written.parts, strict=True)
    ]
    if rest := written.name_rest(len(terms) - len(images)):
        rows.append([rest, "", "", "", written.rest])
    rows.append(["sum", "", "", "", written.total])
    if split.is_mean:
        rows.append([f"mean: sum / {len(terms)}", "", "", "", gradient])
    kind = "mean" if split.is_mean else "sum"
    words = (
        f"The gradient of {title} is the {kind} of one term for each image: the "
        f"gradient at unit {choice.unit} (how fast the image's loss grows when the unit's weighted "
        "sum grows), times the weight's input."
    )
    titles = ["Image", "Label", "Gradient at the unit", "Input", "Term"]
    table = StaticView.of_table(titles, rows, "The largest terms, and that of the chosen image")
    return [StaticView.of_words(words), table], _write_code(record, choice) or code


def _write_code(record: StepRecord, choice: StepChoice) -> str:
    """Return the code of a mean of terms; "" where it would take more than a few lines."""
    scores, layers = find_scores(record), list_layers(record)
    if scores is None or scores.loss_name != "cross-entropy" or choice.layer not in layers[-2:]:
        return ""
    unit, column = "at_scores", choice.unit
    lines = [
        "at_scores = record.outputs.softmax(dim=1)",
        "at_scores[range(len(at_scores)), record.targets.long()] -= 1  # p - y",
    ]
    if choice.layer != layers[-1]:
        activation = find_activation(record, choice.layer)
        if activation is None or activation.name != "ReLU":
            return ""
        weight = f"record.before[{name_weight(layers[-1])!r}]"
        is_active = f"(record.layers[{choice.layer!r}].outputs > 0)"
        lines.append(f"at_units = at_scores @ {weight} * {is_active}")
        unit = "at_units"
    kind = "mean" if scores.is_mean else "sum"
    inputs = f"record.layers[{choice.layer!r}].inputs[:, {choice.weight}]"
    lines.append(f"({unit}[:, {column}] * {inputs}).{kind}().item()")
    return "\n".join(lines)
