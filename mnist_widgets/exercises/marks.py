"""What a notebook needs around its checks: marks for nbgrader, and cells that wait for a solution.

What is judged and what a hint says is left to the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

from mnist_widgets.exercises.runner import examine
from mnist_widgets.exercises.sandbox import is_unsolved
from mnist_widgets.exercises.verdict import Verdict

_NOTE = (
    "padding:0.3em 1em;border-left:5px solid var(--jp-border-color1, #9e9e9e);"
    "color:var(--jp-content-font-color2, inherit)"
)


@dataclass(frozen=True, repr=False)
class Marks:
    """The marks for one verdict: a number for nbgrader, and for the student the verdict's card.

    nbgrader reads the plain text of a cell's value; a notebook shows the card.

    Attributes:
        verdict: what is marked.
        points: what it is worth if everything holds.
    """

    verdict: Verdict
    points: float

    @property
    def given(self) -> float:
        """All the points, or none."""
        return self.points if self.verdict else 0

    def __repr__(self) -> str:
        return f"{self.given:g}"

    def __str__(self) -> str:
        return f"{self.verdict}\n{self._words}"

    def _repr_html_(self) -> str:
        return f"{self.verdict._repr_html_()}<p>{self._words}</p>"

    @property
    def _words(self) -> str:
        condition = "" if self.given else ", given when all points above hold"
        return f"Marks: {self.given:g} of {self.points:g}{condition}"


def award(check: Verdict | Callable[[], Verdict], points: float) -> Marks:
    """Return what a verdict is worth, as the last line of a graded cell.

    nbgrader takes the value of such a cell for the marks; the cell's metadata must name the same
    `points`. With `lambda` before the check the cell does not raise, even if `SimpleNet` is not
    there because the student's cell ended in an error, and *Run All* goes on.

    Example:
        ```python
        award(lambda: check_network(SimpleNet), points=5)
        ```

    Args:
        check: a function that gives the verdict, or a verdict.
        points: all or nothing.
    """
    return Marks(check if isinstance(check, Verdict) else _try(check), points)


def _try(check: Callable[[], Verdict]) -> Verdict:
    verdicts: list[Verdict] = []

    def judge() -> str:
        verdicts.append(check())
        return ""

    attempt = examine(_name(check), {}, {"It runs": judge})
    return verdicts[0] if verdicts else attempt


def _name(check: Callable[[], Verdict]) -> str:
    """Return a name by which the hints of one task are told from those of another.

    Of a `lambda` it is what it calls, such as "check_network, SimpleNet".
    """
    code = getattr(check, "__code__", None)
    if code is None:
        return "Your code"
    return ", ".join(code.co_names) if code.co_name == "<lambda>" else str(code.co_name)


class Note:
    """A sentence for the student, shown quietly."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __repr__(self) -> str:
        return self._sentence

    def _repr_html_(self) -> str:
        return f'<p style="{_NOTE}">{escape(self._sentence)}</p>'


@contextmanager
def once_solved() -> Iterator[None]:
    """Run the lines within; where they meet something unsolved, say so and go on behind them.

    Unsolved is where the student's own lines raise `NotImplementedError`, as nbgrader's stubs do.
    Any other error is the student's to see.

    Example:
        ```python
        with once_solved():
            losses = [train_step(model, batch, loss_fn, optimizer, device) for batch in batches]
        ```
    """
    try:
        yield
    except NotImplementedError as error:
        if not is_unsolved(error):  # it is PyTorch's: a module without `forward`, for one
            raise
        from IPython.display import display

        display(Note(f"This waits for your {_name_unsolved(error)}. Write it, then run me again."))


def _name_unsolved(error: NotImplementedError) -> str:
    """Return the name of the function in which `error` was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "solution"
    code = traceback.tb_frame.f_code
    name = str(getattr(code, "co_qualname", code.co_name))  # co_qualname: from Python 3.11 on
    return name.removesuffix(".__init__")
