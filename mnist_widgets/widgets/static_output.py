"""Keep the static view of each panel in an output of the notebook, below the live panel.

No event tells a kernel that its notebook is saved. So a static view is rewritten soon after the
last redraw of its panel, and at the end of each cell, which is all that a notebook run without a
page waits for. In Colab, where no thread can wait for the last redraw, it is rewritten with each
redraw while nothing trains. While the live panel is on the page, its style sheet hides the static
view.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from IPython import get_ipython
from IPython.display import display, update_display

from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.session.open_sessions import is_training
from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.widgets.redraws import RedrawScheduler, scheduler

if TYPE_CHECKING:
    from mnist_widgets.widgets.panel import Panel

CALM_S, CALM_FRAMES = 1.0, 4
"""Time without a redraw after which a panel counts as at rest, at least; and in frames while
something trains, which redraws each panel at every second frame or more often."""

# JupyterLab shows an error in place of a panel without a kernel; the static view below says more.
_HIDE_ERROR = """<style>
.jp-OutputArea-child:has(> .jp-OutputArea-output.jupyter-widgets):has(+ * > * > .mw-static):not(
:has(> .jupyter-widgets > *)) { display: none; }
</style>"""


def hide_static_view(view_class: str) -> str:
    """Return a style sheet that hides a static view completely, also from screen readers."""
    hide = "{ display: none !important; }\n"
    output = f".jp-OutputArea-child:has(> .jp-OutputArea-output > .{view_class})"
    return f".{view_class} {hide}{output} {hide}"  # a browser without :has skips only one rule


@dataclass(eq=False)
class _Output:
    """A static view in the notebook.

    Attributes:
        panel: returns the current static view. Its `view_class` is also the output's display id.
        sources: the panels that the view shows.
        last: the static view in the notebook.
        changed_s: the time of the latest redraw of a source; None if the view was written since.
    """

    panel: Panel
    sources: frozenset[object]
    last: StaticView
    changed_s: float | None = None


class StaticViewWriter:
    """Keeps the static views of all displayed panels up to date.

    Args:
        scheduler: redraws the panels.
        clock: returns the time in seconds; tests pass their own.
    """

    def __init__(
        self, scheduler: RedrawScheduler = scheduler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scheduler, self._clock = scheduler, clock
        self._outputs: dict[object, _Output] = {}
        self._writing = threading.RLock()
        self._shell: object = None  # it calls this writer at the end of each cell

    def show(self, panel: Panel, sources: Iterable[object]) -> None:
        """Write a panel's static view into the cell that runs, and keep it up to date from now on.

        Args:
            panel: the panel of the static view.
            sources: the panels whose redraws change what the static view shows.
        """
        self._listen()
        with self._writing:
            output = _Output(panel, frozenset(sources), panel.static_view())
            self._outputs[panel] = output
            bundle = to_bundle(output.last, panel.view_class)
            display(bundle, raw=True, display_id=panel.view_class)

    def add_source(self, panel: object, source: object) -> None:
        """Also rewrite the views that show `panel` when `source`, a new part of it, is redrawn."""
        with self._writing:
            for output in self._outputs.values():
                if panel in output.sources:
                    output.sources |= {source}

    def forget(self, panel: object) -> None:
        """Write a panel's static view for the last time."""
        with self._writing:
            output = self._outputs.pop(panel, None)
            if output is not None:
                self._write(output)

    def redraw(self) -> None:
        """Write the static view of one panel that is at rest; called by the redraw scheduler.

        One at a time: a click may come between two frames.
        """
        if is_in_colab():
            if not is_training():
                self.write_all()
            return
        with self._writing:
            stale = [output for output in self._outputs.values() if output.changed_s is not None]
            now_s = self._clock()
            frames_s = CALM_FRAMES * self._scheduler.interval_s if is_training() else 0.0
            rest_s = max(CALM_S, frames_s)
            calm = [output for output in stale if now_s - (output.changed_s or 0) >= rest_s]
            if calm:
                self._write(calm[0])
            if len(stale) > len(calm[:1]):
                self._scheduler.schedule(self.redraw)

    def write_all(self) -> None:
        """Write all stale static views, in this thread."""
        with self._writing:
            for output in self._outputs.values():
                if output.changed_s is not None:
                    self._write(output)

    def mark_stale(self, panel: object) -> None:
        """Soon rewrite the views that show `panel`, which was redrawn; called while drawing."""
        now_s = self._clock()
        stale = [output for output in tuple(self._outputs.values()) if panel in output.sources]
        for output in stale:
            output.changed_s = now_s
        if stale:
            self._scheduler.schedule(self.redraw)

    def _write(self, output: _Output) -> None:
        output.changed_s = None  # first: what changes meanwhile makes it stale again
        view, view_class = output.panel.static_view(), output.panel.view_class
        if view != output.last:
            output.last = view
            update_display(to_bundle(view, view_class), raw=True, display_id=view_class)

    def _listen(self) -> None:
        """Write at the end of each cell."""
        shell = get_ipython()
        if shell is not None and shell is not self._shell:
            shell.events.register("post_run_cell", self._on_cell_end)
            self._shell = shell

    def _on_cell_end(self, _result: object) -> None:
        self._scheduler.flush()
        try:
            self.write_all()
        except Exception:  # a picture must not fail a cell that has succeeded
            logging.getLogger("mnist_widgets").exception("A static view could not be written")


def to_bundle(view: StaticView, view_class: str) -> dict[str, str]:
    """Return a static view as the notebook stores it, with the time of day."""
    when = f"As it stood on {datetime.now().astimezone():%Y-%m-%d at %H:%M}. "
    note = f"{when}To see it live, run the notebook; if it runs already, reload the page."
    return {
        "text/plain": f"{view.text}\n\n{note}",
        "text/html": f'{_HIDE_ERROR}<div class="mw-static {view_class}">{view.html}'
        f"<p><small>{note}</small></p></div>",
    }


static_view_writer = StaticViewWriter()
"""The one writer of this kernel, shared by all panels."""
