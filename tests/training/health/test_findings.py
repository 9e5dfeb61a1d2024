"""What the health monitor finds in sick trainings, and that it is silent in healthy ones."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from health_findings import FAULTS, HEALTHY, OPTIMIZERS, Changed, Data, make_trainer, watch
from torch import nn

from mnist_widgets import (
    DigitSet,
    Evaluator,
    HealthMonitor,
    SimpleNet,
    Trainer,
    load_bundled_digits,
    train_step,
)
from mnist_widgets.data.digit_set import to_inputs

RATES = {"rate too high", "rate too low"}

# the checks before the first batch warn of some faults, too
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def digits() -> Data:
    return Data(*load_bundled_digits(), batch_size=32)


def names_of(monitor: HealthMonitor) -> list[str]:
    """Return the names of the findings; fail if the monitor could not look at something."""
    assert monitor.errors == {}
    return [finding.name for finding in monitor.findings]


@pytest.mark.parametrize("name", dict.fromkeys(fault.finding for fault in FAULTS))
def test_a_provoked_fault_is_named_with_numbers_and_no_rate_is_blamed_for_it(digits, name):
    for fault in FAULTS:
        if fault.finding == name:
            monitor = watch(fault.make, digits, 11, fault.num_epochs)
            assert name in names_of(monitor), fault.provocation
            assert len(set(names_of(monitor))) == len(monitor.findings), fault.provocation
            found = monitor.findings[names_of(monitor).index(name)]
            assert any(map(str.isdigit, found.evidence)) or "nan" in found.evidence
            assert found.advice
            if fault.provocation.split()[0] not in OPTIMIZERS:
                assert not RATES & {*names_of(monitor)}, fault.provocation
            assert 1 <= found.epoch <= fault.num_epochs
            assert 1 <= found.batch <= 45


def test_healthy_trainings_have_no_finding(digits):
    for seed, setting in enumerate(HEALTHY):
        assert names_of(watch(setting.make, digits, seed, 1)) == [], setting


def sum_over(num_batches):
    """Return a step that updates and clears in each `num_batches`-th batch; the model counts."""

    def step(model, batch, loss_fn, optimizer, _device):
        model.count = getattr(model, "count", 0) + 1
        loss = loss_fn(model(batch[0]), batch[1])
        (loss / num_batches).backward()
        if model.count % num_batches == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    return step


def clear_before_every_four(model, batch, loss_fn, optimizer, _device):
    """Clear before four batches, and update after them."""
    model.count = getattr(model, "count", 0) + 1
    if model.count % 4 == 1:
        optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    if model.count % 4 == 0:
        optimizer.step()
    return loss.item()


def clear_by_hand(model, batch, loss_fn, optimizer, _device):
    """Clear the gradients without zero_grad."""
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None
    return loss.item()


def evaluate_too(model, batch, loss_fn, optimizer, device):
    """Evaluate after the update, and leave the evaluation mode on until the next step."""
    model.train()
    loss = train_step(model, batch, loss_fn, optimizer, device)
    model.eval()
    with torch.no_grad():
        loss_fn(model(batch[0]), batch[1])
    return loss


def compute_an_own_loss(model, batch, _loss_fn, optimizer, device):
    """Use another loss function than the trainer's."""
    return train_step(model, batch, nn.functional.cross_entropy, optimizer, device)


def test_summed_gradients_and_own_steps_are_no_fault(digits):
    for step in (
        *(sum_over(4), clear_before_every_four, clear_by_hand),
        *(evaluate_too, compute_an_own_loss),
    ):
        model = SimpleNet(784, 10, hidden_units=64)
        monitor = watch(
            lambda data, model=model, step=step: make_trainer(
                data, rate=0.01, model=model, train_step=step
            ),
            digits,
            0,
            1,
        )
        assert names_of(monitor) == [], step.__name__


def train_in_evaluation_mode(model, *parts):
    """Leave the evaluation mode on."""
    return train_step(model.eval(), *parts)


def test_every_layer_that_works_differently_in_evaluation_mode_is_counted(digits):
    layers = (nn.BatchNorm1d(16), nn.SyncBatchNorm(16), nn.Dropout(), nn.AlphaDropout())
    others = (nn.FeatureAlphaDropout(), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 10))
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), *layers, *others)
    monitor = watch(
        lambda data: make_trainer(data, model=model, train_step=train_in_evaluation_mode),
        digits,
        0,
        1,
    )
    name = "evaluation mode left on"
    [finding] = [finding for finding in monitor.findings if finding.name == name]
    assert "5 layers" in finding.evidence


