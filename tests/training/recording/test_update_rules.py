"""The arithmetic of one weight's update agrees with torch, and with itself."""

from __future__ import annotations

import math
import re

import pytest
import torch
from recorded_steps import OPTIMIZERS
from torch import nn

from mnist_widgets import record_step
from mnist_widgets.training.recording.update_rules import explain_update

CASES = {
    **OPTIMIZERS,
    "SGD with decay": lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.01),
    "dampening": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, dampening=0.3),
    "Nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True, weight_decay=0.1),
    "RMSprop with decay": lambda p: torch.optim.RMSprop(p, 1e-3, weight_decay=0.1),
    "Adam with decay": lambda p: torch.optim.Adam(p, 1e-3, weight_decay=0.1),
    "one at a time": lambda p: torch.optim.Adam(p, 1e-3, foreach=False),
    "fused": lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.5, fused=True),
    "a rate as tensor": lambda p: torch.optim.SGD(p, torch.tensor(0.1)),
}
UNSHOWN = {
    "NAdam": torch.optim.NAdam,
    "amsgrad": lambda p: torch.optim.Adam(p, amsgrad=True),
    "centered": lambda p: torch.optim.RMSprop(p, centered=True),
    "RMSprop with momentum": lambda p: torch.optim.RMSprop(p, momentum=0.9),
    "maximize": lambda p: torch.optim.SGD(p, 0.1, maximize=True),
}


def record_steps(make_optimizer, num_steps, **options):
    """Return the records of some steps of a small network."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = make_optimizer(model.parameters())
    loss_fn = nn.CrossEntropyLoss()
    return [
        record_step(
            model, (torch.rand(8, 4), torch.randint(0, 3, (8,))), loss_fn, optimizer, **options
        )
        for _ in range(num_steps)
    ]


def calculate(calculation):
    """Return what the formula of a calculation gives with its numbers."""
    numbers = (f"({number!r})" for number in calculation.numbers)
    formula = calculation.formula.partition(", ")[0].format(*numbers)
    return eval(re.sub(r"\bx\b", "*", formula).replace("^", "**"), {"sqrt": math.sqrt})


@pytest.mark.parametrize("name", CASES)
def test_the_formulas_lead_from_the_gradient_to_the_new_value(name):
    for record in record_steps(CASES[name], 4):
        for index in [(0, 0), (5, 2), (7, 3)]:
            update = explain_update(record, "0.weight", index)
            assert update.explanation == ""
            assert update.old == float(record.before["0.weight"][index])
            assert update.gradient == float(record.gradients["0.weight"][index])
            assert update.new == float(record.after["0.weight"][index])
            for calculation in update.calculations:
                assert calculate(calculation) == pytest.approx(calculation.result, 1e-5, 1e-12)
            result = update.calculations[-1].result
            assert result == pytest.approx(update.new, abs=1e-7)
            change = update.new - update.old
            assert result - update.old == pytest.approx(change, 1e-3, 1e-8)


@pytest.mark.parametrize("name", UNSHOWN)
def test_other_optimizers_show_the_values_and_a_sentence(name):
    record = record_steps(UNSHOWN[name], 2)[1]
    update = explain_update(record, "0.weight", (0, 0))
    assert update.calculations == ()
    assert record.optimizer in update.explanation
    assert update.new == float(record.after["0.weight"][0, 0])


def test_a_weight_that_changes_in_another_way_has_no_arithmetic():
    def clip_weights(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model[0].weight.clamp_(-0.01, 0.01)
        return loss.item()

    (record,) = record_steps(CASES["SGD"], 1, train_step=clip_weights)
    index = tuple((record.before["0.weight"].abs() > 0.1).nonzero()[0].tolist())
    update = explain_update(record, "0.weight", index)
    assert not update.calculations
    assert update.explanation


def test_each_obstacle_has_its_own_sentence():
    def skip_update(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        return loss.item()

    def skip_backward(model, batch, loss_fn, optimizer, device):
        optimizer.step()
        return loss_fn(model(batch[0]), batch[1]).item()

    def diverge(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(math.inf * model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    def hold_last(parameters):
        return torch.optim.SGD(list(parameters)[2:], 0.1)

    sgd = CASES["SGD"]
    explanations = {
        explain_update(record_steps(make, 1, **options)[0], "0.weight", (0, 0)).explanation
        for make, options in [
            (sgd, {"train_step": skip_update}),
            (sgd, {"train_step": skip_backward}),
            (sgd, {"train_step": diverge}),
            (hold_last, {}),
        ]
    }
    assert len(explanations) == 4
    assert "" not in explanations


def test_the_options_are_those_of_the_update():
    def change_rate_afterwards(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] /= 2
        return loss.item()

    first, second = record_steps(CASES["SGD"], 2, train_step=change_rate_afterwards)
    assert first.optimizer == "SGD"
    assert set(first.options) == set(first.before)
    assert first.options["0.weight"]["lr"] == 0.1
    assert second.options["2.bias"]["lr"] == 0.05
    assert "params" not in first.options["0.weight"]


def test_each_parameter_has_the_options_of_its_group():
    def make(parameters):
        weight, *others = parameters
        groups = [{"params": [weight], "lr": 0.5}, {"params": others[:1]}]
        return torch.optim.SGD(groups, 0.1)

    (record,) = record_steps(make, 1)
    rates = {name: options["lr"] for name, options in record.options.items()}
    assert rates == {"0.weight": 0.5, "0.bias": 0.1}
