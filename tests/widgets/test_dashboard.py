"""The lab as a whole, without a browser: how panels work together, and what is left at its end."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from ipywidgets import Text
from settled_lab import settle, shown_probabilities
from timeouts import TIMEOUT_S

from mnist_widgets import (
    DigitSet,
    RunConfig,
    SimpleNet,
    load_bundled_digits,
    predict_probabilities,
    train_step,
)
from mnist_widgets.widgets import dashboard, redraws
from mnist_widgets.widgets.inference import live_inference
from mnist_widgets.widgets.redraws import scheduler

DATA = load_bundled_digits()


@pytest.fixture
def make_lab():
    """Return a function that makes a lab over the bundled digits; the last one is closed."""
    labs = []

    def make(**options):
        labs.append(dashboard(**{"data": DATA, **options}))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab):
    return make_lab()


def train(lab, epochs=1):
    lab.session.start(epochs)
    lab.session.join(TIMEOUT_S)
    settle(lab)


def begin_run(lab, begin):
    """Train by `"start"` or by a single `"step"`."""
    if begin == "start":
        train(lab)
    else:
        lab.session.step()
        settle(lab)


def probabilities_of(lab, index):
    return predict_probabilities(lab.session.trainer.model, DATA[1].images[index])[0]


def test_without_arguments_it_is_a_complete_lab(lab):
    settle(lab)
    assert "mw-dashboard" in lab._dom_classes
    assert shown_probabilities(lab) == pytest.approx(probabilities_of(lab, 0).tolist(), abs=1e-5)
    train(lab)
    assert lab.session.state == "finished"
    assert lab.panels["loss_chart"].history is lab.session.trainer.history


def test_the_code_shown_is_that_of_the_labs_own_data_and_step(make_lab):
    assert "= load_bundled_digits()" in make_lab().panels["settings"].static_view().text
    lab = make_lab(train_step=lambda *arguments: 2 * train_step(*arguments))
    assert "train_step = ...  # FILL IN" in lab.panels["settings"].static_view().text


def test_a_lab_computes_on_the_device_it_is_given(make_lab):
    for options in ({}, {"model": SimpleNet(28 * 28, 10)}):
        lab = make_lab(device="meta", **options)  # which every machine has
        assert lab.session.trainer.device.type == "meta"
    lab = make_lab(device="cpu")
    lab.session.reset()
    settle(lab)
    assert lab.session.trainer.device.type == "cpu"


@pytest.mark.parametrize("device", ["gpu", "xpu", 3.5])
def test_a_device_that_is_not_there_is_refused_with_what_works(device):
    with pytest.raises(ValueError, match=r'device is .*"cpu" works everywhere'):
        dashboard(data=DATA, device=device)


def test_a_selected_image_fills_the_probabilities_while_the_training_runs(lab):
    lab.session.start(1000)
    lab.panels["gallery"].selected_index = 7
    settle(lab)
    before = shown_probabilities(lab)
    assert "True" in lab.panels["prediction"].static_view().text
    lab.session.pause()
    settle(lab)
    lab.session.step()
    settle(lab)
    after = shown_probabilities(lab)
    assert after == pytest.approx(probabilities_of(lab, 7).tolist(), abs=1e-5)
    assert before != after


def test_a_confusion_cell_filters_the_gallery_and_back(lab):
    train(lab)
    predicted = predict_probabilities(lab.session.trainer.model, DATA[1].images).argmax(dim=1)
    counts = lab.session.trainer.evaluator.confusion
    mistakes = counts.clone().fill_diagonal_(0)
    pair = divmod(int(mistakes.argmax()), 10)
    assert counts[pair] != counts[pair[::-1]]  # asymmetric, so that a transposition would show
    lab.panels["confusion"].selected_pair = pair
    settle(lab)
    expected = torch.nonzero((DATA[1].labels == pair[0]) & (predicted == pair[1])).flatten()
    assert sorted(lab.panels["gallery"].visible_indices.tolist()) == expected.tolist()
    lab.panels["gallery"].selected_pair = None
    assert lab.panels["confusion"].selected_pair is None


def test_all_images_are_counted_whenever_the_training_pauses_or_ends(lab):
    for _ in range(2):
        lab.session.step(epochs=2)
        settle(lab)
        predicted = predict_probabilities(lab.session.trainer.model, DATA[1].images).argmax(dim=1)
        num_right = int((predicted == DATA[1].labels).sum())
        assert int(lab.panels["confusion"]._counts.trace()) == num_right


def test_epochs_that_come_fast_are_not_all_drawn_but_the_last_one_is(lab, monkeypatch):
    settle(lab)
    monkeypatch.setattr(redraws, "FRAMES_PER_PREDICTION", math.inf)
    shown = []
    monkeypatch.setattr(lab.panels["confusion"], "show_counts", shown.append)
    train(lab, epochs=3)
    assert len(shown) == 2  # after the first epoch, and when all stood still
    assert torch.equal(shown[-1], lab.session.trainer.evaluator.confusion)
    lab.session.step()
    settle(lab)
    assert len(shown) == 3  # and for a step once, not for the command and its end


def test_a_prediction_after_a_click_delays_the_next_regular_one(lab, monkeypatch):
    settle(lab)
    monkeypatch.setattr(redraws, "FRAMES_PER_PREDICTION", 10_000)
    lab._inference._predicted_s = -math.inf
    predicted = []

    def predict(model, images, loss_fn):
        predicted.append(len(images))
        return predict_probabilities(model, images, loss_fn)

    monkeypatch.setattr(live_inference, "predict_probabilities", predict)
    lab.panels["gallery"].selected_index = 7
    settle(lab)
    train(lab)
    assert len(predicted) == 2  # for the click, and when all stood still


def test_a_reset_begins_a_run_with_the_settings_shown(lab):
    train(lab)
    first_model = lab.session.trainer.model
    lab.panels["settings"].config = RunConfig(
        learning_rate=0.1, optimizer="sgd", hidden_units=16, batch_size=64
    )
    lab.session.reset()
    settle(lab)
    assert lab.session.state == "idle"
    assert lab.session.trainer.model is not first_model
    assert lab.session.trainer.model.linear1.out_features == 16
    train(lab)
    assert [run.config.hidden_units for run in lab.run_log.runs] == [512, 16]
    assert lab.run_log.runs[1].history is lab.session.trainer.history


def test_between_reset_and_start_the_page_shows_an_untrained_network_of_the_settings(lab):
    train(lab)
    trained = shown_probabilities(lab)
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32, hidden_units=16)
    lab.session.reset()
    settle(lab)
    trainer = lab.session.trainer
    assert shown_probabilities(lab) != trained
    assert shown_probabilities(lab) == pytest.approx(probabilities_of(lab, 0).tolist(), abs=1e-5)
    predicted = predict_probabilities(trainer.model, DATA[1].images).argmax(dim=1)
    num_right = int((predicted == DATA[1].labels).sum())
    assert int(lab.panels["confusion"]._counts.trace()) == num_right
    assert trainer.config == lab.panels["settings"].config
    assert lab.panels["loss_chart"].history is trainer.history
    assert trainer.history.batch_losses == []
    assert lab.session.last_report is None
    (run,) = lab.run_log.runs
    assert lab.run_log.earlier_shown == (run,)
    assert len(run.history.batch_losses) == trainer.num_batches
    assert lab.panels["settings"].run_config is None


@pytest.mark.parametrize("begin", ["start", "step"])
def test_settings_chosen_after_a_reset_are_those_of_the_next_run(lab, begin):
    train(lab)
    lab.session.reset()
    settings = lab.panels["settings"]
    settings.config = RunConfig("sgd", 0.5, 32, hidden_units=16)
    settle(lab)
    assert settings.run_config is None
    begin_run(lab, begin)
    assert lab.session.trainer.model.linear1.out_features == 16
    assert lab.run_log.runs[-1].config == settings.run_config == settings.config
    assert lab.panels["loss_chart"].history is lab.session.trainer.history


def test_a_reset_without_other_settings_repeats_the_run_without_a_new_network(lab, built):
    train(lab)
    losses = list(lab.session.trainer.history.batch_losses)
    for _ in range(2):
        lab.session.reset()
    train(lab)
    assert lab.session.trainer.history.batch_losses == losses
    assert built == []
    assert len(lab.run_log.runs) == 2


def test_a_second_reset_goes_back_to_the_network_of_the_first(lab, built):
    train(lab)
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32, hidden_units=16)
    lab.session.reset()
    settle(lab)
    first = shown_probabilities(lab)
    train(lab)
    lab.session.reset()
    settle(lab)
    assert shown_probabilities(lab) == pytest.approx(first, abs=1e-5)
    assert built == [lab.panels["settings"].config]


def test_a_reset_replaces_weights_loaded_by_hand(lab):
    settle(lab)
    first = shown_probabilities(lab)
    lab.session.trainer.model.linear2.bias.data.fill_(3.0)
    lab.session.trainer.model.linear2.bias.data[0] = 0.0
    lab.session.reset()
    settle(lab)
    assert shown_probabilities(lab) == pytest.approx(first, abs=1e-5)


def test_a_click_at_a_standstill_shows_weights_loaded_by_hand(lab):
    settle(lab)
    grid = lab.panels["gallery"].grid
    lab.session.trainer.model.linear2.bias.data[3] += 2.0
    grid.set_state({"selected": 7})  # as the page does
    settle(lab)
    assert grid.selected == 7
    assert shown_probabilities(lab) == pytest.approx(probabilities_of(lab, 7).tolist(), abs=1e-5)


def test_a_network_that_cannot_be_built_fails_the_reset_and_a_later_start_works(lab, monkeypatch):
    def refuse(*_arguments):
        raise ValueError("the planted error")

    train(lab)
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32, hidden_units=16)
    with monkeypatch.context() as patch:
        patch.setattr(RunConfig, "build", refuse)
        lab.session.reset()
        settle(lab)
    assert lab.session.state == "failed"
    assert "the planted error" in lab.panels["training"].static_view().text
    train(lab)
    assert lab.session.trainer.model.linear1.out_features == 16


def test_the_learning_rate_changes_at_once(lab):
    lab.session.start(1000)
    lab.panels["settings"].config = RunConfig(batch_size=32, learning_rate=0.5)
    settle(lab)
    assert lab.session.trainer.optimizer.param_groups[0]["lr"] == 0.5
    assert lab.session.state == "running"


def test_your_own_model_is_trained_and_reset_to_its_first_weights(make_lab):
    model = SimpleNet(28 * 28, 10, hidden_units=8)
    before = model.linear1.weight.detach().clone()
    lab = make_lab(model=model)
    train(lab)
    assert not torch.equal(model.linear1.weight, before)
    lab.session.reset()
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
    assert lab.panels["settings"].config.hidden_units == 64
    shown = set(parts_of(lab))
    assert {lab.panels["loss_chart"], lab.panels["settings"]} <= shown
    assert "runs" not in lab.panels
    assert lab.panels["settings"].config == RunConfig(
        "sgd", 0.1, 32, 64
    )  # the lab's own batch size
    assert lab.panels["settings"]._controls["optimizer"].disabled
    assert "seed" not in lab.panels["settings"]._controls


@pytest.mark.parametrize("name", ["loss", "loss_chart"])
def test_the_chart_of_the_loss_and_the_setting_have_names_of_their_own(make_lab, name):
    lab = make_lab(hide=name)
    assert ("loss" in lab.panels["settings"]._controls) == (name == "loss_chart")
    assert ("loss_chart" in lab.panels) == (name == "loss")


def test_the_number_of_epochs_is_given_locked_and_hidden(make_lab):
    assert make_lab(epochs=3, lock=["epochs"]).panels["training"]._epochs.value == 3
    lab = make_lab(lock=["epochs"])
    assert lab.panels["training"]._epochs.disabled
    assert make_lab(hide=["epochs"]).panels["training"]._epochs.layout.display == "none"


def parts_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


CHARTS = ["loss_chart", "gallery", "prediction", "confusion"]


def test_no_caption_of_a_lab_is_read_aloud_while_it_trains(lab):
    def may_speak():
        settle(lab)
        return {name for name in CHARTS if lab.panels[name]._footer.may_speak}

    lab.session.start(1000)
    while len(lab.session.trainer.history.batch_losses) < 3:
        settle(lab)
    lab.selected_index = 5
    for name in CHARTS:  # a prediction, which redraws them, may come only later
        lab.panels[name].schedule_redraw()
    assert may_speak() == set()
    lab.session.pause()
    assert may_speak() == set(CHARTS)


def test_a_training_is_news_of_loss_and_matrix_and_a_choice_of_images_and_prediction(lab):
    """Where the topic of a caption is new and not empty, screen readers read the caption aloud."""
    known = {}

    def find_news():
        settle(lab)
        topics = {name: lab.panels[name]._footer.topic for name in CHARTS}
        news = {name for name, topic in topics.items() if topic and topic != known.get(name)}
        known.update(topics)
        return news

    find_news()
    train(lab)
    assert find_news() == {"loss_chart", "confusion"}
    lab.selected_index = 5
    assert find_news() == {"prediction"}
    lab.selected_pair = (4, 9)
    assert find_news() == {"gallery"}
    lab.session.reset()
    assert find_news() == set()  # of an untrained network
    train(lab)
    assert find_news() == {"loss_chart", "confusion"}


def test_each_panel_on_the_page_has_its_heading(make_lab):
    lab = make_lab(hide=["runs"])
    headings = [part.value for part in parts_of(lab) if "mw-title" in part._dom_classes]
    titles = ["Confusion matrix", "Loss", "Prediction", "Settings", "Test images", "Training"]
    assert sorted(headings) == [f"<h3>{title}</h3>" for title in titles]


@pytest.fixture
def built(monkeypatch):
    """Return a list of the settings whose networks were built."""
    configs, build = [], RunConfig.build

    def build_and_note(config, *arguments, **options):
        configs.append(config)
        return build(config, *arguments, **options)

    monkeypatch.setattr(RunConfig, "build", build_and_note)
    return configs


@pytest.mark.parametrize("begin", ["start", "step"])
def test_settings_chosen_before_the_first_batch_are_those_of_the_run(built, make_lab, begin):
    lab = make_lab()
    settings = lab.panels["settings"]
    for hidden_units in (8, 16, 24):
        settings.config = RunConfig("sgd", 0.5, 32, hidden_units)
    assert len(built) == 1  # the first network; a change of a setting builds none
    assert settings.run_config is None
    begin_run(lab, begin)
    assert built[1:] == [settings.config]
    trainer = lab.session.trainer
    assert isinstance(trainer.optimizer, torch.optim.SGD)
    assert trainer.model.linear1.out_features == 24
    (run,) = lab.run_log.runs
    assert run.config == settings.run_config == settings.config
    assert run.history is trainer.history is lab.panels["loss_chart"].history
    assert len(trainer.history.batch_losses) == (1 if begin == "step" else trainer.num_batches)


def test_settings_that_are_not_changed_keep_the_first_network(lab):
    model = lab.session.trainer.model
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32)
    lab.panels["settings"].config = RunConfig(batch_size=32)
    train(lab)
    assert lab.session.trainer.model is model


def test_weights_loaded_by_hand_stay_when_only_the_learning_rate_changes(lab, built):
    trainer = lab.session.trainer
    first_bias = torch.full_like(trainer.model.linear2.bias, 3.0)
    trainer.model.linear2.bias.data.copy_(first_bias)
    lab.panels["settings"].config = RunConfig(batch_size=32, learning_rate=1e-5)
    lab.session.step()
    settle(lab)
    assert built == []
    assert lab.session.trainer is trainer
    assert torch.allclose(trainer.model.linear2.bias, first_bias, atol=1e-3)
    assert trainer.optimizer.param_groups[0]["lr"] == 1e-5
    (run,) = lab.run_log.runs
    assert run.config == trainer.config == lab.panels["settings"].config


def test_a_run_that_goes_on_keeps_its_network_whatever_the_settings_show(lab):
    train(lab)
    model = lab.session.trainer.model
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32)
    train(lab)
    assert lab.session.trainer.model is model
    (run,) = lab.run_log.runs
    assert run.config == RunConfig(batch_size=32)
    assert lab.panels["settings"].run_config == RunConfig(batch_size=32, learning_rate=0.5)
    lab.session.reset()
    settle(lab)
    assert lab.panels["settings"].run_config is None


def test_settings_chosen_after_a_reset_that_the_worker_has_not_reached_count(lab):
    is_reset = threading.Event()
    lab.session.start(1000)
    blocked = lab.session.between_batches(lambda: is_reset.wait(TIMEOUT_S))
    lab.session.reset()
    lab.panels["settings"].config = RunConfig("sgd", 0.5, 32, hidden_units=16)
    lab.session.start(1)
    is_reset.set()
    assert blocked.result(TIMEOUT_S)
    lab.session.join(TIMEOUT_S)
    assert lab.session.trainer.model.linear1.out_features == 16
    assert lab.run_log.runs[-1].config == lab.panels["settings"].config


def test_a_run_after_a_reset_has_the_learning_rate_shown(lab):
    train(lab)
    lab.panels["settings"].config = RunConfig(batch_size=32, learning_rate=0.5)
    lab.session.reset()
    settle(lab)
    assert lab.session.trainer.optimizer.param_groups[0]["lr"] == 0.5
    train(lab)
    assert lab.session.trainer.optimizer.param_groups[0]["lr"] == 0.5
    assert [run.learning_rates for run in lab.run_log.runs] == [[0.001], [0.5]]


def test_a_selection_by_code_reaches_the_panels_and_theirs_the_lab(lab):
    lab.selected_index, lab.selected_pair = 9, (4, 9)
    assert lab.panels["gallery"].selected_index == 9
    assert lab.panels["confusion"].selected_pair == (4, 9)
    lab.panels["gallery"].selected_index = None
    lab.panels["confusion"].selected_pair = None
    assert (lab.selected_index, lab.selected_pair) == (None, None)


def test_count_now_counts_while_the_training_runs(lab, monkeypatch):
    monkeypatch.setattr(redraws, "FRAMES_PER_PREDICTION", math.inf)
    lab.session.start(1000)
    while len(lab.session.trainer.history.batch_losses) < 60:  # past the first epoch's end
        settle(lab)
    shown = []
    monkeypatch.setattr(lab.panels["confusion"], "show_counts", shown.append)
    next(part for part in parts_of(lab) if "mw-count" in part._dom_classes).click()
    settle(lab)
    assert len(shown) == 1
    assert lab.session.state == "running"


def test_the_end_of_an_epoch_brings_its_counts_while_the_training_runs(lab, monkeypatch):
    settle(lab)
    monkeypatch.setattr(redraws, "FRAMES_PER_PREDICTION", 0)
    counted = threading.Event()
    monkeypatch.setattr(lab.panels["confusion"], "show_counts", lambda _: counted.set())
    lab.session.start(1000)
    assert counted.wait(TIMEOUT_S)
    assert lab.session.state == "running"


class OnlySingleImages(torch.nn.Module):
    """A network that fails on more than 64 images at once."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(28 * 28, 10)

    def forward(self, images):
        if len(images) > 64:
            raise RuntimeError("the planted error")
        return self.linear(images.flatten(1))


