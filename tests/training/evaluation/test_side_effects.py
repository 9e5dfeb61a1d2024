"""Predictions and evaluations change neither the model nor its later training."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch
from sensitive_models import MODELS, describe
from torch import nn
from torch.utils.data import DataLoader

from mnist_widgets import (
    DigitSet,
    Evaluator,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    predict_probabilities,
)

CALLS = {
    "predict_probabilities": lambda model, digit_set: predict_probabilities(
        model, digit_set.images
    ),
    "Evaluator.evaluate": lambda model, digit_set: Evaluator(digit_set.batches(7)).evaluate(
        model, "cpu"
    ),
    "Evaluator.evaluate of a shuffling loader": lambda model, digit_set: Evaluator(
        DataLoader(digit_set, batch_size=7, shuffle=True)
    ).evaluate(model, "cpu"),
}


@pytest.fixture(scope="module")
def digit_set():
    train_set, _ = load_bundled_digits()
    return DigitSet(train_set.images[:20], train_set.labels[:20], range(10), "few digits")


def make_trainer(model, digit_set) -> Trainer:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    batches = digit_set.batches(10)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, device="cpu")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_prediction_does_not_change_a_new_model(call, digit_set):
    for name, make_model in MODELS.items():
        model = make_model()
        before = describe(model)
        for _ in range(2):
            call(model, digit_set)
            after = describe(model)
            changed = {key for key in before | after if before.get(key) != after.get(key)}
            assert not changed, f"{name}: {changed}"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_prediction_does_not_change_a_model_with_gradients(call, digit_set):
    for name, make_model in MODELS.items():
        model = make_model()
        inputs, labels = next(iter(digit_set.batches(20)))
        nn.functional.cross_entropy(model(inputs), labels).backward()
        before = describe(model)
        call(model, digit_set)
        after = describe(model)
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert not changed, f"{name}: {changed}"


def test_predictions_do_not_change_the_losses_of_a_training(digit_set):
    def train(make_model, call):
        torch.manual_seed(3)
        model = make_model()
        trainer = make_trainer(model, digit_set)
        for _ in trainer.iterate(2):
            call(model, digit_set)
        return list(trainer.history.batch_losses)

    for name, make_model in MODELS.items():
        plain = train(make_model, lambda *_: None)
        for call_name, call in CALLS.items():
            assert train(make_model, call) == plain, f"{name}, {call_name}"


def test_random_numbers_of_another_thread_during_a_prediction_do_not_repeat(digit_set):
    drawn = []

    def draw():
        drawn.append(torch.rand(1, dtype=torch.float64).item())

    class OtherThreadDraws(nn.Linear):
        def forward(self, images):
            thread = threading.Thread(target=draw)
            thread.start()
            thread.join()
            return super().forward(images.flatten(1))

    model = OtherThreadDraws(28 * 28, 10)
    for _ in range(3):
        predict_probabilities(model, digit_set.images)
        Evaluator(digit_set.batches(7)).evaluate(model, "cpu")
        draw()
    assert len({*drawn}) == len(drawn) == 3 * (2 + 3 + 1)


def test_random_numbers_drawn_during_a_training_do_not_repeat(digit_set):
    trainer = make_trainer(nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10)), digit_set)
    trainer.evaluator = Evaluator(digit_set.batches(7))
    session = TrainingSession(trainer)
    try:
        session.start(epochs=1000)
        drawn = [torch.rand(1, dtype=torch.float64).item() for _ in range(20_000)]
    finally:
        session.close()
    assert len({*drawn}) == len(drawn)


def test_a_prediction_before_the_first_batch_does_not_initialize_lazy_layers(digit_set):
    model = MODELS["lazy layers"]()
    trainer = make_trainer(model, digit_set)
    assert predict_probabilities(model, digit_set.images).shape == (20, 10)
    losses = trainer.fit(3)["train"]
    assert losses[-1] < losses[0]
    assert type(model[4]) is nn.Linear


def test_a_model_may_count_its_calls(digit_set):
    class Notes(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(28 * 28, 10))
            self.num_calls, self.sizes = 0, []

        def forward(self, images):
            self.num_calls += 1
            self.sizes.append(len(images))
            return super().forward(images)

    model = Notes()
    predict_probabilities(model, digit_set.images)
    Evaluator(digit_set.batches(8)).evaluate(model, "cpu")
    assert (model.num_calls, model.sizes) == (5, [16, 4, 8, 8, 4])


def test_a_failed_prediction_does_not_change_the_model(digit_set):
    class FailsAtLast(nn.Module):
        def forward(self, _inputs):
            raise ZeroDivisionError

    model = nn.Sequential(MODELS["lazy layers"](), FailsAtLast())
    before = describe(model)
    with pytest.raises(ZeroDivisionError):
        predict_probabilities(model, digit_set.images)
    assert describe(model) == before


def test_a_reset_makes_initialized_lazy_layers_lazy_again(digit_set):
    torch.manual_seed(3)
    model = MODELS["lazy layers"]()
    before = describe(model)
    trainer = make_trainer(model, digit_set)
    beginning = trainer.snapshot()
    random_state = torch.get_rng_state()
    runs = []
    for _ in range(3):
        torch.set_rng_state(random_state)
        runs.append(list(trainer.fit(2).batch_losses))
        trainer.restore(beginning)
        torch.set_rng_state(random_state)
        after = describe(model)
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert not changed
    assert runs[0] == runs[1] == runs[2]


def test_a_reset_of_initialized_lazy_layers_restores_their_weights(digit_set):
    model = MODELS["lazy layers"]()
    trainer = make_trainer(model, digit_set)
    trainer.fit(1)
    beginning, expected = trainer.snapshot(), predict_probabilities(model, digit_set.images)
    trainer.fit(1)
    trainer.restore(beginning)
    assert torch.equal(predict_probabilities(model, digit_set.images), expected)


def test_importing_the_package_changes_no_state_of_the_process():
    code = """
import random, socket
import numpy as np, torch
torch.manual_seed(5); np.random.seed(5); random.seed(5)
def state():
    return (torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate(),
            torch.get_default_dtype(), socket.getdefaulttimeout(), torch.is_grad_enabled())
before = state()
import mnist_widgets, mnist_widgets.widgets, mnist_widgets.exercises
assert state() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)
