"""The states of a training session, and the transitions between them."""

from __future__ import annotations

from typing import Literal, TypeAlias

State: TypeAlias = Literal["idle", "running", "paused", "finished", "stopped", "failed"]
Action: TypeAlias = Literal["start", "pause", "resume", "step", "stop", "reset"]
AT_REST: tuple[State, ...] = ("idle", "finished", "stopped", "failed")
OPEN: tuple[State, ...] = ("running", "paused")
_NOTHING_RUNS = "No training is under way. Start one first."

# The next state by action and state; a missing entry means that the action is refused. On the way,
# `start` and `step` open a run if none is open, `step` trains one batch, `stop` and `reset` end the
# open run, and `reset` restores the beginning.
LEADS_TO: dict[Action, dict[State, State]] = {
    "start": dict.fromkeys(AT_REST, "running"),
    "pause": dict.fromkeys(OPEN, "paused"),
    "resume": dict.fromkeys(OPEN, "running"),
    "step": dict.fromkeys((*AT_REST, "paused"), "paused"),
    "stop": {**{state: state for state in AT_REST}, **dict.fromkeys(OPEN, "stopped")},
    "reset": dict.fromkeys((*AT_REST, *OPEN), "idle"),
}
REFUSALS: dict[Action, str] = {
    "start": "A training is under way already. Stop it before you start another.",
    "pause": _NOTHING_RUNS,
    "resume": _NOTHING_RUNS,
    "step": "The training is running. Pause it before you step through it.",
}


class ActionRefusedError(RuntimeError):
    """The session cannot do this in its present state; the message says what to do first."""
