"""The content of one move: HTML, plain text and code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.training.recording.step_record import StepRecord


@dataclass(frozen=True)
class MoveView(StaticView):
    """What a move shows of one step.

    Attributes:
        code: lines that compute numbers of this view from `record`, a `StepRecord`; the last line
            is an expression, or the code is empty.
    """

    code: str = ""


def make_view(views: Iterable[StaticView], code: str = "") -> MoveView:
    """Return views from top to bottom, with their code."""
    whole = join_views(views)
    return MoveView(whole.text, whole.html, code)


def name_image(record: StepRecord, image: int) -> str:
    """Return an image's number and its label, such as `image 3 (label 7)`."""
    label = read_label(record, image)
    return f"image {image}" if label == "" else f"image {image} (label {label})"


def read_label(record: StepRecord, image: int) -> str:
    """Return an image's label; "" if the targets are no labels."""
    targets = record.targets
    if targets is None or targets.is_floating_point() or image >= len(targets):
        return ""
    return str(targets[image].item()) if targets[image].numel() == 1 else ""


def mark_chosen(name: object, is_chosen: bool) -> str:
    """Return the name of a table's row, with the word `chosen` if it is the chosen one."""
    return f"{name}, chosen" if is_chosen else str(name)
