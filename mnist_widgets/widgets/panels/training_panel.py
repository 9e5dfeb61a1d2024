"""The buttons that steer a training, and a line of its progress."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable
from functools import partial

from ipywidgets import BoundedIntText, FloatProgress, HBox

from mnist_widgets.rendering.captions import (
    describe_error,
    format_duration,
    format_loss,
    name_error,
)
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.states import Action, State
from mnist_widgets.training.trainer import check_epochs
from mnist_widgets.widgets.panel import Panel, text_line
from mnist_widgets.widgets.parts.controls import ROW, button
from mnist_widgets.widgets.redraws import scheduler

_STATE_WORDS: dict[State, str] = {
    "idle": "Ready",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed",
}
MAX_EPOCHS = 10_000
_CLOSED = "This session is closed; a newer one may train its model now."
_HOW_TO_STOP = (
    "The buttons do not work while this trains: to stop it, interrupt the kernel "
    "(in Colab: Runtime > Interrupt execution)."
)
_open_panels: weakref.WeakSet[TrainingPanel] = weakref.WeakSet()


class TrainingPanel(Panel):
    """Start, pause, step through, stop and reset a training, and follow its progress.

    If the session waits for the training, a click is handled only when that wait has ended;
    meanwhile the panel says how to stop the training.
    A session has one panel: a newer one closes the older, so a cell can be run again.

    Example:
        ```python
        session = TrainingSession(trainer)
        TrainingPanel(session)
        ```

    Args:
        session: the buttons steer it.
        epochs: the number of epochs that Start trains, until another number is typed in.
        reset: begins a new run; replaces `session.reset()`.
        lock_epochs: whether the number of epochs is shown but cannot be changed.
        hide_epochs: whether it is not shown.

    Raises:
        ValueError: if `epochs` is not a whole number from 1 to 10,000.
    """

    def __init__(
        self,
        session: TrainingSession,
        epochs: int = 10,
        reset: Callable[[], None] | None = None,
        *,
        lock_epochs: bool = False,
        hide_epochs: bool = False,
    ) -> None:
        self.session = session
        check_panel_epochs(epochs)
        self._message: tuple[State, str] | None = None  # an error's, and when it arose
        self._described_error: BaseException | None = None
        self._build_controls(epochs, reset)
        self._epochs.disabled = lock_epochs
        self._epochs.layout.display = "none" if hide_epochs else None
        controls = [*self._buttons.values(), self._epochs, self._bar, self._percent]
        super().__init__(
            "mw-training-panel",
            [HBox([*controls, self._state, self._status], layout=ROW)],
        )
        session.add_listener(self._on_session_change)
        for panel in tuple(_open_panels):
            is_replaced = panel.session is session or panel.session.is_closed
            if is_replaced and type(panel) is type(self):
                panel.close()
        _open_panels.add(self)
        self.redraw()

    def close(self) -> None:
        """Remove the panel from the page; the training continues."""
        self.session.remove_listener(self._on_session_change)
        _open_panels.discard(self)
        super().close()

    def show_error_message(self, words: str) -> None:
        """Show a sentence as an alert until the training changes its state; from any thread."""
        self._message = (self.session.state, words)
        self.schedule_redraw()

    def static_view(self) -> StaticView:
        """Return the progress of the training, and why it ended."""
        session = self.session
        words = f"{_STATE_WORDS[session.state]}. {self._describe_progress()}"
        if session.error is not None:
            words = f"{words} {name_error(session.error)}"
        elif session.state == "stopped" and session.trainer.stop_reason:
            words = f"{words} {session.trainer.stop_reason}"
        return StaticView.of_words(words)

    def redraw(self) -> None:
        """Update the widgets from the session; called by the redraw scheduler."""
        session = self.session
        is_open = session.can("resume")
        is_paused = is_open and session.can("step")
        self._buttons["pause"].description = "Resume" if is_paused else "Pause"
        for action, made in self._buttons.items():
            is_possible = is_open if action == "stop" else session.can(action)
            made.disabled = self._is_waiting or not is_possible
        self._bar.value = session.progress
        self._percent.value = f"{int(100 * session.progress)} %"  # 100 % only when all is done
        words = _STATE_WORDS[session.state]
        self._state.value = f'<span class="mw-state" role="status">{words}</span>'
        self._show_status()
        self.mark_static_view_stale()

    @property
    def _is_waiting(self) -> bool:
        """Whether the thread that handles clicks waits for the training."""
        return self.session.waits and self.session.state == "running"

    def _build_controls(self, epochs: int, reset: Callable[[], None] | None) -> None:
        session = self.session
        reset_tooltip = (
            "Stop, and put the weights back to where they began"
            if reset is None
            else "Stop, and begin a new run from fresh weights, with the settings shown"
        )
        actions: dict[Action, tuple[str, Callable[[], None]]] = {
            "start": (
                "Train for as many epochs as the field says",
                lambda: session.start(self._epochs.value),
            ),
            "pause": ("Pause after this batch, or resume", self._pause_or_resume),
            "step": ("Train exactly one batch", lambda: session.step(self._epochs.value)),
            "stop": ("End this training; what was learnt stays", session.stop),
            "reset": (reset_tooltip, reset or session.reset),
        }
        self._buttons = {
            name: button(name.title(), tooltip, partial(self._do, action))
            for name, (tooltip, action) in actions.items()
        }
        self._buttons["start"].button_style = "primary"
        self._epochs = BoundedIntText(
            value=epochs,
            min=1,
            max=MAX_EPOCHS,
            description="Epochs",
            tooltip="How many times Start goes through all training images",
            style={"description_width": "52px"},
            layout={"width": "122px"},
        )
        self._bar = FloatProgress(
            min=0, max=1, tooltip="How much of this training is done", layout={"width": "96px"}
        )
        self._percent = text_line("mw-percent", width="42px")
        self._state = text_line("mw-state-line", width="68px")
        self._status = text_line("mw-status", flex="1 1 190px")

    def _pause_or_resume(self) -> None:
        if self._buttons["pause"].description == "Pause":
            self.session.pause()
        else:
            self.session.resume()

    def _do(self, action: Callable[[], None]) -> None:
        """Run the action of a button, and show its error message if it fails."""
        state_before = self.session.state
        self._message = None
        try:
            action()
        except Exception as error:
            self._message = (self.session.state, str(error))
        # otherwise the change comes after the current batch, and is drawn then
        is_done = self.session.state != state_before or self._message is not None
        self.schedule_redraw(urgent=is_done)

    def _on_session_change(self) -> None:
        # a training that is not running was stopped or stepped by a person, who waits to see it
        scheduler.schedule(self.redraw, urgent=self.session.state != "running")

    def _describe_progress(self) -> str:
        session = self.session
        report = session.last_report
        if report is None:
            return "No batch has been trained yet."
        parts = [
            f"Epoch {report.epoch} of {session.trainer.last_epoch}",
            f"batch {report.batch} of {report.num_batches}",
            f"loss {format_loss(report.loss)}",
        ]
        if speed := session.throughput.images_per_second:
            # two significant digits: the others change with every batch
            parts.append(f"{float(f'{speed:.2g}'):,.0f} images/s")
        if session.state in ("running", "paused") and session.progress:  # it has begun
            left_s = session.num_batches_left * session.throughput.seconds_per_batch
            parts.append(f"{format_duration(left_s)} left")
        return " · ".join(parts)

    def _show_status(self) -> None:
        """Show the progress, or in its place a notice or an error."""
        error = self.session.error
        if error is None:
            self._status.value = self._write_notice() or self._describe_progress()
            self.remove_class("mw-failed")
        elif error is not self._described_error:  # each raise of an error lengthens its traceback
            self._status.value = describe_error(error)
            self.add_class("mw-failed")
        self._described_error = error

    def _write_notice(self) -> str:
        session = self.session
        role, words = "status", " ".join(session.trainer.warnings)
        if self._message is not None and self._message[0] == session.state:
            role, words = "alert", self._message[1]
        elif session.state == "stopped" and session.trainer.stop_reason:
            role, words = "alert", session.trainer.stop_reason
        elif self._is_waiting:
            words = _HOW_TO_STOP
        elif session.is_closed:
            words = _CLOSED
        return f'<span role="{role}">{html.escape(words)}</span>' if words else ""


class LabTrainingPanel(TrainingPanel):
    """The panel of a lab. A `TrainingPanel(lab.session)` beside the lab does not close it."""


def check_panel_epochs(epochs: int) -> None:
    """Raise a `ValueError` unless `epochs` is a whole number from 1 to 10,000."""
    check_epochs(epochs)
    if epochs > MAX_EPOCHS:
        raise ValueError(f"epochs must be at most {MAX_EPOCHS:,}, not {epochs:,}")
