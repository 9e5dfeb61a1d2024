"""The third move of a step: the loss."""

from __future__ import annotations

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, find_largest
from mnist_widgets.rendering.steps.numbers import format_value
from mnist_widgets.rendering.steps.view import MoveView, make_view, name_image, read_label
from mnist_widgets.training.recording.scores import Scores, find_scores
from mnist_widgets.training.recording.step_record import StepRecord

_NUM_IMAGES = 10
_MOST_CLASSES = 20
MISSING = (
    "Missing: train_step did not call loss_fn. Without a loss there is nothing to make smaller, "
    "unless train_step computes one of its own."
)


def show_loss(record: StepRecord, choice: StepChoice) -> MoveView:
    """Show the loss of each image, the worst first, and p - y for the chosen image."""
    if "loss" not in record.events:
        return make_view([StaticView.of_words(MISSING)])
    if record.loss is None:
        return make_view([StaticView.of_words("The loss is no single number.")])
    image = clamp(choice, record).image
    scores = find_scores(record)
    views = [StaticView.of_words(_describe_loss(record, scores)), _show_losses(record, image)]
    if scores is None:
        words = (
            "The record does not show that the loss is a cross-entropy of scores and labels, so "
            "p - y is not shown."
        )
        return make_view([*views, StaticView.of_words(words)], "record.loss")
    views.append(_show_differences(record, scores, image))
    code = (
        "p = record.outputs.softmax(dim=1)\n"
        f"p[{image}, record.targets[{image}]] -= 1  # now p - y\n"
        f"record.losses.{'mean' if scores.is_mean else 'sum'}().item(), "
        f"record.losses[{image}].item(), p[{image}].tolist()"
    )
    return make_view(views, code)


def _describe_loss(record: StepRecord, scores: Scores | None) -> str:
    words = f"The loss of the batch is {format_value(record.loss or 0.0)}."
    if scores is None:
        return words
    num_classes = scores.values.shape[1]
    even = format_value(scores.even_loss)
    if scores.loss_name == "cross-entropy":
        formula = f"ln {num_classes} = {even}"
    else:
        formula = f"({num_classes} - 1) / {num_classes}^2 = {even}"
    return (
        f"{words} An image has the loss {formula} if all {num_classes} classes get the same share."
    )


def _show_losses(record: StepRecord, image: int) -> StaticView:
    losses = record.losses
    if losses is None:
        words = "The losses of the single images are not known: loss_fn gives only their mean."
        return StaticView.of_words(words)
    worst = losses.topk(min(_NUM_IMAGES, len(losses))).indices.tolist()
    images = worst if image in worst else [*worst, image]
    rows = [
        [str(index), read_label(record, index), format_value(float(losses[index]))]
        for index in images
    ]
    rows.append([f"mean of all {len(losses)}", "", format_value(float(losses.double().mean()))])
    caption = "The images with the largest losses, and the chosen image"
    return StaticView.of_table(["Image", "Label", "Loss"], rows, caption)


def _show_differences(record: StepRecord, scores: Scores, image: int) -> StaticView:
    shares, differences = scores.probabilities[image], scores.differences[image]
    label = int(scores.labels[image])
    classes = list(range(len(shares)))
    if len(classes) > _MOST_CLASSES:
        classes = find_largest(shares, _MOST_CLASSES, label)
    rows = [
        [
            str(index),
            format_value(float(shares[index])),
            str(int(index == label)),
            format_value(float(differences[index])),
        ]
        for index in classes
    ]
    loss, name = format_value(float(scores.losses[image])), name_image(record, image)
    if scores.loss_name == "cross-entropy":
        share = format_value(float(shares[label]))
        words = f"-ln {share} = {loss}. p - y is the gradient of this loss at the scores."
    else:
        words = f"the mean of the squares of p - y is {loss}."
    caption = f"The loss of {name}: {words} p is the softmax; y is 1 for the label, else 0."
    return StaticView.of_table(["Class", "p", "y", "p - y"], rows, caption)
