"""The `mnist-widgets` command: end without a traceback on Ctrl-C, also while torch loads.

This module is outside of the package, because `import mnist_widgets.cli` loads the package first.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run the command line `sys.argv[1:]` and return the exit status."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # else the parent process lets it ignore Ctrl-C
        signal.signal(signal.SIGINT, _exit)
    from mnist_widgets.cli import main as run_command

    signal.signal(signal.SIGINT, handler)
    return run_command()


def _exit(*_: object) -> None:
    """End at once: code that runs while modules load may catch a KeyboardInterrupt."""
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(130)  # as `cli` does
