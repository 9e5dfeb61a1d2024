"""Measure how often `HealthMonitor` names a fault, and how often it is silent without one.

Each fault is provoked in several ways and with several seeds. It must be named in at least 95 % of
the runs, within one epoch; overfitting, as soon as the numbers show it. Healthy runs, with 20
settings and three epochs each, must have no finding.

    python benchmarks/health_findings.py [--data bundled] [--runs all] [--seeds 5]

The bundled digits come in batches of 32, MNIST in batches of 512; `MNIST_WIDGETS_DATA` names its
folder. Both together take about half an hour on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mnist_widgets import (
    DigitSet,
    Evaluator,
    HealthMonitor,
    SimpleNet,
    Trainer,
    load_bundled_digits,
    load_mnist,
    train_step,
)
from mnist_widgets.runs.choices import squared_error

# isort: split
import torch  # after the kit, which sets the number of its threads
from torch import Tensor, nn

OPTIMIZERS = {
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
    "SGD": torch.optim.SGD,
    "momentum": lambda parameters, rate: torch.optim.SGD(parameters, rate, momentum=0.9),
}


@dataclass(frozen=True)
class Data:
    """A training set, a test set and the size of a batch."""

    train_set: DigitSet
    test_set: DigitSet
    batch_size: int


@dataclass(frozen=True)
class Fault:
    """A way to provoke a finding."""

    finding: str
    provocation: str
    make: Callable[[Data], Trainer]
    num_epochs: int = 1


@dataclass(frozen=True)
class Changed:
    """Batches whose inputs and labels are changed."""

    batches: Any
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self.change(*batch) for batch in self.batches)


def make_trainer(
    data: Data,
    optimizer: str = "Adam",
    rate: float = 1e-3,
    *,
    model: nn.Module | None = None,
    loss_fn: Any = None,  # noqa: ANN401 - any loss function
    parameters: str = "",
    **options: Any,  # noqa: ANN401 - of the trainer
) -> Trainer:
    """Return a trainer of a new network; its optimizer has the parameters of one layer, or all."""
    model = SimpleNet(28 * 28, 10) if model is None else model
    loss_fn = loss_fn or nn.CrossEntropyLoss()
    held = model.get_submodule(parameters).parameters()
    options.setdefault("evaluator", Evaluator(data.test_set.batches(512), loss_fn))
    batches = options.pop("batches", None) or data.train_set.batches(data.batch_size, shuffle=True)
    rated = OPTIMIZERS[optimizer](held, rate)
    return Trainer(model, loss_fn, rated, batches, device="cpu", **options)


def with_rate(optimizer: str, rate: float) -> Callable[[Data], Trainer]:
    """Return a function that makes a trainer with this rate."""
    return lambda data: make_trainer(data, optimizer, rate)


def with_step(step: Any, optimizer: str = "Adam", rate: float = 1e-3) -> Callable[[Data], Trainer]:  # noqa: ANN401
    """Return a function that makes a trainer with this training step."""
    return lambda data: make_trainer(data, optimizer, rate, train_step=step)


def with_model(build: Callable[[], nn.Module]) -> Callable[[Data], Trainer]:
    """Return a function that makes a trainer of this model."""
    return lambda data: make_trainer(data, model=build())


def with_change(
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> Callable[[Data], Trainer]:
    """Return a function that makes a trainer with changed batches."""
    return lambda data: make_trainer(
        data, batches=Changed(data.train_set.batches(data.batch_size, shuffle=True), change)
    )


def never_clear(model, batch, loss_fn, optimizer, _device) -> float:  # noqa: ANN001, D103
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()


def skip_backward(model, batch, loss_fn, optimizer, _device) -> float:  # noqa: ANN001, D103
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    optimizer.step()
    return loss.item()


def skip_update(model, batch, loss_fn, optimizer, _device) -> float:  # noqa: ANN001, D103
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    return loss.item()


def update_first(model, batch, loss_fn, optimizer, _device) -> float:  # noqa: ANN001, D103
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    optimizer.step()
    loss.backward()
    return loss.item()


def update_first_and_clear_last(model, batch, loss_fn, optimizer, _device) -> float:  # noqa: ANN001, D103
    loss = loss_fn(model(batch[0]), batch[1])
    optimizer.step()
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


def stay_in_evaluation_mode(model, batch, loss_fn, optimizer, device) -> float:  # noqa: ANN001, D103
    model.eval()
    return train_step(model, batch, loss_fn, optimizer, device)


def build_zero_net() -> nn.Module:
    """Return a network whose weights are all zero."""
    model = SimpleNet(28 * 28, 10)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def build_dead_net() -> nn.Module:
    """Return a network whose hidden units are zero for all images."""
    model = SimpleNet(28 * 28, 10)
    nn.init.constant_(model.linear1.bias, -20.0)
    return model


def build_softmax_net() -> nn.Module:
    """Return a network that ends with a softmax."""
    return nn.Sequential(SimpleNet(28 * 28, 10), nn.Softmax(dim=1))


def build_dropout_net() -> nn.Module:
    """Return a network with dropout and batch norm."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 128), nn.BatchNorm1d(128), nn.ReLU()),
        *(nn.Dropout(0.3), nn.Linear(128, 10)),
    )


