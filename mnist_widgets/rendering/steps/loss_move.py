"""The third move of a step: the loss."""

from __future__ import annotations

import math

from torch import Tensor

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_value
from mnist_widgets.rendering.steps.view import (
    MoveView,
    make_view,
    mark_chosen,
    name_image,
    read_label,
)
from mnist_widgets.training.recording.scores import Scores, find_scores, name_output, to_exact
from mnist_widgets.training.recording.step_record import StepRecord

_NUM_IMAGES = 10
_MOST_CLASSES = 20
_MISSING = (
    "Missing: train_step did not call loss_fn. Without a loss there is nothing to make smaller, "
    "unless train_step computes a loss of its own."
)


def show_loss(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the loss of each image, the worst first, and p - y for the chosen image."""
    if "loss" not in record.events:
        return make_view([StaticView.of_words(_MISSING)])
    if record.loss is None:
        return make_view([StaticView.of_words("The loss is no single number.")])
    image, scores = clamp(choice, record).image, find_scores(record)
    words = f"The loss of the batch is {format_value(record.loss)}."
    if scores is not None:
        words += f" {_describe_even_loss(scores)}"
    views = [StaticView.of_words(words)]
    losses = record.losses
    if losses is None and scores is not None:
        losses = scores.losses
    if losses is None:
        words = "The losses of the single images are not known: loss_fn gives one number for all."
        views.append(StaticView.of_words(words))
    else:
        views.append(_show_losses(record, to_exact(losses), image))
    if scores is None:
        words = (
            "The loss is not the cross-entropy of the outputs and the labels, so p - y is not "
            "shown."
        )
        return make_view([*views, StaticView.of_words(words)], "record.loss")
    views.append(_show_differences(record, scores, image))
    code = (
        "p = record.outputs.softmax(dim=1)\n"
        f"p[{image}, record.targets[{image}].long()] -= 1  # now it is p - y\n"
        f"p[{image}].tolist()"
    )
    if scores.loss_name == "cross-entropy":
        code = (
            "p = record.outputs.softmax(dim=1)\n"
            "losses = -p[range(len(p)), record.targets.long()].log()\n"
            f"losses.{'mean' if scores.is_mean else 'sum'}().item(), losses[{image}].item()"
        )
    return make_view(views, code)


def _describe_even_loss(scores: Scores) -> str:
    num_classes = scores.values.shape[1]
    formula = f"({num_classes} - 1) / {num_classes}^2"
    if scores.loss_name == "cross-entropy":
        formula = f"ln {num_classes}"
    return (
        f"A network that always gives all {num_classes} classes the same probability has the loss "
        f"{formula} = {format_value(scores.even_loss)} on each image."
    )


def _show_losses(record: StepRecord, losses: Tensor, image: int) -> StaticView:
    worst = losses.topk(min(_NUM_IMAGES, len(losses))).indices.tolist()
    images = worst if image in worst else [*worst, image]
    rows = [
        [
            mark_chosen(index, index == image),
            read_label(record, index),
            format_value(float(losses[index])),
        ]
        for index in images
    ]
    mean, total = float(losses.mean()), float(losses.sum())
    rows.append([f"mean of all {len(losses)}", "", format_value(mean)])
    if not math.isclose(record.loss or 0.0, mean, rel_tol=1e-4, abs_tol=1e-6):
        rows.append([f"sum of all {len(losses)}", "", format_value(total)])
    caption = "The images with the largest losses, and the chosen image"
    return StaticView.of_table(["Image", "Label", "Loss"], rows, caption)


def _show_differences(record: StepRecord, scores: Scores, image: int) -> StaticView:
    shares, differences = scores.probabilities[image], scores.differences[image]
    label = int(scores.labels[image])
    classes = list(range(len(shares)))
    if len(classes) > _MOST_CLASSES:
        classes = find_largest(differences, _MOST_CLASSES, label)
    rows = [
        [
            str(index),
            format_value(float(shares[index])),
            str(int(index == label)),
            format_value(float(differences[index])),
        ]
        for index in classes
    ]
    loss = format_value(float(scores.losses[image]))
    caption = f"The loss of {name_image(record, image)}: "
    if scores.loss_name == "cross-entropy":
        is_probability = name_output(scores.values) == "probability"
        place = "model's outputs" if is_probability else "scores"
        caption += (
            f"-ln {format_value(float(shares[label]))} = {loss}. p - y is the gradient of this "
            f"loss at the {place}."
        )
    else:
        caption += f"the mean of the squares of p - y is {loss}."
    caption += " p is the softmax; y is 1 for the label and 0 for the others."
    return StaticView.of_table(["Class", "p", "y", "p - y"], rows, caption)
