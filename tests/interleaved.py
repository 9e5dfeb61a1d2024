"""Let another thread's change come between any two reads of a function, without threads."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

READS = {"LOAD_ATTR", "LOAD_METHOD"}


def call_between_reads(
    function: Callable[[], object],
    prepare: Callable[[], object],
    change: Callable[[], object],
    *modules: str,
) -> int:
    """Call `prepare`, then `function` with `change` before its first read of an attribute.

    Do so for the second read and each further one, too.

    Args:
        function: is tested; an error that it raises is raised here.
        prepare: makes what `change` then replaces.
        change: what another thread could do at any time.
        modules: the modules whose reads count, by the ends of their paths.

    Returns:
        The number of reads.
    """
    num_reads = 0
    while _call_with_change(function, prepare, change, modules, num_reads):
        num_reads += 1
    return num_reads


def _call_with_change(
    function: Callable[[], object],
    prepare: Callable[[], object],
    change: Callable[[], object],
    modules: tuple[str, ...],
    index: int,
) -> bool:
    """Return whether `function` reads so often that `change` was called before the read `index`."""
    num_reads, has_changed = 0, False

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal num_reads, has_changed
        if has_changed or not Path(frame.f_code.co_filename).as_posix().endswith(modules):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode" and dis.opname[frame.f_code.co_code[frame.f_lasti]] in READS:
            if num_reads == index:
                has_changed = True
                change()
            num_reads += 1
        return trace

    prepare()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return has_changed
