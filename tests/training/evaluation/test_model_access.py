"""A cell may look at a model while a session trains it, but not train it as well."""

from __future__ import annotations

import _thread
import threading

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import Evaluator, Trainer, TrainingSession, predict_probabilities, train_step
from mnist_widgets.training.evaluation.model_access import exclusive, only_training

FOREVER = 10_000


def do_in_thread(function) -> None:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def use(model) -> None:
    with exclusive(model):
        pass


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(16)], ids=["dropout", "norm"])
def test_looking_from_a_cell_does_not_change_a_training(layer, batches):
    def train(look) -> tuple[list[float], list[bool]]:
        torch.manual_seed(3)
        layer.reset_parameters() if isinstance(layer, nn.BatchNorm1d) else None
        model = nn.Sequential(nn.Linear(4, 16), layer, nn.Linear(16, 3))
        modes = []

        def step(model, *rest):
            modes.append(layer.training)
            loss = train_step(model, *rest)
            modes.append(layer.training)
            return loss

        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, train_step=step)
        session = TrainingSession(trainer, wait=False)
        session.start(100)
        while session.state == "running":
            look(model)
        session.join(TIMEOUT_S)
        return trainer.history.batch_losses, modes

    def evaluate_and_predict(model):
        Evaluator(batches).evaluate(model, "cpu")
        predict_probabilities(model, batches[0][0])

    plain, _ = train(lambda _model: None)
    losses, modes = train(evaluate_and_predict)
    assert all(modes)
    assert list(losses) == list(plain)


def test_a_thread_that_waits_is_next():
    model = nn.Linear(1, 1)
    has_been = threading.Event()

    def look():
        use(model)
        has_been.set()

    thread = threading.Thread(target=look, daemon=True)
    num_turns = 0
    with exclusive(model):
        thread.start()
    while not has_been.is_set() and num_turns < 10_000_000:
        with exclusive(model):
            num_turns += 1
    thread.join(TIMEOUT_S)
    assert has_been.is_set()


def test_a_thread_may_use_a_model_twice():
    model = nn.Linear(1, 1)
    with exclusive(model), exclusive(model):
        pass
    do_in_thread(lambda: use(model))


def test_a_model_is_free_after_an_interrupt_in_a_batch():
    model = nn.Linear(1, 1)
    with pytest.raises(KeyboardInterrupt), exclusive(model):
        raise KeyboardInterrupt
    do_in_thread(lambda: use(model))


def test_a_model_is_free_after_an_interrupt_of_the_wait_for_it():
    model = nn.Linear(1, 1)
    is_taken, may_end = threading.Event(), threading.Event()

    def hold():
        with exclusive(model):
            is_taken.set()
            _thread.interrupt_main()
            may_end.wait(TIMEOUT_S)

    def interrupted_wait():
        threading.Thread(target=hold, daemon=True).start()
        is_taken.wait(TIMEOUT_S)
        use(model)

    with pytest.raises(KeyboardInterrupt):
        interrupted_wait()
    may_end.set()
    do_in_thread(lambda: use(model))
    use(model)


def test_a_second_trainer_is_refused_while_a_session_trains_the_model(make_trainer):
    first = make_trainer()
    session = TrainingSession(first, wait=False)
    session.step(FOREVER)
    session.between_batches(lambda: None).result(TIMEOUT_S)
    num_trained = first.num_batches_trained
    second = make_trainer(model=first.model)
    with pytest.raises(RuntimeError, match="another thread"):
        second.fit(1)
    assert (second.is_running, second.num_batches_trained) == (False, 0)
    assert (session.state, first.num_batches_trained) == ("paused", num_trained)
    session.close()
    second.fit(1)


def test_a_wrapped_model_is_the_same_model():
    model = nn.Linear(1, 1)
    refusals = []

    def train(wrapped):
        with pytest.raises(RuntimeError) as refusal, only_training(wrapped):
            pass
        refusals.append(refusal)

    with only_training(model):
        do_in_thread(lambda: train(nn.DataParallel(model)))
        do_in_thread(lambda: train(torch.compile(model, backend="eager")))
    assert len(refusals) == 2


def test_two_trainers_may_take_turns_in_one_thread(make_trainer):
    first = make_trainer()
    batches = first.iterate(1)
    next(batches)
    make_trainer(model=first.model).fit(1)
    assert len(list(batches)) == 4
