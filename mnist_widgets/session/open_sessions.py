"""The open sessions of this process: no two of them may train one model."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import TYPE_CHECKING

from torch import nn

from mnist_widgets.session.states import OPEN, ActionRefusedError
from mnist_widgets.system.user_warnings import warn_user
from mnist_widgets.training.evaluation.portions import session_finders

if TYPE_CHECKING:
    from mnist_widgets.session.session import TrainingSession

_open_sessions: weakref.WeakSet[TrainingSession] = weakref.WeakSet()
# The set must not grow in one thread while another one iterates over it. The lock is re-entrant
# because Python may run finalizers, and so any code, while it is held.
_lock = threading.RLock()


def list_sessions() -> list[TrainingSession]:
    """Return the open sessions; some may have been closed by `close` meanwhile."""
    with _lock:
        return list(_open_sessions)


def add_session(session: TrainingSession) -> None:
    """Close this session when a newer one for its model is made, or before the interpreter ends."""
    with _lock:
        _open_sessions.add(session)


def is_training() -> bool:
    """Return whether a session of this process trains now."""
    return any(session.state == "running" for session in list_sessions())


def find_session_of(model: nn.Module) -> TrainingSession | None:
    """Return the open session whose model is `model` or shares a trainable parameter with it."""
    sessions = (session for session in list_sessions() if not session.is_closed)
    return next((each for each in sessions if _share(each.trainer.model, model)), None)


def _find_session_elsewhere(model: nn.Module) -> TrainingSession | None:
    """Return the open session of `model`, unless this is its thread."""
    session = find_session_of(model)
    return None if session is None or session.is_worker_here else session


session_finders.append(_find_session_elsewhere)


def close_sessions_of(model: nn.Module) -> None:
    """Close the sessions whose model is `model` or shares a trainable parameter with it.

    If one of them was training, a warning says so in the cell that makes a newer session.

    Raises:
        ActionRefusedError: if a callback of one of them calls this; then all stay open.
    """
    older = [session for session in list_sessions() if _share(session.trainer.model, model)]
    if any(session.is_worker_here for session in older):
        raise ActionRefusedError("A callback cannot make a new session for the model it trains.")
    was_training = any(session.state in OPEN for session in older)
    for session in older:
        session.close()
        with _lock:
            _open_sessions.discard(session)
    if was_training:
        warn_user(
            "An older session was training this model. Its training has ended, and what the model "
            "learned stays."
        )


@atexit.register
def _close_all() -> None:
    """End all trainings before the interpreter ends: torch aborts when a thread is killed."""
    for session in list_sessions():
        session.close()


def _share(model: nn.Module, other: nn.Module) -> bool:
    weights, others = ({id(p) for p in m.parameters() if p.requires_grad} for m in (model, other))
    return model is other or not weights.isdisjoint(others)
