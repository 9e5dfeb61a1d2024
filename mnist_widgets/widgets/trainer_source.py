"""Where the trainers of a lab come from: from its settings, or from the user's own parts.

What they do with it is left to the session, what is drawn of it to the panels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from mnist_widgets.digit_set import Batches, DigitSet, check_same_classes
from mnist_widgets.evaluation import Evaluator, predict_probabilities
from mnist_widgets.messages import name_error
from mnist_widgets.outputs import find_option
from mnist_widgets.preflight import check_batch_norm, check_default_dtype, find_batch_norms
from mnist_widgets.run_config import TEST_BATCH_SIZE, RunConfig
from mnist_widgets.training import LossFunction, Trainer, TrainStep, train_step


@dataclass(frozen=True)
class TrainerSource:
    """What the trainers of one lab are made of.

    Args:
        train_set: what to train on.
        test_set: what to judge by, and to look at.
        settings: what the lab's own networks begin with, or its string, whose gaps the lab fills;
            not with `model`.
        train_step: trains one batch.
        model: the user's own network, whose outputs are raw scores (B, C).
        loss_fn: goes with `model`; by default cross-entropy.
        optimizer: goes with `model`; by default Adam.
        batch_size: goes with `model`; by default 512, or 32 for a small set.
        device: where to train; by default the best of this machine.

    Raises:
        ValueError: if parts do not go together, or a setting is out of range.
    """

    train_set: DigitSet
    test_set: DigitSet
    settings: RunConfig | str | None = None
    train_step: TrainStep = train_step
    model: nn.Module | None = None
    loss_fn: LossFunction | None = None
    optimizer: Optimizer | None = None
    batch_size: int | None = None
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        own = (self.loss_fn, self.optimizer, self.batch_size)
        if self.model is None and any(part is not None for part in own):
            raise ValueError(
                "loss_fn, optimizer and batch_size go with a model of your own; give that too, or "
                'settings such as settings="sgd lr=0.1 batch=64".'
            )
        if self.model is not None and self.settings is not None:
            raise ValueError(
                "settings describe the lab's own networks; with a model of your own give loss_fn, "
                "optimizer and batch_size instead."
            )
        if self.model is not None:
            self._check_model(self.model)
            self._check_ignored()
        if not isinstance(self.settings, (RunConfig, str, type(None))):
            raise ValueError(  # noqa: TRY004 - one kind of error for whatever does not fit
                f'settings must be a RunConfig or a string such as "sgd lr=0.1", not '
                f"{self.settings!r}"
            )
        _ = self.config  # what is wrong with it is said now
        check_device(self.device)

    def _check_model(self, model: object) -> None:
        """Raise a `ValueError` if this is no network for these images."""
        num_classes = len(self.test_set.class_names)
        wanted = f"model must be a network that gives {num_classes} scores for each image"
        if not isinstance(model, nn.Module):
            raise ValueError(f"{wanted}, such as SimpleNet(28 * 28, 10), not {model!r}.")  # noqa: TRY004
        images = self.test_set.images[:2]
        try:
            shape = tuple(predict_probabilities(model, images, self.loss_fn).shape)
        except Exception as error:
            failure = f"images of shape (B, 1, 28, 28) made it fail: {name_error(error)}"
            reason = error if isinstance(error, ValueError) else failure
            raise ValueError(f"{wanted}; {reason}") from error
        if shape != (2, num_classes):
            raise ValueError(f"{wanted}; for 2 images its outputs have the shape {shape}.")

    def _check_ignored(self) -> None:
        """Raise a `ValueError` if the loss function would ignore images that the panels count."""
        names = self.test_set.class_names
        ignored = find_option(self.loss_fn, "ignore_index", -100)
        if 0 <= ignored < len(names):
            raise ValueError(
                f"loss_fn ignores the images of class {names[ignored]} (ignore_index={ignored}), "
                "which the panels show and count. Leave these images out of the data instead."
            )

    @property
    def config(self) -> RunConfig:
        """The settings that a lab of its own networks begins with."""
        if isinstance(self.settings, RunConfig):
            return self.settings
        defaults = RunConfig(batch_size=512 if len(self.train_set) > 10_000 else 32)
        return RunConfig.from_string(self.settings or "", defaults=defaults)

    def make_trainer(self, config: RunConfig) -> Trainer:
        """Return a trainer: of fresh weights as `config` says, or of the user's own parts.

        Raises:
            TypeError, ValueError: if the parts do not fit together; see `preflight`.
        """
        if self.model is None:
            check_default_dtype()
            trainer = config.build(self.train_set, self.test_set, device=self.device)
            trainer.train_step = self.train_step
            return trainer
        loss_fn = nn.CrossEntropyLoss() if self.loss_fn is None else self.loss_fn
        return Trainer(
            self.model,
            loss_fn,
            self.optimizer or torch.optim.Adam(self.model.parameters()),
            self._make_batches(self.model, self.batch_size or config.batch_size),
            evaluator=Evaluator(self.test_set.batches(TEST_BATCH_SIZE), loss_fn),
            train_step=self.train_step,
            device=self.device,
        )

    def _make_batches(self, model: nn.Module, batch_size: int) -> Batches:
        """Cut the training set into batches that `model` can be trained on."""
        leaves_one = bool(find_batch_norms(model)) and len(self.train_set) % batch_size == 1
        batches = self.train_set.batches(batch_size, shuffle=True, drop_last=leaves_one)
        check_batch_norm(model, batches)
        return batches

    def write_code(self, config: RunConfig) -> str:
        """Return code that repeats a run of these settings on the lab's data."""
        return config.to_code(data=(self.train_set, self.test_set), train_step=self.train_step)


def check_device(device: torch.device | str | None) -> None:
    """Raise a `ValueError` if torch cannot compute on `device`."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:  # AssertionError: built without it
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f'device is {device!r}, which torch cannot use here ({reason}). "cpu" works everywhere.'
        ) from error


def check_data(data: object) -> tuple[DigitSet, DigitSet]:
    """Return training and test set.

    Raises:
        ValueError: if these are no two `DigitSet`s with the same classes in the same order.
    """
    match data:
        case (DigitSet() as train_set, DigitSet() as test_set):
            check_same_classes(train_set, test_set)
            return train_set, test_set
    raise ValueError(
        "data must be two DigitSets, one to train on and one to test with, as load_mnist() gives "
        f"them, not {data!r}. DigitSet(images, labels, class_names, name) makes one of tensors, "
        "arrays or lists."
    )
