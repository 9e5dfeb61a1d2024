"""Write Python code that repeats a run; lines for the user's own parts are marked FILL IN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.data.loaders import DIGIT_NAMES, find_loader
from mnist_widgets.runs.settings import LOSSES, OPTIMIZERS, TEST_BATCH_SIZE
from mnist_widgets.training.trainer import TrainStep
from mnist_widgets.training.trainer import train_step as usual_train_step

_CODE = """\
from mnist_widgets import {names}

import torch  # after the kit, which sets torch's threads
from torch import nn

train_set, test_set = {data}
torch.manual_seed({seed})
model = {model}
{loss}
optimizer = {optimizer}
order = torch.Generator().manual_seed({seed})
train_batches = train_set.batches({batch_size}, shuffle=True, generator=order)
evaluator = Evaluator(test_set.batches({test_batch_size}), loss_fn)
{trainer}
torch.manual_seed({seed})  # for what the training draws, such as dropout
history = trainer.fit({epochs})
"""
_OWN_DATA = "...  # FILL IN: your own data, two DigitSets of {num_classes} classes"
_TRAINER = "trainer = Trainer(model, loss_fn, optimizer, train_batches, evaluator=evaluator)"
_TRAINER_WITH_OWN_STEP = """\
train_step = ...  # FILL IN: your own train_step
trainer = Trainer(
    model, loss_fn, optimizer, train_batches, evaluator=evaluator, train_step=train_step
)"""


def write_code(
    settings: Mapping[str, Any],
    epochs: int,
    data: tuple[DigitSet, DigitSet] | None,
    train_step: TrainStep,
) -> str:
    """Return the code of a run.

    Args:
        settings: the values of all settings, by their names in `settings.SETTINGS`.
        epochs: how many to train.
        data: the training set and the test set; None stands for those of `load_digits()`.
        train_step: the run's training step.
    """
    loader = "load_digits" if data is None else find_loader(*data)
    num_classes = len(DIGIT_NAMES if data is None else data[0].class_names)
    loss = LOSSES[settings["loss"]]
    model = f"SimpleNet(28 * 28, {num_classes}, hidden_units={settings['hidden_units']})"
    if loss.needs_log_softmax:
        model = f"nn.Sequential({model}, nn.LogSoftmax(dim=1))"
    names = ["Evaluator", "SimpleNet", "Trainer"]
    return _CODE.format(
        names=", ".join([*names, loader] if loader else ["DigitSet", *names]),
        data=f"{loader}()" if loader else _OWN_DATA.format(num_classes=num_classes),
        seed=settings["seed"],
        model=model,
        loss=loss.code,
        optimizer=OPTIMIZERS[settings["optimizer"]].to_code(settings["learning_rate"]),
        batch_size=settings["batch_size"],
        test_batch_size=TEST_BATCH_SIZE,
        trainer=_TRAINER if train_step is usual_train_step else _TRAINER_WITH_OWN_STEP,
        epochs=epochs,
    )
