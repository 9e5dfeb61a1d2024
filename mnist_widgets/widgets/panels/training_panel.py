"""The buttons that steer a training, and a line of its progress."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial

from ipywidgets import BoundedIntText, FloatProgress, HBox
from traitlets import Float

from mnist_widgets.rendering.captions import name_error
from mnist_widgets.rendering.finding_captions import describe_finding
from mnist_widgets.rendering.session_captions import (
    STATE_WORDS,
    choose_notice,
    describe_expectation,
    describe_progress,
)
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.states import Action, State
from mnist_widgets.system.arguments import check_kind
from mnist_widgets.training.epoch_batches import check_epochs
from mnist_widgets.widgets.open_findings import OpenFindings
from mnist_widgets.widgets.panel import SessionPanel, text_line
from mnist_widgets.widgets.parts.controls import (
    ROW,
    FocusKeeper,
    LiveRegion,
    button,
    code_box,
    notice,
    popover,
)
from mnist_widgets.widgets.parts.number_field import PercentField
from mnist_widgets.widgets.redraws import scheduler

MAX_EPOCHS = 10_000
_STATUS_LAYOUT = {"flex": "1 1 194px", "align_items": "center"}


class TrainingPanel(SessionPanel):
    """Start, pause, step through, stop and reset a training, and follow its progress.

    If the session waits for the training, a click is handled only when that wait has ended;
    meanwhile the panel says how to stop the training.
    A session has one panel: a newer one closes the older, so a cell can be run again.
    The panel shows what a `HealthMonitor` among the trainer's callbacks finds, until it is
    dismissed or the next run begins.

    Example:
        ```python
        session = TrainingSession(trainer)
        TrainingPanel(session)
        ```

    Args:
        session: the buttons steer it.
        epochs: the number of epochs that Start trains, until another number is typed in.
        lock_epochs: whether the number of epochs is shown but cannot be changed.
        hide_epochs: whether it is not shown.
        guess: whether there is a field for the test accuracy that a person expects. At the end of
            a run the panel shows it beside the actual accuracy.

    Attributes:
        expected_accuracy: what the field held when the run was started, 0 to 1, or None; a trait.

    Raises:
        ValueError: if `epochs` is not a whole number from 1 to 10,000.
    """

    expected_accuracy = Float(None, allow_none=True)

    def __init__(
        self,
        session: TrainingSession,
        epochs: int = 10,
        *,
        lock_epochs: bool = False,
        hide_epochs: bool = False,
        guess: bool = False,
    ) -> None:
        check_kind(session, TrainingSession, "session", "TrainingSession(trainer)")
        self.session = session
        check_panel_epochs(epochs)
        self._message: tuple[State, str] | None = None  # an error's, and when it arose
        self._described_error: BaseException | None = None
        self._traceback = ""  # of that error, as HTML
        self._findings = OpenFindings(session)
        self._build_controls(epochs)
        self._has_locked_epochs = lock_epochs
        self._epochs.layout.display = "none" if hide_epochs else None
        about = "The test accuracy that you expect at the end, in per cent; it may stay empty"
        field = PercentField("I expect a test accuracy of", about, label_px=184) if guess else None
        self._guess, guesses = field, [field] if field else []
        controls = [*self._buttons.values(), FocusKeeper(), self._epochs, *guesses]
        controls += [self._bar, self._percent]
        # in a box of its own: the button takes its place from the status line, not from the row
        status = HBox([self._status, self._dismiss], layout=_STATUS_LAYOUT)
        if guess:
            status.layout.flex = "1 1 100%"  # a line of its own: it also says what was expected
        row = HBox([*controls, self._state, status], layout=ROW)
        super().__init__("mw-training-panel", [row, self._spoken])
        if guess:
            self.add_class("mw-guesses")
        session.add_listener(self._on_session_change)
        self._replace_older()
        self.redraw()

    def close(self) -> None:
        """Remove the panel from the page; the training continues."""
        self.session.remove_listener(self._on_session_change)
        super().close()

    @property
    def epochs(self) -> int:
        """The number of epochs that Start trains now."""
        return int(self._epochs.value)

    @epochs.setter
    def epochs(self, epochs: int) -> None:
        self._epochs.value = epochs

    def on_epochs(self, handler: Callable[[], None]) -> None:
        """Call `handler` when the number of epochs has changed."""
        self._epochs.observe(lambda _change: handler(), "value")

    def show_error_message(self, words: str) -> None:
        """Show a sentence as an alert until the training changes its state; from any thread."""
        self._message = (self.session.state, words)
        self.schedule_redraw()

    def static_view(self) -> StaticView:
        """Return the progress of the training, and why it ended."""
        session, error = self.session, self.session.error
        words = f"{STATE_WORDS[session.state]}. {describe_progress(session)}"
        if error is not None:
            words = f"{words} {name_error(error)}"
        elif session.state == "stopped" and session.trainer.stop_reason:
            words = f"{words} {session.trainer.stop_reason}"
        words = " · ".join(filter(None, [words, self._describe_expectation()]))
        words = " ".join([words, *map(describe_finding, self._findings.find())])
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
        # an open run keeps its number: Resume would not train for another one
        self._epochs.disabled = self._has_locked_epochs or not session.can("start")
        if self._guess is not None:
            self._guess.lock(not session.can("start"))
        self._bar.value = session.progress
        self._percent.value = f"{int(100 * session.progress)} %"  # 100 % only when all is done
        self._state.value = f'<span class="mw-state">{STATE_WORDS[session.state]}</span>'
        self._show_status()
        self.mark_static_view_stale()

    @property
    def _is_waiting(self) -> bool:
        """Whether the thread that handles clicks waits for the training."""
        return self.session.waits and self.session.state == "running"

    def _build_controls(self, epochs: int) -> None:
        session = self.session
        actions: dict[Action, tuple[str, Callable[[], None]]] = {
            "start": (
                "Train for as many epochs as the field says",
                lambda: self.begin(session.start),
            ),
            "pause": ("Pause after this batch, or resume", self._pause_or_resume),
            "step": ("Train exactly one batch", lambda: self.begin(session.step)),
            "stop": ("End this training; what was learnt stays", session.stop),
            "reset": ("Stop, and begin again from the first weights", session.reset),
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
            tooltip="How many times Start goes through all training images; Stop or Reset first to "
            "change it during a run",
            style={"description_width": "52px"},
            layout={"width": "122px"},
        )
        self._bar = FloatProgress(
            min=0, max=1, tooltip="How much of this training is done", layout={"width": "72px"}
        )
        self._percent = text_line("mw-percent", width="48px")
        self._state = text_line("mw-state-line", width="68px")
        self._status = text_line("mw-status", flex="1 1 0")
        self._dismiss = button(
            "Dismiss", "Dismiss this finding until the next run", self._on_dismiss
        )
        self._spoken = LiveRegion()

    def begin(self, action: Callable[[int], None]) -> None:
        """Call `action` with the number of epochs; first keep what is expected of a run."""
        if self._guess is not None and self.session.can("start"):
            self.expected_accuracy = self._guess.read()
        action(self._epochs.value)

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

    def _on_dismiss(self) -> None:
        self._findings.dismiss_shown()
        enabled = [made for made in self._buttons.values() if not made.disabled]
        if enabled and not self._findings.find():  # this button vanishes, but not the focus
            enabled[0].focus()
        self.schedule_redraw(urgent=True)

    def _on_session_change(self) -> None:
        # a training that is not running was stopped or stepped by a person, who waits to see it
        scheduler.schedule(self.redraw, urgent=self.session.state != "running")

    def _show_status(self) -> None:
        """Show the progress and a notice, or an error in their place; say what stays."""
        session, error = self.session, self.session.error
        words, is_alert = choose_notice(session, is_waiting=self._is_waiting)
        message = self._message  # once: a click can remove it meanwhile
        if message is not None and message[0] == session.state:
            words, is_alert = message[1], True
        expectation = self._describe_expectation()
        words = f"{words} {expectation}".strip()
        findings = [] if is_alert or self._is_waiting else self._findings.show()
        self._dismiss.layout.display = None if findings else "none"
        progress = describe_progress(session)
        if error is None:
            self._traceback = ""
            self.remove_class("mw-failed")
        elif error is not self._described_error:  # each raise of an error lengthens its traceback
            self._traceback = self._write_traceback(error)
            self.add_class("mw-failed")
        self._described_error = error
        said = words or (progress if session.state != "running" else "")
        if findings:
            newest = findings[-1]
            more = f" {len(findings) - 1} more." if findings[1:] else ""
            about = "Why?", f"About the finding: {newest.name}", self._findings.explain_shown()
            shown = notice(f"{newest.title}.{more} {expectation}".strip())
            shown += popover(*about, self._status)
            if self._findings.is_news(newest):
                said = f"{describe_finding(newest)} {expectation}".rstrip()
        elif words:
            shown = notice(words if is_alert else f"{progress} · {words}", is_alert=is_alert)
        else:
            shown = progress
        self._status.value = shown + self._traceback
        self._spoken.words = f"{STATE_WORDS[session.state]}. {said}"

    def _describe_expectation(self) -> str:
        """Return the expected and the actual accuracy at the end of a single run; else ""."""
        is_single = self.session.series is None  # a table of runs says it of a repeat's median
        if not is_single or self.session.state not in ("finished", "stopped"):
            return ""
        return describe_expectation(self.expected_accuracy, self.session.trainer.history)

    def _write_traceback(self, error: BaseException) -> str:
        lines = "".join(traceback.format_exception(error))
        return popover("Traceback", "Traceback", code_box(lines), self._status)


class LabTrainingPanel(TrainingPanel):
    """The panel of a lab. A `TrainingPanel(lab.session)` beside the lab does not close it."""


def check_panel_epochs(epochs: int) -> None:
    """Raise a `ValueError` unless `epochs` is a whole number from 1 to 10,000."""
    check_epochs(epochs)
    if epochs > MAX_EPOCHS:
        raise ValueError(f"epochs must be at most {MAX_EPOCHS:,}, not {epochs:,}")
