"""The fifth move of a step: the update of the parameters."""

from __future__ import annotations

from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.rendering.steps.choice import StepChoice, clamp
from mnist_widgets.rendering.steps.numbers import format_value, format_weights, write_factor
from mnist_widgets.rendering.steps.pictures import find_pixel_shape, name_input
from mnist_widgets.rendering.steps.update_code import write_update_code
from mnist_widgets.rendering.steps.view import MoveView, make_view
from mnist_widgets.training.recording.losses import LossComparison
from mnist_widgets.training.recording.scores import to_exact
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import list_layers, name_weight
from mnist_widgets.training.recording.update_rules import WeightUpdate, explain_update

_MISSING = (
    "Missing: train_step did not call optimizer.step(). Only the optimizer changes the parameters, "
    "so they stay as they were."
)
_MISSING_BUT_CHANGED = (
    "The optimizer's update was not seen, but parameters changed: train_step changes them in "
    "another way."
)
_NOT_COMPARED = (
    "The losses before and after the update are shown for a step taken in the explorer; this step "
    "was recorded elsewhere."
)


def show_update(
    record: StepRecord, choice: StepChoice, comparison: LossComparison | None = None
) -> MoveView:
    """Show the chosen weight's new value, the size of the update, and the loss after it."""
    views, code = [], ""
    if "update" not in record.events:
        words = _MISSING_BUT_CHANGED if record.has_changed() else _MISSING
        views.append(StaticView.of_words(words))
    if list_layers(record):
        choice = clamp(choice, record)
        name, index = name_weight(choice.layer), (choice.unit, choice.weight)
        update = explain_update(record, name, index)
        place = name_input(choice.weight, find_pixel_shape(record, choice.layer))
        title = f"weight {place} of unit {choice.unit}"
        views.append(_show_weight(title, update, record.optimizer))
        views.extend([StaticView.of_words(update.explanation)] if update.explanation else [])
        code = write_update_code(record, name, index, update)
    if record.before:
        words = (
            "As a rule of thumb, an update is about 0.001 of the weights, and more in the first "
            "steps. Both sizes are norms: the root of the sum of the squares."
        )
        views.extend([StaticView.of_words(words), _show_sizes(record)])
        code = code or _write_size_code(next(iter(record.before)))
    if comparison is not None:
        views.append(_show_comparison(record, comparison))
    elif "update" in record.events:
        views.append(StaticView.of_words(_NOT_COMPARED))
    return make_view(views, code)


def _write_size_code(name: str) -> str:
    return (
        f"old, new = record.before[{name!r}], record.after[{name!r}]\n"
        "((new - old).norm() / old.norm()).item()"
    )


def _show_weight(title: str, update: WeightUpdate, optimizer: str) -> StaticView:
    weights = [each.result for each in update.calculations if each.is_weight]
    written = format_weights([update.old, *weights[:-1], update.new])
    rows = [["old value", "", written[0]]]
    if update.gradient is not None:
        rows.append(["gradient", "", format_value(update.gradient)])
    for calculation in update.calculations:
        *numbers, result = map(format_value, (*calculation.numbers, calculation.result))
        if calculation.is_weight:
            numbers[0], result, *_ = written
            written.pop(0)
        formula = calculation.formula.format(*map(write_factor, numbers))
        rows.append([calculation.name, formula, result])
    if not update.calculations:
        rows.append(["new value", "", written[-1]])
    caption = f"The update of {title} by {optimizer}"
    return StaticView.of_table(["Number", "Calculation", "Value"], rows, caption)


def _show_sizes(record: StepRecord) -> StaticView:
    rows = []
    for name, value in record.before.items():
        if name not in record.after:
            continue
        before = to_exact(value)
        change, size = float((to_exact(record.after[name]) - before).norm()), float(before.norm())
        ratio = format_value(change / size) if size else "-"
        rows.append([name, format_value(change), format_value(size), ratio])
    titles = ["Parameter", "Size of the update", "Size of the weights", "Update / weights"]
    return StaticView.of_table(titles, rows, "The size of the update by layer")


def _show_comparison(record: StepRecord, comparison: LossComparison) -> StaticView:
    if not record.before.keys() >= record.after.keys():
        words = "Some weights had no values before this step, so there is no loss before it."
        return StaticView.of_words(words)
    pairs = {
        "this batch": (comparison.same_before, comparison.same_after),
        "another batch, of test images": (comparison.other_before, comparison.other_after),
    }
    rows = [
        [name, format_value(before, 5), format_value(after, 5)]
        for name, (before, after) in pairs.items()
        if before is not None and after is not None
    ]
    if not rows:
        words = "The loss before and after the step cannot be computed from this batch."
        return StaticView.of_words(words)
    caption = "The loss before and after the update, in evaluation mode"
    table = StaticView.of_table(["Loss of", "Before", "After"], rows, caption)
    if comparison.other_after is not None:
        return table
    words = (
        "There is no loss of other images: only those of an Evaluator with DigitSet.batches are "
        "used, if they fit this network."
    )
    return join_views([table, StaticView.of_words(words)])
