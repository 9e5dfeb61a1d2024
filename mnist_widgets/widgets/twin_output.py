"""Where the twins of panels stand in a notebook: in an output of their own below the live panel.

No event tells a kernel that its notebook is saved. So a twin is rewritten soon after the last
redraw of its panel, and at the end of each cell, which is all that a notebook run without a page
waits for. In Colab, where no thread can wait for the last redraw, it is rewritten with each redraw
while nothing trains. As long as the live panel stands on the page, its style sheet hides the twin.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from IPython import get_ipython
from IPython.display import display, update_display

from mnist_widgets.open_sessions import is_training
from mnist_widgets.places import is_in_colab
from mnist_widgets.twins import Twin
from mnist_widgets.widgets.publishing import Publisher, publisher

CALM_S = 1.0
"""Seconds without a redraw after which a panel is taken to be at rest."""

# JupyterLab shows an error in place of a panel without a kernel; the twin below says more.
_HIDE_ERROR = """<style>
.jp-OutputArea-child:has(> .jp-OutputArea-output.jupyter-widgets):has(+ * > * > .mw-twin):not(
:has(> .jupyter-widgets > *)) { display: none; }
</style>"""


def new_twin_class() -> str:
    """Return a CSS class for the twin of one panel, like no other."""
    return f"mw-twin-{uuid.uuid4().hex[:12]}"


def hide_twin(twin_class: str) -> str:
    """Return a style sheet that hides a twin completely, also from screen readers."""
    output = ".jp-OutputArea-child:has(> .jp-OutputArea-output > .{})"
    return "".join(
        f"{selector.format(twin_class)} {{ display: none !important; }}\n"
        for selector in (".{}", output)  # separate rules: a browser without :has skips only one
    )


@dataclass(eq=False)
class _Output:
    """A twin in the notebook.

    Attributes:
        make: returns the current twin.
        twin_class: its CSS class, which is also the display id of the output.
        sources: the panels whose redraws change it.
        last: the twin in the notebook.
        changed_s: the time of the latest redraw of a source; None if the twin was written since.
    """

    make: Callable[[], Twin]
    twin_class: str
    sources: frozenset[object]
    last: Twin
    changed_s: float | None = None


class TwinWriter:
    """Keeps the twins of all displayed panels up to date.

    Args:
        publisher: redraws the panels.
        clock: returns the time in seconds; tests pass their own.
    """

    def __init__(
        self, publisher: Publisher = publisher, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._publisher, self._clock = publisher, clock
        self._outputs: dict[object, _Output] = {}
        self._writing = threading.RLock()
        self._shell: object = None  # it calls this writer at the end of each cell

    def show(
        self,
        panel: object,
        make: Callable[[], Twin],
        twin_class: str,
        sources: Iterable[object],
    ) -> None:
        """Write a panel's twin into the cell that runs, and keep it up to date from now on.

        Args:
            panel: the panel of the twin.
            make: returns the current twin; called in any thread.
            twin_class: from `new_twin_class`, always the same for one panel.
            sources: the panels whose redraws change what the twin shows.
        """
        self._listen()
        with self._writing:
            output = _Output(make, twin_class, frozenset(sources), make())
            self._outputs[panel] = output
            display(to_bundle(output.last, twin_class), raw=True, display_id=twin_class)

    def forget(self, panel: object) -> None:
        """Write a panel's twin for the last time."""
        with self._writing:
            output = self._outputs.pop(panel, None)
            if output is not None:
                self._write(output)

    def redraw(self) -> None:
        """Write the twin of one panel that is at rest; called by the publisher.

        One at a time: between two rounds of redraws a click may come.
        """
        if is_in_colab():
            if not is_training():
                self.write_all()
            return
        with self._writing:
            stale = [output for output in self._outputs.values() if output.changed_s is not None]
            now_s = self._clock()
            calm = [output for output in stale if now_s - (output.changed_s or 0) >= CALM_S]
            if calm:
                self._write(calm[0])
            if len(stale) > len(calm[:1]):
                self._publisher.request(self.redraw)

    def write_all(self) -> None:
        """Write all stale twins, in this thread."""
        with self._writing:
            for output in self._outputs.values():
                if output.changed_s is not None:
                    self._write(output)

    def mark_stale(self, panel: object) -> None:
        """Rewrite soon the twins that show `panel`, which was redrawn; called while drawing."""
        now_s = self._clock()
        stale = [output for output in tuple(self._outputs.values()) if panel in output.sources]
        for output in stale:
            output.changed_s = now_s
        if stale:
            self._publisher.request(self.redraw)

    def _write(self, output: _Output) -> None:
        output.changed_s = None  # first: what changes meanwhile makes it stale again
        twin = output.make()
        if twin != output.last:
            output.last = twin
            bundle = to_bundle(twin, output.twin_class)
            update_display(bundle, raw=True, display_id=output.twin_class)

    def _listen(self) -> None:
        """Write at the end of each cell."""
        shell = get_ipython()
        if shell is not None and shell is not self._shell:
            shell.events.register("post_run_cell", self._on_cell_end)
            self._shell = shell

    def _on_cell_end(self, _result: object) -> None:
        self._publisher.flush()
        self._write_quietly()

    def _write_quietly(self) -> None:
        try:
            self.write_all()
        except Exception:  # a picture must not fail a cell that has succeeded
            logging.getLogger("mnist_widgets").exception("A twin could not be written")


def to_bundle(twin: Twin, twin_class: str) -> dict[str, str]:
    """Return a twin as the notebook stores it, with the time of day."""
    when = f"As it stood on {datetime.now().astimezone():%Y-%m-%d at %H:%M}. "
    note = f"{when}To see it live, run the notebook; if it runs already, reload the page."
    return {
        "text/plain": f"{twin.text}\n\n{note}",
        "text/html": f'{_HIDE_ERROR}<div class="mw-twin {twin_class}">{twin.html}'
        f"<p><small>{note}</small></p></div>",
    }


twin_writer = TwinWriter()
"""The one writer of this kernel, shared by all panels."""
