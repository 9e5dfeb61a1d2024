"""What is observed in unusual steps: other layers, closures, earlier passes, refused hooks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist_widgets import HealthMonitor, Trainer, record_step, train_step


def make_batch():
    return torch.rand(8, 4), torch.randint(0, 3, (8,))


def record(model, step=train_step, optimizer=None, batch=None):
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1)
    parts = model, batch or make_batch(), nn.CrossEntropyLoss(), optimizer
    return record_step(*parts, train_step=step)


class ByName(nn.Module):
    """Passes its layer's input by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.layer(input=inputs)


class Pair(nn.Linear):
    """Returns a tuple."""

    def forward(self, inputs):
        return super().forward(inputs), None


class TakesFirst(nn.Module):
    """Uses the first part of its layer's outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Pair(4, 3)

    def forward(self, inputs):
        return self.layer(inputs)[0]


@pytest.mark.parametrize("make_model", [ByName, TakesFirst])
def test_a_layer_of_another_form_is_left_out_with_a_note(make_model):
    made = record(make_model())
    assert not made.layers
    assert made.loss is not None
    (note,) = made.notes
    assert "'layer'" in note


@pytest.mark.filterwarnings("ignore:.*torch.jit:Warning")
def test_a_scripted_model_is_trained_and_the_notes_say_what_is_hidden():
    model = torch.jit.script(nn.Sequential(nn.Linear(4, 3)))
    made = record(model)
    assert made.loss is not None
    assert made.gradients
    assert any("accepts no hook" in note for note in made.notes)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    monitor = HealthMonitor()
    parts = model, nn.CrossEntropyLoss(), optimizer, [make_batch()] * 3
    assert len(Trainer(*parts, callbacks=[monitor], device="cpu").fit(1).batch_losses) == 3
    assert not monitor.findings


def test_the_layers_are_those_of_the_pass_that_gave_the_loss():
    other, batch = make_batch(), make_batch()

    def look_around(model, batch, loss_fn, optimizer, device):
        with torch.no_grad():
            model(other[0])
        model(other[0])
        loss = loss_fn(model(batch[0]), batch[1])
        with torch.no_grad():
            model(other[0])
        model(other[0])
        loss.backward()
        optimizer.step()
        return loss.item()

    model = nn.Sequential(nn.Linear(4, 3))
    made = record(model, look_around, batch=batch)
    assert torch.equal(made.layers["0"].inputs, batch[0])
    assert torch.equal(made.layers["0"].outputs, made.outputs)
    assert made.loss == pytest.approx(float(functional.cross_entropy(made.outputs, batch[1])))


def step_with_closure(model, batch, loss_fn, optimizer, device):
    def compute():
        optimizer.zero_grad()
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        return loss

    return optimizer.step(compute).item()


def test_an_update_by_a_closure_comes_after_the_closure():
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        made = record(model, step_with_closure, optimizer)
        assert made.events == ("zero_grad", "forward", "loss", "backward", "update")
        for name, before in made.before.items():
            assert torch.allclose(made.after[name], before - 0.1 * made.gradients[name])
    monitor = HealthMonitor()
    parts = model, nn.CrossEntropyLoss(), optimizer, [make_batch()] * 12
    options = {"train_step": step_with_closure, "callbacks": [monitor], "device": "cpu"}
    Trainer(*parts, **options).fit(1)
    assert "update before backward" not in [finding.name for finding in monitor.findings]


def test_a_compiled_model_that_hides_its_layers_is_noted():
    model = torch.compile(nn.Sequential(nn.Linear(4, 3)), backend="eager")
    optimizer, device = torch.optim.SGD(model.parameters(), 0.1), torch.device("cpu")
    train_step(model, make_batch(), nn.CrossEntropyLoss(), optimizer, device)
    made = record(model, optimizer=optimizer)
    assert made.loss is not None
    assert bool(made.layers) != any("compiled" in note for note in made.notes)


def test_a_step_changes_parameters_that_have_other_values_or_are_removed():
    def remove_bias(model, *_):
        model.bias = None
        return 0.0

    for step, names in (
        (train_step, {"weight", "bias"}),
        (lambda *_: 0.0, set()),
        (remove_bias, {"bias"}),
    ):
        made = record(nn.Linear(4, 3), step)
        assert {name for name in made.before if made.has_changed(name)} == names
        assert made.has_changed() == bool(names)


def accumulates(model, batch, loss_fn, optimizer, device):
    optimizer.zero_grad()
    total = 0.0
    for inputs, targets in zip(batch[0].split(2), batch[1].split(2), strict=True):
        loss = loss_fn(model(inputs), targets) / 4
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def sharpens(model, batch, loss_fn, optimizer, device):
    """Makes two passes, the second with moved weights, as SAM does."""
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    moves = [0.5 * parameter.grad for parameter in model.parameters()]
    for sign in (1, -1):
        with torch.no_grad():
            for parameter, move in zip(model.parameters(), moves, strict=True):
                parameter.add_(sign * move)
        if sign == 1:
            optimizer.zero_grad()
            loss_fn(model(batch[0]), batch[1]).backward()
    optimizer.step()
    return loss.item()


def adds_two_losses(model, batch, loss_fn, optimizer, device):
    optimizer.zero_grad()
    scores = model(batch[0])
    loss = loss_fn(scores, batch[1]) + loss_fn(scores, batch[1].flip(0))
    loss.backward()
    optimizer.step()
    return loss.item()


def prints_a_loss_first(model, batch, loss_fn, optimizer, device):
    print(loss_fn(model(batch[0]), batch[1]).item())
    return train_step(model, batch, loss_fn, optimizer, device)


def averages_by_hand(model, batch, _loss_fn, optimizer, device):
    return train_step(model, batch, lambda *pair: _loss_fn(*pair).mean(), optimizer, device)


def adds_a_penalty(model, batch, loss_fn, optimizer, device):
    loss = loss_fn(model(batch[0]), batch[1]) + sum(p.square().sum() for p in model.parameters())
    loss.backward()
    optimizer.step()
    return loss.item()


def test_each_backward_pass_is_an_event():
    passes = ("forward", "loss", "backward")
    for step, events in (
        (accumulates, ("zero_grad", *passes * 4, "update")),
        (sharpens, ("zero_grad", *passes, "zero_grad", *passes, "update")),
        (adds_two_losses, ("zero_grad", "forward", "loss", "loss", "backward", "update")),
        (prints_a_loss_first, ("forward", "loss", *passes, "update", "zero_grad")),
    ):
        assert record(nn.Linear(4, 3), step).events == events, step.__name__


def test_a_backward_pass_from_losses_of_single_images_is_an_event():
    optimizer = torch.optim.SGD((model := nn.Linear(4, 3)).parameters(), 0.1)
    loss_fn = nn.CrossEntropyLoss(reduction="none")
    made = record_step(model, make_batch(), loss_fn, optimizer, train_step=averages_by_hand)
    assert made.events == ("forward", "loss", "backward", "update", "zero_grad")


def test_several_losses_and_another_result_are_noted():
    for step, num_losses, returns_another in (
        (accumulates, 4, True),
        (sharpens, 2, False),
        (adds_two_losses, 2, True),
        (adds_a_penalty, 1, True),
        (prints_a_loss_first, 1, False),
        (lambda *arguments: train_step(*arguments) * 8, 1, True),
        (lambda *arguments: str(train_step(*arguments)), 1, False),
    ):
        notes = record(nn.Linear(4, 3), step).notes
        assert any(f"{num_losses} losses" in note for note in notes) == (num_losses > 1), notes
        assert any("train_step returned" in note for note in notes) == returns_another, notes
        assert len(notes) == (num_losses > 1) + returns_another
