"""The observations of a health monitor in a run so far."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from mnist_widgets.training.evaluation.loss_kinds import find_loss_kind
from mnist_widgets.training.health.evaluated_images import (
    choose_test_images,
    find_fingerprints,
)
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.reports import BatchReport
from mnist_widgets.training.trainer import Trainer
from mnist_widgets.training.training_step import LossFunction

MAX_IMAGES = 2_000
"""Images of the recorded batches that are kept."""
IMAGES_OF_A_BATCH = 256
"""Images of a recorded batch that are read, at most."""


@dataclass
class Observations:
    """The observations of one run.

    Attributes:
        trainer: of the run.
        report: of the latest batch; None before the first one.
        num_batches: trained in this run.
        batch_size: images of the largest batch so far.
        record: of the latest recorded step.
        received: the first images as the model received them, at most 256: the training step may
            have scaled them. None if the model has not received a tensor.
        batches: images of recorded batches and their targets, each image once.
        num_kept: images in `batches`.
        largest_update: the largest relative change of a weight tensor in a recorded step, as far as
            the record has it.
        latest_update: the largest relative change of a weight tensor in the latest recorded step
            that has an update; None if no weight has a gradient.
        leaked: the fingerprints of test images that were in recorded batches.
        num_images: those of the recorded batches that were read.
        names: of the findings so far.
        test_images: at most 1,000 inputs of the evaluator; None if they are unknown.
    """

    trainer: Trainer
    report: BatchReport | None = None
    num_batches: int = 0
    batch_size: int = 1
    record: StepRecord | None = None
    received: Tensor | None = None
    batches: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    num_kept: int = 0
    largest_update: float | None = None
    latest_update: float | None = None
    leaked: set[float] = field(default_factory=set)
    num_images: int = 0
    names: set[str] = field(default_factory=set)
    test_images: Tensor | None = None
    _seen: set[float] = field(default_factory=set)
    _test_fingerprints: set[float] = field(default_factory=set)
    _loss_of_guessing: tuple[int, float | None] = (0, None)
    _hooks: ExitStack = field(default_factory=ExitStack)

    def read_test_images(self) -> None:
        """Read the evaluator's images, if that is possible without a side effect."""
        self.test_images = choose_test_images(self.trainer.evaluator)
        if self.test_images is not None:
            self._test_fingerprints = set(find_fingerprints(self.test_images))

    def watch_inputs(self) -> None:
        """Keep the images that the model receives in its next forward pass with gradients."""

        # not a method: a copy of the model has no copy of it
        def keep(_model: nn.Module, arguments: tuple[object, ...]) -> None:
            if torch.is_grad_enabled():
                self.stop_watching()
                if self.received is None and arguments and isinstance(arguments[0], Tensor):
                    self.received = arguments[0][:IMAGES_OF_A_BATCH].detach().clone()

        self._hooks.enter_context(self.trainer.model.register_forward_pre_hook(keep))

    def stop_watching(self) -> None:
        """Stop observing the model."""
        self._hooks.close()

    @property
    def losses(self) -> list[float]:
        """The losses of all batches since the history began."""
        return self.trainer.history.batch_losses

    @property
    def is_epoch_end(self) -> bool:
        """Whether the latest batch is the last one of its epoch."""
        return self.report is not None and self.report.batch == self.report.num_batches

    def add(self, report: BatchReport) -> None:
        """Add a batch."""
        self.report = report
        self.num_batches += 1
        self.batch_size = max(self.batch_size, report.num_images)

    def add_record(self, record: StepRecord) -> None:
        """Add the record of the latest batch."""
        self.record = record
        self._add_update(record)
        self._add_batch(record)

    def predicts_classes(self) -> bool:
        """Return whether each target is a class number, as far as that is known."""
        targets = [targets for _, targets in self.batches[:1]]
        return any(each.dim() == 1 and each.dtype == torch.int64 for each in targets)

    def is_right_by_chance(self) -> bool:
        """Return whether the latest record's outputs are no better than guesses, or unknown."""
        record = self.record
        if record is None or record.outputs is None or record.targets is None:
            return True
        outputs, labels = record.outputs.cpu(), record.targets.cpu()
        if outputs.dim() != 2 or outputs.shape[1] < 2 or labels.shape != outputs.shape[:1]:
            return True
        return is_chance(outputs.argmax(dim=1), labels.long())

    def _add_update(self, record: StepRecord) -> None:
        if "update" not in record.events:
            return
        changes = [
            float(torch.dist(after, record.before[name]) / record.before[name].norm())
            for name, after in record.after.items()
            if after.dim() > 1 and name in record.before and has_gradient(record, name)
        ]
        changes = [change for change in changes if math.isfinite(change)]
        self.latest_update = max(changes, default=None)
        if changes:
            self.largest_update = max(*changes, self.largest_update or 0.0)

    def _add_batch(self, record: StepRecord) -> None:
        inputs, targets = record.inputs, record.targets
        if inputs is None or not len(inputs):
            return
        spread = slice(None, None, math.ceil(len(inputs) / IMAGES_OF_A_BATCH))
        images = inputs[spread]
        self.num_images += len(images)
        fingerprints = find_fingerprints(images)
        self.leaked |= self._test_fingerprints.intersection(fingerprints)
        if targets is None or targets.shape[:1] != inputs.shape[:1] or self.num_kept >= MAX_IMAGES:
            return
        images, targets = images.cpu(), targets[spread].cpu()
        if not self._seen.isdisjoint(fingerprints):
            is_new = torch.tensor([each not in self._seen for each in fingerprints])
            if not is_new.any():
                return
            images, targets = images[is_new], targets[is_new]
        self._seen.update(fingerprints)
        first = self.batches[0] if self.batches else (images, targets)
        if (images.shape[1:], targets.shape[1:]) == (first[0].shape[1:], first[1].shape[1:]):
            self.batches.append((images, targets))
            self.num_kept += len(targets)

    def find_loss_of_guessing(self) -> float | None:
        """Return the lowest loss of an answer that is the same for all images; None if unknown.

        It is known for the losses of `torch.nn` without weights and other options: for classes it
        is the entropy of their shares (with the correction by Miller and Madow, 1955, since few
        labels make it too small), for numbers their variance.
        """
        if self._loss_of_guessing[0] != self.num_kept:
            targets = torch.cat([targets for _, targets in self.batches])
            loss = _find_loss_of_guessing(self.trainer.loss_fn, targets)
            self._loss_of_guessing = (self.num_kept, loss)
        return self._loss_of_guessing[1]


