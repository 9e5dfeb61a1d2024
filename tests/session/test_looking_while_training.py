"""A cell may look at a model of an open session, and train it once the session does not use it."""

from __future__ import annotations

import _thread
import threading
import time

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import Evaluator, Trainer, TrainingSession, predict_probabilities, train_step
from mnist_widgets.training.evaluation import portions

FOREVER = 10_000


def watch_modes(module):
    """Return a training step, and a list of whether a module was in training mode around each."""
    modes = []

    def step(*arguments):
        modes.append(module.training)
        loss = train_step(*arguments)
        modes.append(module.training)
        return loss

    return step, modes


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(16)], ids=["dropout", "norm"])
def test_looking_from_a_cell_does_not_change_a_training(layer, batches):
    def train(look) -> tuple[list[float], list[bool]]:
        torch.manual_seed(3)
        layer.reset_parameters() if isinstance(layer, nn.BatchNorm1d) else None
        model = nn.Sequential(nn.Linear(4, 16), layer, nn.Linear(16, 3))
        step, modes = watch_modes(layer)
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


def test_no_batch_is_trained_within_a_look(make_trainer, monkeypatch):
    monkeypatch.setattr(portions, "PORTION_S", 0)  # a portion for each pass
    trainer = make_trainer()
    session = TrainingSession(trainer, wait=False)
    session.start(FOREVER)
    same = trainer.train_batches[0][0][:1].expand(100, -1)
    for _ in range(20):
        answers = predict_probabilities(trainer.model, same)
        assert torch.allclose(answers, answers[:1].expand_as(answers), rtol=0, atol=1e-6)
    session.close()


def test_a_model_that_contains_the_trained_one_is_read_between_two_batches_too(make_trainer):
    trainer = make_trainer()
    trainer.train_step, modes = watch_modes(trainer.model)
    session = TrainingSession(trainer, wait=False)
    session.start(100)
    wrapped = nn.Sequential(trainer.model, nn.Softmax(dim=1))
    inputs = trainer.train_batches[0][0]
    while session.state == "running":
        predict_probabilities(wrapped, inputs)
    session.join(TIMEOUT_S)
    assert all(modes)


def test_an_interrupted_look_leaves_the_training_as_it_was(make_trainer):
    trainer = make_trainer()
    session = TrainingSession(trainer, wait=False)
    session.start(FOREVER)

    class Interrupts(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = trainer.model

        def forward(self, inputs):
            _thread.interrupt_main()
            return self.inner(inputs)

    def look():
        predict_probabilities(Interrupts(), trainer.train_batches[0][0])
        threading.Event().wait(TIMEOUT_S)  # the signal may arrive after the result

    with pytest.raises(KeyboardInterrupt):
        look()
    num_trained = trainer.num_batches_trained
    while trainer.num_batches_trained < num_trained + 3:
        assert session.state == "running"
    session.close()


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


def test_two_trainers_may_take_turns_in_one_thread(make_trainer):
    first = make_trainer()
    batches = first.iterate(1)
    next(batches)
    make_trainer(model=first.model).fit(1)
    assert len(list(batches)) == 4


def test_a_model_of_a_session_at_rest_is_read_in_the_sessions_thread(make_trainer):
    """That thread may be predicting with it, as after a click or at the end of a run."""
    trainer = make_trainer()
    session = TrainingSession(trainer, wait=False)
    threads = []
    trainer.model.register_forward_hook(lambda *_: threads.append(threading.current_thread().name))
    inputs = trainer.train_batches[0][0]
    predict_probabilities(trainer.model, inputs)
    Evaluator(trainer.train_batches).evaluate(trainer.model, "cpu")
    assert set(threads) == {"training"}
    threads.clear()
    session.close()
    predict_probabilities(trainer.model, inputs)
    assert set(threads) == {"MainThread"}


def test_looking_does_not_wait_for_a_long_job_of_a_session_at_rest(make_trainer):
    trainer = make_trainer()
    session = TrainingSession(trainer, wait=False)
    has_looked = threading.Event()

    def long_job():
        deadline_s = time.monotonic() + TIMEOUT_S
        while not has_looked.is_set():
            if time.monotonic() > deadline_s:
                return "it was not"
            yield
        return "it was interrupted"

    job = session.in_portions(long_job)
    predict_probabilities(trainer.model, trainer.train_batches[0][0])
    has_looked.set()
    assert job.result(TIMEOUT_S) == "it was interrupted"


@pytest.fixture
def busy_session(make_trainer):
    """Return a session at rest with a job, and the event that lets the job end."""
    session = TrainingSession(make_trainer(), wait=False)
    may_end = threading.Event()

    def job():
        may_end.wait(TIMEOUT_S)
        yield
        return order_of_events.append("job")

    order_of_events = []
    session.in_portions(job)
    yield session, may_end, order_of_events
    may_end.set()


def test_another_trainer_waits_for_the_jobs_of_a_session_at_rest(busy_session, make_trainer):
    session, may_end, order = busy_session

    def step(*arguments):
        order.append("batch")
        return train_step(*arguments)

    trainer = make_trainer(model=session.trainer.model, train_step=step)
    waking = threading.Timer(0.1, may_end.set)
    waking.start()
    trainer.fit(1)
    waking.join()
    assert order == ["job", *["batch"] * 5]


def test_an_interrupt_ends_the_wait_for_the_jobs_of_a_session(busy_session, make_trainer):
    session, may_end, order = busy_session
    trainer = make_trainer(model=session.trainer.model)

    def interrupt_the_wait() -> None:
        while not session._changed._waiters:
            time.sleep(0.001)
        _thread.interrupt_main()

    interrupting = threading.Thread(target=interrupt_the_wait)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(1)
    interrupting.join()
    assert (trainer.num_batches_trained, trainer.is_running, order) == (0, False, [])
    may_end.set()
    trainer.fit(1)
    assert order == ["job"]
