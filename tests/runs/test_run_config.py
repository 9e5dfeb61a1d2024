"""Settings are checked, travel as text and code, and build what they say."""

from __future__ import annotations

import random
import re
import socket
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import (
    Callback,
    DigitSet,
    TrainingSession,
    load_bundled_digits,
    predict_probabilities,
    train_step,
)
from mnist_widgets.runs.choices import LOSSES, OPTIMIZERS, OptimizerChoice, squared_error
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.settings import SETTINGS

CONFIGS = [
    RunConfig(optimizer=optimizer, loss=loss, learning_rate=0.01, batch_size=256, seed=seed)
    for seed, (optimizer, loss) in enumerate(
        zip(OPTIMIZERS, [*LOSSES, *LOSSES, "cross-entropy"], strict=True)
    )
]


@pytest.fixture(scope="module")
def digits():
    return load_bundled_digits()


def weights_of(trainer):
    return torch.cat([parameter.detach().ravel() for parameter in trainer.model.parameters()])


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        RunConfig().seed = 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamm"}, "Optimizer must be one of sgd, momentum, .*, not 'adamm'"),
        ({"loss": "l1"}, "Loss function must be one of cross-entropy, mse, not 'l1'"),
        ({"learning_rate": 0}, "Learning rate must be a number from 0.00001 to 10, not 0"),
        ({"learning_rate": float("nan")}, "Learning rate must be .*, not nan"),
        ({"learning_rate": "0.1"}, "Learning rate must be a number .*, not '0.1'"),
        ({"batch_size": 1.5}, "Batch size must be a whole number from 1 to 10,000, not 1.5"),
        ({"batch_size": True}, "Batch size must be a whole number .*, not True"),
        ({"hidden_units": 0}, "Hidden units must be a whole number from 1 to 4,096, not 0"),
        ({"weight_decay": 2}, "Weight decay must be a number from 0 to 1, not 2"),
        ({"dropout": 1.0}, "Dropout must be a number from 0 to 0.95, not 1.0"),
        (
            {"train_images": 0},
            "Training images must be .*from 1 to 1,000,000,000, not 0",
        ),
        ({"label_noise": -0.1}, "Wrong labels must be a number from 0 to 1, not -0.1"),
        ({"network": "deep"}, "Network must be one of linear, one-hidden, .*, not 'deep'"),
        ({"augment": "ja"}, "Augmentation must be one of no, yes .*, not 'ja'"),
        ({"schedule": "fast"}, "Schedule must be one of constant, cosine, step, not 'fast'"),
        ({"augment": 1}, "Augmentation must be one of .*, not 1"),
        ({"seed": -1}, "Seed must be a whole number from 0 to .*, not -1"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**settings)


def test_the_text_is_short_and_readable():
    text = (
        "adam lr=0.001 batch=512 hidden=512 loss=cross-entropy seed=0 decay=0 schedule=constant "
        "network=one-hidden dropout=0 images=all noise=0 augment=no"
    )
    assert RunConfig().to_string() == text


@pytest.mark.parametrize("learning_rate", [1e-5, 0.1 + 0.2, 1 / 3, 10, 0.0012589254117941675])
@pytest.mark.parametrize("config", CONFIGS)
def test_the_text_holds_every_setting_exactly(config, learning_rate):
    config = replace(config, learning_rate=learning_rate, hidden_units=33)
    assert RunConfig.from_string(config.to_string()) == config
    assert not re.search(r"\de-", config.to_string())


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("  seed=3\n", {"seed": 3}),
        ("SGD", {"optimizer": "sgd"}),
        ("optimizer=adamw", {"optimizer": "adamw"}),
        ("lr=0,01", {"learning_rate": 0.01}),
        (
            "loss=MSE lr=1e-2 momentum",
            {"optimizer": "momentum", "learning_rate": 0.01, "loss": "mse"},
        ),
    ],
)
def test_a_text_may_leave_out_and_reorder(text, settings):
    assert RunConfig.from_string(text) == RunConfig(**settings)


