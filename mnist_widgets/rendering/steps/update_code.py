"""Code that computes the new value of a weight from the record of its step."""

from __future__ import annotations

from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.update_rules import WeightUpdate


def write_update_code(
    record: StepRecord, name: str, index: tuple[int, ...], update: WeightUpdate
) -> str:
    """Return lines that compute a weight's new value; the last one also gives the recorded value.

    Args:
        record: of the step.
        name: of the parameter.
        index: of the weight in the parameter.
        update: as `explain_update` returns it; without calculations the code only reads values.
    """
    first = f"name, at = {name!r}, {index}"
    new = "record.after[name][at].item()"
    formula = _write_formula(record, name) if update.calculations else None
    if formula is None:
        return f"{first}\nrecord.before[name][at].item(), {new}"
    *lines, result = formula
    return "\n".join([first, *lines, f"({result}).item(), {new}"])


def _write_formula(record: StepRecord, name: str) -> list[str] | None:
    """Return lines before the new value and its formula; None if they would be too many."""
    options = record.options[name]
    rate, decay = float(options["lr"]), float(options["weight_decay"])
    old, state = "record.before[name][at]", "record.optimizer_state.after[name]"
    if record.optimizer == "SGD":
        if options["nesterov"] or (decay and not options["momentum"]):
            return None
        if not options["momentum"]:
            return [f"{old} - {rate} * record.gradients[name][at]"]
        return [f"velocity = {state}['momentum_buffer'][at]", f"{old} - {rate} * velocity"]
    eps = float(options["eps"])
    if record.optimizer == "RMSprop":
        if decay:
            return None
        divisor = f"divisor = {state}['square_avg'][at].sqrt() + {eps}"
        return [divisor, f"{old} - {rate} * record.gradients[name][at] / divisor"]
    beta1, beta2 = map(float, options["betas"])
    num_updates = round(float(record.optimizer_state.after[name]["step"]))
    if decay and options.get("decoupled_weight_decay", record.optimizer == "AdamW"):
        old += f" * (1 - {rate} * {decay})"
    return [
        f"mean = {state}['exp_avg'][at] / (1 - {beta1}**{num_updates})",
        f"squares = {state}['exp_avg_sq'][at] / (1 - {beta2}**{num_updates})",
        f"{old} - {rate} * mean / (squares.sqrt() + {eps})",
    ]
