"""Write Python code that repeats a run, with marked lines for what the code cannot know."""

from __future__ import annotations

from mnist_widgets.data import DIGIT_NAMES, DigitSet, find_loader
from mnist_widgets.training import TrainStep
from mnist_widgets.training import train_step as usual_train_step

_LOSSES = {
    "cross-entropy": "loss_fn = nn.CrossEntropyLoss()",
    "nll": "loss_fn = nn.NLLLoss()",
    "mse": """
def loss_fn(logits, labels):
    targets = nn.functional.one_hot(labels, logits.shape[1]).float()
    return nn.functional.mse_loss(logits.softmax(dim=1), targets)

""",
}
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


def write_code(  # noqa: PLR0913 - all but two by name
    data: tuple[DigitSet, DigitSet] | None,
    train_step: TrainStep,
    *,
    hidden_units: int,
    loss: str,
    optimizer: str,
    batch_size: int,
    test_batch_size: int,
    seed: int,
    epochs: int,
) -> str:
    """Return the code of a run.

    Args:
        data: the training set and the test set; None stands for those of `load_digits()`.
        train_step: the run's.
        hidden_units: width of the hidden layer.
        loss: its name among the settings, such as `nll`.
        optimizer: the expression that makes it.
        batch_size: images in a batch.
        test_batch_size: images in a batch of the evaluator.
        seed: for weights, order of the images and what training draws.
        epochs: how many to train.
    """
    loader = "load_digits" if data is None else find_loader(*data)
    num_classes = len(DIGIT_NAMES if data is None else data[0].class_names)
    model = f"SimpleNet(28 * 28, {num_classes}, hidden_units={hidden_units})"
    if loss == "nll":
        model = f"nn.Sequential({model}, nn.LogSoftmax(dim=1))"
    names = ["Evaluator", "SimpleNet", "Trainer"]
    return _CODE.format(
        names=", ".join([*names, loader] if loader else ["DigitSet", *names]),
        data=f"{loader}()" if loader else _OWN_DATA.format(num_classes=num_classes),
        seed=seed,
        model=model,
        loss=_LOSSES[loss],
        optimizer=optimizer,
        batch_size=batch_size,
        test_batch_size=test_batch_size,
        trainer=_TRAINER if train_step is usual_train_step else _TRAINER_WITH_OWN_STEP,
        epochs=epochs,
    )