def test_defaults_supply_what_a_text_leaves_out():
    before = RunConfig(seed=5, batch_size=64)
    assert RunConfig.from_string("lr=0.1", before) == replace(before, learning_rate=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adamm", "'adamm' is not a setting.*or an optimizer: sgd,"),
        ("speed=3", "'speed=3' is not a setting. Write one of lr="),
        ("lr= 3", "'3' is not a setting.* no space"),
        ("lr=fast", "Learning rate must be a number .*, not 'fast'"),
        ("lr=nan", "Learning rate must be a number .*, not 'nan'"),
        ("lr=1,000.5", "Learning rate must be .*, not '1,000.5'"),
        ("batch=1,5", "Batch size must be a whole number .*, not 1.5"),
        ("lr=", "Learning rate must be .*, not ''"),
        ("batch=64.5", "Batch size must be a whole number .*, not 64.5"),
        ("lr=100", "Learning rate must be .*, not 100"),
        ("seed=1 seed=2", "Seed is set twice, the second time by 'seed=2'"),
        ("adam sgd", "Optimizer is set twice, the second time by 'sgd'"),
    ],
)
def test_an_error_in_a_text_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.from_string(text)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.optimizer}-{config.loss}")
def test_the_code_repeats_the_run_that_was_built(config, digits):
    built = config.build(*digits).fit(2)
    names = {}
    exec(config.to_code(epochs=2, data=digits), names)
    assert names["history"].batch_losses == pytest.approx(built.batch_losses, abs=1e-6)
    assert set(names["history"]) == {"train", "test_loss", "test_accuracy", "train_accuracy"}
    for name, values in names["history"].items():
        assert values == pytest.approx(built[name], abs=1e-6)


def test_the_same_seed_gives_the_same_run_whatever_else_draws_random_numbers(digits):
    config = RunConfig(batch_size=256, seed=3)
    first, second = config.build(*digits), config.build(*digits)
    assert torch.equal(weights_of(first), weights_of(second))
    losses = first.fit(1).batch_losses
    torch.rand(100)
    assert second.fit(1).batch_losses == pytest.approx(losses, abs=1e-6)
    other = replace(config, seed=4).build(*digits)
    assert not torch.equal(weights_of(first), weights_of(other))


def test_building_a_run_changes_no_global_state(digits):
    def read_global_state():
        numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
        return (
            *(torch.get_rng_state().tolist(), random.getstate(), numpy_state),
            *(torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()),
            socket.getdefaulttimeout(),
        )

    before = read_global_state()
    RunConfig(seed=3).build(*digits)
    assert read_global_state() == before


class Draws(Callback):
    """Draws a random number after each batch, as dropout would."""

    def __init__(self):
        self.drawn = []

    def on_batch_end(self, trainer, report):
        self.drawn.append(torch.rand(1).item())


def test_a_run_seeds_torch_just_before_its_first_batch(digits):
    drawn = []
    for seed in (3, 3, 4):
        draws = Draws()
        trainer = RunConfig(batch_size=256, seed=seed).build(*digits, [draws])
        torch.rand(7)
        trainer.fit(1)
        drawn.append(draws.drawn)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_run_that_continues_is_not_seeded_again(digits):
    draws = Draws()
    trainer = RunConfig(batch_size=256).build(*digits, [draws])
    trainer.fit(1)
    trainer.fit(1)
    assert len(set(draws.drawn)) == len(draws.drawn) == 12


def test_after_a_reset_a_run_repeats_itself_bit_for_bit(digits):
    trainer = RunConfig(batch_size=64, seed=5).build(*digits)
    trainer.model = nn.Sequential(trainer.model, nn.Dropout(0.3))
    session = TrainingSession(trainer)
    ends = []
    try:
        for _ in range(2):
            session.start(2)
            session.join(TIMEOUT_S)
            ends.append((list(trainer.history.batch_losses), weights_of(trainer)))
            session.reset()
            torch.rand(7)
    finally:
        session.close()
    assert ends[0][0] == ends[1][0]
    assert torch.equal(ends[0][1], ends[1][1])


