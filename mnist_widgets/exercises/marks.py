"""Points for nbgrader, and cells that need an earlier solution."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

from mnist_widgets.exercises.runner import run_check
from mnist_widgets.exercises.sandbox import is_unsolved
from mnist_widgets.exercises.verdict import Verdict

_NOTE = (
    "padding:0.3em 1em;border-left:5px solid var(--jp-border-color1, #9e9e9e);"
    "color:var(--jp-content-font-color2, inherit)"
)


@dataclass(frozen=True, repr=False)
class Marks:
    """The points for one verdict.

    nbgrader reads the plain text of a cell's value, a number; a notebook shows the card.

    Attributes:
        verdict: the result of the check.
        points: the points if every criterion holds.
    """

    verdict: Verdict
    points: float

    @property
    def given(self) -> float:
        """All points or 0."""
        return self.points if self.verdict else 0

    def __repr__(self) -> str:
        return f"{self.given:g}"

    def __str__(self) -> str:
        return f"{self.verdict}\n{self._words}"

    def _repr_html_(self) -> str:
        return f"{self.verdict._repr_html_()}<p>{self._words}</p>"

    @property
    def _words(self) -> str:
        marks = f"Marks: {self.given:g} of {self.points:g}"
        if self.given:
            return marks
        all_points = "it" if self.points == 1 else f"all {self.points:g}"
        return f"{marks}. You get {all_points} when every criterion above is met."


def award(check: Verdict | Callable[[], Verdict], points: float) -> Marks:
    """Return the points for a verdict; the last line of a graded cell.

    nbgrader reads the value of this cell; the cell's metadata must contain the same `points`.
    Write `lambda:` before the check. The cell then raises no error if `SimpleNet` is not defined,
    and *Run All* continues.

    Example:
        ```python
        award(lambda: check_network(SimpleNet), points=5)
        ```

    Args:
        check: a verdict, or a function that returns one.
        points: awarded only if every criterion holds.
    """
    return Marks(check if isinstance(check, Verdict) else _run(check), points)


def _run(check: Callable[[], Verdict]) -> Verdict:
    verdicts: list[Verdict] = []

    def run() -> str:
        verdicts.append(check())
        return ""

    attempt = run_check(_name(check), {"It runs": run}, {})
    return verdicts[0] if verdicts else attempt


def _name(check: Callable[[], Verdict]) -> str:
    """Return a name for counting the hints of a task.

    For a `lambda` these are the names that it uses, such as "check_network, SimpleNet".
    """
    name = str(getattr(check, "__name__", "Your code"))
    return ", ".join(check.__code__.co_names) if name == "<lambda>" else name


@dataclass(frozen=True, repr=False)
class Note:
    """A sentence for the student, in a muted colour."""

    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return f'<p style="{_NOTE}">{escape(self.sentence)}</p>'


@contextmanager
def once_solved() -> Iterator[None]:
    """Run the lines below; if they need an unsolved task, show a note instead of an error.

    A task is unsolved if the student's own code raises `NotImplementedError`, as nbgrader's stubs
    do. Other errors are raised.

    Example:
        ```python
        with once_solved():
            losses = [train_step(model, batch, loss_fn, optimizer, device) for batch in batches]
        ```
    """
    try:
        yield
    except NotImplementedError as error:
        if not is_unsolved(error):  # PyTorch's, for example from a module without `forward`
            raise
        from IPython.display import display

        name = _name_unsolved(error)
        display(Note(f"This cell needs your {name}. Write it, then run this cell again."))


def _name_unsolved(error: NotImplementedError) -> str:
    """Return the name of the function that raised `error`."""
    [*_, (frame, _)] = traceback.walk_tb(error.__traceback__)
    code = frame.f_code
    name = str(getattr(code, "co_qualname", code.co_name))  # co_qualname: from Python 3.11 on
    return name.removesuffix(".__init__")
