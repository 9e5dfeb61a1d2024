"""What Google Colab needs before it shows the panels."""

from __future__ import annotations

import logging
from importlib import import_module

from IPython import get_ipython

from mnist_widgets.system.hosts import is_in_colab
from mnist_widgets.widgets.redraws import scheduler


def prepare() -> None:
    """Switch on Colab's manager of widgets, and draw what a cell requests before it ends.

    Elsewhere nothing happens. A failure is only a warning: the panels may work all the same.
    """
    if not is_in_colab():
        return
    try:
        import_module("google.colab.output").enable_custom_widget_manager()
    except Exception:
        logging.getLogger("mnist_widgets").warning(
            "Colab's manager of widgets could not be switched on, so the panels may stay blank. "
            "Reload the page, restart the session, and run the notebook from the top.",
            exc_info=True,
        )
    if (shell := get_ipython()) is not None:
        scheduler.on_cell_begin()  # the cell that imports the panels runs already
        shell.events.register("pre_run_cell", lambda _info: scheduler.on_cell_begin())
        shell.events.register("post_run_cell", lambda _result: scheduler.on_cell_end())
