"""The lab as a whole, without a browser: who hears of what, and what is left when it closes."""

from __future__ import annotations

import math
import sys
import threading

import ipywidgets.widgets.widget as widget_module
import pytest
import torch

from mnist_widgets import RunConfig, SimpleNet, load_bundled_digits, predict_probabilities
from mnist_widgets.widgets import dashboard
from mnist_widgets.widgets.publishing import publisher

TIMEOUT_S = 30
DATA = load_bundled_digits()
MODULE = sys.modules["mnist_widgets.widgets.dashboard"]  # the function has the same name


@pytest.fixture
def make_lab():
    """Return a function that makes a lab over the bundled digits; the last one is closed."""
    labs = []

    def make(**options):
        labs.append(dashboard(data=DATA, **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab):
    return make_lab()


def settle(lab):
    """Wait until everything asked for has taken effect and is drawn."""
    lab.session.between_batches(lambda: None).result(TIMEOUT_S)
    publisher.flush()


def train(lab, epochs=1):
    lab.session.start(epochs)
    lab.session.join(TIMEOUT_S)
    settle(lab)


def probabilities_of(lab, index):
    return predict_probabilities(lab.session.trainer.model, DATA[1].images[index])[0]


def test_without_arguments_it_is_a_complete_lab(lab):
    settle(lab)
    assert "mw-dashboard" in lab._dom_classes
    assert lab._prediction._bars.y.tolist() == pytest.approx(
        probabilities_of(lab, 0).tolist(), abs=1e-5
    )
    train(lab)
    assert lab.session.state == "finished"
    assert lab._loss.history is lab.session.trainer.history


def test_a_selected_image_fills_the_probabilities_while_the_training_runs(lab):
    lab.session.start(1000)
    lab._gallery.selected_index = 7
    settle(lab)
    before = lab._prediction._bars.y.copy()
    assert "Label" in lab._prediction._sentence.value
    lab.session.pause()
    settle(lab)
    lab.session.step()
    settle(lab)
    after = lab._prediction._bars.y
    assert after.tolist() == pytest.approx(probabilities_of(lab, 7).tolist(), abs=1e-5)
    assert before.tolist() != after.tolist()


def test_a_confusion_cell_filters_the_gallery_and_back(lab):
    train(lab)
    predicted = predict_probabilities(lab.session.trainer.model, DATA[1].images).argmax(dim=1)
    counts = lab.session.trainer.evaluator.confusion
    mistakes = counts.clone().fill_diagonal_(0)
    pair = divmod(int(mistakes.argmax()), 10)
    assert counts[pair] != counts[pair[::-1]]  # asymmetric, so that a transposition would show
    lab._confusion.selected_pair = pair
    settle(lab)
    expected = torch.nonzero((DATA[1].labels == pair[0]) & (predicted == pair[1])).flatten()
    assert sorted(lab._gallery.visible_indices.tolist()) == expected.tolist()
    lab._gallery.selected_pair = None
    assert lab._confusion.selected_pair is None


def test_every_standstill_counts_all_images_anew(lab):
    for _ in range(2):
        lab.session.step(epochs=2)
        settle(lab)
        predicted = predict_probabilities(lab.session.trainer.model, DATA[1].images).argmax(dim=1)
        num_right = int((predicted == DATA[1].labels).sum())
        assert int(lab._confusion._counts.trace()) == num_right


def test_epochs_that_come_fast_are_not_all_drawn_but_the_last_one_is(lab, monkeypatch):
    settle(lab)
    monkeypatch.setattr(MODULE, "EPOCH_INTERVAL_S", math.inf)
    shown = []
    monkeypatch.setattr(lab._confusion, "show_counts", shown.append)
    train(lab, epochs=3)
    assert len(shown) == 2  # after the first epoch, and when all stood still
    assert torch.equal(shown[-1], lab.session.trainer.evaluator.confusion)


def test_a_look_after_a_click_puts_off_the_next_regular_one(lab, monkeypatch):
    settle(lab)
    monkeypatch.setattr(MODULE, "LOOK_INTERVAL_S", 3600)
    lab._looked_at_s = -math.inf
    looks = []
    monkeypatch.setattr(lab._gallery, "show_visible", lambda *_: looks.append(1))
    lab._gallery.selected_index = 7
    settle(lab)
    train(lab)
    assert len(looks) == 2  # for the click, and when all stood still


def test_a_reset_begins_a_run_with_the_settings_shown(lab):
    train(lab)
    first_model = lab.session.trainer.model
    lab._settings.config = RunConfig(
        learning_rate=0.1, optimizer="sgd", hidden_units=16, batch_size=64
    )
    lab.reset()
    settle(lab)
    assert lab.session.state == "idle"
    assert lab.session.trainer.model is not first_model
    assert lab.session.trainer.model.linear1.out_features == 16
    train(lab)
    assert [run.config.hidden_units for run in lab.run_log.runs] == [512, 16]
    assert lab.run_log.runs[1].history is lab.session.trainer.history


def test_the_learning_rate_changes_at_once(lab):
    lab.session.start(1000)
    lab._settings.config = RunConfig(batch_size=32, learning_rate=0.5)
    settle(lab)
    assert lab.session.trainer.optimizer.param_groups[0]["lr"] == 0.5
    assert lab.session.state == "running"


def test_your_own_model_is_trained_and_reset_to_its_first_weights(make_lab):
    model = SimpleNet(28 * 28, 10, hidden_units=8)
    before = model.linear1.weight.detach().clone()
    lab = make_lab(model=model)
    train(lab)
    assert not torch.equal(model.linear1.weight, before)
    lab.reset()
    settle(lab)
    assert torch.equal(model.linear1.weight, before)


def test_your_own_train_step_is_used(make_lab):
    from mnist_widgets import train_step

    calls = []

    def own_step(*arguments):
        calls.append(1)
        return train_step(*arguments)

    lab = make_lab(train_step=own_step)
    train(lab)
    assert len(calls) == lab.session.trainer.num_batches


def test_settings_come_as_a_string_and_can_be_hidden_and_locked(make_lab):
    lab = make_lab(settings="sgd lr=0.1 hidden=64", hide=["runs", "seed"], lock=["optimizer"])
    assert lab._settings.config.hidden_units == 64
    shown = set(parts_of(lab))
    assert {lab._loss, lab._settings} <= shown
    assert lab._runs not in shown


def parts_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def test_each_panel_on_the_page_has_its_heading(make_lab):
    lab = make_lab(hide=["runs"])
    headings = [part.value for part in parts_of(lab) if "mw-title" in part._dom_classes]
    assert headings == [
        f"<h3>{title}</h3>"
        for title in (
            *("Training", "Settings", "Loss", "Test images", "Prediction", "Confusion matrix"),
        )
    ]


def test_what_does_not_go_together_is_named(make_lab):
    with pytest.raises(ValueError, match="model of your own"):
        make_lab(optimizer=object())
    with pytest.raises(ValueError, match="settings describe"):
        make_lab(model=SimpleNet(784, 10), settings="adam")
    with pytest.raises(ValueError, match="galery"):
        make_lab(hide=["galery"])


def test_twenty_labs_in_a_row_leave_no_more_than_one(make_lab):
    def live() -> tuple[int, int]:
        publisher.flush()
        threads = [t for t in threading.enumerate() if t.name in ("training", "next-batch_0")]
        for thread in threads:
            if thread.name == "training" and thread is not lab.session._worker:
                thread.join(TIMEOUT_S)
        return len(widget_module._instances), sum(thread.is_alive() for thread in threads)

    lab = make_lab()
    lab.session.start(1000)
    first = live()
    for _ in range(19):
        lab = make_lab()
        lab.session.start(1000)
    assert live()[0] == first[0]
    assert live()[1] <= first[1]
    lab.close()
    assert lab.session.can("start") is False
