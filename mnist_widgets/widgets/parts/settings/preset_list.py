"""The list of presets in the settings panel."""

from __future__ import annotations

from collections.abc import Collection

from ipywidgets import Dropdown

from mnist_widgets.runs.presets import PRESETS, Preset, find_differences
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.settings import SETTINGS
from mnist_widgets.widgets.parts.choices import written_by_code
from mnist_widgets.widgets.parts.settings.controls import LABEL_PX


class PresetList(Dropdown):
    """A list of the presets that leave the fixed settings as they are.

    Its value is the name of a preset, or "": for None ipywidgets would show an empty field.

    Args:
        fixed: names of the settings that cannot be changed.
        num_images: how many training images there are; a preset that needs more is not offered.
        disabled: whether the list cannot be used.
    """

    def __init__(
        self, fixed: Collection[str], num_images: int | None = None, *, disabled: bool
    ) -> None:
        self._fixed = fixed
        self._possible = [
            preset
            for preset in PRESETS.values()
            if num_images is None or (preset.settings.train_images or 0) <= num_images
        ]
        self._options: list[tuple[str, str]] = []
        self._last: Preset | None = None  # the last one that was shown
        super().__init__(
            options=[("None", "")],
            description="Preset",
            tooltip="Settings that show something: choose one and press Start",
            disabled=disabled,
            style={"description_width": f"{LABEL_PX - 4}px"},
            layout={"width": f"{LABEL_PX + 240}px"},
        )
        self.add_class("mw-preset")

    def follow(self, config: RunConfig) -> None:
        """Show the preset of some settings, or none, and those that can be chosen."""
        offered = [preset for preset in self._possible if preset.fits(config, self._fixed)]
        options = [("None", "")]
        options += [(preset.label, preset.name) for preset in offered]
        shown = next((preset for preset in offered if preset.apply(config) == config), None)
        self._last = shown or self._last
        with written_by_code(self):
            if options != self._options:
                self.options = self._options = options
            self.value = shown.name if shown else ""

    def forget(self) -> None:
        """Compare the settings with no preset any more."""
        self._last = None

    def describe(self, config: RunConfig) -> str:
        """Return what to watch for, or what was changed; "" if no preset was shown."""
        if self._last is None:
            return ""
        words = config.to_words()
        changed = find_differences(self._last.apply(config), config)
        listed = ", ".join(words[name] for name in words if name in changed)
        if listed:
            return f"{self._last.label}, changed: {listed}."
        condition = f"With handwritten digits and {self._last.epochs} epochs."
        return f"{self._last.label}: {self._last.watch_for} ({condition})"


def lock_presets_settings(locked: set[str]) -> set[str]:
    """Return the names that are locked: with `preset` also what presets set, `epochs` included."""
    if "preset" not in locked:
        return locked
    return locked | {setting.name for setting in SETTINGS} - {"seed"} | {"epochs"}
