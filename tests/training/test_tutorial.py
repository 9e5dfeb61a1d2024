"""The tutorial's own function: code written along with the tutorial runs on as it is."""

from __future__ import annotations

import inspect
import re

import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    WeightedRandomSampler,
)
from tqdm import tqdm

from mnist_widgets import Callback, EarlyStopping, SimpleNet, load_bundled_digits, trainer
from mnist_widgets.training.devices import pick_device


def tutorial_train_step(model, batch, loss_fn, optimizer, device):
    """One step as the tutorial writes it."""
    inputs, targets = batch
    inputs, targets = inputs.to(device), targets.to(device)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def tutorial_trainer(
    model, loader, loss_fn, optimizer, epochs, evaluator=None, train_step=tutorial_train_step
):
    """Train as the tutorial does, with a plain loop: the reference of this module."""
    initial_device = next(model.parameters()).device
    if torch.cuda.is_available():
        device = "cuda"
    elif torch.backends.mps.is_available():
        device = "mps"
    else:
        device = "cpu"
    print(f"===== Training on {device} device =====")
    model.to(device)
    history = {"train": []}
    for epoch in range(epochs):
        losses = []
        with tqdm(total=len(loader), desc=f"Epoch {epoch + 1:2d}/{epochs}") as bar:
            for batch in loader:
                losses.append(train_step(model, batch, loss_fn, optimizer, device))
                bar.update()
                bar.set_postfix(train_loss=sum(losses) / len(losses))
            metrics = {} if evaluator is None else evaluator.evaluate(model, device)
            bar.set_postfix(train_loss=sum(losses) / len(losses), **metrics)
        history["train"].append(sum(losses) / len(losses))
        for name, value in metrics.items():
            history.setdefault(name, []).append(value)
    model.to(initial_device)
    return history


class StudentsEvaluator:
    """What a student may write: no base class, one method."""

    def __init__(self, loader):
        self.loader = loader
        self.devices = []

    def evaluate(self, model, device):
        self.devices.append((torch.device(device).type, next(model.parameters()).device.type))
        num_wrong = num_images = 0
        with torch.no_grad():
            for images, labels in self.loader:
                predicted = model(images.to(device)).argmax(1).cpu()
                num_wrong += (predicted != labels).sum().item()
                num_images += len(labels)
        return {"error_rate": num_wrong / num_images, "num_images": float(num_images)}


@pytest.fixture(scope="module")
def digits():
    """The first 150 bundled digits to train on, 100 to test."""
    train_set, test_set = load_bundled_digits()
    return Subset(train_set, range(150)), Subset(test_set, range(100))


@pytest.fixture
def problem(digits):
    """Return a function that gives the first five arguments, the same ones each time."""

    def make(epochs=3):
        torch.manual_seed(7)
        model = nn.Sequential(SimpleNet(28 * 28, 32), nn.Dropout(0.2), nn.Linear(32, 10))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        loader = DataLoader(digits[0], batch_size=64, shuffle=True)
        return model, loader, nn.CrossEntropyLoss(), optimizer, epochs

    return make


