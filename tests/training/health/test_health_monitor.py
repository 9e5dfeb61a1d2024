"""When the health monitor reports, and that it never disturbs a training."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets import Evaluator, HealthMonitor, SimpleNet, Trainer, load_bundled_digits
from mnist_widgets.training.health.evaluated_images import choose_test_images


def make_net() -> nn.Module:
    """Return a network with batch norm and dropout."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(16, 10)),
    )


def test_a_watched_training_is_the_same_to_the_last_bit():
    train_set, test_set = load_bundled_digits()

    def train(*callbacks):
        torch.manual_seed(0)
        model = make_net()
        optimizer = torch.optim.Adam(model.parameters())
        batches = train_set.batches(32, shuffle=True)
        evaluator = Evaluator(DataLoader(test_set, 100))
        parts = (model, nn.CrossEntropyLoss(), optimizer, batches)
        trainer = Trainer(*parts, evaluator=evaluator, callbacks=callbacks, device="cpu")
        trainer.fit(2)
        return trainer, torch.get_rng_state()

    plain, plain_random = train()
    monitored, monitored_random = train(monitor := HealthMonitor())
    assert monitor.errors == {}
    assert monitored.history == plain.history
    assert monitored.history.batch_losses == plain.history.batch_losses
    assert torch.equal(monitored_random, plain_random)
    states = plain.model.state_dict(), monitored.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not any(module._forward_hooks for module in monitored.model.modules())
    assert not any(module._forward_pre_hooks for module in monitored.model.modules())


def test_reading_test_images_draws_no_random_numbers():
    dataset = TensorDataset(torch.rand(20, 4), torch.zeros(20))
    own = torch.Generator().manual_seed(0)
    one_shot = iter([(torch.rand(2, 4), torch.zeros(2))])
    for batches, num_images in [
        (DataLoader(dataset, 5, shuffle=True, generator=own), 20),
        (DataLoader([(torch.rand(4), 0)] * 7, 5), 7),
        (DataLoader([(torch.rand(4), 0)] * 7, 5, shuffle=True), None),
        (one_shot, None),
        ([(torch.rand(600, 4), torch.zeros(600))] * 3, 1000),
        ([], None),
        (None, None),
    ]:
        state, own_state = torch.get_rng_state(), own.get_state()
        evaluator = None if batches is None else Evaluator(batches)
        images = choose_test_images(evaluator)
        assert (None if images is None else len(images)) == num_images
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(own.get_state(), own_state)
    assert next(one_shot)


def make_diverging(make_trainer, **options) -> Trainer:
    """Return a trainer whose loss is NaN after its first update."""
    trainer = make_trainer(**options)
    trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=float("inf"))
    return trainer


def test_each_finding_is_reported_once_in_a_run_and_again_in_the_next(make_trainer):
    monitor = HealthMonitor()
    trainer = make_diverging(make_trainer, callbacks=[monitor])
    beginning = trainer.snapshot()
    trainer.fit(2)
    assert [(each.name, each.epoch, each.batch) for each in monitor.findings] == [
        ("loss not finite", 1, 2)
    ]
    trainer.fit(1)
    assert [(each.name, each.epoch, each.batch) for each in monitor.findings] == [
        ("loss not finite", 3, 1)
    ]
    trainer.restore(beginning)
    assert monitor.findings == []


