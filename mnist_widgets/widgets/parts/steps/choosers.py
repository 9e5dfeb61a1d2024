"""Lists and fields to choose an image, a unit and a weight of a recorded step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

from ipywidgets import BoundedIntText, Dropdown, HBox

from mnist_widgets.rendering.steps.choice import StepChoice
from mnist_widgets.training.recording.step_record import StepRecord
from mnist_widgets.training.recording.units import list_layers
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code
from mnist_widgets.widgets.parts.controls import ROW, dropdown


class StepChoosers(HBox):
    """A list of images and of layers, and a field for a unit and for a weight.

    Args:
        on_change: called with what the person has chosen.
    """

    def __init__(self, on_change: Callable[[StepChoice], None]) -> None:
        self._on_change = on_change
        self._choice = StepChoice()  # as shown
        self._record: StepRecord | None = None
        self._image = dropdown("Image", "An image of the batch", (), label_px=46, width_px=190)
        self._layer = dropdown("Layer", "A linear layer", (), label_px=44, width_px=134)
        self._unit = _field("Unit", "A unit of the layer: a row of its weights", 36)
        self._weight = _field("Weight", "A weight of the unit, which belongs to one input", 54)
        self._controls: dict[str, Any] = {
            "image": self._image,
            "layer": self._layer,
            "unit": self._unit,
            "weight": self._weight,
        }
        for name, control in self._controls.items():
            on_choice(control, partial(self._on_control, name))
        super().__init__(list(self._controls.values()), layout=ROW)
        self.add_class("mw-step-choosers")

    def show(self, record: StepRecord, choice: StepChoice, names: Collection[str]) -> None:
        """Show a choice.

        Args:
            record: has the images and the layers.
            choice: exists in the record.
            names: the fields of `StepChoice` to choose now.
        """
        known = set() if record.inputs is None else {"image"}
        layers = list_layers(record)
        layer = record.layers[choice.layer] if choice.layer in layers else None
        if layer is not None:
            known |= {"layer", "unit", "weight"}
        with written_by_code(*self._controls.values()):
            if record is not self._record:
                options = [(name, index) for index, name in enumerate(name_images(record))]
                _show_options(self._image, options)
                _show_options(self._layer, [(name or "the model", name) for name in layers])
            if layer is not None:
                self._unit.max = layer.outputs.shape[-1] - 1
                self._weight.max = layer.inputs.shape[-1] - 1
            for name, control in self._controls.items():
                if name in known:
                    control.value = getattr(choice, name)
                display = None if name in known.intersection(names) else "none"
                if control.layout.display != display:
                    control.layout.display = display
        self._record, self._choice = record, choice

    def _on_control(self, name: str, change: dict[str, Any]) -> None:
        self._choice = replace(self._choice, **{name: change["new"]})
        self._on_change(self._choice)


def _field(description: str, tooltip: str, label_px: int) -> BoundedIntText:
    return BoundedIntText(
        description=description,
        tooltip=tooltip,
        style={"description_width": f"{label_px}px"},
        layout={"width": f"{label_px + 64}px"},
    )


def name_images(record: StepRecord) -> list[str]:
    """Return a name for each image of the batch, with its label if it has one."""
    if record.inputs is None:
        return []
    names = [f"image {index}" for index in range(len(record.inputs))]
    if (labels := record.targets) is not None and labels.shape == (len(names),):
        names = [
            f"{name}, label {label:g}" for name, label in zip(names, labels.tolist(), strict=True)
        ]
    return names


def _show_options(control: Dropdown, options: list[tuple[str, Any]]) -> None:
    if list(control.options) != options:
        control.options = options
