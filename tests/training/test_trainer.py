"""The loop: which batches it trains, which hooks it calls, and how a run ends."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mnist_widgets import Callback, DigitSet, Evaluator, Trainer, train_step


class Recorder(Callback):
    """Records the names of the hooks; one of them may end the run."""

    def __init__(self, at: str | None = None, do=None) -> None:
        self.calls: list[str] = []
        self._at, self._do = at, do

    def _note(self, hook: str, trainer) -> None:
        self.calls.append(hook)
        if hook == self._at:
            self._do(trainer)

    def on_train_begin(self, trainer):
        self._note("train_begin", trainer)

    def on_epoch_begin(self, trainer, epoch):
        self._note(f"epoch_begin {epoch}", trainer)

    def on_batch_end(self, trainer, report):
        self._note(f"batch_end {report.step}", trainer)

    def on_epoch_end(self, trainer, report):
        self._note(f"epoch_end {report.epoch}", trainer)

    def on_train_end(self, trainer):
        self._note(f"train_end {trainer.ending}", trainer)

    def on_reset(self, trainer):
        self._note("reset", trainer)


def fail(_trainer):
    raise ZeroDivisionError("planted")


FIRST_EPOCH = ["train_begin", "epoch_begin 1", *(f"batch_end {step}" for step in range(1, 6))]
WHOLE_RUN = [*FIRST_EPOCH, "epoch_end 1", "train_end finished"]


@pytest.mark.parametrize(
    ("at", "do", "expected"),
    [
        (None, None, WHOLE_RUN),
        ("train_begin", "stop", ["train_begin", "train_end stopped"]),
        ("batch_end 2", "stop", [*FIRST_EPOCH[:4], "train_end stopped"]),
        ("batch_end 5", "stop", [*FIRST_EPOCH, "train_end stopped"]),
        ("epoch_end 1", "stop", [*FIRST_EPOCH, "epoch_end 1", "train_end stopped"]),
        ("batch_end 2", "close", [*FIRST_EPOCH[:4], "train_end closed"]),
        ("train_begin", "fail", ["train_begin", "train_end failed"]),
        ("batch_end 2", "fail", [*FIRST_EPOCH[:4], "train_end failed"]),
        ("epoch_end 1", "fail", [*FIRST_EPOCH, "epoch_end 1", "train_end failed"]),
    ],
)
def test_each_ending_fires_its_hooks(make_trainer, at, do, expected):
    actions = {
        "stop": lambda trainer: trainer.request_stop(),
        "fail": fail,
        "close": lambda _: None,
    }
    recorder = Recorder(at, actions.get(do))
    trainer = make_trainer(callbacks=[recorder])
    if do == "fail":
        with pytest.raises(ZeroDivisionError):
            trainer.fit(1)
    elif do == "close":
        running = trainer.iterate(1)
        next(running), next(running)
        running.close()
    else:
        trainer.fit(1)
    assert recorder.calls == expected
    assert len(trainer.history.batch_losses) == sum("batch_end" in call for call in expected)
    assert trainer.history.num_epochs == sum("epoch_end" in call for call in expected)


def test_counters_add_up_over_runs_and_start_again_with_the_history(make_trainer):
    def count(trainer):
        return trainer.num_batches_trained, trainer.num_images_trained, trainer.num_epochs_trained

    trainer = make_trainer()
    beginning = trainer.snapshot()
    assert count(trainer) == (0, 0, 0)
    trainer.fit(2)
    for _ in zip(range(3), trainer.iterate(1), strict=False):
        pass  # the last batch is not trained: the epoch is not complete
    assert count(trainer) == (13, 104, 2)
    trainer.restore(beginning)
    assert count(trainer) == (0, 0, 0)


def test_on_train_end_is_called_for_every_callback_even_if_one_raises(make_trainer):
    last = Recorder()
    trainer = make_trainer(callbacks=[Recorder("train_end finished", fail), last])
    with pytest.raises(ZeroDivisionError):
        trainer.fit(1)
    assert last.calls[-1] == "train_end finished"
    trainer.callbacks.clear()
    trainer.fit(1)
    assert trainer.ending == "finished"


def test_history_equals_a_hand_written_loop(batches):
    model, reference = nn.Linear(4, 3), nn.Linear(4, 3)
    reference.load_state_dict(model.state_dict())
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    expected = []
    for _ in range(3):
        losses = []
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss = loss_fn(reference(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        expected.append(sum(losses) / len(losses))

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = Trainer(model, loss_fn, optimizer, batches, device="cpu").fit(3)
    assert history["train"] == pytest.approx(expected, abs=1e-6)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True)
    )


def test_a_second_run_goes_on_counting(make_trainer):
    trainer = make_trainer()
    trainer.fit(2)
    reports = list(trainer.iterate(1))
    assert [report.step for report in reports] == [11, 12, 13, 14, 15]
    assert {report.epoch for report in reports} == {3}
    assert trainer.last_epoch == 3
    assert trainer.history.epoch_ends == [5, 10, 15]


def test_an_epoch_left_in_the_middle_is_trained_anew(make_trainer):
    trainer = make_trainer(
        callbacks=[recorder := Recorder("batch_end 2", lambda t: t.request_stop())]
    )
    trainer.fit(3)
    recorder._do = lambda _: None
    assert next(trainer.iterate(1)).epoch == 1


def test_the_last_batch_of_an_epoch_brings_its_evaluation(make_trainer, batches):
    trainer = make_trainer(evaluator=Evaluator(batches))
    reports = trainer.iterate(2)
    for _ in range(5):
        next(reports)
    assert set(trainer.history) == {"train", "test_loss", "test_accuracy"}
    reports.close()


def test_reports_are_frozen_plain_numbers(make_trainer):
    report = next(trainer_iterator := make_trainer().iterate(1))
    assert dataclasses.asdict(report) == {
        "step": 1,
        "epoch": 1,
        "batch": 1,
        "num_batches": 5,
        "loss": pytest.approx(report.loss),
        "num_images": 8,
        "duration_s": report.duration_s,
        "record": None,
    }
    assert 0 < report.duration_s < 60
    assert type(report.loss) is float
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.step = 2
    trainer_iterator.close()


def test_train_step_returns_the_loss_before_the_update_and_zeroes_gradients(batches):
    model = nn.Linear(4, 3)
    before = nn.CrossEntropyLoss()(model(batches[0][0]), batches[0][1]).item()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = train_step(model, batches[0], nn.CrossEntropyLoss(), optimizer, torch.device("cpu"))
    assert loss == pytest.approx(before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert nn.CrossEntropyLoss()(model(batches[0][0]), batches[0][1]).item() < before


def test_a_train_step_may_return_its_loss_as_a_tensor(make_trainer):
    losses = []

    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        losses.append(loss.item())
        return loss

    history = make_trainer(train_step=step).fit(1)
    assert history.batch_losses == losses


@pytest.mark.parametrize("epochs", [0, -1, 1.5, True, "3", None])
def test_wrong_epochs_are_named_and_leave_the_trainer_usable(make_trainer, epochs):
    trainer = make_trainer()
    with pytest.raises(ValueError, match=f"at least 1, not {epochs!r}"):
        trainer.fit(epochs)
    assert trainer.fit(1).num_epochs == 1


def test_an_empty_loader_is_refused_at_once(make_trainer):
    with pytest.raises(ValueError, match="empty"):
        make_trainer(train_batches=[])


def test_batches_without_a_length_are_refused_at_once(make_trainer, batches):
    with pytest.raises(TypeError, match="DataLoader"):
        make_trainer(train_batches=iter(batches))


def test_batches_that_run_out_are_an_error(make_trainer, batches):
    class OnlyOnce(list):
        used = False

        def __iter__(self):
            was_used, self.used = self.used, True
            return iter(()) if was_used else super().__iter__()

    with pytest.raises(RuntimeError, match="0 batches in epoch 2, but its length is 5"):
        make_trainer(train_batches=OnlyOnce(batches)).fit(2)


def test_an_epoch_has_as_many_batches_as_the_length_says(make_trainer, batches):
    class WithoutEnd(list):
        def __iter__(self):
            return itertools.cycle(super().__iter__())

    trainer = make_trainer(train_batches=WithoutEnd(batches))
    assert len(trainer.fit(2).batch_losses) == 2 * len(batches)


def test_a_loader_that_gives_more_batches_than_its_length_is_an_error(make_trainer):
    class Stream(IterableDataset):
        def __init__(self, num_images):
            self.num_images = num_images

        def __iter__(self):
            return iter([(torch.zeros(4), 0)] * self.num_images)

        def __len__(self):
            return 8

    for dataset, options in ((Stream(9), {}), (Stream(8), {"num_workers": 2})):
        trainer = make_trainer(train_batches=DataLoader(dataset, batch_size=4, **options))
        with pytest.raises(RuntimeError, match=r"more than 2 batches in epoch 1.*worker"):
            trainer.fit(2)
        assert trainer.ending == "failed"
        assert len(trainer.history.batch_losses) == 2
    trainer = make_trainer(train_batches=DataLoader(Stream(8), batch_size=4))
    assert trainer.fit(2).num_epochs == 2

    class Shared(Stream):
        def __iter__(self):
            return itertools.islice(super().__iter__(), get_worker_info().id, None, 2)

    batches = DataLoader(Shared(8), batch_size=3, num_workers=2)  # 2 shares of 2 batches, length 3
    assert make_trainer(train_batches=batches).fit(2).num_epochs == 2


class ClosedLoader:
    """Batches from a generator that notes when its iteration ends, and in which frame."""

    def __init__(self, batches):
        self.batches, self.ends = batches, []

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        try:
            yield from self.batches
            self.ends.append("exhausted")
        except GeneratorExit:
            self.ends.append("closed")


@pytest.mark.parametrize(
    ("at", "do", "ends"),
    [
        (None, None, ["exhausted", "exhausted"]),
        ("batch_end 2", lambda trainer: trainer.request_stop(), ["closed"]),
        ("batch_end 5", lambda trainer: trainer.request_stop(), ["closed"]),
        ("batch_end 7", fail, ["exhausted", "closed"]),
        ("epoch_end 1", fail, ["exhausted"]),
    ],
)
def test_an_epochs_batches_are_taken_to_their_end_or_closed(make_trainer, batches, at, do, ends):
    loader = ClosedLoader(batches)
    ends_before_train_end = []

    class EndRecorder(Callback):
        def on_train_end(self, trainer):
            ends_before_train_end.extend(loader.ends)

    trainer = make_trainer(train_batches=loader, callbacks=[Recorder(at, do), EndRecorder()])
    with contextlib.suppress(ZeroDivisionError):
        trainer.fit(2)
    assert ends_before_train_end == loader.ends == ends


def test_a_closed_iteration_of_a_run_closes_its_batches(make_trainer, batches):
    loader = ClosedLoader(batches)
    reports = make_trainer(train_batches=loader).iterate(1)
    next(reports)
    reports.close()
    assert loader.ends == ["closed"]


def test_the_loader_is_exhausted_before_the_epoch_is_evaluated(make_trainer, batches):
    loader = ClosedLoader(batches)

    class CountingEvaluator:
        def evaluate(self, model, device):
            return {"ends": float(len(loader.ends))}

    trainer = make_trainer(train_batches=loader, evaluator=CountingEvaluator())
    assert trainer.fit(2)["ends"] == [1, 2]


def test_two_runs_at_once_are_refused(make_trainer):
    trainer = make_trainer()
    running = trainer.iterate(1)
    next(running)
    with pytest.raises(RuntimeError, match="training already"):
        trainer.fit(1)
    running.close()
    trainer.fit(1)


def test_restoring_twice_gives_the_first_bits_twice(make_trainer):
    trainer = make_trainer()
    trainer.fit(1)  # so that the optimizer has a state to restore
    beginning = trainer.snapshot()
    expected = trainer.snapshot()
    losses = []
    for _ in range(2):
        losses.append(trainer.fit(2).batch_losses)
        trainer.restore(beginning)
        for name, value in expected.model.items():
            assert torch.equal(trainer.model.state_dict()[name], value)
        for index, state in expected.optimizer["state"].items():
            for name, value in state.items():
                assert torch.equal(trainer.optimizer.state_dict()["state"][index][name], value)
    assert losses[0][5:] == losses[1]


def test_a_failed_batch_leaves_no_gradients_for_the_next_run(make_trainer, batches):
    def failing_step(model, batch, loss_fn, optimizer, device):
        loss_fn(model(batch[0]), batch[1]).backward()
        raise ZeroDivisionError

    trainer, reference = make_trainer(train_step=failing_step), make_trainer()
    reference.model.load_state_dict(trainer.model.state_dict())
    with pytest.raises(ZeroDivisionError):
        trainer.fit(1)
    trainer.train_step = train_step
    assert trainer.fit(1)["train"] == reference.fit(1)["train"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
@pytest.mark.parametrize("callback", [None, Recorder("batch_end 2", fail)])
def test_model_and_optimizer_return_to_their_device(make_trainer, callback):
    trainer = make_trainer(device="cuda", callbacks=[callback] if callback else [])
    for _ in range(2):
        with contextlib.suppress(ZeroDivisionError):
            trainer.fit(1)
        assert next(trainer.model.parameters()).device.type == "cpu"


def test_an_evaluator_of_other_classes_is_refused_before_the_first_batch(make_trainer):
    images, labels = torch.zeros(4, 28, 28, dtype=torch.uint8), [0, 1, 0, 1]
    one, other = (DigitSet(images, labels, names, names) for names in ("ab", "ba"))
    with pytest.raises(ValueError, match="same classes in the same order"):
        make_trainer(train_batches=one.batches(2), evaluator=Evaluator(other.batches(2)))
    make_trainer(train_batches=one.batches(2), evaluator=Evaluator(one.batches(4)))


def test_an_evaluator_that_returns_no_numbers_by_name_is_refused(make_trainer):
    class OwnEvaluator:
        def __init__(self, found):
            self.found = found

        def evaluate(self, model, device):
            return self.found

    class InPortions(OwnEvaluator):
        def evaluate_in_portions(self, model, device):
            yield
            return self.found

    for kind in (OwnEvaluator, InPortions):
        for found, words in [
            (None, "returned None.*return missing"),
            (0.5, "returned 0.5; it must return a dict"),
            ([0.5], "returned .0.5.; it must return a dict"),
            ({"acc": None}, "returned None as its metric 'acc'"),
            ({"acc": "high"}, "returned 'high' as its metric 'acc'"),
            ({"acc": torch.ones(2)}, r"returned tensor\(.*metric 'acc'"),
        ]:
            trainer = make_trainer(evaluator=kind(found))
            with pytest.raises(TypeError, match=words):
                trainer.fit(2)
            assert (trainer.ending, trainer.num_epochs_trained) == ("failed", 0)
        trainer = make_trainer(evaluator=kind({"acc": torch.tensor(0.5)}))
        assert trainer.fit(2)["acc"] == [0.5, 0.5]
