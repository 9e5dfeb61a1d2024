"""One training step laid out in moves, without a browser."""

from __future__ import annotations

import gc
from dataclasses import replace

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import (
    Callback,
    Evaluator,
    RunConfig,
    SimpleNet,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    train_step,
)
from mnist_widgets.training.recording.step_recorder import record_step
from mnist_widgets.widgets import StepExplorer, dashboard, static_output
from mnist_widgets.widgets.panels import step_explorer
from mnist_widgets.widgets.parts.controls import Disclosure
from mnist_widgets.widgets.parts.steps.step_taker import StepTaker
from mnist_widgets.widgets.redraws import scheduler

TRAIN_SET, TEST_SET = load_bundled_digits()
NUM_BATCHES = 45


def make_digits_trainer(model=None, **options) -> Trainer:
    torch.manual_seed(1)
    model = SimpleNet(28 * 28, 10, hidden_units=16) if model is None else model
    optimizer = torch.optim.Adam(model.parameters())
    batches = TRAIN_SET.batches(32, shuffle=True, generator=torch.Generator().manual_seed(2))
    evaluator = Evaluator(TEST_SET.batches(512))
    options = {"evaluator": evaluator, "device": "cpu", **options}
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, **options)


@pytest.fixture
def make_explorer():
    """Return a function that makes an explorer; explorers and sessions are closed at the end."""
    explorers = []

    def make(model=None, **options) -> StepExplorer:
        explorers.append(StepExplorer(TrainingSession(make_digits_trainer(model, **options))))
        return explorers[-1]

    yield make
    for explorer in explorers:
        explorer.session.close()
        explorer.close()


@pytest.fixture
def explorer(make_explorer):
    return make_explorer()


def settle(explorer):
    """Wait until everything requested has taken effect and is drawn."""
    if not explorer.session.is_closed:
        explorer.session.between_batches(lambda: None).result(TIMEOUT_S)
    scheduler.flush()


def take(explorer):
    explorer._button.click()
    settle(explorer)
    return explorer.record


def shown_choosers(explorer):
    controls = explorer._choosers._controls
    return {name for name, control in controls.items() if control.layout.display != "none"}


def test_taking_a_step_trains_exactly_one_batch_and_shows_it(explorer):
    assert explorer.record is None
    assert explorer.choice is None
    record = take(explorer)
    history = explorer.session.trainer.history
    assert history.batch_losses == [record.loss]
    assert len(record.inputs) == 32
    assert explorer.session.state == "paused"
    assert take(explorer) is not record
    assert history.batch_losses[1:] == [explorer.record.loss]


def test_each_move_is_shown_with_its_name(explorer):
    take(explorer)
    for index, move in enumerate(step_explorer.MOVES):
        explorer.move_index = index
        text = explorer.static_view().text
        assert move.name in text
        assert move.summary in text
    with pytest.raises(IndexError):
        explorer.move_index = len(step_explorer.MOVES)


def test_a_step_changes_nothing_else(explorer):
    """The weights and the random numbers are those of plain steps."""
    states = []
    for session, step in (
        (TrainingSession(make_digits_trainer()), None),
        (explorer.session, explorer._button.click),
    ):
        torch.manual_seed(3)
        for _ in range(3):
            (step or session.step)()
            session.between_batches(lambda: None).result(TIMEOUT_S)
        model = session.trainer.model
        states.append([*model.state_dict().values(), torch.random.get_rng_state()])
        assert model.training
    assert all(map(torch.equal, *states))


def test_going_back_computes_nothing_again(explorer, monkeypatch):
    calls = []

    def count(move):
        def show(*arguments):
            calls.append(move.name)
            return move.show(*arguments)

        return replace(move, show=show)

    monkeypatch.setattr(step_explorer, "MOVES", tuple(map(count, step_explorer.MOVES)))
    take(explorer)
    for index in (0, 1, 2, 3, 4, 3, 2, 1, 0):
        explorer.move_index = index
        scheduler.flush()
    explorer.static_view()
    assert sorted(calls) == sorted(move.name for move in step_explorer.MOVES)
    explorer.choice = replace(explorer.choice, image=5)
    scheduler.flush()
    assert len(calls) == 6


