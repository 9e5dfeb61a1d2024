"""The `mnist-widgets` command: end without a traceback on Ctrl-C, also while torch loads.

This module is outside of the package, because `import mnist_widgets.cli` loads the package first.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line `sys.argv[1:]` and return the exit status."""
    try:
        from mnist_widgets.cli import main as run_command
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130  # as `cli.INTERRUPTED`, which may not be there yet
    return run_command()
