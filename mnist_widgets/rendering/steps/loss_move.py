"""The third move of a step: the loss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_value, write_argument
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
    loss, losses = record.loss, record.losses
    words = f"The loss of the batch is {format_value(loss)}."
    if scores is not None:
        # in float64, because float32 keeps few digits of the loss where p is almost 1
        losses = scores.losses
        loss = float(losses.mean() if scores.is_mean else losses.sum())
        words = f"The loss of the batch is {format_value(loss)}. {_describe_first_loss(scores)}"
    views = [StaticView.of_words(words)]
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
    views.extend(_show_differences(record, scores, image))
    code = (
        "p = record.outputs.softmax(dim=1)\n"
        f"p[{image}, record.targets[{image}].long()] -= 1  # now it is p - y\n"
        f"p[{image}].tolist()"
    )
    if scores.loss_name == "cross-entropy":
        code = (
            "log_p = record.outputs.double().log_softmax(dim=1)\n"
            "losses = -log_p[range(len(log_p)), record.targets.long()]\n"
            f"losses.{'mean' if scores.is_mean else 'sum'}().item(), losses[{image}].item()"
        )
    return make_view(views, code)


def _describe_first_loss(scores: Scores) -> str:
    num_classes = scores.values.shape[1]
    formula = f"({num_classes} - 1) / {num_classes}^2"
    if scores.loss_name == "cross-entropy":
        formula = f"ln {num_classes}"
    return (
        f"Compare: at the start of its training, a network usually gives all {num_classes} classes "
        f"about the same probability, so its loss starts at about {formula} = "
        f"{format_value(scores.even_loss)}."
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
    caption = "The largest losses, and that of the chosen image"
    return StaticView.of_table(["Image", "Label", "Loss"], rows, caption)


def _show_differences(record: StepRecord, scores: Scores, image: int) -> Iterator[StaticView]:
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
    words = f"The loss of {name_image(record, image)}: "
    if scores.loss_name == "cross-entropy":
        place = "model's outputs" if name_output(scores.values) == "probability" else "scores"
        share = write_argument(float(scores.losses[image]))
        words += f"-ln {share} = {loss}." if share else _describe_extreme_loss(loss)
        words += f" p - y is its gradient at the {place}."
    else:
        words += f"the mean of the squares of p - y is {loss}."
    yield StaticView.of_words(f"{words} p is the softmax; y is 1 for the label, 0 for the others.")
    titles = ["Class", "p", "y", "p - y"]
    yield StaticView.of_table(titles, rows, "p - y for the chosen image")


def _describe_extreme_loss(loss: str) -> str:
    return (
        f"it is {loss}. p is too near to 0 or 1 to write its digits here, but -ln p is also "
        "ln(sum of exp(score)) minus the score of the label."
    )
