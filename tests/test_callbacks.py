"""The ready-made listeners: what all of them promise, and what each is there for."""

from __future__ import annotations

import inspect
import math
import re

import pytest
import torch
from torch import nn

from mnist_widgets import (
    Callback,
    Checkpoint,
    DivergenceGuard,
    EarlyStopping,
    Evaluator,
    ProgressBar,
    Trainer,
    callbacks,
)


def find_ready_made(base: type = Callback) -> list[type]:
    """List every callback class of the module, however deep its ancestry."""
    children = [child for child in base.__subclasses__() if child.__module__ == callbacks.__name__]
    return [*children, *(grandchild for child in children for grandchild in find_ready_made(child))]


class ScriptedEvaluator:
    """Gives one metric the values of a list, one for each epoch."""

    def __init__(self, values, metric="test_loss"):
        self._values = iter(values)
        self._metric = metric

    def evaluate(self, model, device):
        return {self._metric: next(self._values)}


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
    needed = {"path": tmp_path / "written"}
    wanted = inspect.signature(callback_class).parameters
    callback = callback_class(**{k: v for k, v in needed.items() if k in wanted})

    # dropout, so that whoever draws random numbers or changes the mode is found out
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3))
    watched = make_trainer(model=model, evaluator=Evaluator(batches), callbacks=[callback])
    twin = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3))
    twin.load_state_dict(model.state_dict())
    alone = make_trainer(model=twin, evaluator=Evaluator(batches))

    expected = go_through_every_ending(alone)
    names = [ending for ending, _ in expected[0]]
    assert names == ["finished", "stopped", "closed", "failed", "finished", "finished"]
    assert go_through_every_ending(watched) == expected
    for name, value in twin.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_the_contract_covers_the_ready_made_callbacks():
    assert {ProgressBar, EarlyStopping, DivergenceGuard, Checkpoint} <= set(find_ready_made())


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


def test_early_stopping_can_watch_the_training_loss(make_trainer):
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
    callback = callback_class(**arguments, metric="test_los")
    trainer = make_trainer(evaluator=ScriptedEvaluator([1.0, 1.0]), callbacks=[callback])
    with pytest.raises(ValueError, match="no 'test_los', only 'train', 'test_loss'"):
        trainer.fit(1)
    callback.metric = "test_loss"
    assert trainer.fit(1).num_epochs == 2


def test_a_metric_that_needs_an_evaluator_says_so(make_trainer):
    with pytest.raises(ValueError, match=r"no 'test_loss', only 'train'.*evaluator"):
        make_trainer(callbacks=[EarlyStopping()]).fit(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be at least 1 epoch, not 0"),
        ({"patience": -2}, "patience must be at least 1 epoch, not -2"),
        ({"min_delta": -0.1}, r"min_delta must not be negative, but is -0\.1"),
    ],
)
def test_early_stopping_refuses_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)


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
