"""The ready-made callbacks: what all of them promise, and what each is there for."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from mnist_widgets import (
    Callback,
    Checkpoint,
    DivergenceGuard,
    EarlyStopping,
    Evaluator,
    LearningRateScheduler,
    ProgressBar,
    Trainer,
)
from mnist_widgets.training import callbacks
from mnist_widgets.training.weight_files import save_weights


def find_ready_made(base: type = Callback) -> list[type]:
    """List every public callback class of the module, at any depth of inheritance."""
    children = [child for child in base.__subclasses__() if child.__module__ == callbacks.__name__]
    found = [child for child in children if not child.__name__.startswith("_")]
    return [*found, *(grandchild for child in children for grandchild in find_ready_made(child))]


class ScriptedEvaluator:
    """Gives one metric the values of a list, one for each epoch; None: it is not measured."""

    def __init__(self, values, metric="test_loss"):
        self._values = iter(values)
        self._metric = metric

    def evaluate(self, model, device):
        value = next(self._values)
        return {} if value is None else {self._metric: value}


class WeightKeeper(Callback):
    """Keeps a copy of the weights after each epoch."""

    def __init__(self):
        self.weights = []

    def on_epoch_end(self, trainer, report):
        self.weights.append({k: v.clone() for k, v in trainer.model.state_dict().items()})


def fail(*_):
    raise ZeroDivisionError("planted")


def go_through_every_ending(trainer) -> list:
    """Finish, stop, close, fail, finish, reset, finish: return endings, modes, histories."""
    torch.manual_seed(1)
    beginning = trainer.snapshot()
    endings = []

    def end_in_the_middle(end) -> None:
        reports = trainer.iterate(2)
        next(reports), next(reports)
        end(reports)
        endings.append((trainer.ending, trainer.model.training))

    def stop(reports) -> None:
        trainer.request_stop()
        assert next(reports, None) is None

    def close(reports) -> None:
        reports.close()

    def crash(reports) -> None:
        trainer.train_step, original = fail, trainer.train_step
        with pytest.raises(ZeroDivisionError):
            next(reports)
        trainer.train_step = original

    trainer.fit(2)
    endings.append((trainer.ending, trainer.model.training))
    for end in (stop, close, crash):
        end_in_the_middle(end)
    trainer.fit(2)
    endings.append((trainer.ending, trainer.model.training))
    lasting = (dict(trainer.history), trainer.history.batch_losses, trainer.history.epoch_ends)
    trainer.restore(beginning)
    trainer.fit(1)
    endings.append((trainer.ending, trainer.model.training))
    return [endings, lasting, dict(trainer.history)]


@pytest.mark.parametrize("callback_class", find_ready_made())
def test_every_callback_survives_every_ending_and_changes_nothing(
    make_trainer, batches, tmp_path, callback_class
):
    # dropout reveals a callback that draws random numbers or changes the mode
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3))
    observed = make_trainer(model=model, evaluator=Evaluator(batches))
    steady = torch.optim.lr_scheduler.LambdaLR(observed.optimizer, lambda _: 1.0)
    needed = {"path": tmp_path / "written", "scheduler": steady}
    wanted = inspect.signature(callback_class).parameters
    observed.callbacks.append(
        callback_class(**{name: value for name, value in needed.items() if name in wanted})
    )
    reference = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3))
    reference.load_state_dict(model.state_dict())
    alone = make_trainer(model=reference, evaluator=Evaluator(batches))

    expected = go_through_every_ending(alone)
    names = [ending for ending, _ in expected[0]]
    assert names == ["finished", "stopped", "closed", "failed", "finished", "finished"]
    assert go_through_every_ending(observed) == expected
    for name, value in reference.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_the_contract_covers_the_ready_made_callbacks():
    known = {ProgressBar, EarlyStopping, DivergenceGuard, Checkpoint, LearningRateScheduler}
    assert known <= set(find_ready_made())


def read_bars(text: str) -> dict[str, str]:
    """Return the last state of each bar by its description."""
    return dict(re.findall(r"(Epoch +\d+/\d+): ([^\r\n]*)", text))


def test_the_progress_bar_shows_losses_and_metrics(make_trainer, batches, capsys):
    trainer = make_trainer(callbacks=[ProgressBar()], evaluator=Evaluator(batches))
    history = trainer.fit(2)
    printed = capsys.readouterr()
    bars = read_bars(printed.err)
    assert list(bars) == ["Epoch  1/2", "Epoch  2/2"]
    for epoch, bar in enumerate(bars.values()):
        assert "5/5" in bar
        for name in ("train", "test_loss", "test_accuracy"):
            shown = re.search(rf"{name}(?:_loss)?=([^,\]]+)", bar)
            assert float(shown[1]) == pytest.approx(history[name][epoch], rel=0.006)
    assert printed.out == ""


def test_the_progress_bar_shows_the_running_mean_where_a_run_was_stopped(make_trainer, capsys):
    losses = iter([9.0] * 5 + [4.0, 2.0])
    trainer = make_trainer(callbacks=[ProgressBar()], train_step=lambda *_: next(losses))
    reports = trainer.iterate(2)
    for _ in range(7):
        next(reports)
    trainer.request_stop()
    assert next(reports, None) is None
    text = capsys.readouterr().err
    assert text.endswith("\n")
    assert "2/5" in read_bars(text)["Epoch  2/2"]
    assert "train_loss=3]" in read_bars(text)["Epoch  2/2"]


def test_the_progress_bar_of_a_second_run_goes_on_counting_epochs(make_trainer, capsys):
    trainer = make_trainer(callbacks=[ProgressBar()])
    trainer.fit(1)
    trainer.fit(2)
    assert list(read_bars(capsys.readouterr().err)) == ["Epoch  1/1", "Epoch  2/3", "Epoch  3/3"]


@pytest.mark.parametrize(
    ("options", "values", "num_epochs"),
    [
        ({"patience": 1}, [1.0, 0.9, 0.8, 0.7], 4),
        ({"patience": 1}, [1.0, 1.1, 0.5, 0.4], 2),
        ({"patience": 1}, [1.0, 1.0, 0.5, 0.4], 2),
        ({"patience": 2}, [1.0, 1.1, 0.9, 1.0, 0.95, 0.1], 5),
        ({}, [1.0, 1.1, 1.2, 1.3, 0.1], 4),
        ({"patience": 2, "min_delta": 0.2}, [1.0, 0.9, 0.85, 0.1], 3),
        ({"patience": 2, "min_delta": 0.2}, [1.0, 0.9, 0.75, 0.7], 4),
        ({"patience": 1, "min_delta": 0.5}, [1.0, 0.5, 0.1], 2),
        ({"patience": 1}, [1.0, math.nan, 0.1], 2),
        ({"patience": 1}, [-1.0, -2.0, -3.0], 3),
    ],
)
def test_early_stopping_waits_as_long_as_its_patience(make_trainer, options, values, num_epochs):
    trainer = make_trainer(
        evaluator=ScriptedEvaluator(values), callbacks=[EarlyStopping(**options)]
    )
    assert trainer.fit(len(values)).num_epochs == num_epochs
    assert trainer.ending == ("stopped" if num_epochs < len(values) else "finished")


def test_early_stopping_counts_an_accuracy_upwards(make_trainer):
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([0.5, 0.6, 0.7, 0.6, 0.9], "test_accuracy"),
        callbacks=[EarlyStopping("test_accuracy", patience=1)],
    )
    assert trainer.fit(5).num_epochs == 4


def test_early_stopping_can_observe_the_training_loss(make_trainer):
    trainer = make_trainer(
        train_step=lambda *_: 1.0, callbacks=[EarlyStopping("train", patience=2)]
    )
    assert trainer.fit(9).num_epochs == 3


@pytest.mark.parametrize(("patience", "words"), [(1, "for 1 epoch."), (2, "for 2 epochs.")])
def test_early_stopping_says_why(make_trainer, patience, words):
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([1.0] * 9), callbacks=[EarlyStopping(patience=patience)]
    )
    trainer.fit(9)
    assert f"after epoch {patience + 1}: test_loss" in trainer.stop_reason
    assert trainer.stop_reason.endswith(words)


def test_early_stopping_is_patient_anew_in_a_second_run(make_trainer):
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([1.0, 2.0, 3.0, 2.5, 2.0]),
        callbacks=[EarlyStopping(patience=1)],
    )
    assert trainer.fit(9).num_epochs == 2
    assert trainer.fit(3).num_epochs == 5
    assert trainer.ending == "finished"
    assert trainer.stop_reason is None


@pytest.mark.parametrize("callback_class", [EarlyStopping, Checkpoint])
def test_an_unknown_metric_is_named_beside_the_known_ones(make_trainer, tmp_path, callback_class):
    arguments = {"path": tmp_path / "best.pt"} if callback_class is Checkpoint else {}
    callback = callback_class(**arguments, metric="test_los", mode="min")
    trainer = make_trainer(evaluator=ScriptedEvaluator([1.0, 1.0]), callbacks=[callback])
    with pytest.raises(ValueError, match="no 'test_los', only 'train', 'test_loss'"):
        trainer.fit(1)
    callback.metric = "test_loss"
    assert trainer.fit(1).num_epochs == 2


def test_a_metric_that_the_evaluator_will_not_give_is_refused_before_the_first_batch(
    make_trainer, batches, tmp_path
):
    def make_plateau(optimizer, metric):
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return LearningRateScheduler(scheduler, metric=metric)

    for make in (
        lambda _, metric: EarlyStopping(metric),
        lambda _, metric: Checkpoint(tmp_path / "best.pt", metric),
        make_plateau,
    ):
        for evaluator, metric, known in [
            (Evaluator(batches), "train_accuracy", "'test_accuracy'"),
            (None, "test_loss", "'train'"),
        ]:
            trainer = make_trainer(evaluator=evaluator)
            trainer.callbacks.append(make(trainer.optimizer, metric))
            with pytest.raises(ValueError, match=f"no '{metric}', only .*{known}\\."):
                trainer.fit(1)
            assert trainer.history.batch_losses == []
        evaluator = Evaluator(batches, train_batches=batches)
        for metric in ("train", *evaluator.metric_names):
            trainer = make_trainer(evaluator=evaluator)
            trainer.callbacks.append(make(trainer.optimizer, metric))
            assert metric in trainer.fit(1)


def test_a_metric_that_another_callback_records_is_accepted(make_trainer, batches):
    class Records(Callback):
        def on_epoch_end(self, trainer, report):
            trainer.history.setdefault("my_f1_score", []).append(0.5)

    trainer = make_trainer(evaluator=Evaluator(batches))
    trainer.callbacks += [Records(), EarlyStopping("my_f1_score", patience=2)]
    trainer.fit(5)
    assert trainer.history["my_f1_score"] == [0.5] * 3


def test_a_metric_that_needs_an_evaluator_says_so(make_trainer):
    with pytest.raises(ValueError, match=r"no 'test_loss', only 'train'.*evaluator"):
        make_trainer(callbacks=[EarlyStopping()]).fit(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be a whole number of at least 1, not 0"),
        ({"patience": -2}, "patience .* not -2"),
        ({"patience": math.nan}, "patience .* not nan"),
        ({"patience": 2.5}, r"patience .* not 2\.5"),
        ({"patience": True}, "patience .* not True"),
        ({"patience": "3"}, "patience .* not '3'"),
        ({"min_delta": -0.1}, r"min_delta must be a finite number of at least 0, not -0\.1"),
        ({"min_delta": math.nan}, "min_delta .* not nan"),
        ({"min_delta": math.inf}, "min_delta .* not inf"),
        ({"min_delta": "0.1"}, "min_delta .* not '0.1'"),
        ({"min_delta": None}, "min_delta .* not None"),
        ({"min_delta": True}, "min_delta .* not True"),
    ],
)
def test_early_stopping_refuses_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)


def test_early_stopping_takes_numbers_of_numpy():
    callback = EarlyStopping(patience=np.int64(2), min_delta=np.float32(0.5))
    assert (callback.patience, callback.min_delta) == (2, 0.5)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_the_divergence_guard_stops_at_once_and_names_the_learning_rate(make_trainer, loss):
    losses = iter([1.0, 1e30, loss, 1.0])
    trainer = make_trainer(train_step=lambda *_: next(losses), callbacks=[DivergenceGuard()])
    trainer.fit(2)
    assert len(trainer.history.batch_losses) == 3
    assert trainer.ending == "stopped"
    assert f"became {loss} in epoch 1, batch 3" in trainer.stop_reason
    assert "learning rate is probably too high" in trainer.stop_reason


def test_the_divergence_guard_stops_a_training_that_really_diverges(batches):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e9)
    regression = [(inputs, inputs[:, :1]) for inputs, _ in batches]
    trainer = Trainer(
        model, nn.MSELoss(), optimizer, regression, callbacks=[DivergenceGuard()], device="cpu"
    )
    losses = trainer.fit(100).batch_losses
    assert trainer.ending == "stopped"
    assert not math.isfinite(losses[-1])
    assert all(map(math.isfinite, losses[:-1]))


@pytest.mark.parametrize(
    ("metric", "values"), [("test_loss", [3.0, 1.0, 2.0]), ("test_accuracy", [0.3, 0.8, 0.5])]
)
def test_the_best_epochs_weights_load_back(make_trainer, tmp_path, metric, values):
    path = tmp_path / "best.pt"
    keeper = WeightKeeper()
    trainer = make_trainer(
        evaluator=ScriptedEvaluator(values, metric),
        callbacks=[Checkpoint(str(path), metric), keeper],
    )
    trainer.fit(3)
    model = nn.Linear(4, 3)
    model.load_state_dict(torch.load(path))
    for name, value in model.state_dict().items():
        assert torch.equal(value, keeper.weights[1][name])
        assert not torch.equal(value, keeper.weights[2][name])


def test_nothing_is_written_before_the_first_whole_epoch(make_trainer, tmp_path):
    reports = make_trainer(callbacks=[Checkpoint(tmp_path / "best.pt", "train")]).iterate(1)
    for _ in range(4):
        next(reports)
    assert not (tmp_path / "best.pt").exists()
    next(reports)
    assert (tmp_path / "best.pt").exists()
    reports.close()


def test_a_second_run_does_not_overwrite_a_better_checkpoint(make_trainer, tmp_path):
    keeper = WeightKeeper()
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([1.0, 2.0, 0.5]),
        callbacks=[Checkpoint(tmp_path / "best.pt"), keeper],
    )
    for best in (0, 0, 2):
        trainer.fit(1)
        assert torch.equal(
            torch.load(tmp_path / "best.pt")["weight"], keeper.weights[best]["weight"]
        )


def test_a_checkpoint_compares_anew_after_a_reset(make_trainer, tmp_path):
    keeper = WeightKeeper()
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([1.0, 2.0]),
        callbacks=[Checkpoint(tmp_path / "best.pt"), keeper],
    )
    beginning = trainer.snapshot()
    trainer.fit(1)
    trainer.restore(beginning)
    trainer.train_step = lambda *_: 0.0  # so that the second weights are others
    trainer.fit(1)
    assert torch.equal(torch.load(tmp_path / "best.pt")["weight"], keeper.weights[1]["weight"])
    assert not torch.equal(keeper.weights[0]["weight"], keeper.weights[1]["weight"])


KNOWN_DIRECTIONS = {
    "min": ["train", "test_loss", "val_loss", "loss", "squared_error", "valLoss"],
    "max": [
        *("test_accuracy", "accuracy", "val_acc", "acc", "f1", "val_f1", "macro_precision"),
        *("recall", "roc_auc", "f1_score", "Accuracy"),
    ],
}


def test_the_best_epoch_of_a_metric_with_a_known_name_is_kept(make_trainer, tmp_path):
    for mode, names in KNOWN_DIRECTIONS.items():
        values = [0.5, 0.2, 0.4] if mode == "min" else [0.5, 0.8, 0.6]
        for name in names:
            for given in (None, mode):
                losses = itertools.cycle(values if name == "train" else [1.0])
                keeper, path = WeightKeeper(), tmp_path / f"{name}.pt"
                trainer = make_trainer(
                    evaluator=None if name == "train" else ScriptedEvaluator(values, name),
                    callbacks=[Checkpoint(path, name, mode=given), keeper],
                    train_batches=[(torch.ones(1, 4), torch.zeros(1, dtype=torch.int64))],
                )
                train_step = trainer.train_step
                if name == "train":
                    trainer.train_step = lambda *parts, losses=losses, train_step=train_step: (
                        train_step(*parts),
                        next(losses),
                    )[1]
                trainer.fit(3)
                saved = torch.load(path)["weight"]
                assert torch.equal(saved, keeper.weights[1]["weight"]), (name, given)
                assert not torch.equal(saved, keeper.weights[2]["weight"]), (name, given)


def test_early_stopping_waits_in_the_direction_of_its_mode(make_trainer):
    for options, values, num_epochs in [
        ({"metric": "val_acc"}, [0.5, 0.6, 0.7], 3),
        ({"metric": "val_acc"}, [0.7, 0.6, 0.8], 2),
        ({"metric": "perplexity", "mode": "min"}, [3.0, 2.0, 1.0], 3),
        ({"metric": "kappa", "mode": "max"}, [3.0, 2.0, 4.0], 2),
        ({"metric": "test_loss", "mode": "max"}, [1.0, 2.0, 3.0], 3),
        ({"metric": "f1"}, [0.5, math.nan, 0.9], 2),
    ]:
        trainer = make_trainer(
            evaluator=ScriptedEvaluator(values, options["metric"]),
            callbacks=[EarlyStopping(patience=1, **options)],
        )
        assert trainer.fit(3).num_epochs == num_epochs, options


def test_a_metric_of_unknown_direction_needs_a_mode(tmp_path):
    for make in (EarlyStopping, lambda *args, **options: Checkpoint(tmp_path, *args, **options)):
        for name in ("perplexity", "kappa", "accuracy_std", "loss_ratio"):
            with pytest.raises(ValueError, match=f"{name}.*mode='min' or mode='max'"):
                make(name)
        with pytest.raises(ValueError, match="not 'lowest'"):
            make("perplexity", mode="lowest")


def test_an_epoch_without_a_number_is_no_checkpoint(make_trainer, tmp_path):
    path, keeper = tmp_path / "best.pt", WeightKeeper()
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([math.nan, 0.5, math.nan], "f1"),
        callbacks=[Checkpoint(path, "f1"), keeper],
    )
    with pytest.warns(UserWarning, match="saves no weights of an epoch whose f1 is NaN"):
        trainer.fit(1)
    assert not path.exists()
    with pytest.warns(UserWarning, match="f1 is NaN"):
        trainer.fit(2)
    assert torch.equal(torch.load(path)["weight"], keeper.weights[1]["weight"])


def test_a_checkpoint_holds_the_model_inside_its_wrappers(make_trainer, tmp_path):
    def compiled(model):
        return torch.compile(model, backend="eager")

    for wrap in (compiled, nn.DataParallel, lambda model: nn.DataParallel(compiled(model))):
        inner, path = nn.Linear(4, 3), tmp_path / "best.pt"
        make_trainer(model=wrap(inner), callbacks=[Checkpoint(path, "train")]).fit(1)
        fresh = nn.Linear(4, 3)
        fresh.load_state_dict(torch.load(path))
        assert torch.equal(fresh.weight, inner.weight)


def test_a_checkpoint_holds_the_parts_inside_their_wrappers(tmp_path):
    def make_network(wrap=lambda part: part):
        inner = nn.Sequential(wrap(nn.Linear(6, 5)), nn.BatchNorm1d(5))
        return nn.Sequential(nn.Linear(4, 6), wrap(inner), nn.Linear(5, 3))

    def compiled(part):
        return torch.compile(part, backend="eager")

    for wrap in (compiled, nn.DataParallel, lambda part: nn.DataParallel(compiled(part))):
        network, path = make_network(wrap), tmp_path / "best.pt"
        save_weights(network, path)
        plain = make_network()
        plain.load_state_dict(torch.load(path))
        assert list(torch.load(path)) == list(plain.state_dict())
        for loaded, saved in zip(plain.parameters(), network.parameters(), strict=True):
            assert torch.equal(loaded, saved)


def test_a_part_that_is_only_named_like_a_wrapped_one_keeps_its_name(make_trainer, tmp_path):
    network = nn.Sequential(OrderedDict(module=nn.Linear(4, 3)))
    make_trainer(model=network, callbacks=[Checkpoint(tmp_path / "best.pt", "train")]).fit(1)
    assert set(torch.load(tmp_path / "best.pt")) == {"module.weight", "module.bias"}


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make symbolic links")
def test_a_checkpoint_is_written_through_a_symbolic_link(make_trainer, tmp_path):
    link, file = tmp_path / "best.pt", tmp_path / "runs" / "7.pt"
    link.symlink_to(file)
    with pytest.raises(FileNotFoundError, match="runs"):
        make_trainer(callbacks=[Checkpoint(link, "train")]).fit(1)
    file.parent.mkdir()
    make_trainer(callbacks=[Checkpoint(link, "train")]).fit(1)
    assert link.is_symlink()
    assert set(torch.load(file)) == {"weight", "bias"}


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    make_trainer, tmp_path, monkeypatch
):
    path = tmp_path / "best.pt"
    trainer = make_trainer(
        evaluator=ScriptedEvaluator([1.0, 0.5]), callbacks=[Checkpoint(path, "test_loss")]
    )
    trainer.fit(1)
    before = path.read_bytes()

    def write_half(state, file):
        Path(file).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(OSError, match="No space"):
        trainer.fit(1)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["best.pt"]


def test_a_checkpoint_in_a_missing_folder_is_refused_before_the_first_batch(make_trainer, tmp_path):
    for path, error in [
        (tmp_path / "missing" / "best.pt", FileNotFoundError),
        (tmp_path, IsADirectoryError),
    ]:
        trainer = make_trainer(callbacks=[Checkpoint(path, "train")])
        with pytest.raises(error, match="folder"):
            trainer.fit(1)
        assert trainer.history.batch_losses == []
    (tmp_path / "missing").mkdir()
    make_trainer(callbacks=[Checkpoint(tmp_path / "missing" / "best.pt", "train")]).fit(1)
    assert (tmp_path / "missing" / "best.pt").exists()


class RateKeeper(Callback):
    """Notes the learning rate of each batch."""

    def __init__(self):
        self.rates = []

    def on_batch_end(self, trainer, report):
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])


def make_scheduled(make_trainer, make_scheduler, **options):
    trainer = make_trainer(evaluator=ScriptedEvaluator(itertools.repeat(1.0)))
    scheduler = make_scheduler(trainer.optimizer)
    keeper = RateKeeper()
    trainer.callbacks += [keeper, LearningRateScheduler(scheduler, **options)]
    return trainer, keeper


SCHEDULES = {
    "each epoch": (lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.5), {}),
    "each batch": (lambda optimizer: lr_scheduler.StepLR(optimizer, 3, 0.5), {"every": "batch"}),
    "one cycle": (
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=15),
        {"every": "batch"},
    ),
    "in sequence": (
        lambda optimizer: lr_scheduler.SequentialLR(
            optimizer,
            [lr_scheduler.ConstantLR(optimizer, 0.1), lr_scheduler.ExponentialLR(optimizer, 0.5)],
            milestones=[1],
        ),
        {},
    ),
    "on plateau": (lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0), {}),
}


def test_a_scheduler_changes_the_rate_each_epoch_or_each_batch(make_trainer):
    trainer, keeper = make_scheduled(make_trainer, *SCHEDULES["each epoch"][:1])
    trainer.fit(3)
    assert keeper.rates == pytest.approx([0.01] * 5 + [0.005] * 5 + [0.0025] * 5)
    trainer, keeper = make_scheduled(make_trainer, SCHEDULES["each batch"][0], every="batch")
    trainer.fit(1)
    assert keeper.rates == pytest.approx([0.01] * 3 + [0.005] * 2)
    trainer, keeper = make_scheduled(make_trainer, SCHEDULES["on plateau"][0])
    trainer.fit(3)
    assert keeper.rates == pytest.approx([0.01] * 10 + [0.001] * 5)


def test_after_a_reset_a_scheduler_begins_anew(make_trainer):
    for name, (make_scheduler, options) in SCHEDULES.items():
        trainer, keeper = make_scheduled(make_trainer, make_scheduler, **options)
        beginning = trainer.snapshot()
        trainer.fit(3)
        first = list(keeper.rates)
        assert len(set(first)) > 1, name
        for _ in range(2):
            trainer.restore(beginning)
            keeper.rates.clear()
            trainer.fit(3)
            assert keeper.rates == first, name


def test_a_scheduler_that_does_not_fit_is_refused(make_trainer):
    trainer = make_trainer()
    plateau = lr_scheduler.ReduceLROnPlateau(trainer.optimizer)
    with pytest.raises(ValueError, match="'epoch' or 'batch', not 'step'"):
        LearningRateScheduler(plateau, every="step")
    with pytest.raises(ValueError, match="each epoch"):
        LearningRateScheduler(plateau, every="batch")
    with pytest.raises(TypeError, match="StepLR"):
        LearningRateScheduler(lr_scheduler.StepLR)
    other = lr_scheduler.ExponentialLR(make_trainer().optimizer, 0.5)
    trainer.callbacks.append(LearningRateScheduler(other))
    with pytest.raises(ValueError, match="another optimizer"):
        trainer.fit(1)
    assert trainer.history.batch_losses == []


EVERY_THIRD = [1.0, None, None, 0.9, None, None, 0.8, None, None, 0.8, None, None, 0.8, None]


def test_an_epoch_without_the_metric_counts_for_no_callback(make_trainer, tmp_path):
    keeper = WeightKeeper()
    stopping, checkpoint = EarlyStopping(patience=2), Checkpoint(tmp_path / "best.pt")
    trainer = make_trainer(evaluator=ScriptedEvaluator(EVERY_THIRD), callbacks=[keeper])
    plateau = lr_scheduler.ReduceLROnPlateau(trainer.optimizer, patience=1)
    trainer.callbacks += [checkpoint, LearningRateScheduler(plateau), stopping]
    trainer.fit(12)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.01
    trainer.fit(2)
    assert trainer.history.num_epochs == 14
    trainer = make_trainer(
        evaluator=ScriptedEvaluator(EVERY_THIRD), callbacks=[EarlyStopping(patience=2)]
    )
    trainer.fit(14)
    assert trainer.history.num_epochs == 13
    saved = torch.load(checkpoint.path)
    assert all(torch.equal(saved[name], keeper.weights[6][name]) for name in saved)


def test_a_metric_may_come_after_epochs_without_any(make_trainer):
    values = [None, None, 1.0, None, 1.1, 1.2, 1.3]
    trainer = make_trainer(
        evaluator=ScriptedEvaluator(values), callbacks=[EarlyStopping(patience=2)]
    )
    trainer.fit(7)
    assert trainer.history.num_epochs == 6


def test_a_metric_that_a_callback_records_now_and_then_is_found_in_its_epoch(make_trainer):
    class Records(Callback):
        def on_epoch_end(self, trainer, report):
            if report.epoch % 3 == 1:
                trainer.history.setdefault("my_loss", []).append(1.0)

    trainer = make_trainer(callbacks=[Records(), EarlyStopping("my_loss", patience=2)])
    trainer.fit(9)
    assert trainer.history.num_epochs == 7
    assert [*trainer.history.find_numbers("my_loss")] == [1, 4, 7]
