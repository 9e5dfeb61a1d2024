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