def test_only_what_matters_in_a_move_can_be_chosen(explorer):
    take(explorer)
    found = []
    for index in range(5):
        explorer.move_index = index
        scheduler.flush()
        found.append(shown_choosers(explorer))
    weight = {"layer", "unit", "weight"}
    both = {"image", *weight}
    assert found == [{"image"}, both, {"image"}, both, weight]


def test_a_choice_stays_for_the_next_step_as_far_as_it_exists(explorer):
    take(explorer)
    explorer._choosers._image.value = 7
    explorer._choosers._layer.value = "linear2"
    explorer._choosers._unit.value = 9
    scheduler.flush()
    assert (explorer.choice.image, explorer.choice.layer, explorer.choice.unit) == (7, "linear2", 9)
    take(explorer)
    assert (explorer.choice.image, explorer.choice.layer, explorer.choice.unit) == (7, "linear2", 9)
    explorer.choice = replace(explorer.choice, image=1000, weight=-1)
    scheduler.flush()
    assert explorer.choice.image == 31
    assert explorer._choosers._image.value == 31
    assert explorer._choosers._weight.max == 15


def test_while_a_training_runs_no_step_can_be_taken_and_the_step_shown_stays(explorer):
    record, session = take(explorer), explorer.session
    session.resume()
    scheduler.flush()
    assert explorer._button.disabled
    assert "pause or stop it" in explorer.static_view().text
    session.pause()
    settle(explorer)
    assert not explorer._button.disabled
    assert explorer.record is record
    trained = len(session.trainer.history.batch_losses) - 1
    assert f"{trained} more batch" in explorer.static_view().text or trained == 0


def test_a_reset_leaves_the_step_and_says_so(explorer):
    record = take(explorer)
    explorer.session.reset()
    settle(explorer)
    assert explorer.record is record
    assert "was reset" in explorer.static_view().text
    take(explorer)
    assert explorer.record is not record
    assert "was reset" not in explorer.static_view().text


def test_a_reset_right_after_the_click_loses_no_record(explorer):
    explorer._button.click()
    explorer.session.reset()
    settle(explorer)
    assert explorer.record is not None
    assert "was reset" in explorer.static_view().text
    assert explorer.session.trainer.history.batch_losses == []


def test_two_clicks_train_two_batches_and_show_the_second(explorer):
    explorer._button.click()
    record = take(explorer)
    losses = explorer.session.trainer.history.batch_losses
    assert len(losses) == 2
    assert record.loss == losses[1]


def test_a_closed_session_takes_no_step(explorer):
    record = take(explorer)
    explorer.session.close()
    settle(explorer)
    assert explorer._button.disabled
    assert explorer.record is record
    assert "closed" in explorer.static_view().text


def test_the_last_step_of_a_run_is_shown(explorer):
    for _ in range(NUM_BATCHES):
        take(explorer)
    while explorer.session.state == "paused":  # the evaluation after the batch comes in portions
        settle(explorer)
    assert explorer.session.state == "finished"
    settle(explorer)
    record = explorer.record
    assert record.loss == explorer.session.trainer.history.batch_losses[-1]
    assert take(explorer) is not record


def test_a_step_that_fails_shows_its_error_and_the_next_one_is_taken(make_explorer):
    fails = [False, True, False]

    def step(*arguments):
        if fails.pop(0):
            raise ValueError("the planted error")
        return train_step(*arguments)

    explorer = make_explorer(train_step=step)
    record = take(explorer)
    assert take(explorer) is record
    assert "the planted error" in explorer._status.value
    take(explorer)
    assert explorer.record is not record
    assert "the planted error" not in explorer._status.value


def test_a_refused_step_says_why(explorer):
    explorer.session.start(1000)
    explorer._button.click()
    scheduler.flush()
    assert "running" in explorer._status.value
    explorer.session.stop()
    settle(explorer)
    assert "running" not in explorer._status.value
    assert take(explorer) is not None


def test_records_that_others_request_are_not_shown(make_explorer):
    class Recorder(Callback):
        def on_batch_end(self, trainer, report):
            trainer.record_next()

    explorer = make_explorer(callbacks=[Recorder()])
    record = take(explorer)
    for _ in range(3):
        explorer.session.step()
    settle(explorer)
    assert explorer.session.last_report.record is not None
    assert explorer.record is record
    assert "3 more batches" in explorer.static_view().text