def test_the_code_repeats_dropout_too(digits):
    config = RunConfig(batch_size=256, seed=2)
    trainer = config.build(*digits)
    trainer.model = nn.Sequential(trainer.model, nn.Dropout(0.5))
    losses = trainer.fit(1).batch_losses
    network = "SimpleNet(28 * 28, 10, hidden_units=512)"
    code = config.to_code(epochs=1, data=digits)
    names = {}
    exec(code.replace(network, f"nn.Sequential({network}, nn.Dropout(0.5))"), names)
    assert names["history"].batch_losses == pytest.approx(losses, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_code_for_own_data_and_an_own_step_runs_once_the_marked_lines_are_filled(loss, digits):
    def own_step(*arguments):
        return 2 * train_step(*arguments)

    train_set, test_set = (
        DigitSet(part.images[part.labels < 4], part.labels[part.labels < 4], "abcd", "letters")
        for part in digits
    )
    config = RunConfig(batch_size=64, hidden_units=9, loss=loss)
    code = config.to_code(1, (train_set, test_set), own_step)
    marked = [line for line in code.splitlines() if "FILL IN" in line]
    assert [line.partition("=")[0].strip() for line in marked] == [
        "train_set, test_set",
        "train_step",
    ]
    assert "SimpleNet(28 * 28, 4, hidden_units=9)" in code
    for line, name in zip(marked, ("own_data", "own_step"), strict=True):
        code = code.replace(line, line.replace("...", name))
    names = {"own_data": (train_set, test_set), "own_step": own_step}
    exec(code, names)
    trainer = config.build(train_set, test_set)
    trainer.train_step = own_step
    assert names["history"].batch_losses == pytest.approx(trainer.fit(1).batch_losses, abs=1e-6)


def test_the_two_sets_of_a_loader_in_another_order_are_own_data(digits):
    train_set, test_set = digits
    other_train_set, _ = load_bundled_digits()
    assert "= load_bundled_digits()" in RunConfig().to_code(data=(other_train_set, test_set))
    for data in ((test_set, train_set), (train_set, train_set)):
        assert "FILL IN" in RunConfig().to_code(data=data)


def test_sets_that_were_changed_after_loading_are_own_data():
    def replace_images(digit_set):
        digit_set.images = 255 - digit_set.images

    for change in (
        lambda digit_set: digit_set.labels.random_(10),
        lambda digit_set: digit_set.labels.numpy().fill(3),
        lambda digit_set: digit_set.images[5].zero_(),
        replace_images,
    ):
        for index in (0, 1):
            data = load_bundled_digits()
            change(data[index])
            assert "FILL IN" in RunConfig().to_code(data=data)


@pytest.mark.parametrize("loss", LOSSES)
def test_outputs_of_every_network_become_probabilities_by_a_softmax(loss, digits):
    _, test_set = digits
    trainer = RunConfig(loss=loss, batch_size=64, learning_rate=0.01).build(*digits)
    trainer.fit(3)
    labels = test_set.labels
    probabilities = predict_probabilities(trainer.model, test_set.images)
    accuracy = (probabilities.argmax(dim=1) == labels).double().mean()
    assert accuracy == pytest.approx(trainer.history["test_accuracy"][-1])
    # a second softmax over probabilities would leave none above e / (e + 9) = 0.23
    assert probabilities.max() > 0.9


def test_the_squared_error_measures_probabilities_against_one_hot_targets():
    logits = torch.tensor([[0.0, 0.0], [100.0, 0.0]])
    # probabilities (1/2, 1/2) and (1, 0) for the second and the first class
    loss = squared_error(logits, torch.tensor([1, 0]))
    assert loss.item() == pytest.approx((0.25 + 0.25 + 0 + 0) / 4)


def test_callbacks_and_settings_reach_the_trainer(digits, make_trainer):
    train_set, test_set = digits
    config = RunConfig("momentum", 0.5, batch_size=100, hidden_units=7)
    callback = Callback()
    trainer = config.build(train_set, test_set, [callback])
    assert trainer.callbacks[-1] is callback
    assert trainer.optimizer.defaults["weight_decay"] == 0
    assert trainer.num_batches == -(-len(train_set) // 100)
    assert trainer.model.linear1.out_features == 7
    assert trainer.optimizer.defaults["momentum"] == 0.9
    assert trainer.optimizer.param_groups[0]["lr"] == 0.5
    assert isinstance(trainer.loss_fn, nn.CrossEntropyLoss)
    assert trainer.config == config
    assert make_trainer().config is None


def test_every_field_has_its_row_in_the_table_of_settings():
    assert [setting.name for setting in SETTINGS] == [field.name for field in fields(RunConfig)]
    assert list(RunConfig().to_words()) == [setting.name for setting in SETTINGS]
    for setting in SETTINGS:
        value = getattr(RunConfig(), setting.name)
        assert setting.read(setting.to_text(value)) == value, setting.name
        assert setting.explain(value).endswith("."), setting.name


def test_a_new_optimizer_needs_only_its_row(digits, monkeypatch):
    adagrad = OptimizerChoice(
        "Adagrad", "Steps get shorter.", "Adagrad", {"initial_accumulator_value": 0.1}
    )
    monkeypatch.setitem(OPTIMIZERS, "adagrad", adagrad)
    config = RunConfig.from_string("adagrad lr=0.01 batch=256")
    assert config.to_words()["optimizer"] == "Adagrad"
    built = config.build(*digits).fit(1)
    names = {}
    exec(config.to_code(epochs=1, data=digits), names)
    assert names["history"].batch_losses == pytest.approx(built.batch_losses, abs=1e-6)


def test_labels_of_numbers_have_no_exponent():
    assert RunConfig(learning_rate=1e-5).to_words()["learning_rate"] == "lr 0.00001"
