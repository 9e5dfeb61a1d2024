"""The source of a training step, with one line marked."""

from __future__ import annotations

import ast
import html
import inspect
import textwrap

from mnist_widgets.training.recording.step_record import StepRecord

_MARK = "  # \N{LEFTWARDS ARROW} this move"


def mark_source(record: StepRecord, event: str | None) -> str:
    """Return the source of a training step as HTML, with the line of a move marked.

    Args:
        record: of the step.
        event: of the move, as in `StepRecord.lines`; without a line for it none is marked.

    Returns:
        "" if the source is not known.
    """
    if record.code is None:
        return ""
    try:
        lines, first = inspect.getsourcelines(record.code)
    except (OSError, TypeError):
        return ""
    marked = record.lines.get(event) if event else None
    hidden = _find_docstring(lines)
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    written = []
    for index, line in enumerate(lines):
        if index in hidden:
            continue
        text = html.escape(line[indent:].rstrip())
        is_marked = first + index == marked
        written.append(f"<mark>{text}{_MARK}</mark>" if is_marked else text)
    content = "\n".join(written).rstrip()
    return f"<pre><code>{content}</code></pre>"


def _find_docstring(lines: list[str]) -> range:
    """Return the positions of a function's docstring among its lines."""
    try:
        function = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except SyntaxError:  # for example a lambda
        return range(0)
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return range(0)
    first = function.body[0]
    if ast.get_docstring(function) is None or len(function.body) == 1:
        return range(0)
    return range(first.lineno - 1, first.end_lineno or first.lineno)