def test_a_healthy_training_with_small_batches_has_no_finding(digits):
    small = Data(digits.train_set, digits.test_set, batch_size=1)
    for seed in (0, 2):
        assert names_of(watch(lambda data: make_trainer(data, "SGD", 0.05), small, seed, 1)) == []


def test_gradients_summed_over_many_batches_are_no_missing_update(digits):
    small = Data(digits.train_set, digits.test_set, batch_size=8)
    monitor = watch(
        lambda data: make_trainer(data, rate=0.01, train_step=sum_over(64)), small, 0, 1
    )
    assert "no update" not in names_of(monitor)


def test_a_loss_that_falls_from_a_high_start_is_no_fault(digits):
    wide = SimpleNet(784, 10, hidden_units=64)
    for parameter in wide.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    layers = (nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 784), nn.Sigmoid())
    autoencoder = nn.Sequential(*layers, nn.Unflatten(1, (1, 28, 28)))
    regression = nn.Sequential(SimpleNet(784, 64), nn.ReLU(), nn.Linear(64, 1))
    shuffled = digits.train_set.batches(32, shuffle=True)
    for model, loss_fn, to_targets in [
        (wide, nn.CrossEntropyLoss(), lambda _, labels: labels),
        (autoencoder, nn.BCELoss(), lambda images, _: images),
        (regression, nn.MSELoss(), lambda _, labels: 10.0 * labels[:, None]),
    ]:
        batches = Changed(shuffled, lambda x, y, to_targets=to_targets: (x, to_targets(x, y)))
        options = {"model": model, "loss_fn": loss_fn, "batches": batches, "evaluator": None}
        monitor = watch(lambda data, each=options: make_trainer(data, **each), digits, 0, 2)
        assert names_of(monitor) == [], loss_fn


def test_the_rare_images_of_a_class_are_no_fault(digits):
    labels = (digits.train_set.labels == 0).long()
    images = torch.cat([(labels == 0).nonzero()[:, 0], labels.nonzero()[:15, 0]])
    rare = digits.train_set.images[images], labels[images]
    batches = DigitSet(*rare, ["other", "0"], "rare").batches(32, shuffle=True)
    for seed in range(3):
        monitor = watch(
            lambda data: make_trainer(
                data, model=SimpleNet(784, 2), batches=batches, evaluator=None
            ),
            *(digits, seed, 3),
        )
        assert names_of(monitor) == []


def test_unrelated_labels_of_a_few_images_that_come_again_are_found(digits):
    few = digits.train_set.sample(400)
    labels = torch.randint(0, 10, (400,), generator=torch.Generator().manual_seed(0))
    batches = [*DigitSet(few.images, labels, few.class_names, "few").batches(32)]
    monitor = watch(
        lambda data: make_trainer(data, "SGD", batches=batches, evaluator=None), digits, 0, 12
    )
    assert "labels that have nothing to do with the images" in names_of(monitor)


def test_unrelated_labels_are_found_where_some_do_not_count(digits):
    labels = torch.randint(0, 10, (1_000,), generator=torch.Generator().manual_seed(0))
    labels[::4] = -100  # ignored by the loss
    inputs = to_inputs(digits.train_set.images[:1_000])
    batches = [*zip(inputs.split(32), labels.split(32), strict=True)]
    monitor = watch(
        lambda data: make_trainer(data, "SGD", batches=batches, evaluator=None), digits, 0, 4
    )
    assert not monitor.errors
    assert "labels that have nothing to do with the images" in names_of(monitor)


def test_a_trained_network_that_trains_on_is_healthy(digits):
    for loss_fn in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)):
        model = SimpleNet(784, 10, hidden_units=64)
        trainer = make_trainer(digits, rate=3e-3, model=model, loss_fn=loss_fn)
        trainer.fit(4)
        monitor = HealthMonitor()
        optimizer = torch.optim.SGD(trainer.model.parameters(), 1e-4)
        batches = digits.train_set.batches(32, shuffle=True)
        Trainer(trainer.model, loss_fn, optimizer, batches, callbacks=[monitor]).fit(2)
        assert names_of(monitor) == []


