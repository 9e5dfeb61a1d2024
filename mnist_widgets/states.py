"""The states of a training session, and which action leads from which state to which."""

from __future__ import annotations

from typing import Literal, TypeAlias

State: TypeAlias = Literal["idle", "running", "paused", "finished", "stopped", "failed"]
Action: TypeAlias = Literal["start", "pause", "resume", "step", "stop", "reset"]
AT_REST: tuple[State, ...] = ("idle", "finished", "stopped", "failed")
OPEN: tuple[State, ...] = ("running", "paused")
_NOTHING_RUNS = "No training is under way. Start one first."

# Where each action leads from each state; what is missing is refused. Before it leads to its state,
# `start` and `step` open a run if none is open, `step` trains one batch, `stop` and `reset` end the
# run if one is open, and `reset` restores the beginning.
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