def has_gradient(record: StepRecord, name: str) -> bool:
    """Return whether a parameter has a gradient that is not zero."""
    # faster than `any`
    return name in record.gradients and float(record.gradients[name].norm()) != 0


def _find_loss_of_guessing(loss_fn: LossFunction, targets: Tensor) -> float | None:
    kind = find_loss_kind(loss_fn)
    if not _has_usual_options(loss_fn):
        return None
    if kind.targets == "classes" and targets.dim() == 1 and kind.outputs != "other":
        counts = targets.unique(return_counts=True)[1].double()
        shares = counts / counts.sum()
        return float(-(shares * shares.log()).sum() + (len(counts) - 1) / (2 * len(targets)))
    if kind.targets == "shares":
        shares = targets.double().mean(dim=0)
        return float(-(shares.xlogy(shares) + (1 - shares).xlogy(1 - shares)).mean())
    if kind.module is torch.nn.MSELoss:
        return float(targets.double().var(dim=0, correction=0).mean())
    return None


def is_chance(guesses: Tensor, labels: Tensor) -> bool:
    """Return whether guesses are no better than always guessing the most frequent class.

    The number of right ones may exceed that by three standard deviations.
    """
    share = float(labels.unique(return_counts=True)[1].max()) / len(labels)
    deviation = math.sqrt(share * (1 - share) / len(labels))
    num_right = int((guesses == labels).sum())
    return num_right <= (share + 3 * deviation) * len(labels)


def _has_usual_options(loss_fn: object) -> bool:
    if isinstance(loss_fn, partial):
        return False
    usual = {"weight": None, "pos_weight": None, "label_smoothing": 0.0, "reduction": "mean"}
    options = {name: getattr(loss_fn, name, value) for name, value in usual.items()}
    has_weights = any(isinstance(option, Tensor) for option in options.values())
    return not has_weights and bool(options == usual)