def test_inputs_that_the_network_scales_itself_are_no_fault(digits):
    class Scale(nn.Module):
        def forward(self, images):
            return images / 255

    def make(first, batches):
        model = nn.Sequential(nn.Flatten(), first, SimpleNet(784, 10))
        return make_trainer(digits, model=model, batches=batches, evaluator=None)

    raw = Changed(digits.train_set.batches(32, shuffle=True), lambda x, y: (255 * x, y))
    normal = Changed(
        digits.train_set.batches(32, shuffle=True), lambda x, y: ((x - 0.13) / 0.31, y)
    )
    for first, batches in [
        (Scale(), raw),
        (nn.BatchNorm1d(784), raw),
        (nn.Sequential(nn.Linear(784, 784), nn.BatchNorm1d(784), nn.ReLU()), raw),
        (nn.Identity(), normal),
    ]:
        assert names_of(watch(lambda _, f=first, b=batches: make(f, b), digits, 0, 1)) == [], first
    assert "inputs not scaled" in names_of(watch(lambda _: make(nn.Identity(), raw), digits, 0, 1))


class Scored:
    """An evaluator of images that the model does not take."""

    def __init__(self, batches) -> None:
        self.batches = batches

    def evaluate(self, _model, _device):
        return {}


def convert_and_divide(divisor):
    """Return a training step that converts the images to floats and divides them."""

    def step(model, batch, loss_fn, optimizer, device):
        images = batch[0].float() / divisor
        return train_step(model, (images, batch[1]), loss_fn, optimizer, device)

    return step


def test_inputs_are_checked_as_the_model_receives_them(digits):
    def to_bytes(images, labels):
        return (255 * images).round().byte(), labels

    def to_floats(images, labels):
        return 255 * images, labels

    of_bytes = Scored([*Changed(digits.test_set.batches(64), to_bytes)])
    for change, optimizer, evaluator, divisor in [
        *((to_bytes, "SGD", None, 1), (to_bytes, "Adam", None, 1), (to_bytes, "Adam", of_bytes, 1)),
        *((to_bytes, "SGD", None, 255), (to_bytes, "Adam", of_bytes, 255)),
        *((to_floats, "Adam", None, 1), (to_floats, "Adam", None, 255)),
    ]:
        batches = Changed(digits.train_set.batches(32, shuffle=True), change)
        options = {"batches": batches, "evaluator": evaluator}
        options["train_step"] = convert_and_divide(divisor)
        rate = 0.1 if optimizer == "SGD" else 1e-3
        names = names_of(
            watch(
                lambda data, each=(optimizer, rate), options=options: make_trainer(
                    data, *each, **options
                ),
                *(digits, 0, 1),
            )
        )
        case = (change, optimizer, evaluator, divisor)
        assert ("inputs not scaled" in names) == (divisor == 1), case
        assert divisor == 1 or names == [], case
        assert not RATES & {*names}, case


