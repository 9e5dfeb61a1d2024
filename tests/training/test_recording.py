"""The record of a training step: what it holds, and that recording changes nothing."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from recorded_steps import OPTIMIZERS
from torch import nn
from torch.nn import functional

from mnist_widgets import Callback, SimpleNet, Trainer, record_step, train_step

CPU = torch.device("cpu")


@pytest.fixture
def batch():
    return torch.rand(16, 1, 4, 4), torch.randint(0, 3, (16,))


def make_model() -> nn.Module:
    """Return a network with batch norm and dropout, always the same."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(8, 3),
    )


def make_parts(name: str = "SGD", loss_fn=None):
    model = make_model()
    return model, loss_fn or nn.CrossEntropyLoss(), OPTIMIZERS[name](model.parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_recording_changes_no_bit(name, batch):
    plain, loss_fn, optimizer = make_parts(name)
    recorded, _, recorded_optimizer = make_parts(name)
    torch.manual_seed(1)
    for _ in range(5):
        train_step(plain, batch, loss_fn, optimizer, CPU)
    random_state = torch.get_rng_state()
    torch.manual_seed(1)
    for _ in range(5):
        record_step(recorded, batch, loss_fn, recorded_optimizer)
    assert torch.equal(torch.get_rng_state(), random_state)
    states = plain.state_dict(), recorded.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    for one, other in zip(optimizer.state.values(), recorded_optimizer.state.values(), strict=True):
        for key in one:
            assert torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])), key
    for module in recorded.modules():
        assert not module._forward_hooks
    assert "zero_grad" not in vars(recorded_optimizer)
    assert "zero_grad" not in vars(recorded)
    assert not recorded_optimizer._optimizer_step_pre_hooks


def test_a_record_holds_the_numbers_of_the_step(batch):
    model, loss_fn, optimizer = make_parts()
    record = record_step(model, batch, loss_fn, optimizer)
    images, labels = batch
    assert torch.equal(record.inputs, images)
    assert torch.equal(record.targets, labels)
    assert record.loss == pytest.approx(float(loss_fn(record.outputs, labels)))
    assert record.returned == record.loss
    assert torch.allclose(
        record.losses, functional.cross_entropy(record.outputs, labels, reduction="none")
    )
    for name, parameter in model.named_parameters():
        expected = record.before[name] - 0.1 * record.gradients[name]
        assert torch.allclose(record.after[name], expected)
        assert torch.equal(record.after[name], parameter)
    layer = record.layers["1"]
    weight, bias = record.before["1.weight"], record.before["1.bias"]
    assert torch.allclose(layer.outputs, layer.inputs @ weight.T + bias, atol=1e-6)
    assert not record.has_old_gradients
    assert record.notes == ()


def test_events_come_in_the_order_of_the_step_with_their_lines(batch):
    model, loss_fn, optimizer = make_parts()
    record = record_step(model, batch, loss_fn, optimizer)
    assert record.events == ("forward", "loss", "backward", "update", "zero_grad")
    source, first = inspect.getsourcelines(train_step)
    lines = {event: source[line - first] for event, line in record.lines.items()}
    assert "loss_fn(model(inputs)" in lines["forward"]
    assert "loss_fn(model(inputs)" in lines["loss"]
    assert "loss.backward()" in lines["backward"]
    assert "optimizer.step()" in lines["update"]
    assert "zero_grad()" in lines["zero_grad"]


def test_an_own_step_is_seen_as_it_is(batch):
    def step(model, batch, loss_fn, optimizer, device):
        optimizer.zero_grad()
        images, labels = batch
        return loss_fn(model(images), labels).item()

    record = record_step(*make_step_parts(batch), train_step=step)
    assert record.events == ("zero_grad", "forward", "loss")
    assert record.gradients == {}
    assert all(torch.equal(record.before[name], record.after[name]) for name in record.before)


def make_step_parts(batch):
    model, loss_fn, optimizer = make_parts()
    return model, batch, loss_fn, optimizer


def test_gradients_that_were_never_cleared_are_noticed(batch):
    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    parts = make_step_parts(batch)
    assert not record_step(*parts, train_step=step).has_old_gradients
    assert record_step(*parts, train_step=step).has_old_gradients


def test_the_optimizer_s_state_is_there_before_and_after(batch):
    model, loss_fn, optimizer = make_parts("Adam")
    first = record_step(model, batch, loss_fn, optimizer).optimizer_state
    second = record_step(model, batch, loss_fn, optimizer).optimizer_state
    assert first.before == {}
    assert torch.equal(first.after["1.weight"]["exp_avg"], second.before["1.weight"]["exp_avg"])
    assert float(second.after["1.weight"]["step"]) == 2


def test_the_mode_of_the_first_pass_with_gradients_is_recorded(batch):
    def evaluate_first(model, batch, loss_fn, optimizer, device):
        model.eval()
        with torch.no_grad():
            model(batch[0])
        model.train()
        return train_step(model, batch, loss_fn, optimizer, device)

    def stay_in_evaluation_mode(model, batch, loss_fn, optimizer, device):
        model.eval()
        return train_step(model, batch, loss_fn, optimizer, device)

    for step, mode in [
        (train_step, True),
        (evaluate_first, True),
        (stay_in_evaluation_mode, False),
        (lambda *_: 0.0, None),
    ]:
        record = record_step(*make_step_parts(batch), train_step=step)
        assert record.is_in_training_mode is mode


