"""The first move of a step: data sampling."""

from __future__ import annotations

from torch import Tensor

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp
from mnist_widgets.rendering.steps.numbers import format_value
from mnist_widgets.rendering.steps.pictures import draw_image
from mnist_widgets.rendering.steps.view import MoveView, make_view, name_image
from mnist_widgets.training.recording.step_record import StepRecord


def show_data(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the batch: its shapes, the range of its values, and the chosen image."""
    inputs, targets = record.inputs, record.targets
    if inputs is None or not inputs.numel():
        words = "The batch is no pair of tensors, so its content is not shown."
        return make_view([StaticView.of_words(words)])
    image = clamp(choice, record).image
    words = f"The batch has {len(inputs)} images"
    rows = [["inputs", *_describe(inputs)]]
    if targets is not None:
        words += f" and {len(targets)} labels" if targets.dim() else ""
        rows.append(["targets", *_describe(targets)])
    words += ". Images, units and weights count from 0."
    titles = ["Tensor", "Shape", "Type", "Smallest", "Largest"]
    views = [
        StaticView.of_words(words),
        StaticView.of_table(titles, rows, "The tensors of the batch"),
    ]
    lowest, highest = (format_value(float(value)) for value in inputs[image].aminmax())
    name = name_image(record, image)
    caption = f"The chosen {name}. Its values are from {lowest} to {highest}."
    picture = draw_image(record, image)
    if picture is None:
        views.append(StaticView.of_words(caption))
    else:
        views.append(StaticView.of_picture(picture, caption, f"Picture of {name}"))
    code = (
        "images = record.inputs\n"
        f"tuple(images.shape), images[{image}].min().item(), images[{image}].max().item()"
    )
    return make_view(views, code)


def _describe(values: Tensor) -> list[str]:
    numbers = [str(values.min().item()), str(values.max().item())] if values.numel() else ["", ""]
    if values.is_floating_point() and values.numel():
        numbers = [format_value(float(value)) for value in values.aminmax()]
    return [str(tuple(values.shape)), str(values.dtype).removeprefix("torch."), *numbers]
