"""The losses around a step: right, and without a trace in the model."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets import record_step
from mnist_widgets.training.recording.losses import LossComparison, compare_losses


class Counting(nn.Module):
    """Counts its calls in a buffer, stores its inputs, and draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("num_calls", torch.zeros(()))
        self.inputs = None

    def forward(self, inputs):
        self.num_calls += 1
        self.inputs = inputs
        return inputs + 1e-6 * torch.randn(())


def make_model():
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), Counting(), nn.Linear(8, 3)
    )


def make_batch():
    return torch.rand(8, 4), torch.randint(0, 3, (8,))


def test_the_losses_are_those_of_the_parameters_before_and_after():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    loss_fn, other = nn.CrossEntropyLoss(), make_batch()
    before = deepcopy(model)
    record = record_step(model, make_batch(), loss_fn, optimizer)
    after = deepcopy(model)
    record_step(model, make_batch(), loss_fn, optimizer)  # the model is trained further
    found = compare_losses(model, loss_fn, record, other)
    expected = [
        loss_fn(each(batch[0]), batch[1]).item()
        for batch in ((record.inputs, record.targets), other)
        for each in (before, after)
    ]
    assert found == pytest.approx(expected)
    assert found.same_before == pytest.approx(record.loss)
    assert found.same_after < found.same_before


def test_looking_leaves_no_trace():
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters())
    record = record_step(model, make_batch(), nn.CrossEntropyLoss(), optimizer)
    model[2].eval()
    state = deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    other = make_batch()
    stored, random_state = model[4].inputs, torch.get_rng_state()
    found = compare_losses(model, nn.CrossEntropyLoss(), record, other)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert None not in found
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert model[4].inputs is stored
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_cannot_be_computed_is_none():
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch["images"].flatten(1)), batch["labels"])
        loss.backward()
        optimizer.step()
        return loss.item()

    def flatten_and_step(model, batch, loss_fn, optimizer, device):
        images, labels = batch
        return step(model, {"images": images, "labels": labels}, loss_fn, optimizer, device)

    images, labels = torch.rand(8, 2, 2), torch.randint(0, 3, (8,))
    named = {"images": images, "labels": labels}
    parts = nn.CrossEntropyLoss(), optimizer
    record = record_step(model, named, *parts, train_step=step)
    nothing = LossComparison(None, None, None, None)
    assert compare_losses(model, functional.cross_entropy, record, named) == nothing
    record = record_step(model, (images, labels), *parts, train_step=flatten_and_step)
    found = compare_losses(model, functional.cross_entropy, record, (images.flatten(1), labels))
    assert found[:2] == (None, None)
    assert None not in found[2:]


def test_the_loss_function_is_not_changed():
    class Counting(nn.CrossEntropyLoss):
        num_calls = 0

        def forward(self, outputs, labels):
            self.num_calls += 1
            return super().forward(outputs, labels)

    calls = []

    def count(outputs, labels):
        calls.append(1)
        return functional.cross_entropy(outputs, labels)

    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    module = Counting()
    record = record_step(model, make_batch(), module, optimizer)
    assert None not in compare_losses(model, module, record, make_batch())
    assert module.num_calls == 1
    record = record_step(model, make_batch(), count, optimizer)
    found = compare_losses(model, count, record, make_batch())
    assert found.same_before == pytest.approx(record.loss)
    assert len(calls) == 1


def test_a_layer_that_was_lazy_has_no_loss_before():
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    record = record_step(model, make_batch(), nn.CrossEntropyLoss(), optimizer)
    found = compare_losses(model, nn.CrossEntropyLoss(), record, make_batch())
    assert found.same_before is found.other_before is None
    assert None not in (found.same_after, found.other_after)


def test_a_compiled_model_is_compared():
    model = torch.compile(nn.Linear(4, 3), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    record = record_step(model, make_batch(), nn.CrossEntropyLoss(), optimizer)
    found = compare_losses(model, nn.CrossEntropyLoss(), record)
    assert found.same_before == pytest.approx(record.loss)
    assert found.same_after < found.same_before
    assert found.other_before is None