def test_an_error_while_predicting_the_images_is_shown(make_lab):
    lab = make_lab(model=OnlySingleImages())
    settle(lab)
    assert "the planted error" in lab.panels["training"]._status.value


def test_runs_of_your_own_model_are_listed_by_number(make_lab):
    lab = make_lab(model=SimpleNet(28 * 28, 10, hidden_units=8), batch_size=64)
    for _ in range(2):
        train(lab)
        lab.session.reset()
        settle(lab)
    assert lab.session.trainer.num_batches == 23
    assert [run.config for run in lab.run_log.runs] == [None, None]
    assert "your own model" in lab.panels["runs"]._grid.children[3].value
    assert "run 1" in lab.panels["loss_chart"]._earlier_runs.key.value


def test_a_lab_that_is_closed_leaves_nothing_in_memory(make_lab):
    labs = [weakref.ref(dashboard(data=DATA)) for _ in range(2)]
    make_lab()
    until = time.monotonic() + TIMEOUT_S
    while any(lab() for lab in labs) and time.monotonic() < until:
        scheduler.flush()  # a thread may be about to end its last task for a closed lab
        gc.collect()
        time.sleep(0.05)
    assert [lab() for lab in labs] == [None, None]


def test_wrong_arguments_leave_the_lab_before_unchanged(lab):
    widgets = set(widget_module._instances)
    for mistake in ({"hide": ["galery"]}, {"epochs": 0}, {"settings": "adam lr=100"}):
        with pytest.raises(ValueError, match=r"galery|epochs|Learning rate"):
            dashboard(data=DATA, **mistake)
    assert lab.session.can("start")
    assert set(widget_module._instances) == widgets