def shuffle_labels(data: Data) -> Trainer:
    """Return a trainer whose labels are in another order than the images."""
    labels = data.train_set.labels[torch.randperm(len(data.train_set))]
    return make_trainer(with_images(data, data.train_set.images, labels))


def train_on_test_images(data: Data) -> Trainer:
    """Return a trainer that trains on the test set."""
    return make_trainer(with_images(data, data.test_set.images, data.test_set.labels))


def mix_sets(data: Data) -> Trainer:
    """Return a trainer that trains on both sets."""
    sets = data.train_set, data.test_set
    images = torch.cat([each.images for each in sets])
    return make_trainer(with_images(data, images, torch.cat([each.labels for each in sets])))


def with_images(data: Data, images: Tensor, labels: Tensor, batch_size: int | None = None) -> Data:
    """Return data with other training images."""
    train_set = DigitSet(images, labels, data.train_set.class_names, "other images")
    return Data(train_set, data.test_set, batch_size or data.batch_size)


def choose_few_images(data: Data) -> Data:
    """Return data with 200 training images, 80 of them with wrong labels, and a small test set."""
    chosen = torch.randperm(len(data.train_set))[:200]
    labels = data.train_set.labels[chosen].clone()
    labels[:80] = (labels[:80] + torch.randint(1, 10, (80,))) % 10
    few = with_images(data, data.train_set.images[chosen], labels, batch_size=32)
    test_set = DigitSet(
        data.test_set.images[:1000], data.test_set.labels[:1000], data.test_set.class_names, "test"
    )
    return Data(few.train_set, test_set, 32)


