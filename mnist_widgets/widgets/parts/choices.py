"""What a person chooses, as distinct from what code writes into a control; and chosen pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ipywidgets import Widget
from traitlets import HasTraits, Int, TraitError, Tuple, validate

from mnist_widgets.rendering.confusion_captions import Pair

# A thread has its own value, because the scheduler's thread may write a control while a message of
# the page about the same control is handled in the main thread: that one is still a choice of the
# person.
_written: ContextVar[tuple[Widget, ...]] = ContextVar("written", default=())


@contextmanager
def written_by_code(*controls: Widget) -> Iterator[None]:
    """Do not call the `on_choice` handlers of `controls` for what this thread writes into them.

    Use it where a control follows data, for example when new options move a list to its first one.
    """
    token = _written.set((*_written.get(), *controls))
    try:
        yield
    finally:
        _written.reset(token)


def on_choice(
    control: Widget, handler: Callable[[dict[str, Any]], None], name: str = "value"
) -> None:
    """Call `handler` with each change of a control that is not made inside `written_by_code`.

    Args:
        control: a widget with a value, such as a `Dropdown`.
        handler: takes the change, as a handler of `observe` does.
        name: the trait that holds the control's value.
    """

    def handle(change: dict[str, Any]) -> None:
        if control not in _written.get():
            handler(change)

    control.observe(handle, names=name)


class IndexSelection(HasTraits):
    """Adds the trait `selected_index`; a subclass sets `_num_images` before it sets the trait."""

    selected_index = Int(0, allow_none=True)
    _num_images: int

    @validate("selected_index")
    def _check_index(self, proposal: dict[str, int | None]) -> int | None:
        index, size = proposal["value"], self._num_images
        if index is not None and not 0 <= index < size:
            raise TraitError(f"selected_index is {index}; it must be from 0 to {size - 1:,}.")
        return index


class PairSelection(HasTraits):
    """Adds the trait `selected_pair`; a subclass sets `_class_names` before it sets the trait."""

    selected_pair: Any = Tuple(Int(), Int(), default_value=None, allow_none=True)
    _class_names: Sequence[str]

    @validate("selected_pair")
    def _check_pair(self, proposal: dict[str, Pair | None]) -> Pair | None:
        pair, size = proposal["value"], len(self._class_names)
        if pair is not None and not all(0 <= label < size for label in pair):
            raise TraitError(
                f"selected_pair is {pair}; it must be (true, predicted), each from 0 to {size - 1}."
            )
        return pair