def test_data_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="two DigitSets"):
        dashboard(data=DATA[0])
    with pytest.raises(ValueError, match="two DigitSets"):
        dashboard(data=(torch.zeros(1), torch.zeros(1)))
    train_set, test_set = DATA
    other = DigitSet(test_set.images, test_set.labels, reversed(test_set.class_names), "reversed")
    with pytest.raises(ValueError, match="same classes in the same order"):
        dashboard(data=(train_set, other))


def test_parts_that_do_not_go_together_are_refused(make_lab):
    with pytest.raises(ValueError, match="model of your own"):
        make_lab(optimizer=object())
    with pytest.raises(ValueError, match="lab's own networks"):
        make_lab(model=SimpleNet(784, 10), settings="adam")
    with pytest.raises(ValueError, match="galery"):
        make_lab(hide=["galery"])
    with pytest.raises(ValueError, match="settings must be"):
        make_lab(settings=3)
    with pytest.raises(ValueError, match="10 scores for each image, such as"):
        make_lab(model=SimpleNet)
    with pytest.raises(ValueError, match=r"Put nn.Flatten\(\) before it"):
        make_lab(model=torch.nn.Linear(100, 10))
    with pytest.raises(ValueError, match=r"shape \(2, 5\)"):
        make_lab(model=SimpleNet(784, 5))
    other = torch.optim.SGD(SimpleNet(784, 10).parameters(), lr=0.1)
    with pytest.raises(ValueError, match="another network"):
        make_lab(model=SimpleNet(784, 10), optimizer=other)
    with pytest.raises(ValueError, match="lock names 'seed'"):
        make_lab(model=SimpleNet(784, 10), lock="seed")


