"""Write Python code that repeats a run; lines for the user's own parts are marked FILL IN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.loaders import find_loader
from mnist_widgets.runs.choices import LOSSES, NETWORKS, OPTIMIZERS, format_number
from mnist_widgets.runs.evaluated import write_evaluated
from mnist_widgets.runs.schedules import write_schedule
from mnist_widgets.runs.settings import TEST_BATCH_SIZE
from mnist_widgets.training.models import SimpleNet, write_network
from mnist_widgets.training.training_step import TrainStep
from mnist_widgets.training.training_step import train_step as usual_train_step

_CODE = """\
from mnist_widgets import {names}

import torch  # after the kit, which sets torch's threads
from torch import nn

epochs = {epochs}
train_set, test_set = {data}
{images}torch.manual_seed({seed})
model = {model}
{loss}
optimizer = {optimizer}
order = torch.Generator().manual_seed({seed})
train_batches = train_set.batches({batch_size}, shuffle=True, generator=order{transform})
seen = {seen}
evaluator = Evaluator(
    test_set.batches({test_batch_size}), loss_fn, seen.batches({test_batch_size})
)
{schedule}{trainer}
torch.manual_seed({seed})  # for what the training draws, such as dropout
history = trainer.fit(epochs)
"""
_OWN_DATA = "...  # FILL IN: your own data, two DigitSets of {num_classes} classes"
_TRAINER = """\
trainer = Trainer(
    model, loss_fn, optimizer, train_batches, evaluator=evaluator{options}
)"""
_OWN_STEP = "train_step = ...  # FILL IN: your own train_step\n"


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
    with torch.device("meta"):  # only for its layers: no numbers are drawn
        model = NETWORKS[settings["network"]].build(
            num_classes, settings["hidden_units"], settings["dropout"]
        )
    has_schedule = settings["schedule"] != "constant"
    is_own_step = train_step is not usual_train_step
    names = [
        *["DigitSet"] * (loader is None),
        "Evaluator",
        *["LearningRateScheduler"] * has_schedule,
        *["SimpleNet"] * isinstance(model, SimpleNet),
        "Trainer",
        *["augment"] * settings["augment"],
        *([loader] if loader else []),
    ]
    schedule = write_schedule(settings["schedule"]) if has_schedule else ""
    options = ", train_step=train_step" * is_own_step
    options += ",\n    callbacks=[LearningRateScheduler(schedule)]," * has_schedule
    optimizer = OPTIMIZERS[settings["optimizer"]]
    return _CODE.format(
        names=", ".join(names),
        data=f"{loader}()" if loader else _OWN_DATA.format(num_classes=num_classes),
        images=_write_images(settings),
        seed=settings["seed"],
        model=write_network(model),
        loss=loss.code,
        optimizer=optimizer.to_code(settings["learning_rate"], settings["weight_decay"]),
        batch_size=settings["batch_size"],
        transform=", transform=augment" * settings["augment"],
        seen=write_evaluated(settings["seed"]),
        test_batch_size=TEST_BATCH_SIZE,
        schedule=f"schedule = {schedule}\n" * has_schedule,
        trainer=_OWN_STEP * is_own_step + _TRAINER.format(options=options),
        epochs=epochs,
    )


def _write_images(settings: Mapping[str, Any]) -> str:
    """Return the lines that choose the images to train on, and give some a wrong label."""
    seed, lines = settings["seed"], ""
    if settings["train_images"] is not None:
        lines += f"train_set = train_set.sample({settings['train_images']}, seed={seed})\n"
    if settings["label_noise"]:
        share = format_number(settings["label_noise"])
        lines += f"train_set = train_set.with_wrong_labels({share}, seed={seed})\n"
    return lines