def test_an_idle_explorer_is_not_redrawn_for_each_batch():
    session, changes = TrainingSession(make_digits_trainer()), []
    taker = StepTaker(session, lambda: changes.append(session.state))
    session.start(3)
    session.join(TIMEOUT_S)
    taker.close()
    assert len(session.trainer.history.batch_losses) == 3 * NUM_BATCHES
    assert len(changes) < 5


def test_a_step_recorded_elsewhere_can_be_shown(explorer):
    trainer = make_digits_trainer()
    batch = next(iter(trainer.train_batches))
    record = record_step(trainer.model, batch, trainer.loss_fn, trainer.optimizer)
    explorer.show_record(record)
    scheduler.flush()
    assert explorer.record is record
    for index in range(5):
        explorer.move_index = index
        assert "cannot be shown" not in explorer.static_view().text


def test_a_move_that_the_step_skips_is_named_as_missing(make_explorer):
    def forget_backward(model, batch, loss_fn, optimizer, device):
        inputs, targets = batch
        loss = loss_fn(model(inputs), targets)
        optimizer.step()
        return loss.item()

    explorer = make_explorer(train_step=forget_backward)
    take(explorer)
    missing = ["missing" in name for name in explorer._moves.names]
    assert missing == [False, False, False, True, False]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10)),
        nn.Sequential(nn.Flatten(), nn.LazyLinear(10), nn.BatchNorm1d(10), nn.Dropout()),
    ],
    ids=["without a linear layer", "one layer", "lazy"],
)
def test_other_networks_are_shown_too(make_explorer, model):
    explorer = make_explorer(model)
    for _ in range(2):
        take(explorer)
        for index in range(5):
            explorer.move_index = index
            scheduler.flush()
            assert "cannot be shown" not in explorer.static_view().text
    if isinstance(model[0], nn.Conv2d):
        assert shown_choosers(explorer) == set()


def test_what_could_not_be_observed_is_said(make_explorer):
    def own_loss(model, batch, loss_fn, optimizer, device):
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    explorer = make_explorer(train_step=own_loss)
    notes = take(explorer).notes
    assert notes
    assert all(note in explorer.static_view().text for note in notes)


def test_a_view_that_fails_leaves_the_others(explorer, monkeypatch):
    def fail(*_arguments):
        raise ValueError("the planted error")

    moves = list(step_explorer.MOVES)
    moves[1] = replace(moves[1], show=fail)
    monkeypatch.setattr(step_explorer, "MOVES", tuple(moves))
    take(explorer)
    explorer.move_index = 1
    scheduler.flush()
    assert "the planted error" in explorer._content.value
    explorer.move_index = 2
    scheduler.flush()
    assert "the planted error" not in explorer._content.value


def test_a_closed_explorer_leaves_no_listener_and_no_widget():
    session = TrainingSession(make_digits_trainer())
    gc.collect()
    before = set(widget_module._instances)
    explorer = StepExplorer(session)
    take(explorer)
    explorer.close()
    assert set(widget_module._instances) <= before
    assert session._listeners == []


def test_a_newer_explorer_closes_the_older_of_its_session_but_not_that_of_a_lab(make_lab):
    session = TrainingSession(make_digits_trainer())
    explorers = [StepExplorer(session) for _ in range(3)]
    assert len(session._listeners) == 1
    assert [explorer.comm is None for explorer in explorers] == [True, True, False]
    lab = make_lab(show="steps")
    StepExplorer(lab.session)
    assert lab.panels["steps"].comm is not None