def last_states(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return for each bar its description, its count and the figures behind it, by name."""
    bars = re.findall(r"(Epoch [^:]+):[^\r\n]*?(\d+/\d+) \[[^\r\n]*?, ([a-z_]+=[^\r\n]*)\]", text)
    return {
        description: (count, dict(figure.split("=") for figure in figures.split(", ")))
        for description, count, figures in bars
    }


def test_the_signature_is_the_tutorials_and_then_callbacks():
    parameters = inspect.signature(trainer).parameters
    first = list(inspect.signature(tutorial_trainer).parameters)
    assert list(parameters) == [*first, "callbacks"]
    assert parameters["evaluator"].default is None
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values())


def test_history_and_output_equal_the_tutorials(problem, digits, capsys):
    evaluators = [StudentsEvaluator(DataLoader(digits[1], batch_size=64)) for _ in range(2)]
    arguments = problem()
    expected = tutorial_trainer(*arguments, evaluators[0], tutorial_train_step)
    expected_weights = arguments[0].state_dict()
    expected_output = capsys.readouterr()

    arguments = problem()
    history = trainer(*arguments, evaluators[1], tutorial_train_step)
    output = capsys.readouterr()

    assert isinstance(history, dict)
    assert list(history) == ["train", "error_rate", "num_images"]
    for name, values in expected.items():
        assert history[name] == pytest.approx(values, abs=1e-6)
        assert all(type(value) is float for value in history[name])
    for name, value in arguments[0].state_dict().items():
        torch.testing.assert_close(value, expected_weights[name])
    assert output.out == expected_output.out == f"===== Training on {pick_device()} device =====\n"
    bars = last_states(output.err)
    assert bars == last_states(expected_output.err)
    assert list(bars) == ["Epoch  1/3", "Epoch  2/3", "Epoch  3/3"]
    count, figures = bars["Epoch  3/3"]
    assert count == "3/3"
    assert set(figures) == {"train_loss", "error_rate", "num_images"}


def test_without_an_evaluator_the_history_has_the_training_loss_alone(problem):
    expected = tutorial_trainer(*problem(epochs=2))
    history = trainer(*problem(epochs=2))
    assert list(history) == ["train"]
    assert history["train"] == pytest.approx(expected["train"], abs=1e-6)
    assert history["train"][1] < history["train"][0]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def make_weighted(images):
    weights = [1.0 + index % 3 for index in range(len(images))]
    return WeightedRandomSampler(weights, 120, generator=seeded())


LOADERS = {
    "the global generator": lambda _: {"shuffle": True},
    "a generator": lambda _: {"shuffle": True, "generator": seeded()},
    "a generator, in order": lambda _: {"generator": seeded()},
    "drop_last": lambda _: {"shuffle": True, "drop_last": True, "generator": seeded()},
    "a random sampler": lambda images: {"sampler": RandomSampler(images, generator=seeded())},
    "with replacement": lambda images: {
        "sampler": RandomSampler(images, replacement=True, num_samples=130, generator=seeded())
    },
    "a weighted sampler": lambda images: {"sampler": make_weighted(images)},
    "a sequential sampler": lambda images: {"sampler": SequentialSampler(images)},
    "a batch sampler": lambda images: {
        "batch_sampler": BatchSampler(RandomSampler(images, generator=seeded()), 64, True)
    },
}


# pinned to one core, torch warns that two workers are too many
@pytest.mark.parametrize("num_workers", [0, 2])
def test_any_loader_gives_the_tutorials_history(problem, digits, num_workers):
    """With dropout, an evaluator that draws from the loader's generator, and three epochs."""

    def train(train_it, options):
        torch.manual_seed(11)
        if "batch_sampler" not in options:
            options = {"batch_size": 64, **options}
        loader = DataLoader(digits[0], num_workers=num_workers, **options)
        evaluator = StudentsEvaluator(
            DataLoader(digits[1], 64, shuffle=True, generator=options.get("generator"))
        )
        model, _, loss_fn, optimizer, epochs = problem()
        return train_it(model, loader, loss_fn, optimizer, epochs, evaluator), model.state_dict()

    # starting workers takes long: with them, only what they could change
    names = ["the global generator", "a generator", "drop_last"] if num_workers else LOADERS
    for name in names:
        expected, expected_weights = train(tutorial_trainer, LOADERS[name](digits[0]))
        history, weights = train(trainer, LOADERS[name](digits[0]))
        assert len(history["train"]) == 3
        for metric, values in expected.items():
            assert history[metric] == pytest.approx(values, abs=1e-6), f"{name}: {metric}"
        for key, value in weights.items():
            assert torch.equal(value, expected_weights[key]), f"{name}: {key}"


def test_every_argument_goes_by_name_too(problem):
    names = ("model", "loader", "loss_fn", "optimizer", "epochs")
    history = trainer(**dict(zip(names, problem(epochs=1), strict=True)), evaluator=None)
    assert len(history["train"]) == 1


def test_the_model_is_evaluated_after_each_epoch_on_the_training_device(problem, digits):
    evaluator = StudentsEvaluator(DataLoader(digits[1], batch_size=64))
    trainer(*problem(epochs=2), evaluator)
    device_type = pick_device().type
    assert evaluator.devices == [(device_type, device_type)] * 2


def test_a_students_train_step_is_the_one_that_trains(problem):
    calls = []

    def counting_step(model, batch, loss_fn, optimizer, device):
        calls.append((len(batch[0]), torch.device(device).type))
        return float(len(calls))

    history = trainer(*problem(epochs=2), train_step=counting_step)
    assert (
        calls == [(64, pick_device().type), (64, pick_device().type), (22, pick_device().type)] * 2
    )
    assert history == {"train": [2.0, 5.0]}


def test_hooks_are_called_and_may_stop_the_training(problem):
    epochs = []

    class Recorder(Callback):
        def on_epoch_end(self, trainer, report):
            epochs.append(report.epoch)

    history = trainer(
        *problem(epochs=9),
        train_step=lambda *_: 1.0,
        callbacks=[Recorder(), EarlyStopping("train", patience=2)],
    )
    assert epochs == [1, 2, 3]
    assert history == {"train": [1.0] * 3}


def test_wrong_epochs_are_named(problem):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        trainer(*problem(epochs=0))


class Wanderer(nn.Linear):
    """A model on the meta device, the one second device that every machine has."""

    def __init__(self):
        super().__init__(28 * 28, 10, device="meta")

    def to(self, device):
        self.to_empty(device=device)
        if not self.weight.is_meta:
            nn.init.zeros_(self.weight)
            nn.init.zeros_(self.bias)
        return self

    def forward(self, images):
        return super().forward(images.flatten(1))


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_device_and_history_survive_an_error(problem, capsys, error):
    runs, devices = [], []

    class Keeper(Callback):
        def on_train_begin(self, trainer):
            runs.append(trainer)

    def failing_step(model, batch, loss_fn, optimizer, device):
        devices.append(model.weight.device.type)
        if len(devices) == 5:
            raise error
        return loss_fn(model(batch[0].to(device)), batch[1].to(device)).item()

    _, loader, loss_fn, _, epochs = problem()
    model = Wanderer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(error):
        trainer(
            model, loader, loss_fn, optimizer, epochs, train_step=failing_step, callbacks=[Keeper()]
        )
    assert devices == [pick_device().type] * 5
    assert model.weight.device.type == "meta"
    history = runs[0].history
    assert history["train"] == pytest.approx([2.302585])
    assert len(history.batch_losses) == 4
    assert "1/3" in last_states(capsys.readouterr().err)["Epoch  2/3"][0]


def test_after_a_whole_run_the_model_is_back_on_its_device(problem):
    _, loader, loss_fn, _, epochs = problem(epochs=1)
    model = Wanderer()
    trainer(model, loader, loss_fn, torch.optim.SGD(model.parameters(), lr=0.1), epochs)
    assert model.weight.device.type == "meta"
