"""Each setting of the overfitting lab has its effect, and survives text and code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mnist_widgets import DigitSet, Evaluator, RunConfig, SimpleNet, Trainer, load_bundled_digits
from mnist_widgets.runs.choices import NETWORKS
from mnist_widgets.runs.schedules import change_rate, read_rate
from mnist_widgets.runs.settings import SETTINGS
from mnist_widgets.training.hooks import Callback


def draw_setting(setting):
    """Return a strategy of the values of a setting."""
    if setting.choices:
        return st.sampled_from(list(setting.choices))
    least, greatest = setting.limits
    if not setting.is_whole:
        return st.floats(least, greatest)
    return st.integers(least, greatest) | (st.none() if setting.none else st.nothing())


CONFIGS = st.fixed_dictionaries({setting.name: draw_setting(setting) for setting in SETTINGS}).map(
    lambda values: RunConfig(**values)
)


@pytest.fixture(scope="module")
def digits():
    return load_bundled_digits()


def test_no_setting_has_the_name_of_its_group():
    assert [setting.name for setting in SETTINGS if setting.label == setting.group] == []


@given(config=CONFIGS, defaults=CONFIGS)
def test_the_text_holds_all_settings_whatever_was_set_before(config, defaults):
    assert RunConfig.from_string(config.to_string(), defaults) == config
    compile(config.to_code(), "code", "exec")


@settings(max_examples=12)
@given(
    values=st.fixed_dictionaries(
        {
            "optimizer": st.sampled_from(["momentum", "rmsprop", "adam", "adamw"]),
            "network": st.sampled_from(["linear", "one-hidden", "two-hidden", "convolutional"]),
            "schedule": st.sampled_from(["constant", "cosine", "step"]),
            "dropout": st.floats(0, 0.9),
            "weight_decay": st.floats(0, 0.1),
            "train_images": st.integers(1, 200),
            "label_noise": st.floats(0, 1),
            "augment": st.booleans(),
            "seed": st.integers(0, 2**31 - 1),
        }
    )
)
def test_the_code_repeats_random_settings(digits, values):
    config = RunConfig(batch_size=64, hidden_units=16, **values)
    built = config.build(*digits, device="cpu").fit(3)
    names = {}
    exec(config.to_code(3, digits), names)
    assert names["history"].batch_losses == pytest.approx(built.batch_losses, abs=1e-6)
    assert set(names["history"]) == set(built)
    for name, numbers in built.items():
        assert names["history"][name] == pytest.approx(numbers, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "adamw network=two-hidden dropout=0.3 decay=0.05 augment=yes schedule=cosine",
        "adam network=convolutional dropout=0.2 schedule=step",
    ],
)
def test_the_code_repeats_them_in_a_fresh_process(text, digits):
    config = RunConfig.from_string(
        f"{text} lr=0.003 batch=32 hidden=24 images=150 noise=0.2 seed=7"
    )
    built = config.build(*digits, device="cpu").fit(3)
    show = "\nimport json; print(json.dumps([history.batch_losses, dict(history)]))"
    code = config.to_code(3, digits) + show
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    batch_losses, epochs = json.loads(done.stdout.splitlines()[-1])
    assert batch_losses == pytest.approx(built.batch_losses, abs=1e-6)
    assert set(epochs) == set(built) >= {"train_accuracy", "test_loss", "test_accuracy"}
    for name, numbers in epochs.items():
        assert numbers == pytest.approx(built[name], abs=1e-6), name


@pytest.mark.parametrize(
    "text",
    [
        "decay=0.1",
        "network=linear",
        "network=two-hidden",
        "network=convolutional",
        "dropout=0.5",
        "images=100",
        "noise=0.3",
        "augment=yes",
        "schedule=cosine",
        "schedule=step",
    ],
)
def test_each_setting_changes_the_training(text, digits):
    plain = "sgd lr=0.1 batch=64 hidden=16"
    first, second = (
        RunConfig.from_string(words).build(*digits).fit(2).batch_losses
        for words in (plain, f"{plain} {text}")
    )
    assert first != second


def test_the_default_network_trains_exactly_as_by_hand(digits):
    train_set, test_set = digits
    torch.manual_seed(3)
    model = SimpleNet(28 * 28, 10)
    loss_fn = nn.CrossEntropyLoss()
    order = torch.Generator().manual_seed(3)
    batches = train_set.batches(32, shuffle=True, generator=order)
    evaluator = Evaluator(test_set.batches(512), loss_fn)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    by_hand = Trainer(model, loss_fn, optimizer, batches, evaluator=evaluator).fit(2)
    built = RunConfig(batch_size=32, seed=3).build(*digits).fit(2)
    assert built.batch_losses == by_hand.batch_losses
    for name in ("test_loss", "test_accuracy"):
        assert built[name] == pytest.approx(by_hand[name], abs=1e-6), name


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_the_number_of_epochs_stands_once_in_the_code(schedule, digits):
    config = RunConfig(schedule=schedule, batch_size=512, hidden_units=16)
    built = config.build(*digits, device="cpu").fit(5)
    code = config.to_code(2, digits)
    assert code.count("epochs = 2\n") == 1
    names = {}
    exec(code.replace("epochs = 2\n", "epochs = 5\n"), names)
    assert names["history"].batch_losses == pytest.approx(built.batch_losses, abs=1e-6)


def test_settings_without_effect_are_not_named():
    linear = RunConfig(network="linear", dropout=0.5, hidden_units=7)
    assert linear.to_words() == RunConfig(network="linear").to_words()
    other = RunConfig(dropout=0.5, hidden_units=7).to_words()
    assert {"dropout", "hidden_units"} == set(other) - set(linear.to_words())


@pytest.mark.parametrize("network", list(NETWORKS))
def test_exactly_the_settings_without_effect_are_known_as_such(network, digits):
    config = RunConfig(batch_size=128, hidden_units=16, network=network)
    losses = config.build(*digits).fit(1).batch_losses
    for setting, value in {"hidden_units": 7, "dropout": 0.5}.items():
        others = config.with_values(**{setting: value}).build(*digits).fit(1).batch_losses
        assert (others == losses) == (setting in config.unused)


def test_a_sample_may_be_of_any_size_that_the_set_has():
    images = torch.zeros(70_000, 28, 28, dtype=torch.uint8)
    large = DigitSet(images, torch.arange(70_000) % 10, "0123456789", "large")
    assert len(RunConfig(train_images=65_000).choose_images(large)) == 65_000
    with pytest.raises(ValueError, match="from 1 to 70,000"):
        RunConfig(train_images=70_001).choose_images(large)


def test_a_text_without_a_weight_decay_has_the_usual_one_of_its_optimizer():
    text = "adamw lr=0.001 batch=512 hidden=512 loss=cross-entropy seed=0"
    assert RunConfig.from_string(text) == RunConfig("adamw", weight_decay=0.01)


def test_a_new_optimizer_brings_its_usual_weight_decay_unless_one_was_chosen():
    assert RunConfig().weight_decay == 0
    assert RunConfig("adamw").weight_decay == 0.01
    assert RunConfig("adamw", weight_decay=0).weight_decay == 0
    assert RunConfig().with_values(optimizer="adamw").weight_decay == 0.01
    assert RunConfig("adamw").with_values(optimizer="sgd").weight_decay == 0
    chosen = RunConfig(weight_decay=0.3)
    assert chosen.with_values(optimizer="adamw").weight_decay == 0.3


def test_more_images_than_there_are_are_refused_in_a_sentence(digits):
    with pytest.raises(ValueError, match=r"5000 images cannot be drawn.*1,438 images here"):
        RunConfig(train_images=5000).build(*digits)


def test_the_training_accuracy_counts_the_wrong_labels_as_given(digits):
    config = RunConfig(batch_size=16, train_images=60, label_noise=0.5, learning_rate=0.003)
    trainer = config.build(*digits)
    history = trainer.fit(60)
    used = trainer.train_batches.digit_set
    assert int((used.labels != used.original_labels).sum()) == 30
    assert history["train_accuracy"][-1] == 1
    assert history["test_accuracy"][-1] < 0.8


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_as_many_labels_are_wrong_among_the_evaluated_images_as_among_all(seed):
    images = torch.zeros(8_000, 28, 28, dtype=torch.uint8)
    large = DigitSet(images, torch.arange(8_000) % 10, "0123456789", "large")
    config = RunConfig(label_noise=0.2, seed=seed)
    evaluated = config.build(large, large).evaluator.train_batches.digit_set
    names = {}
    code = config.to_code(data=(large, large)).replace("...  # FILL IN", "large, large  #")
    exec(code.partition("evaluator = ")[0], {"large": large}, names)
    for seen in (evaluated, names["seen"]):
        assert len(seen) == 5_000
        are_wrong = seen.labels != seen.original_labels
        assert are_wrong.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(evaluated.labels, names["seen"].labels)


class Rates(Callback):
    """Keeps the learning rate of each epoch."""

    def __init__(self):
        self.rates = []

    def on_epoch_end(self, trainer, report):
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("step", [1, 1, 0.1, 0.1]),
        ("cosine", [1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_a_schedule_multiplies_the_chosen_rate_in_each_run(schedule, factors, digits):
    rates = Rates()
    config = RunConfig(schedule=schedule, learning_rate=0.01, batch_size=512)
    trainer = config.build(*digits, [rates])
    trainer.fit(4)
    change_rate(trainer.optimizer, 0.02)
    assert read_rate(trainer.optimizer) == 0.02
    trainer.fit(4)
    expected = [rate * factor for rate in (0.01, 0.02) for factor in factors]
    assert rates.rates == pytest.approx(expected, abs=1e-7)


def test_choosing_images_changes_no_random_state(digits):
    before = torch.get_rng_state()
    RunConfig(train_images=50, label_noise=0.2, network="convolutional").to_code()
    RunConfig(train_images=50, label_noise=0.2, network="convolutional").build(*digits)
    assert torch.equal(torch.get_rng_state(), before)