def make_normed_model():
    layers = [torch.nn.Flatten(), torch.nn.Linear(784, 8), torch.nn.BatchNorm1d(8)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(8, 10))


def test_no_batch_of_a_single_image_meets_the_batch_norm_of_your_own_model(make_lab):
    train_set = DigitSet(DATA[0].images[:33], DATA[0].labels[:33], DATA[0].class_names, "33 digits")
    data = (train_set, DATA[1])
    for batch_size, num_batches in [(32, 1), (16, 2), (8, 4), (None, 1), (31, 2), (64, 1)]:
        lab = make_lab(model=make_normed_model(), data=data, batch_size=batch_size)
        train(lab)
        assert lab.session.state == "finished"
        assert lab.session.trainer.num_batches == num_batches, batch_size
    with pytest.raises(ValueError, match="single image"):
        make_lab(model=make_normed_model(), data=data, batch_size=1)
    plain = make_lab(model=SimpleNet(784, 10, hidden_units=8), data=data, batch_size=32)
    assert plain.session.trainer.num_batches == 2  # without batch norm no image is left out


def test_parts_that_do_not_fit_are_refused_where_the_lab_is_made(make_lab):
    model = SimpleNet(784, 10, hidden_units=8)
    for parts, words in [
        ({"optimizer": torch.optim.Adam}, "class Adam"),
        ({"loss_fn": torch.nn.CrossEntropyLoss}, "class CrossEntropyLoss"),
        ({"optimizer": torch.optim.LBFGS(model.parameters())}, "closure"),
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            make_lab(model=model, **parts)
    with pytest.raises(ValueError, match=r"float64.*model\.float\(\)"):
        make_lab(model=SimpleNet(784, 10).double())


def test_a_changed_default_dtype_is_refused_where_the_lab_is_made(make_lab, float64_by_default):
    for options in ({}, {"model": SimpleNet(784, 10, hidden_units=8)}):
        with pytest.raises(ValueError, match="set_default_dtype"):
            make_lab(**options)


def test_outputs_that_do_not_fit_the_loss_fail_the_run_with_an_error_message(make_lab):
    lab = make_lab(model=SimpleNet(784, 10, hidden_units=8), loss_fn=torch.nn.MSELoss())
    lab.session.start(1)
    with pytest.raises(ValueError, match="one_hot"):
        lab.session.join(TIMEOUT_S)
    settle(lab)
    assert lab.session.state == "failed"
    assert "MSELoss" in lab.panels["training"]._status.value
    assert "one_hot" in lab.panels["training"]._status.value
    trainer = lab.session.trainer
    trainer.loss_fn = trainer.evaluator.loss_fn = torch.nn.CrossEntropyLoss()
    lab.session.reset()
    train(lab)
    assert lab.session.state == "finished"


def test_what_the_optimizer_does_not_hold_is_shown_in_the_lab(make_lab):
    model = SimpleNet(784, 10, hidden_units=8)
    optimizer = torch.optim.SGD(model.linear2.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="does not have 2 of the model's 4"):
        lab = make_lab(model=model, optimizer=optimizer, monitor=False)
    train(lab)
    assert "linear1.weight" in lab.panels["training"]._status.value


def test_a_lab_names_a_rate_far_too_high_unless_its_monitor_is_off(make_lab):
    for monitor in (True, False):
        lab = make_lab(settings="adam lr=1 hidden=16 batch=32", monitor=monitor)
        train(lab)
        assert ("Rate too high" in lab.static_view().text) is monitor


def test_twenty_labs_in_a_row_leave_no_more_than_one(make_lab):
    def live() -> tuple[int, int]:
        scheduler.flush()
        worker = lab.session.between_batches(threading.current_thread).result(TIMEOUT_S)
        threads = [t for t in threading.enumerate() if t.name in ("training", "next-batch_0")]
        for thread in threads:
            if thread.name == "training" and thread is not worker:
                thread.join(TIMEOUT_S)
        return len(widget_module._instances), sum(thread.is_alive() for thread in threads)

    def make_and_train():
        lab = make_lab()
        lab.session.step()  # and no more: then the thread of the next batch is there for sure
        settle(lab)
        return lab

    lab = make_and_train()
    first = live()
    for _ in range(19):
        lab = make_and_train()
    assert live() == first
    lab.close()
    assert lab.session.can("start") is False


def test_a_guess_is_kept_with_the_run_it_was_made_for(make_lab):
    lab = make_lab(guess=True, epochs=1)
    panel = lab.panels["training"]
    next(part for part in panel._parts() if isinstance(part, Text)).value = "80"
    panel._buttons["start"].click()
    lab.session.join(TIMEOUT_S)
    settle(lab)
    (run,) = lab.run_log.runs
    assert run.expected_accuracy == 0.8
    assert "You expected 80\xa0%" in panel._status.value
