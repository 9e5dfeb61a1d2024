"""When a lab predicts which images: the shown ones first, the rest in portions."""

from __future__ import annotations

import itertools
import math
import threading
from copy import deepcopy

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from settled_lab import settle, shown_probabilities
from timeouts import TIMEOUT_S
from torch import nn
from traitlets import TraitError

from mnist_widgets import Callback, DigitSet, predict_probabilities, train_step
from mnist_widgets.training.evaluation import portions
from mnist_widgets.widgets import (
    ConfusionChart,
    HyperparameterPanel,
    ImageGallery,
    LossChart,
    ProbabilityChart,
    RunTable,
    dashboard,
)

NUM_SHOWN = 31  # a page of 30, and the selected image
FOREVER = 10_000


def make_set(num_images: int) -> DigitSet:
    images = torch.randint(0, 256, (num_images, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (num_images,))
    return DigitSet(images, labels, tuple("0123456789"), "noise")


class RecordingNetwork(nn.Module):
    """A linear network that records the number of images of its passes in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)
        self.passes: list[int] = []
        self.on_pass = lambda: None

    def forward(self, images):
        if not self.training:
            self.passes.append(len(images))
            self.on_pass()
        return self.linear(images.flatten(1))


@pytest.fixture(autouse=True)
def yield_after_each_pass(monkeypatch):
    monkeypatch.setattr(portions, "PORTION_S", 0)


@pytest.fixture
def make_lab():
    """Return a function that makes a lab of 400 images of noise; it is closed at the end."""
    labs = []

    def make(**options):
        options = {"model": RecordingNetwork(), "batch_size": 32, **options}
        labs.append(dashboard(data=(make_set(64), make_set(400)), **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def gate():
    """Return a function that makes a network wait in a pass, and one that lets it go on."""
    reached, may_go_on = threading.Event(), threading.Event()

    class Gate:
        def close(self, model, after_images: int) -> None:
            def wait() -> None:
                if sum(model.passes) >= after_images and not reached.is_set():
                    reached.set()
                    assert may_go_on.wait(TIMEOUT_S)

            model.on_pass = wait

        def await_pass(self) -> None:
            assert reached.wait(TIMEOUT_S)

        def open(self) -> None:
            may_go_on.set()

    yield Gate()
    may_go_on.set()


def begin_prediction(lab, gate) -> tuple[RecordingNetwork, int]:
    """Begin to predict all images, and wait in one pass of those.

    Returns:
        The network, and the number of images that it has predicted.
    """
    settle(lab)
    model = lab.session.trainer.model
    model.passes.clear()
    gate.close(model, NUM_SHOWN + 1)
    lab._inference.count_now()
    gate.await_pass()
    return model, sum(model.passes)


def test_the_shown_images_are_predicted_first_and_the_rest_in_portions(make_lab):
    lab = make_lab()
    settle(lab)
    passes = lab.session.trainer.model.passes[1:]  # the first one checked the model
    assert NUM_SHOWN in itertools.accumulate(passes)
    assert sum(passes) == NUM_SHOWN + 400
    assert max(passes) <= 16


def test_a_click_comes_between_two_portions(make_lab, gate):
    lab = make_lab()
    model, num_images = begin_prediction(lab, gate)
    lab.panels["gallery"].grid.set_state({"selected": 7})  # as the page does
    answered = lab.session.between_batches(lambda: sum(model.passes))
    gate.open()
    assert answered.result(TIMEOUT_S) == num_images + NUM_SHOWN  # for the click, and no others
    settle(lab)
    assert sum(model.passes) == 400 + 2 * NUM_SHOWN


def test_a_step_comes_between_two_portions_and_old_predictions_are_not_shown(make_lab, gate):
    lab = make_lab()
    model, num_images = begin_prediction(lab, gate)
    shown = []
    lab.panels["confusion"].show_counts = shown.append
    lab.session.step()
    trained = lab.session.between_batches(lambda: sum(model.passes))
    gate.open()
    # the shown images may have been predicted again
    assert trained.result(TIMEOUT_S) in (num_images, num_images + NUM_SHOWN)
    settle(lab)
    predicted = predict_probabilities(model, lab._factory.test_set.images).argmax(dim=1)
    (counts,) = shown
    assert int(counts.trace()) == int((predicted == lab._factory.test_set.labels).sum())


def test_a_resumed_training_does_not_wait_for_the_rest(make_lab, gate):
    has_trained = threading.Event()

    def step(*arguments):
        has_trained.set()
        return train_step(*arguments)

    lab = make_lab(train_step=step)
    settle(lab)
    model = lab.session.trainer.model
    model.passes.clear()
    gate.close(model, NUM_SHOWN + 1)
    lab.session.step(epochs=FOREVER)
    gate.await_pass()
    has_trained.clear()
    lab.session.resume()
    gate.open()
    assert has_trained.wait(TIMEOUT_S)
    assert sum(model.passes) < 400


def test_a_stop_ends_counting_during_a_training(make_lab, gate):
    lab = make_lab()
    settle(lab)
    lab.session.start(FOREVER)
    model = lab.session.trainer.model
    reached, may_go_on = threading.Event(), threading.Event()
    passes = iter(range(FOREVER))

    def wait() -> None:
        if reached.is_set() or lab.session.state != "running" or next(passes) < 6:
            return
        reached.set()
        assert may_go_on.wait(TIMEOUT_S)

    model.on_pass = wait
    lab._inference.count_now()
    assert reached.wait(TIMEOUT_S)
    num_images = sum(model.passes)
    lab.session.stop()
    stopped = lab.session.between_batches(lambda: (lab.session.state, sum(model.passes)))
    may_go_on.set()
    state, num_images_then = stopped.result(TIMEOUT_S)
    assert state == "stopped"
    assert num_images_then <= num_images + NUM_SHOWN


def test_closing_a_lab_ends_the_prediction_of_all_images(make_lab, gate):
    lab = make_lab()
    model, num_images = begin_prediction(lab, gate)
    closing = threading.Thread(target=lab.close)
    closing.start()
    while not lab.session.is_closed:
        closing.join(0.01)
    gate.open()
    closing.join(TIMEOUT_S)
    assert not closing.is_alive()
    assert sum(model.passes) == num_images


PANELS = {
    "settings": HyperparameterPanel,
    "loss_chart": LossChart,
    "gallery": ImageGallery,
    "prediction": ProbabilityChart,
    "confusion": ConfusionChart,
    "runs": RunTable,
}


def live_panels() -> set[type]:
    return {type(widget) for widget in widget_module._instances.values()}


@pytest.mark.parametrize("hidden", [*PANELS, "gallery prediction confusion", " ".join(PANELS)])
def test_a_hidden_panel_is_not_built_and_the_others_work(make_lab, hidden):
    names = hidden.split()
    lab = make_lab(hide=names, model=None, batch_size=None)
    built = live_panels()
    for name, panel in PANELS.items():
        assert (panel in built) == (name not in names), name
    settle(lab)
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    lab.selected_index = 3
    settle(lab)
    assert lab.session.state == "finished"
    if "prediction" not in names:
        expected = predict_probabilities(
            lab.session.trainer.model, lab._factory.test_set.images[3]
        )[0]
        assert shown_probabilities(lab) == pytest.approx(expected.tolist(), abs=1e-4)
    lab.session.reset()
    settle(lab)
    assert lab.session.state == "idle"


@pytest.mark.parametrize(
    ("hidden", "num_images"),
    [
        (["gallery", "prediction", "confusion"], 0),
        (["gallery", "confusion"], 1),
        (["gallery", "prediction"], 400),
        (["prediction", "confusion"], 400 + NUM_SHOWN),
    ],
)
def test_what_no_panel_shows_is_not_predicted(make_lab, hidden, num_images):
    lab = make_lab(hide=hidden)
    settle(lab)
    assert sum(lab.session.trainer.model.passes[1:]) == num_images


def test_a_selection_out_of_range_is_refused_without_a_gallery_too(make_lab):
    lab = make_lab(hide=["gallery"])
    with pytest.raises(TraitError, match="0 to 399"):
        lab.selected_index = 400
    assert lab.selected_index == 0


@pytest.mark.parametrize(("hidden", "is_counted"), [([], True), (["gallery"], False)])
def test_an_epoch_counts_as_a_prediction_only_where_it_shows_one(
    make_lab, hidden, is_counted, monkeypatch
):
    # a chart without a gallery shows only what is predicted for it
    lab = make_lab(hide=hidden)
    settle(lab)
    inference, found = lab._inference, []
    end_epoch = inference.on_epoch_end

    def watch(trainer, report) -> None:
        inference._predicted_s = -math.inf
        end_epoch(trainer, report)
        found.append(inference._predicted_s > -math.inf)

    monkeypatch.setattr(inference, "on_epoch_end", watch)
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    assert found == [is_counted]


def expect_the_truth(lab) -> None:
    """Check that the gallery and the matrix show what the network predicts now."""
    settle(lab)
    model, test_set = lab.session.trainer.model, lab.panels["gallery"]._digit_set
    answers = predict_probabilities(model, test_set.images)
    assert torch.allclose(lab.panels["gallery"].answers, answers, atol=1e-5)
    num_right = int((answers.argmax(dim=1) == test_set.labels).sum())
    assert int(lab.panels["confusion"]._counts.trace()) == num_right


def test_weights_that_a_callback_restores_at_the_end_are_the_ones_shown(make_lab):
    class Restores(Callback):
        def on_train_begin(self, trainer):
            self.weights = deepcopy(trainer.model.state_dict())

        def on_train_end(self, trainer):
            trainer.model.load_state_dict(self.weights)

    lab = make_lab()
    lab.session.trainer.callbacks.append(Restores())
    lab.session.start(2)
    lab.session.join(TIMEOUT_S)
    expect_the_truth(lab)


@pytest.mark.parametrize("way", ["cell", "click"])
def test_weights_that_a_cell_loads_are_shown_at_its_end_or_after_a_click(make_lab, shell, way):
    lab = make_lab()
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    lab.session.trainer.model.load_state_dict(RecordingNetwork().state_dict())
    if way == "cell":
        shell.events.trigger("post_run_cell", None)
    else:
        lab.panels["gallery"].selected_index = 7
    expect_the_truth(lab)


def test_a_closed_lab_listens_to_no_cell(make_lab, shell):
    callbacks = shell.events.callbacks["post_run_cell"]
    before = list(callbacks)
    make_lab().close()
    assert list(callbacks) == before


def test_a_network_that_changes_its_own_weights_is_predicted_once(make_lab):
    class Clamping(RecordingNetwork):
        def forward(self, images):
            with torch.no_grad():
                self.linear.weight.clamp_(-0.01, 0.01)
            return super().forward(images)

    lab = make_lab(model=Clamping())
    settle(lab)
    passes = lab.session.trainer.model.passes[1:]
    assert sum(passes) == NUM_SHOWN + 400
    assert lab.panels["confusion"]._counts.sum() == 400
    lab._inference.on_news()
    settle(lab)
    assert lab.session.trainer.model.passes[1:] == passes
