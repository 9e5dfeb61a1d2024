"""The fifth move of a step: the update of the parameters."""

from __future__ import annotations

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp
from mnist_widgets.rendering.steps.numbers import format_value, format_weights
from mnist_widgets.rendering.steps.view import MoveView, make_view
from mnist_widgets.training.recording.losses import LossComparison
from mnist_widgets.training.recording.scores import to_exact
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import list_layers, name_weight
from mnist_widgets.training.recording.update_rules import WeightUpdate, explain_update

MISSING = (
    "Missing: train_step did not call optimizer.step(). Only the optimizer changes the parameters, "
    "so they stay as they were."
)
MISSING_BUT_CHANGED = (
    "No update by the optimizer was seen, but parameters changed: train_step changes them itself."
)


def show_update(
    record: StepRecord, choice: StepChoice, comparison: LossComparison | None = None
) -> MoveView:
    """Show the chosen weight's new value, the size of the update, and the loss after it."""
    views = []
    if "update" not in record.events:
        has_changed = any(
            name in record.after and not record.after[name].equal(value)
            for name, value in record.before.items()
        )
        words = MISSING_BUT_CHANGED if has_changed else MISSING
        views.append(StaticView.of_words(words))
    choice, code = clamp(choice, record), ""
    if list_layers(record):
        name, index = name_weight(choice.layer), (choice.unit, choice.weight)
        update = explain_update(record, name, index)
        title = f"{name}[{choice.unit}, {choice.weight}]"
        views.append(_show_weight(title, update, record))
        code = (
            f"old, new = record.before[{name!r}], record.after[{name!r}]\n"
            f"old{list(index)}.item(), new{list(index)}.item()"
        )
    if record.before:
        views.append(_show_sizes(record))
        name = next(iter(record.before))
        code = code or (
            f"old, new = record.before[{name!r}], record.after[{name!r}]\n"
            "((new - old).norm() / old.norm()).item()"
        )
    if comparison is not None:
        views.append(_show_comparison(comparison))
    return make_view(views, code)


def _show_weight(title: str, update: WeightUpdate, record: StepRecord) -> StaticView:
    old, new = format_weights(update.old, update.new, [update.old, update.new])
    rows = [["old value", "", old]]
    if update.gradient is not None:
        rows.append(["gradient", "", format_value(update.gradient)])
    for calculation in update.calculations:
        numbers = list(map(_in_brackets, map(format_value, calculation.numbers)))
        result = format_value(calculation.result)
        if calculation.is_weight:  # more digits, so that the change can be seen
            first, result = format_weights(
                update.old, update.new, [calculation.numbers[0], calculation.result]
            )
            numbers[0] = first
        rows.append([calculation.name, calculation.formula.format(*numbers), result])
    if update.calculations:
        rows[-1][-1] = new
    else:
        rows.append(["new value", "", new])
    caption = f"The update of the weight {title} by {record.optimizer}"
    if update.explanation:
        caption += f". {update.explanation}"
    return StaticView.of_table(["Number", "Calculation", "Value"], rows, caption)


def _in_brackets(number: str) -> str:
    return f"({number})" if number.startswith("-") or "e" in number else number


def _show_sizes(record: StepRecord) -> StaticView:
    rows = []
    for name, value in record.before.items():
        if name not in record.after:
            continue
        before = to_exact(value)
        change, size = float((to_exact(record.after[name]) - before).norm()), float(before.norm())
        ratio = format_value(change / size) if size else "-"
        rows.append([name, format_value(change), format_value(size), ratio])
    caption = (
        "The size of the update by layer, compared with the weights: about 0.001 is usual. "
        "Change and size are norms."
    )
    titles = ["Parameter", "Change", "Size before", "Change / size"]
    return StaticView.of_table(titles, rows, caption)


def _show_comparison(comparison: LossComparison) -> StaticView:
    pairs = {
        "this batch": (comparison.same_before, comparison.same_after),
        "another batch": (comparison.other_before, comparison.other_after),
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
    return StaticView.of_table(["Loss of", "Before", "After"], rows, caption)
