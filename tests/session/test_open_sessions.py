"""Two sessions for one model: the newer one ends the older one's training and says so."""

from __future__ import annotations

import threading
import warnings
import weakref

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import ActionRefusedError, Callback, TrainingSession
from mnist_widgets.session import open_sessions
from mnist_widgets.session.open_sessions import find_session_of, is_training

FOREVER = 10_000


@pytest.fixture
def make_session():
    """Return a function that makes a session; all are closed at the end."""
    sessions = []

    def make(trainer, wait=False) -> TrainingSession:
        sessions.append(TrainingSession(trainer, wait))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


@pytest.fixture(params=["running", "paused"])
def older(request, make_session, make_trainer):
    """A session whose run is open."""
    session = make_session(make_trainer())
    session.start(FOREVER)
    if request.param == "paused":
        session.pause()
        session.between_batches(lambda: None).result(TIMEOUT_S)
    return session


def test_a_newer_session_of_the_same_trainer_ends_the_older_one_with_a_warning(make_session, older):
    with pytest.warns(UserWarning, match="older session") as caught:
        newer = make_session(older.trainer)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (older.state, older.is_closed) == ("stopped", True)
    num_batches = len(newer.trainer.history.batch_losses)
    newer.start(1)
    newer.join(TIMEOUT_S)
    assert len(newer.trainer.history.batch_losses) == num_batches + 5
    with pytest.raises(ActionRefusedError, match="closed"):
        older.start(1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: nn.Sequential(model, nn.Identity()),
        lambda model: torch.compile(model, backend="eager"),
    ],
    ids=["the same", "wrapped", "compiled"],
)
def test_another_trainer_of_the_same_weights_counts_too(make_session, make_trainer, older, wrap):
    with pytest.warns(UserWarning, match="older session"):
        make_session(make_trainer(model=wrap(older.trainer.model)))
    assert older.is_closed


def test_sessions_of_other_models_are_left_alone(make_session, make_trainer, older):
    frozen = nn.Linear(4, 3)
    frozen.requires_grad_(requires_grad=False)
    state = older.state
    for model in (
        nn.Linear(4, 3),
        nn.Sequential(frozen, nn.Linear(3, 3)),
        nn.Sequential(frozen, nn.Linear(3, 3)),
    ):
        session = make_session(make_trainer(model=model))
        assert not session.is_closed
    assert older.state == state


def test_an_older_session_at_rest_is_closed_without_a_warning(make_session, make_trainer):
    older = make_session(make_trainer())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_session(older.trainer)
    assert older.is_closed


def test_a_trainer_that_another_loop_drives_gets_no_session(make_session, make_trainer):
    trainer = make_trainer()
    reports = trainer.iterate(1)
    next(reports)
    with pytest.raises(ActionRefusedError, match="training already"):
        make_session(trainer)
    reports.close()


def test_a_session_that_is_refused_in_a_callback_ends_no_other(make_session, make_trainer):
    class SessionMaker(Callback):
        error = None

        def on_batch_end(self, trainer, report):
            if report.batch == 2:
                with pytest.raises(ActionRefusedError, match="callback") as self.error:
                    make_session(trainer)

    maker = SessionMaker()
    session = make_session(make_trainer(callbacks=[maker]))
    session.start(1)
    session.join(TIMEOUT_S)
    assert maker.error is not None
    assert (session.state, session.is_closed) == ("finished", False)


def test_the_open_session_of_a_model_is_found(make_session, make_trainer):
    model, other = nn.Linear(4, 3), nn.Linear(4, 3)
    assert find_session_of(model) is None
    session = make_session(make_trainer(model=model))
    make_session(make_trainer(model=other))
    for same in (model, nn.Sequential(model), torch.compile(model, backend="eager")):
        assert find_session_of(same) is session
    assert find_session_of(nn.Linear(4, 3)) is None
    newer = make_session(session.trainer)
    assert find_session_of(model) is newer
    newer.close()
    assert find_session_of(model) is None


def test_a_session_that_another_thread_makes_disturbs_no_list(
    make_session, make_trainer, monkeypatch
):
    kept = make_session(make_trainer())
    trainer = make_trainer()
    maker = threading.Thread(target=make_session, args=(trainer,))

    class InterruptedSet(weakref.WeakSet):
        """Lets the other thread run in the middle of the first iteration."""

        def __iter__(self):
            for session in super().__iter__():
                yield session
                if maker.ident is None:
                    maker.start()
                    maker.join(0.2)  # it waits for the lock, so this never ends earlier

    monkeypatch.setattr(open_sessions, "_open_sessions", InterruptedSet([kept]))
    assert not is_training()
    maker.join(TIMEOUT_S)
    assert find_session_of(trainer.model) is not None
