"""The button that repeats a run with several seeds, and how far the repeat is."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import HBox

from mnist_widgets.rendering.captions import name_error
from mnist_widgets.rendering.session_captions import name_run
from mnist_widgets.runs.repeats import NUM_SEEDS, choose_seeds
from mnist_widgets.runs.run_log import RunLog
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.widgets.panel import text_line
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, notice
from mnist_widgets.widgets.redraws import scheduler
from mnist_widgets.widgets.trainer_factory import TrainerFactory

_TOOLTIP = "Train new networks with these settings, one after the other, each with another seed"


class RepeatButton(HBox):
    """A button to train the same settings with several seeds, and a line of the progress.

    Args:
        session: trains the runs.
        log: keeps the runs as one.
        factory: has the settings, and builds the trainers.
        begin: calls its argument with the number of epochs.
    """

    def __init__(
        self,
        session: TrainingSession,
        log: RunLog,
        factory: TrainerFactory,
        begin: Callable[[Callable[[int], None]], None],
    ) -> None:
        self._session, self._log, self._factory, self._begin = session, log, factory, begin
        self._message = ""  # why the runs could not be started
        self._button = button(
            f"Repeat with {NUM_SEEDS} seeds", _TOOLTIP, self._on_click, width_px=160
        )
        self._words, self._spoken = text_line("mw-repeat-words", flex="1 1 240px"), LiveRegion()
        super().__init__([self._button, self._words, self._spoken], layout=ROW)
        self.redraw()
        session.add_listener(self._on_session_change)

    def close(self) -> None:
        """Remove the button from the page; the session continues."""
        self._session.remove_listener(self._on_session_change)
        super().close()

    def redraw(self) -> None:
        """Update the button from the session; called by the redraw scheduler."""
        message = self._message  # once: a click can remove it meanwhile
        words = message or _describe(self._session)
        self._button.disabled = not self._session.can("start")
        self._words.value = notice(message, is_alert=True) if message else words
        self._spoken.words = words

    def _on_click(self) -> None:
        self._message = ""
        try:
            self._begin(self._start)
        except Exception as error:
            self._message = str(error) or name_error(error)
        scheduler.schedule(self.redraw, urgent=True)

    def _start(self, epochs: int) -> None:
        """Train with the present settings; later changes of these do not matter."""
        configs = choose_seeds(self._factory.config)
        build = self._factory.make_trainer_of_repeat
        trainers = self._log.record_repeat(configs, build, epochs)
        self._session.start_each(trainers, len(configs), epochs)

    def _on_session_change(self) -> None:
        scheduler.schedule(self.redraw)


def _describe(session: TrainingSession) -> str:
    series = session.series
    if series is None:
        return ""
    run = name_run(series).lower()
    if session.state == "running":
        return f"Training {run}. Stop and Reset end the repeat."
    if session.state == "paused":
        return f"Paused in {run}."
    if session.state == "finished":
        return f"All {series.num_runs} runs have finished. The other panels show the last one."
    reason = " by an error" if session.state == "failed" else ""
    where = f"in {run}" if series.run_number else "before its first run"
    return f"The repeat was ended{reason} {where}. Finished runs: {series.num_finished}."
