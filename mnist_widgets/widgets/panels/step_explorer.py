"""One training step of a session, laid out in its five moves."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ipywidgets import HTML, HBox, VBox

from mnist_widgets.rendering.captions import name_error
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, first_choice
from mnist_widgets.rendering.steps.moves import MOVES, Move
from mnist_widgets.rendering.steps.source import mark_source
from mnist_widgets.rendering.steps.view import MoveView
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.states import State
from mnist_widgets.system.arguments import check_kind
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.widgets.panel import SessionPanel, text_line
from mnist_widgets.widgets.parts.controls import (
    ROW,
    Disclosure,
    LiveRegion,
    button,
    code_box,
    notice,
)
from mnist_widgets.widgets.parts.steps.batch_grid import BatchGrid
from mnist_widgets.widgets.parts.steps.choosers import StepChoosers, name_images
from mnist_widgets.widgets.parts.steps.move_list import MoveList
from mnist_widgets.widgets.parts.steps.step_taker import StepTaker, TakenStep

_CHOICES = {
    None: ("image",),
    "forward": ("image", "layer", "unit", "weight"),
    "loss": ("image",),
    "backward": ("image", "layer", "unit", "weight"),
    "update": ("layer", "unit", "weight"),
}
"""What a person can choose in each move, by its event."""
_NO_SOURCE = "<p>The source of train_step is not known.</p>"


class _Shown(NamedTuple):
    """A move of a step, and the source of the step with the line of the move marked, as HTML."""

    view: MoveView
    source: str


_NOTHING = _Shown(MoveView("", ""), "")


class StepExplorer(SessionPanel):
    """Train exactly one batch, and walk through its five moves with the numbers of the network.

    A session has one explorer: a newer one closes the older, so a cell can be run again.

    Example:
        ```python
        session = TrainingSession(trainer)
        StepExplorer(session)
        ```

    Args:
        session: trains the network.
        epochs: returns how many epochs the run has that a step opens, if none is open.
    """

    def __init__(self, session: TrainingSession, epochs: Callable[[], int] = lambda: 1) -> None:
        check_kind(session, TrainingSession, "session", "TrainingSession(trainer)")
        self.session = session
        self._epochs = epochs
        self._message: tuple[State, str] | None = None  # an error's, and when it arose
        self._chosen: StepChoice | None = None
        self._button = button("Take a step", "Train exactly one batch", self._take, width_px=100)
        self._button.button_style = "primary"
        self._status = text_line("mw-status", flex="1 1 260px")
        self._moves = MoveList([move.name for move in MOVES])
        self._moves.observe(lambda _change: self.schedule_redraw(urgent=True), "move_index")
        self._choosers = StepChoosers(self._on_choice)
        self._grid = BatchGrid(self._on_image, lambda: self.schedule_redraw(urgent=True))
        self._heading, self._content = text_line("mw-step-heading"), text_line("mw-step-view")
        self._source, self._code = text_line("mw-step-source"), HTML()
        self._as_code = Disclosure("As code", "Hide code", self._code, width_px=86)
        self._spoken, self._spoken_state = LiveRegion(), LiveRegion()
        content = VBox([self._heading, self._choosers, self._grid, self._content])
        source = VBox([self._source, self._as_code, self._code])
        columns = HBox([content.add_class("mw-step-content"), source.add_class("mw-step-code")])
        super().__init__(
            "mw-step-explorer",
            [
                HBox([self._button, self._status], layout=ROW),
                self._moves,
                columns.add_class("mw-step-columns"),
                self._spoken,
                self._spoken_state,
            ],
        )
        self._taker = StepTaker(session, lambda: self.schedule_redraw(urgent=True))
        self._replace_older()
        self.redraw()

    @property
    def record(self) -> StepRecord | None:
        """The record of the step shown; None before the first."""
        taken = self._taker.taken
        return None if taken is None else taken.record

    @property
    def choice(self) -> StepChoice | None:
        """What is shown of the step; None before the first one. Set it to choose something else."""
        record = self.record
        return None if record is None else self._choose(record)

    @choice.setter
    def choice(self, choice: StepChoice) -> None:
        self._chosen = choice
        self.schedule_redraw(urgent=True)

    @property
    def move_index(self) -> int:
        """The position of the move shown, from 0 to 4. Set it to show another one."""
        return self._moves.move_index

    @move_index.setter
    def move_index(self, move_index: int) -> None:
        self._moves.move_index = range(len(MOVES))[move_index]

    def show_record(self, record: StepRecord) -> None:
        """Show a step that `record_step` has recorded."""
        self._taker.show(record)

    def close(self) -> None:
        """Remove the explorer from the page; the session continues."""
        self._taker.close()
        super().close()

    def static_view(self) -> StaticView:
        """Return the move shown, with its numbers."""
        taken, index = self._taker.taken, self.move_index
        views = [StaticView.of_words(MOVES[index].summary)]
        if taken is not None:
            views.append(self._show_move(taken, index).view)
        title = f"{index + 1}. {MOVES[index].name}"
        state = StaticView.of_words(" ".join(self._describe_state()))
        return join_views([state, join_views(views).titled(title, 4)])

    def redraw(self) -> None:
        """Update the widgets from the step and the choices; called by the redraw scheduler."""
        taken, index = self._taker.taken, self.move_index
        move = MOVES[index]
        self._show_state()
        self._moves.names = [_name_move(move, taken) for move in MOVES]
        self._heading.value = f"<h4>{index + 1}. {move.name}</h4><p>{html.escape(move.summary)}</p>"
        shown = _NOTHING if taken is None else self._show_move(taken, index)
        self._content.value, self._source.value = _group(shown.view.html), shown.source
        self._code.value = code_box(shown.view.code) if shown.view.code else ""
        self._as_code.layout.visibility = None if shown.view.code else "hidden"
        self._choosers.layout.display = "none" if taken is None else None
        if taken is not None:
            self.add_class("mw-step-taken")
            self._show_choice(taken.record, move)
        self._spoken.words = f"{index + 1} of {len(MOVES)}: {move.name}. {move.summary}"
        self.mark_static_view_stale()

    def _show_choice(self, record: StepRecord, move: Move) -> None:
        choice = self._choose(record)
        self._choosers.show(record, choice, _CHOICES.get(move.event, ()))
        if move.event is None:
            self._grid.show(record, choice.image, name_images(record))
        else:
            self._grid.hide()

    def _choose(self, record: StepRecord) -> StepChoice:
        """Return the choice to show of a record: the person's if there is one."""
        return first_choice(record) if self._chosen is None else clamp(self._chosen, record)

    def _show_move(self, taken: TakenStep, index: int) -> _Shown:
        """Return what is shown of a move; it is made once for each choice."""
        move, choice = MOVES[index], self._choose(taken.record)
        if (index, choice) not in taken.views:
            extra = [taken.comparison] if move.event == "update" else []
            try:
                view = move.show(taken.record, choice, *extra)
            except Exception as error:  # an unusual network; the other moves may be shown
                words = f"This move cannot be shown: {name_error(error)}"
                view = MoveView(words, notice(words, is_alert=True))
            source = mark_source(taken.record, move.event) or _NO_SOURCE
            taken.views[index, choice] = _Shown(view, source)
        shown: _Shown = taken.views[index, choice]
        return shown

    def _take(self) -> None:
        self._message = None
        try:
            self._taker.take(self._epochs())
        except Exception as error:
            self._message = (self.session.state, str(error))
        self.schedule_redraw(urgent=True)

    def _on_choice(self, choice: StepChoice) -> None:
        self.choice = choice

    def _on_image(self, image: int) -> None:
        if self.choice is not None:
            self.choice = replace(self.choice, image=image)

    def _show_state(self) -> None:
        session, failure = self.session, self.session.error
        self._button.disabled = not session.can("step")
        error = None if failure is None else name_error(failure)
        message = self._message  # once: a click can remove it meanwhile
        if message is not None and message[0] == session.state:
            error = message[1]
        words = error or " ".join(self._describe_state())
        self._status.value = notice(words, is_alert=error is not None)
        self._spoken_state.words = words

    def _describe_state(self) -> list[str]:
        """Return what is shown, what was trained since, why no step can be taken, and the notes."""
        session, taken = self.session, self._taker.taken
        words = []
        if self._taker.is_waiting:
            words.append("Training one batch.")
        elif taken is None:
            words.append("Take a step to see these five moves with the numbers of your network.")
        elif taken.report is None:
            words.append("Shown: a step that was recorded before.")
        else:
            report = taken.report
            words.append(
                f"Shown: the step of batch {report.batch} of {report.num_batches} in epoch "
                f"{report.epoch}. {self._describe_since()}"
            )
        if session.is_closed:
            words.append("The session is closed, so no step can be taken.")
        elif not session.can("step"):
            words.append("A training runs: pause or stop it to take a step.")
        return words if taken is None else [*words, *taken.record.notes]

    def _describe_since(self) -> str:
        """Return what has happened to the network since the step shown."""
        if self.session.state == "running":
            return "The network trains on."
        num_batches = self._taker.count_batches_since()
        if num_batches is None:
            return "The network was reset since then; take a step to see a new one."
        if num_batches == 0:
            return ""
        batches = "1 more batch" if num_batches == 1 else f"{num_batches:,} more batches"
        return f"The network has trained on {batches} since then; take a step to see a new one."


class LabStepExplorer(StepExplorer):
    """The explorer of a lab. A `StepExplorer(lab.session)` beside the lab does not close it."""


def _group(content: str) -> str:
    """Put each table into a box with the sentence above it, so that boxes can stand side by side.

    Args:
        content: paragraphs and tables as a `StaticView` writes them, none within another.
    """
    return re.sub(r"(?:<p>(?!<img)[^<]*</p>)?<table>.*?</table>", r"<div>\g<0></div>", content)


def _name_move(move: Move, taken: TakenStep | None) -> str:
    is_missing = taken is not None and move.event not in (None, *taken.record.events)
    return f"{move.name} (missing)" if is_missing else move.name
