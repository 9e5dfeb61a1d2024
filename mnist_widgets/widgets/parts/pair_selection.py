"""The selection that the gallery and the confusion chart share: a true and a predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traitlets import HasTraits, Int, TraitError, Tuple, validate

from mnist_widgets.rendering.confusion_captions import Pair


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
