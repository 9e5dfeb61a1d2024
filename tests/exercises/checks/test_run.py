"""`check_run`: which runs pass, and which mistakes it recognizes."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from mnist_widgets import (
    Callback,
    DataError,
    DigitSet,
    Evaluator,
    SimpleNet,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    load_mnist,
    train_step,
)
from mnist_widgets.exercises import check_run
from mnist_widgets.training.history import History

TRAIN_SET, TEST_SET = load_bundled_digits()


class OneCycle(Callback):
    """Raises and lowers the learning rate within the run."""

    def on_train_begin(self, trainer):
        num_steps = trainer.last_epoch * trainer.num_batches
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(trainer.optimizer, 5e-3, num_steps + 1)

    def on_batch_end(self, trainer, report):
        self.schedule.step()


def make_trainer(model=None, batches=None, **options):
    """Make a trainer of a small network."""
    model = model or SimpleNet(28 * 28, 10, hidden_units=62)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = batches or TRAIN_SET.batches(32, shuffle=True)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, **options)


@pytest.fixture(scope="module")
def trained():
    """A trainer that has reached the goal in five epochs."""
    torch.manual_seed(0)
    batches = TRAIN_SET.batches(16, shuffle=True)
    evaluator = Evaluator(TEST_SET.batches(512))
    trainer = make_trainer(batches=batches, evaluator=evaluator, callbacks=[OneCycle()])
    trainer.fit(5)
    trainer.callbacks.clear()
    return trainer


@pytest.fixture
def good_trainer(trained):
    """A copy of `trained`, which a test may change."""
    return deepcopy(trained)


def test_a_run_with_better_settings_passes(good_trainer):
    verdict = check_run(good_trainer)
    assert verdict.passed, verdict
    assert "found 49,300" in str(verdict)
    assert "found 5: 7,190 images used" in str(verdict)


def test_a_session_gets_the_same_verdict_as_its_trainer():
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 5, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    loader = DataLoader(TRAIN_SET, batch_size=32, shuffle=True)
    trainer = make_trainer(model, loader, callbacks=[OneCycle()])
    session = TrainingSession(trainer)
    session.start(5)
    session.join()
    verdict = check_run(session)
    session.close()
    assert verdict.passed, verdict
    assert check_run(session).passed  # closed


def test_the_lessons_settings_do_not_reach_the_goal():
    torch.manual_seed(0)
    trainer = make_trainer()
    trainer.fit(5)
    verdict = check_run(trainer)
    assert verdict.mistake == "too_inaccurate"
    assert "expected at least 95.50% of the UCI digits test images" in verdict.hint
    assert check_run(trainer, min_accuracy=0.9).passed


def test_an_object_that_is_no_run_is_named():
    assert check_run(History()).mistake == "not_a_run"
    assert check_run(SimpleNet(4, 2)).mistake == "not_a_run"
    assert check_run(...).mistake == "unsolved"


def test_a_run_without_training_is_not_checked():
    trainer = make_trainer()
    assert check_run(trainer).mistake == "never_trained"
    assert check_run(TrainingSession(trainer)).mistake == "never_trained"


def test_a_run_that_has_not_ended_is_not_checked():
    trainer = make_trainer()
    session = TrainingSession(trainer)
    session.step(5)
    session.between_batches(lambda: None).result()
    assert session.state == "paused"
    assert check_run(session).mistake == "not_ended"
    assert check_run(trainer).mistake == "not_ended"
    session.close()


def test_too_many_parameters_are_counted():
    trainer = make_trainer(SimpleNet(28 * 28, 10))
    trainer.fit(1)
    verdict = check_run(trainer)
    assert verdict.mistake == "too_many_parameters"
    assert "407,050" in verdict.hint
    assert check_run(trainer, max_parameters=407_050).mistake != "too_many_parameters"


def test_parameters_hidden_from_the_network_are_counted_too():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(28 * 28, 60)
            self.layers = [nn.Linear(60, 100), nn.Linear(100, 10)]

        def forward(self, images):
            hidden = self.linear(images.flatten(1)).relu()
            return self.layers[1](self.layers[0](hidden).relu())

    model = Hidden()
    trainer = make_trainer(model)
    for layer in model.layers:
        trainer.optimizer.add_param_group({"params": layer.parameters()})
    trainer.fit(1)
    assert sum(parameter.numel() for parameter in model.parameters()) < 50_000
    assert check_run(trainer).mistake == "too_many_parameters"


def test_epochs_of_several_runs_add_up(good_trainer):
    good_trainer.fit(1)
    verdict = check_run(good_trainer)
    assert verdict.mistake == "too_many_epochs"
    assert "found 6: 8,628 images used, 1,438 in the set" in verdict.hint
    assert check_run(good_trainer, max_epochs=6).passed


def test_batches_that_go_through_the_images_repeatedly_count_as_epochs():
    loader = DataLoader(ConcatDataset([TRAIN_SET] * 3), batch_size=64)
    trainer = make_trainer(batches=loader)
    trainer.fit(2)
    verdict = check_run(trainer)
    assert verdict.mistake == "too_many_epochs"
    assert "found 6:" in verdict.hint


def test_many_epochs_of_a_few_images_count_too():
    trainer = make_trainer(batches=DataLoader(Subset(TRAIN_SET, range(100)), batch_size=50))
    trainer.fit(6)
    assert check_run(trainer).mistake == "too_many_epochs"


def types_a_history(trainer):
    trainer.history = History()
    for _ in range(5):
        trainer.history.add_epoch(0.01, {"test_accuracy": 0.99})


def appends_epochs(trainer):
    trainer.history["train"].append(0.001)


def puts_a_dict_there(trainer):
    trainer.history = {"train": [0.1] * 5}


def removes_an_epoch(trainer):
    trainer.history.epoch_ends.pop()
    trainer.history["train"].pop()


@pytest.mark.parametrize(
    "change", [types_a_history, appends_epochs, puts_a_dict_there, removes_an_epoch]
)
def test_a_history_that_does_not_match_the_counters_is_noticed(good_trainer, change):
    change(good_trainer)
    assert check_run(good_trainer).mistake == "history_changed"


def test_epochs_removed_from_the_history_are_still_counted(good_trainer):
    good_trainer.fit(1)
    removes_an_epoch(good_trainer)
    assert check_run(good_trainer).mistake == "too_many_epochs"


def test_a_bad_network_does_not_pass_with_typed_metrics():
    trainer = make_trainer(evaluator=Evaluator(TEST_SET.batches(512)))
    trainer.fit(1)
    trainer.history["test_accuracy"][:] = [0.99]
    assert check_run(trainer).mistake == "too_inaccurate"


def test_a_network_that_was_trained_before_is_noticed(good_trainer):
    again = make_trainer(good_trainer.model)
    again.fit(1)
    verdict = check_run(again)
    assert verdict.mistake == "trained_before"
    assert "guessing 2.3" in verdict.hint


@pytest.mark.parametrize(
    "loss_fn",
    [
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.MultiMarginLoss(),
        lambda scores, labels: nn.functional.nll_loss(scores.log_softmax(1), labels),
    ],
)
def test_a_new_network_is_recognized_with_other_losses(loss_fn):
    model = SimpleNet(28 * 28, 10, hidden_units=62)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    mistakes = []
    for _ in range(2):
        trainer = Trainer(model, loss_fn, optimizer, TRAIN_SET.batches(8))
        trainer.fit(2)
        mistakes.append(check_run(trainer, min_accuracy=0.5).mistake)
    assert mistakes == ["", "trained_before"]


def negative_probability(scores, labels):
    return -scores.softmax(1).gather(1, labels.unsqueeze(1)).mean()


def one_hot_loss(scores, targets):
    return nn.functional.mse_loss(scores.softmax(1), targets)


def train_with_one_hot_targets(model, batch, loss_fn, optimizer, device):
    targets = nn.functional.one_hot(batch[1], 10).float()
    return train_step(model, (batch[0], targets), loss_fn, optimizer, device)


@pytest.mark.parametrize(
    ("loss_fn", "step"),
    [(negative_probability, train_step), (one_hot_loss, train_with_one_hot_targets)],
)
def test_a_loss_that_says_nothing_about_the_start_does_not_fail_a_new_network(loss_fn, step):
    model = SimpleNet(28 * 28, 10, hidden_units=62)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    trainer = Trainer(model, loss_fn, optimizer, TRAIN_SET.batches(16), train_step=step)
    trainer.fit(1)
    verdict = check_run(trainer, min_accuracy=0.3)
    assert verdict.passed, verdict


def test_a_reset_to_a_trained_network_is_noticed(good_trainer):
    good_trainer.restore(good_trainer.snapshot())
    assert check_run(good_trainer).mistake == "never_trained"
    good_trainer.fit(1)
    assert check_run(good_trainer).mistake == "trained_before"


def test_weights_that_became_nan_are_too_inaccurate():
    trainer = make_trainer()
    trainer.optimizer.param_groups[0]["lr"] = float("nan")
    trainer.fit(2)
    trainer.fit(1)
    assert check_run(trainer).mistake == "too_inaccurate"


@pytest.mark.parametrize(
    "batches",
    [
        TEST_SET.batches(32),
        DataLoader(TEST_SET, batch_size=32),
        DataLoader(ConcatDataset([TRAIN_SET, Subset(TEST_SET, range(50))]), batch_size=64),
        DigitSet(TEST_SET.images, TEST_SET.labels, "0123456789", "UCI digits").batches(64),
    ],
)
def test_training_on_test_images_is_noticed(batches):
    trainer = make_trainer(batches=batches)
    trainer.fit(1)
    verdict = check_run(trainer)
    assert verdict.mistake == "trained_on_test_images"
    assert verdict.hint.startswith(("359 of the test images", "50 of the test images"))


class ShiftedImages(Dataset):
    """Training images, each shifted sideways at random: a common augmentation."""

    def __init__(self, base):
        self.base = base

    def __len__(self):
        return len(self.base)

    def __getitem__(self, index):
        image, label = self.base[index]
        return torch.roll(image, int(torch.randint(-1, 2, ())), -1), label


def test_a_students_own_data_set_is_searched_for_test_images():
    trainer = make_trainer(batches=DataLoader(ShiftedImages(TRAIN_SET), batch_size=32))
    trainer.fit(1)
    verdict = check_run(trainer, min_accuracy=0.3)
    assert verdict.passed, verdict
    trainer = make_trainer(batches=DataLoader(ShiftedImages(TEST_SET), batch_size=32))
    trainer.fit(1)
    assert check_run(trainer).mistake == "trained_on_test_images"


def test_images_of_unknown_origin_need_the_name_of_their_data():
    trainer = make_trainer(batches=list(TRAIN_SET.batches(16)))
    trainer.fit(1)
    verdicts = [check_run(trainer) for _ in range(3)]
    assert verdicts[-1].mistake == "unknown_data"
    assert "data_name='UCI digits'" in verdicts[-1].hint
    assert "self.dataset = train_set" in verdicts[-1].hint
    named = check_run(trainer, data_name="UCI digits", min_accuracy=0.5)
    assert named.passed, named


def test_images_of_another_kind_are_refused():
    clothes = DigitSet(TRAIN_SET.images, TRAIN_SET.labels, "0123456789", "Fashion-MNIST")
    trainer = make_trainer(batches=clothes.batches(64))
    trainer.fit(1)
    verdict = check_run(trainer)
    assert verdict.mistake == "unknown_data"
    assert "found Fashion-MNIST" in verdict.hint


def test_missing_test_images_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path))
    trainer = make_trainer()
    trainer.fit(1)
    assert check_run(trainer, data_name="MNIST").mistake == "no_test_set"


def test_the_check_does_not_change_the_network(good_trainer):
    before = good_trainer.snapshot().model
    good_trainer.model.train()
    check_run(good_trainer)
    assert good_trainer.model.training
    after = good_trainer.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_network_that_raises_an_error_is_named():
    trainer = make_trainer()
    trainer.fit(1)
    trainer.model.forward = lambda images: images / "scripted"
    assert check_run(trainer).mistake == "raises"


def test_mnist_has_its_own_goal():
    try:
        train_set, _ = load_mnist(download=False)
    except DataError as error:
        pytest.skip(str(error))
    trainer = make_trainer(batches=train_set.batches(512, shuffle=True))
    trainer.fit(1)
    verdict = check_run(trainer)
    assert verdict.mistake == "too_inaccurate"
    assert "expected at least 97.00% of the MNIST test images" in verdict.hint