@pytest.fixture
def make_lab():
    labs = []

    def make(**options):
        labs.append(dashboard(data=(TRAIN_SET, TEST_SET), **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def find_button(widget) -> Disclosure | None:
    """Return the button of a lab that opens the step, or None."""
    if isinstance(widget, Disclosure) and widget.more == "Look inside one step":
        return widget
    return next(filter(None, map(find_button, getattr(widget, "children", ()))), None)


def test_the_lab_builds_it_when_it_is_opened(make_lab):
    lab = make_lab()
    assert "steps" not in lab.panels
    find_button(lab).is_open = True
    explorer = lab.panels["steps"]
    take(explorer)
    assert "One training step" in lab.static_view().text
    find_button(lab).is_open = False
    find_button(lab).is_open = True
    assert lab.panels["steps"] is explorer


def test_the_lab_can_open_it_at_once_or_never(make_lab):
    assert "steps" in make_lab(show=["steps"]).panels
    lab = make_lab(hide="steps")
    assert find_button(lab) is None
    with pytest.raises(ValueError, match=r"show names 'stairs'.*steps"):
        make_lab(show="stairs")


def test_the_first_step_after_changed_settings_is_recorded(make_lab):
    """The step opens a run, and the run has another trainer than the one before the click."""
    lab = make_lab(show="steps")
    lab.panels["settings"].config = RunConfig(hidden_units=24, batch_size=16)
    record = take(lab.panels["steps"])
    assert record.before["linear1.weight"].shape == (24, 28 * 28)
    assert len(record.inputs) == 16


def test_a_step_that_opens_a_run_has_the_epochs_of_the_field(make_lab):
    lab = make_lab(show="steps", epochs=7)
    take(lab.panels["steps"])
    assert lab.session.trainer.last_epoch == 7


def test_the_labs_static_view_follows_a_step_taken_after_it_is_shown(make_lab, shell, monkeypatch):
    lab = make_lab()
    lab._ipython_display_()
    find_button(lab).is_open = True
    written = []
    monkeypatch.setattr(
        static_output,
        "update_display",
        lambda bundle, **_options: written.append(bundle["text/plain"]),
    )
    take(lab.panels["steps"])
    static_output.static_view_writer.write_all()
    assert "Shown: the step of batch 1" in written[-1]


def test_a_step_recorded_with_another_step_shows_its_own_source(explorer):
    def other_step(model, batch, loss_fn, optimizer, device):
        return loss_fn(model(batch[0]), batch[1]).item()

    trainer = explorer.session.trainer
    parts = trainer.model, next(iter(TRAIN_SET.batches(8))), trainer.loss_fn, trainer.optimizer
    explorer.show_record(record_step(*parts, train_step=other_step))
    explorer.move_index = 1
    settle(explorer)
    assert "other_step" in explorer._source.value
    assert "<mark>" in explorer._source.value


class Tied(nn.Module):
    """Two layers share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(784, 784), nn.Linear(784, 784)
        self.last = nn.Linear(784, 10)
        self.second.weight = self.first.weight

    def forward(self, images):
        return self.last(self.second(self.first(images.flatten(1)).relu()).relu())


def test_only_layers_that_can_be_shown_can_be_chosen(make_explorer):
    explorer = make_explorer(Tied())
    take(explorer)
    explorer.move_index = 1
    settle(explorer)
    assert [name for name, _ in explorer._choosers._layer.options] == ["first", "last"]


def test_a_record_of_a_part_is_not_taken(explorer):
    taker, trainer = explorer._taker, explorer.session.trainer
    trainer.record_next(in_full=False)
    reports = trainer.iterate(1)
    report = next(reports)
    reports.close()
    taker._requests.append(None)
    taker._look_for_record(report)
    assert explorer.record is None


def test_images_of_another_size_get_a_sentence(make_explorer):
    explorer = make_explorer()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    batch = torch.rand(4, 1, 8, 8), torch.randint(0, 10, (4,))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    explorer.show_record(record_step(model, batch, nn.CrossEntropyLoss(), optimizer))
    settle(explorer)
    grid = explorer._grid
    assert grid._words.layout.display is None
    assert grid._grid.layout.display == "none"
    take(explorer)
    assert grid._words.layout.display == "none"
    assert grid._grid.layout.display is None


def test_without_other_images_a_sentence_says_so(make_explorer):
    for options, is_known in (({}, True), ({"evaluator": None}, False)):
        explorer = make_explorer(**options)
        take(explorer)
        explorer.move_index = 4
        text = explorer.static_view().text
        assert ("another batch, of test images" in text) == is_known
        assert ("There is no loss of other images" in text) != is_known
