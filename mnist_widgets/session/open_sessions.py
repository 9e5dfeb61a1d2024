"""The open sessions of this process: no two of them may train one model."""

from __future__ import annotations

import atexit
import sys
import warnings
import weakref
from traceback import walk_stack
from typing import TYPE_CHECKING

from torch import nn

from mnist_widgets.session.states import OPEN, ActionRefusedError

if TYPE_CHECKING:
    from mnist_widgets.session.session import TrainingSession

open_sessions: weakref.WeakSet[TrainingSession] = weakref.WeakSet()
"""Sessions to close when a newer one for their model is made, or before the interpreter ends."""


def is_training() -> bool:
    """Return whether a session of this process trains now."""
    return any(session.state == "running" for session in tuple(open_sessions))


def close_sessions_of(model: nn.Module) -> None:
    """Close the sessions whose model is `model` or shares a trainable parameter with it.

    If one of them was training, a warning says so in the cell that makes a newer session.

    Raises:
        ActionRefusedError: if a callback of one of them calls this; then all stay open.
    """
    older = [session for session in tuple(open_sessions) if _share(session.trainer.model, model)]
    if any(session.is_worker_here for session in older):
        raise ActionRefusedError("A callback cannot make a new session for the model it trains.")
    was_training = any(session.state in OPEN for session in older)
    for session in older:
        session.close()
        open_sessions.discard(session)
    if was_training:
        warnings.warn(
            "An older session was training this model. Its training has ended, and what the model "
            "learned stays.",
            stacklevel=_find_caller(),
        )


@atexit.register
def _close_all() -> None:
    """End all trainings before the interpreter ends: torch aborts when a thread is killed."""
    for session in tuple(open_sessions):
        session.close()


def _find_caller() -> int:
    """Return the `stacklevel` of the first frame outside the package: the notebook's cell."""
    frames = (str(frame.f_globals.get("__name__")) for frame, _ in walk_stack(sys._getframe(1)))  # noqa: SLF001
    package = __name__.partition(".")[0]
    return next((level for level, name in enumerate(frames, 1) if not name.startswith(package)), 1)


def _share(model: nn.Module, other: nn.Module) -> bool:
    weights, others = ({id(p) for p in m.parameters() if p.requires_grad} for m in (model, other))
    return model is other or not weights.isdisjoint(others)
