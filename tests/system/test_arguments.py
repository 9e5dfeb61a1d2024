"""A wrong argument of a public function is refused in a sentence that names it and a right one."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

from mnist_widgets import (
    Evaluator,
    HealthMonitor,
    RunConfig,
    SimpleNet,
    Trainer,
    TrainingSession,
    confusion_matrix,
    load_bundled_digits,
    predict_probabilities,
    record_step,
)
from mnist_widgets.widgets import DrawingPad, ImageGallery, StepExplorer, TrainingPanel, dashboard


@pytest.fixture(scope="module")
def sets():
    return load_bundled_digits()


def test_an_object_of_another_kind_is_refused_with_an_example(sets, make_trainer, capsys):
    train_set, test_set = sets
    model, trainer = SimpleNet(784, 10), make_trainer()
    loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.1)
    inputs, labels = next(iter(train_set.batches(4)))
    for call, words in [
        (lambda: TrainingSession(model), "Trainer(model"),
        (lambda: TrainingSession(Trainer), "the class Trainer"),
        (lambda: TrainingPanel(trainer), "TrainingSession(trainer)"),
        (lambda: StepExplorer(trainer), "TrainingSession(trainer)"),
        (lambda: DrawingPad(trainer), "TrainingSession(trainer)"),
        (lambda: ImageGallery(test_set.batches(5)), "DigitSet"),
        (
            lambda: ImageGallery(test_set).show_predictions(
                predict_probabilities(model, test_set.images)
            ),
            "evaluator.predictions",
        ),
        (lambda: make_trainer(callbacks=HealthMonitor()), "[HealthMonitor()]"),
        (lambda: train_set[:100], "sample(100)"),
        (
            lambda: record_step(model, (inputs.numpy(), labels.numpy()), loss_fn, optimizer),
            "pair of tensors",
        ),
        (
            lambda: record_step(model, (inputs, labels), nn.CrossEntropyLoss, optimizer),
            "the class CrossEntropyLoss",
        ),
    ]:
        with pytest.raises(TypeError) as refusal:
            call()
        assert words in str(refusal.value)
        del refusal
        gc.collect()
    assert capsys.readouterr().err == ""  # no second traceback when the panel is deleted


def test_numbers_that_are_not_whole_are_refused(sets):
    train_set, test_set = sets
    for call in (
        *(lambda size=size: train_set.batches(size) for size in (64.0, 2.5, 0, True, "64")),
        lambda: train_set.sample(2.5),
        lambda: ImageGallery(test_set, images_per_page=2.5),
        lambda: confusion_matrix([1], [1], "10"),
        lambda: RunConfig(train_images=5.0),
        lambda: dashboard(model=SimpleNet(784, 10), data=sets, batch_size=0),
        lambda: dashboard(model=SimpleNet(784, 10), data=sets, batch_size=2.5),
    ):
        with pytest.raises(ValueError, match="whole number"):
            call()


def test_whole_numbers_of_numpy_are_numbers(sets):
    train_set, _ = sets
    assert len(train_set.sample(np.int64(10))) == 10
    assert len(train_set.batches(np.int64(10))) == 144
    config = RunConfig(train_images=np.int64(5), learning_rate=np.float64(0.1))
    assert config == RunConfig(train_images=5, learning_rate=0.1)
    assert type(config.train_images) is int


def test_a_lab_takes_a_test_set_of_one_image(sets):
    train_set, test_set = sets
    lab = dashboard(model=SimpleNet(784, 10), data=(train_set, test_set.sample(1)))
    assert isinstance(lab.session.trainer.evaluator, Evaluator)