class Accuracies:
    """An evaluator that computes two accuracies, and no loss."""

    def __init__(self, data: Data) -> None:
        self._train = Evaluator(data.train_set.batches(500))
        self._test = Evaluator(data.test_set.batches(500))

    def evaluate(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Return both accuracies."""
        train, test = (each.evaluate(model, device) for each in (self._train, self._test))
        return {"train_accuracy": train["test_accuracy"], "test_accuracy": test["test_accuracy"]}


def overfit(data: Data) -> Trainer:
    """Return a trainer with few images, many of them with wrong labels."""
    return make_trainer(choose_few_images(data), rate=3e-3)


def overfit_without_loss(data: Data) -> Trainer:
    """Return a trainer like `overfit`, whose evaluator computes no loss."""
    few = choose_few_images(data)
    return make_trainer(few, rate=3e-3, evaluator=Accuracies(few))


FAULTS = (
    Fault("loss not finite", "SGD at 1e30", with_rate("SGD", 1e30)),
    Fault("loss not finite", "0 / 0", with_change(lambda x, y: (x * 255 / (x * 255), y))),
    Fault("loss not falling", "weights of zero", with_model(build_zero_net)),
    Fault("loss not falling", "Adam at 1e-7", with_rate("Adam", 1e-7)),
    Fault("loss not falling", "labels in another order", shuffle_labels),
    Fault("rate too high", "Adam at 1", with_rate("Adam", 1.0)),
    Fault("rate too high", "RMSprop at 0.1", with_rate("RMSprop", 0.1)),
    Fault("rate too high", "SGD at 10", with_rate("SGD", 10.0)),
    Fault("rate too high", "momentum at 3", with_rate("momentum", 3.0)),
    Fault("rate too high", "Adam at 0.1", with_rate("Adam", 0.1)),
    Fault("rate too low", "Adam at 1e-6", with_rate("Adam", 1e-6)),
    Fault("rate too low", "RMSprop at 1e-7", with_rate("RMSprop", 1e-7)),
    Fault("rate too low", "SGD at 1e-4", with_rate("SGD", 1e-4)),
    Fault("rate too low", "momentum at 1e-5", with_rate("momentum", 1e-5)),
    Fault("gradients never cleared", "Adam at 0.001", with_step(never_clear)),
    Fault("gradients never cleared", "SGD at 0.1", with_step(never_clear, "SGD", 0.1)),
    Fault("no backward", "Adam at 0.001", with_step(skip_backward)),
    Fault("no update", "Adam at 0.001", with_step(skip_update)),
    Fault("update before backward", "zero_grad first", with_step(update_first)),
    Fault("update before backward", "zero_grad last", with_step(update_first_and_clear_last)),
    Fault(
        "probabilities into a loss for scores", "softmax at the end", with_model(build_softmax_net)
    ),
    Fault(
        "trainable parameters missing from the optimizer",
        "the last layer alone",
        lambda data: make_trainer(data, parameters="linear2"),
    ),
    Fault("evaluation mode left on", "SimpleNet", with_step(stay_in_evaluation_mode)),
    Fault(
        "evaluation mode left on",
        "dropout",
        lambda data: make_trainer(
            data, model=build_dropout_net(), train_step=stay_in_evaluation_mode
        ),
    ),
    Fault("dead units", "bias of -20", with_model(build_dead_net)),
    Fault("dead units", "SGD at 10", with_rate("SGD", 10.0)),
    Fault("inputs not scaled", "0 to 255", with_change(lambda x, y: (x * 255, y))),
    Fault("inputs not scaled", "divided twice", with_change(lambda x, y: (x / 255, y))),
    Fault(
        "labels that have nothing to do with the images", "labels in another order", shuffle_labels
    ),
    Fault("test images in the training batches", "the test set alone", train_on_test_images),
    Fault("test images in the training batches", "both sets", mix_sets),
    Fault("overfitting", "200 images, 80 wrong", overfit, 40),
    Fault("overfitting", "the same, without test loss", overfit_without_loss, 40),
)


@dataclass(frozen=True)
class Setting:
    """The settings of a healthy training."""

    optimizer: str
    rate: float
    hidden_units: int = 512
    loss: str = "cross-entropy"

    def make(self, data: Data) -> Trainer:
        """Return a trainer with these settings."""
        model: nn.Module = SimpleNet(28 * 28, 10, hidden_units=self.hidden_units)
        loss_fn: Any = {
            "cross-entropy": nn.CrossEntropyLoss(),
            "label smoothing": nn.CrossEntropyLoss(label_smoothing=0.1),
            "nll": nn.NLLLoss(),
            "squared error": squared_error,
        }[self.loss]
        if self.loss == "nll":
            model = nn.Sequential(model, nn.LogSoftmax(dim=1))
        return make_trainer(data, self.optimizer, self.rate, model=model, loss_fn=loss_fn)


HEALTHY = (
    *(
        Setting(optimizer, rate)
        for optimizer in ("Adam", "AdamW", "RMSprop")
        for rate in (0.0003, 0.001, 0.003)
    ),
    *(Setting("SGD", rate) for rate in (0.05, 0.1)),
    *(Setting("momentum", rate) for rate in (0.01, 0.05, 0.1)),
    Setting("Adam", 0.001, 64),
    Setting("SGD", 0.1, 64),
    Setting("Adam", 0.001, 64, "nll"),
    Setting("Adam", 0.001, 64, "squared error"),
    Setting("Adam", 0.001, 512, "squared error"),
    Setting("momentum", 0.05, 512, "label smoothing"),
)


def watch(make: Callable[[Data], Trainer], data: Data, seed: int, num_epochs: int) -> HealthMonitor:
    """Train with a monitor, and return it."""
    torch.manual_seed(seed)
    trainer = make(data)
    monitor = HealthMonitor()
    trainer.callbacks.append(monitor)
    trainer.fit(num_epochs)
    return monitor


def run_faults(data: Data, num_seeds: int) -> None:
    """Print for each fault in how many runs it was named, when, and what else was named."""
    for fault in FAULTS:
        named, others, errors = [], set(), set()
        for seed in range(num_seeds):
            monitor = watch(fault.make, data, seed, fault.num_epochs)
            names = {finding.name: finding for finding in monitor.findings}
            found = names.pop(fault.finding, None)
            others |= set(names)
            errors |= set(map(repr, monitor.errors.items()))
            if found is not None:
                named.append((found.epoch, found.batch))
        latest = "latest in epoch {}, batch {}".format(*max(named)) if named else ""
        print(
            f"{fault.finding:48s} {fault.provocation:28s} {len(named)} of {num_seeds} {latest}; "
            f"also {sorted(others)} {sorted(errors) or ''}",
            flush=True,
        )


def run_healthy(data: Data, num_seeds: int) -> None:
    """Print each finding in healthy runs, and the number of runs without one."""
    num_silent = 0
    for setting in HEALTHY:
        for seed in range(num_seeds):
            monitor = watch(setting.make, data, seed, 3)
            num_silent += not monitor.findings
            for finding in (*monitor.findings, *monitor.errors.items()):
                print(setting, seed, finding, flush=True)
    print(f"{num_silent} of {len(HEALTHY) * num_seeds} healthy runs without a finding", flush=True)


def main() -> None:
    """Run the trainings and print their findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=("bundled", "mnist"), default="bundled")
    parser.add_argument("--runs", choices=("all", "faults", "healthy"), default="all")
    parser.add_argument("--seeds", type=int, default=5, help="of each fault")
    options = parser.parse_args()
    sets = load_mnist(download=False) if options.data == "mnist" else load_bundled_digits()
    data = Data(*sets, batch_size=512 if options.data == "mnist" else 32)
    if options.runs in ("all", "faults"):
        run_faults(data, options.seeds)
    if options.runs in ("all", "healthy"):
        run_healthy(data, 3)


if __name__ == "__main__":
    main()
