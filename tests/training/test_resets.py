"""A reset restores all that a training changes, or it changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mnist_widgets import Callback, Trainer


class CentersLoss(nn.Module):
    """A loss function with weights of its own."""

    def __init__(self):
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(3, 3))

    def forward(self, outputs, targets):
        distances = (outputs - self.centers[targets]).square().mean()
        return nn.functional.cross_entropy(outputs, targets) + distances


class CountsItsCalls(nn.Linear):
    """A network with a buffer that is not in its state dict."""

    def __init__(self):
        super().__init__(4, 3)
        self.register_buffer("num_calls", torch.zeros(()), persistent=False)

    def forward(self, inputs):
        self.num_calls += 1
        return super().forward(inputs) * (1 + self.num_calls / 10)


class Unfreeze(Callback):
    """Let the first layer learn from the second epoch on."""

    def on_epoch_begin(self, trainer, epoch):
        if epoch == 2:
            trainer.model[0].requires_grad_(True)
            trainer.optimizer.add_param_group({"params": trainer.model[0].parameters(), "lr": 0.01})


def assert_second_run_repeats_first(trainer) -> None:
    beginning = trainer.snapshot()
    first = list(trainer.fit(3).batch_losses)
    trainer.restore(beginning)
    assert list(trainer.history) == []
    assert list(trainer.fit(3).batch_losses) == first


def test_a_reset_takes_back_an_added_parameter_group(batches):
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    optimizer = torch.optim.Adam(model[1].parameters(), 0.1)
    loss_fn = nn.CrossEntropyLoss()
    trainer = Trainer(model, loss_fn, optimizer, batches, callbacks=[Unfreeze()], device="cpu")
    assert_second_run_repeats_first(trainer)


def test_a_reset_brings_back_a_removed_parameter_group(batches):
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    optimizer = torch.optim.Adam([{"params": each.parameters()} for each in model], 0.1)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, device="cpu")
    beginning = trainer.snapshot()
    first = list(trainer.fit(2).batch_losses)
    optimizer.param_groups.pop()
    trainer.restore(beginning)
    assert list(trainer.fit(2).batch_losses) == first


def test_a_reset_restores_the_weights_of_the_loss_function(batches):
    model, loss_fn = nn.Linear(4, 3), CentersLoss()
    optimizer = torch.optim.Adam([*model.parameters(), *loss_fn.parameters()], 0.1)
    assert_second_run_repeats_first(Trainer(model, loss_fn, optimizer, batches, device="cpu"))


def test_a_reset_restores_buffers_that_are_not_in_the_state_dict(make_trainer):
    assert_second_run_repeats_first(make_trainer(model=CountsItsCalls()))


@pytest.mark.parametrize("num_outputs", [3, 5], ids=["same shape", "other shape"])
def test_a_reset_of_a_model_with_a_new_layer_is_refused_and_changes_nothing(
    make_trainer, num_outputs
):
    trainer = make_trainer(model=nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)))
    beginning = trainer.snapshot()
    losses = list(trainer.fit(1).batch_losses)
    trainer.model[1] = nn.Linear(8, num_outputs)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(RuntimeError, match="new model"):
        trainer.restore(beginning)
    after = trainer.model.state_dict()
    assert all(after[name].equal(value) for name, value in before.items())
    assert list(trainer.history.batch_losses) == losses