class Unusual(nn.Module):
    """Takes and returns dicts, and has a parameter without a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)

    def forward(self, batch):
        return {"scores": self.layer(batch["images"].flatten(1))}


def train_on_dicts(model, batch, _loss_fn, optimizer, _device):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(batch)["scores"], batch["labels"])
    loss.backward()
    optimizer.step()
    return loss.item()


class OwnOptimizer:
    """An optimizer that is not one of torch."""

    def __init__(self, parameters) -> None:
        self.parameters = list(parameters)

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        with torch.no_grad():
            for parameter in self.parameters:
                parameter.sub_(0.05 * parameter.grad)


def one_in_three(labels):
    return (labels == 0).float()


UNUSUAL = {
    "dicts": (
        Unusual,
        lambda model: torch.optim.SGD(model.parameters(), 0.1),
        nn.CrossEntropyLoss(),
        lambda x, y: {"images": x, "labels": y},
        train_on_dicts,
    ),
    "a single score": (
        lambda: nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)),
        lambda model: torch.optim.SGD(model.parameters(), 0.1),
        nn.BCEWithLogitsLoss(),
        lambda x, y: (x, one_in_three(y)),
        None,
    ),
    "a single probability": (
        lambda: nn.Sequential(nn.Linear(4, 1), nn.Sigmoid(), nn.Flatten(0)),
        lambda model: torch.optim.SGD(model.parameters(), 0.5),
        nn.BCELoss(),
        lambda x, y: (x, one_in_three(y)),
        None,
    ),
    "a regression": (
        lambda: nn.Linear(4, 1),
        lambda model: torch.optim.SGD(model.parameters(), 0.05),
        nn.MSELoss(),
        lambda x, y: (x, x[:, :1] + y[:, None].float()),
        None,
    ),
    "an own loss": (
        lambda: nn.Linear(4, 3),
        lambda model: torch.optim.SGD(model.parameters(), 0.05),
        lambda outputs, labels: 0.5 * nn.functional.cross_entropy(outputs, labels),
        lambda x, y: (x, y),
        None,
    ),
    "an own optimizer": (
        lambda: nn.Linear(4, 3),
        lambda model: OwnOptimizer(model.parameters()),
        nn.CrossEntropyLoss(),
        lambda x, y: (x, y),
        None,
    ),
    "a compiled model": (
        lambda: torch.compile(
            nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), backend="eager"
        ),
        lambda model: torch.optim.Adam(model.parameters(), 0.01),
        nn.CrossEntropyLoss(),
        lambda x, y: (x, y),
        None,
    ),
    "double precision": (
        lambda: nn.Linear(4, 3).double(),
        lambda model: torch.optim.Adam(model.parameters(), 0.01),
        nn.CrossEntropyLoss(),
        lambda x, y: (x.double(), y),
        None,
    ),
    "shares as targets": (
        lambda: nn.Linear(4, 3),
        lambda model: torch.optim.Adam(model.parameters(), 0.01),
        nn.CrossEntropyLoss(),
        lambda x, y: (x, nn.functional.one_hot(y, 3).float()),
        None,
    ),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_training_is_watched_without_an_error_and_without_a_finding(name):
    build, make_optimizer, loss_fn, convert, step = UNUSUAL[name]
    inputs = torch.randn(60, 16, 4)
    labels = inputs[..., :3].argmax(dim=2)
    batches = [convert(*batch) for batch in zip(inputs, labels, strict=True)]
    model = build()
    options = {"train_step": step} if step else {}
    monitor = HealthMonitor()
    parts = (model, loss_fn, make_optimizer(model), batches)
    Trainer(*parts, callbacks=[monitor], device="cpu", **options).fit(2)
    assert monitor.errors == {}
    assert monitor.findings == []


def test_what_cannot_be_looked_at_does_not_end_the_training(make_trainer):
    class Broken(list):
        def __iter__(self):
            raise RuntimeError("no batches here")

    class Constant:
        batches = Broken()

        def evaluate(self, _model, _device):
            return {"test_loss": 1.0}

    class Strict(SimpleNet):
        def forward(self, images):
            if not self.training:
                raise RuntimeError("for training only")
            return super().forward(images)

    trainer = make_trainer(evaluator=Constant(), callbacks=[monitor := HealthMonitor()])
    trainer.fit(1)
    assert [str(error) for error in monitor.errors.values()] == ["no batches here"]
    model = nn.Sequential(Strict(4, 3), nn.ReLU())
    trainer = make_trainer(model=model, callbacks=[monitor])
    assert trainer.fit(40).num_epochs == 40  # its hidden units are looked at after 200 batches
    assert [str(error) for error in monitor.errors.values()] == ["for training only"]


def test_only_a_few_batches_of_a_healthy_training_are_recorded():
    train_set, _ = load_bundled_digits()
    torch.manual_seed(0)
    model = SimpleNet(784, 10)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    batches = train_set.batches(16, shuffle=True)
    parts = (model, nn.CrossEntropyLoss(), optimizer, batches)
    trainer = Trainer(*parts, callbacks=[HealthMonitor()], device="cpu")
    recorded = [report.step for report in trainer.iterate(2) if report.record is not None]
    assert recorded == [1, 10, 50, 100, 150]