@pytest.mark.parametrize(
    ("loss_fn", "is_known"),
    [
        (functional.cross_entropy, True),
        (nn.CrossEntropyLoss(reduction="sum"), True),
        (nn.CrossEntropyLoss(label_smoothing=0.1), True),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])), False),
        (lambda outputs, labels: 2 * functional.cross_entropy(outputs, labels), False),
    ],
)
def test_the_losses_of_the_images_add_up_or_are_left_out(batch, loss_fn, is_known):
    record = record_step(*make_step_parts(batch)[:2], loss_fn, make_parts()[2])
    assert (record.losses is not None) == is_known
    if is_known:
        whole = {float(record.losses.mean()), float(record.losses.sum())}
        assert min(abs(value - record.loss) for value in whole) < 1e-4


class Unusual(nn.Module):
    """Returns its scores in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)

    def forward(self, images):
        return {"scores": self.layer(images.flatten(1))}


def test_an_unusual_model_is_recorded_as_far_as_it_can_be_seen(batch):
    model = Unusual()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(model, batch, loss_fn, optimizer, device):
        loss = nn.functional.cross_entropy(model(batch["images"])["scores"], batch["labels"])
        loss.backward()
        optimizer.step()
        return loss.item()

    named = {"images": batch[0], "labels": batch[1]}
    record = record_step(model, named, nn.CrossEntropyLoss(), optimizer, train_step=step)
    assert record.events == ("forward", "update")
    assert record.inputs is record.outputs is record.loss is record.losses is None
    assert set(record.gradients) == set(record.after) == {"layer.weight", "layer.bias"}
    assert record.before == {}
    notes = " ".join(record.notes)
    for missing in ("batch", "outputs", "loss", "before"):
        assert missing in notes


def test_a_compiled_model_is_recorded(batch):
    model, loss_fn, optimizer = make_parts()
    compiled = torch.compile(model, backend="eager")
    record = record_step(compiled, batch, loss_fn, optimizer)
    assert torch.isfinite(record.outputs).all()
    assert record.loss is not None
    assert record.gradients
    assert record.events[-1] == "zero_grad"


def test_a_step_that_fails_leaves_no_hook(batch):
    model, loss_fn, optimizer = make_parts()
    with pytest.raises(RuntimeError, match="shapes"):
        record_step(model, (batch[0][:, :, :2], batch[1]), loss_fn, optimizer)
    assert not model._forward_hooks
    assert "zero_grad" not in vars(optimizer)


class Reports(Callback):
    """Keeps the reports, and requests a record of the third batch."""

    def __init__(self) -> None:
        self.reports = []

    def on_batch_end(self, trainer, report):
        self.reports.append(report)
        if len(self.reports) == 2:
            trainer.record_next()


def test_a_trainer_records_the_next_batch_only(batches):
    def train(*callbacks):
        torch.manual_seed(0)
        model = nn.Linear(4, 3)
        optimizer = torch.optim.Adam(model.parameters())
        parts = (model, nn.CrossEntropyLoss(), optimizer, batches)
        trainer = Trainer(*parts, callbacks=callbacks, device="cpu")
        return trainer.fit(1).batch_losses

    reports = Reports()
    assert train(reports) == train()
    records = [report.record for report in reports.reports]
    assert [record is not None for record in records] == [False, False, True, False, False]
    assert records[2].loss == reports.reports[2].loss
    assert torch.equal(records[2].inputs, batches[2][0])


def test_a_first_batch_can_be_recorded(make_trainer):
    reports = Reports()
    trainer = make_trainer(callbacks=[reports])
    trainer.record_next()
    trainer.fit(1)
    assert reports.reports[0].record.events[0] == "forward"


def test_a_record_that_is_not_in_full_has_some_rows_and_leaves_the_rest_out(make_trainer):
    torch.manual_seed(0)
    trainer = make_trainer(model=SimpleNet(4, 3, hidden_units=150))
    trainer.record_next(in_full=False)
    reports = trainer.iterate(1)
    brief = next(reports).record
    weight = trainer.model.linear1.weight
    rows = len(brief.after["linear1.weight"])
    assert 1 < rows <= 64
    assert torch.equal(brief.after["linear1.weight"], weight[:: math.ceil(150 / rows)])
    assert brief.before["linear1.bias"].shape == brief.gradients["linear1.bias"].shape
    assert brief.losses is None
    assert not brief.layers
    assert not brief.optimizer_state.after
    for requests in ((False, True), (True, False)):
        for in_full in requests:
            trainer.record_next(in_full=in_full)
        record = next(reports).record
        assert record.after["linear1.weight"].shape == weight.shape
        assert record.losses is not None
    reports.close()


class CountingLoss(nn.CrossEntropyLoss):
    """Counts its calls, and draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("num_calls", torch.zeros(()))

    def forward(self, outputs, labels):
        self.num_calls += 1
        return super().forward(outputs + 0.1 * torch.randn_like(outputs), labels)


def mean_only(outputs, labels, reduction="mean"):
    if reduction != "mean":
        raise ValueError(reduction)
    return functional.cross_entropy(outputs, labels)


def test_a_loss_that_is_not_of_torch_is_called_once(batch):
    model, _, optimizer = make_parts()
    loss_fn = CountingLoss()
    assert record_step(model, batch, loss_fn, optimizer).losses is None
    assert loss_fn.num_calls == 1
    record = record_step(model, batch, mean_only, optimizer)
    assert record.losses is None
    assert record.loss is not None


def test_a_failure_after_the_update_does_not_fail_the_step(batch):
    loss_fn = nn.CrossEntropyLoss()

    def forward(outputs, labels):
        if loss_fn.num_calls:
            raise ValueError("once only")
        loss_fn.num_calls += 1
        return functional.cross_entropy(outputs, labels)

    loss_fn.num_calls, loss_fn.forward = 0, forward
    model, _, optimizer = make_parts()
    record = record_step(model, batch, loss_fn, optimizer)
    assert record.losses is None
    assert "The loss of each image could not be computed." in record.notes