def test_dead_channels_of_a_convolution_are_found(digits):
    def make(bias):
        convolution = nn.Conv2d(1, 8, 5, stride=2)
        nn.init.constant_(convolution.bias, bias)
        layers = (convolution, nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
        return make_trainer(digits, "SGD", 0.05, model=nn.Sequential(*layers))

    assert "dead units" in names_of(watch(lambda _: make(-50.0), digits, 0, 1))
    assert "dead units" not in names_of(watch(lambda _: make(0.1), digits, 0, 1))


class Functional(nn.Module):
    """Has an activation function that is no module, or one module for two layers."""

    def __init__(self, activation, widths, biases) -> None:
        super().__init__()
        self.activation = activation
        sizes = (784, *widths)
        self.hidden = nn.ModuleList([nn.Linear(*pair) for pair in pairwise(sizes)])
        self.last = nn.Linear(widths[-1], 10)
        for layer, bias in zip(self.hidden, biases, strict=True):
            nn.init.constant_(layer.bias, bias)

    def forward(self, images):
        values = images.flatten(1)
        for layer in self.hidden:
            values = self.activation(layer(values))
        return self.last(values)


def test_dead_units_are_found_after_any_relu(digits):
    relu, tanh = nn.functional.relu, torch.tanh
    for activation, widths, biases, is_dead in [
        (relu, (64,), (-20.0,), True),
        (relu, (64,), (0.0,), False),
        (relu, (64, 32), (0.0, -20.0), True),
        (nn.ReLU(), (64, 32), (-20.0, 0.0), True),
        (nn.ReLU(), (64, 64), (-20.0, 0.0), True),
        (nn.ReLU(), (64, 64), (0.0, 0.0), False),
        (tanh, (64, 32), (-20.0, 0.0), False),
        (torch.sigmoid, (64,), (0.0,), False),
    ]:
        model = Functional(activation, widths, biases)
        monitor = watch(lambda data, model=model: make_trainer(data, model=model), digits, 0, 1)
        assert ("dead units" in names_of(monitor)) == is_dead, (activation, widths, biases)


def test_layers_are_observed_inside_the_wrappers_of_a_model(digits):
    def compiled(model):
        return torch.compile(model, backend="eager")

    for wrap in (
        compiled,
        nn.DataParallel,
        lambda model: nn.DataParallel(compiled(model)),
        lambda model: compiled(nn.DataParallel(model)),
    ):
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
        nn.init.constant_(model[1].bias, -20.0)
        wrapped = wrap(model)
        monitor = watch(lambda data, model=wrapped: make_trainer(data, model=model), digits, 0, 1)
        (finding,) = (each for each in monitor.findings if each.name == "dead units")
        assert "units of 2 are" in finding.evidence


def test_sparse_images_are_no_dead_units(digits):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2 * 784, 20), nn.Linear(2 * 784, 10)
            self.last = nn.Linear(20, 10)

        def forward(self, images):
            images = nn.functional.pad(images.flatten(1)[:, 300:400], (0, 2 * 784 - 100))
            return self.last(torch.tanh(self.first(images))) + self.second(2 * images)

    monitor = watch(lambda data: make_trainer(data, model=Branches()), digits, 0, 1)
    assert names_of(monitor) == []


def test_overfitting_needs_three_rises_and_a_fifth(make_trainer):
    class Scripted:
        def __init__(self, **values):
            self.values = {name: iter(each) for name, each in values.items()}

        def evaluate(self, _model, _device):
            found = {name: next(each) for name, each in self.values.items()}
            return {name: value for name, value in found.items() if value is not None}

    flat = [0.9] * 6
    for values, epoch in [
        ({"test_loss": [1.0, 0.5, 0.52, 0.55, 0.59, 0.61]}, 6),
        ({"test_loss": [1.0, 0.5, 0.7, 0.65, 0.72, 0.75]}, 6),
        ({"val_loss": [0.5, 0.6, 0.7, 0.8, 0.8, 0.8]}, 4),
        ({"val_loss": [None, 0.5, 0.6, 0.7, None, 0.8]}, 6),
        ({"test_loss": [1.0, 0.5, 0.52, 0.53, 0.54, 0.55]}, None),
        ({"test_loss": [1.0, 0.5, 0.9, 0.8, 0.7, 0.69]}, None),
        ({"test_loss": [math.nan] * 6}, None),
        ({"test_loss": [-1.0, -2.0, -1.5, -1.2, -1.1, -1.0]}, None),
        ({"train_accuracy": [0.5, 0.7, 0.9, 0.95, 1.0, 1.0], "test_accuracy": [0.8] * 6}, 4),
        ({"train_accuracy": flat, "test_accuracy": flat}, None),
        ({"f1": flat}, None),
    ]:
        monitor = HealthMonitor()
        trainer = make_trainer(evaluator=Scripted(**values), callbacks=[monitor])
        trainer.fit(6)
        found = {finding.name: finding.epoch for finding in monitor.findings}
        assert found.get("overfitting") == epoch, values
        assert monitor.errors == {}


def test_test_images_of_any_evaluator_are_recognized(digits):
    from torch.utils.data import DataLoader, TensorDataset

    images = digits.test_set.images.float().div(255).unsqueeze(1)
    stored = TensorDataset(images, digits.test_set.labels)
    for batches in (
        digits.test_set.batches(64, shuffle=True),
        [*digits.test_set.batches(64)],
        DataLoader(stored, 64, shuffle=True),
        DataLoader(digits.test_set, 64),
    ):
        for train_set, expected in [(digits.test_set, 1), (digits.train_set, 0)]:
            data = Data(train_set, digits.test_set, 32)
            monitor = watch(
                lambda data, batches=batches: make_trainer(data, evaluator=Evaluator(batches)),
                data,
                0,
                1,
            )
            names = names_of(monitor)
            assert names.count("test images in the training batches") == expected, batches
