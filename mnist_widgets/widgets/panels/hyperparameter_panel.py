"""The settings panel: choose the settings of a run, paste them as text, copy them as code."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from ipywidgets import HTML, Checkbox, HBox, Text, VBox, Widget
from traitlets import Bool, Instance, Unicode

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.rendering.networks.picture import caption_network, draw_network
from mnist_widgets.rendering.static_views import StaticView, join_views
from mnist_widgets.runs.presets import PRESETS
from mnist_widgets.runs.run_config import RunConfig
from mnist_widgets.runs.settings import SETTINGS, Setting
from mnist_widgets.widgets.panel import Panel, check_names, text_line
from mnist_widgets.widgets.parts.choices import on_choice, written_by_code
from mnist_widgets.widgets.parts.controls import (
    ROW,
    Disclosure,
    LiveRegion,
    code_box,
    notice,
    popover,
)
from mnist_widgets.widgets.parts.settings.controls import (
    build_control,
    lay_out_group,
    limit_images,
    read_value,
    show_value,
    trait_of,
)
from mnist_widgets.widgets.parts.settings.explanations import explain_settings
from mnist_widgets.widgets.parts.settings.preset_list import PresetList, lock_presets_settings

CONTROLS = (*(setting.name for setting in SETTINGS), "preset", "text")
"""The names that `lock` and `hide` can hold."""


class HyperparameterPanel(Panel):
    """Controls for the settings of a run.

    The panel changes no training. Observe `config`, and set `run_config` when a run begins, so that
    the panel can say whether the run has the settings shown.

    Example:
        ```python
        panel = HyperparameterPanel(RunConfig(batch_size=64), lock=["seed"])
        panel.observe(lambda change: print(change["new"].to_string()), names="config")
        panel
        ```

    Args:
        config: the settings shown first.
        lock: names from `CONTROLS` that are shown but cannot be changed. `preset` also locks what
            presets set: all settings but the seed.
        hide: names from `CONTROLS` that are not shown.
        write_code: returns the code shown for some settings; by default `RunConfig.to_code`, which
            does not know your data and your training step.
        num_images: how many training images there are; more cannot be chosen. By default as many
            as the table of settings allows.
        num_classes: the number of scores of the network in its picture.

    Attributes:
        config: the settings shown, a trait.
        preset: the name of the preset that a person has chosen in the list and whose settings are
            still shown, or None; a trait to observe.
        run_config: the settings of the current run, a trait; None if there is no run.
        is_repeat: whether the current run is a repeat, which takes no change at all; a trait.

    Raises:
        ValueError: if `lock` or `hide` holds an unknown name.
    """

    config = Instance(RunConfig)
    preset = Unicode(None, allow_none=True)
    run_config = Instance(RunConfig, allow_none=True)
    is_repeat = Bool(False)

    def __init__(
        self,
        config: RunConfig | None = None,
        *,
        lock: Iterable[str] = (),
        hide: Iterable[str] = (),
        write_code: Callable[[RunConfig], str] = RunConfig.to_code,
        num_images: int | None = None,
        num_classes: int = 10,
    ) -> None:
        self._hidden = hidden = check_names("hide", hide, CONTROLS)
        self._locked = lock_presets_settings(check_names("lock", lock, CONTROLS)) & {*CONTROLS}
        self._fixed = hidden | self._locked
        self._write_code, self._num_classes = write_code, num_classes
        self._text_error = ""  # what is wrong with the text that was typed
        settings = [limit_images(setting, num_images) for setting in SETTINGS]
        self._shown = [setting for setting in settings if setting.name not in hidden]
        self._controls = {setting.name: self._build_control(setting) for setting in self._shown}
        self._help = HTML(layout={"margin": "2px 2px 2px 8px"})
        self._difference = text_line("mw-difference", flex="1 1 90px")
        self._spoken = LiveRegion()
        self._presets = PresetList(self._fixed, num_images, disabled="preset" in self._fixed)
        self._watch_for = text_line("mw-watch-for", flex="1 1 560px")
        self._picture = HTML()
        self._build_text()
        super().__init__("mw-settings", self._lay_out(hidden))
        self.config = config or RunConfig()
        self._show_config()
        self.redraw()
        on_choice(self._text, self._on_text)
        on_choice(self._presets, self._on_preset)
        self._more.observe(partial(self.schedule_redraw, urgent=True), names="is_open")
        self._switch.observe(partial(self.schedule_redraw, urgent=True), names="value")
        self.observe(self._on_config, names="config")
        self.observe(self.schedule_redraw, names=["run_config", "is_repeat"])

    def static_view(self) -> StaticView:
        """Return the current run's settings as text and code; those shown if there is no run."""
        config, run_config = self.config, self.run_config
        if run_config is not None:
            config = run_config if self.is_repeat else run_config.with_live_settings(config)
        seeds = " (the first seed of a repeat)" if self.is_repeat else ""
        words = f"{config.to_string()}{seeds}, in code; set epochs to your number:"
        code = StaticView.of_code(words, self._write_code(config))
        return join_views([draw_network(config, self._num_classes), code])

    def redraw(self) -> None:
        """Update the texts from the settings; called by the redraw scheduler."""
        error, waiting = self._text_error, self._find_waiting()
        listed = ", ".join(waiting)
        words = f"Press Reset to use {'it' if len(waiting) == 1 else 'them'}." if waiting else ""
        if not waiting and (live := self._find_live()):
            words = f"{' and '.join(live)}: used from the next batch on."
        self._difference.value = f'<span title="{html.escape(listed)}">{words}</span>'
        self._error.value = notice(error, is_alert=True) if error else ""
        for name, control in self._controls.items():
            control.disabled = name in self._fixed | self.config.unused
        watch_for = "" if "preset" in self._hidden else self._presets.describe(self.config)
        self._watch_for.value = to_html(watch_for)
        self._watch_for.layout.display = None if watch_for else "none"
        network = ""
        if self._more.is_open and "network" not in self._hidden:
            config, num_classes = self.config, self._num_classes
            self._picture.value = draw_network(config, num_classes).html
            network = caption_network(config, num_classes)
        self._spoken.words = error or f"{words} {listed} {watch_for} {network}"
        content = explain_settings(
            self.config, self._shown, self._fixed, listed, is_repeat=self.is_repeat
        )
        self._help.value = popover("?", "About the settings", content, self._help)
        self._code.layout.display = None if self._switch.value else "none"
        if self._switch.value:  # it takes 20 ms to write the code
            code = code_box(self._write_code(self.config))
            self._code.value = (
                f"<div>The same in code; set <code>epochs</code> to your number:</div>{code}"
            )
        self.mark_static_view_stale()

    def _build_control(self, setting: Setting) -> Widget:
        control = build_control(setting)
        on_choice(control, partial(self._on_control, setting), trait_of(control))
        return control.add_class(f"mw-{setting.name.replace('_', '-')}")

    def _build_text(self) -> None:
        """Build the field of the text, a place for its error, and the code with its checkbox."""
        self._text = Text(
            description="Text",
            tooltip="Copy it, or paste another and press Enter",
            continuous_update=False,
            disabled="text" in self._fixed,
            style={"description_width": "32px"},
            layout={"flex": "1 1 100%", "max_width": "1000px"},
        ).add_class("mw-text")
        self._switch = Checkbox(
            description="Show the settings as code", indent=False, layout={"width": "auto"}
        )
        self._error = text_line("mw-text-error", flex="1 1 120px")
        self._code = HTML()

    def _lay_out(self, hidden: set[str]) -> list[Widget]:
        """Return a row of settings and what is folded: the rare settings, the text and the code."""
        common = [setting for setting in self._shown if not setting.is_rare] or self._shown
        rare = [setting for setting in self._shown if setting not in common]
        row = [self._controls[setting.name] for setting in common]
        groups: dict[str, list[Widget]] = {}
        for setting in rare:
            groups.setdefault(setting.group, []).append(self._controls[setting.name])
        text_row = [self._text, self._switch, self._error]
        is_free = any(setting.name not in self._fixed for setting in self._shown)
        has_text, has_presets = "text" not in hidden, "preset" not in hidden
        folded: list[Widget] = [self._presets] if has_presets and is_free else []
        folded += [lay_out_group(name, controls) for name, controls in groups.items()]
        folded += [self._picture] if rare and "network" not in hidden else []
        folded += [HBox(text_row, layout=ROW)] if has_text else []
        more = VBox([*folded, self._code])
        self._more = Disclosure("More settings", "Fewer settings", more, width_px=104)
        self._parts_off_page = [more, self._more, *text_row, self._help, self._difference]
        self._parts_off_page += [self._presets, self._picture, self._watch_for]
        side = [self._more] if folded else []
        side += [self._help] if common else []
        if has_text or is_free:
            side.append(self._difference)  # else it stays empty
        if not side:  # all is hidden
            return [self._spoken]
        row.append(HBox(side, layout={"flex": "1 1 230px", "align_items": "center"}))
        row += [self._watch_for] if has_presets else []  # in a line of its own if it is too wide
        return [HBox(row, layout=ROW), more, self._spoken]

    def _show_config(self) -> None:
        """Set the controls to the settings.

        This happens in the thread that changed the settings, not in `redraw`: in another thread it
        could put back a control that a person moves at this moment, and lose the choice.
        """
        for setting in self._shown:
            value = getattr(self.config, setting.name)
            show_value(self._controls[setting.name], setting, value)
        with written_by_code(self._text):
            self._text.value = self.config.to_string()
        self._presets.follow(self.config)
        if self._presets.value != self.preset:
            self.preset = None

    def _find_waiting(self) -> list[str]:
        """Return the settings that wait for Reset, in words."""
        run_config = self.run_config or self.config
        if not self.is_repeat:
            run_config = run_config.with_live_settings(self.config)
        words, run_words = self.config.to_words(), run_config.to_words()
        return [words[name] for name in words if words[name] != run_words.get(name, words[name])]

    def _find_live(self) -> list[str]:
        """Return the labels of the settings that only wait for the next batch."""
        run_config = self.run_config or self.config
        return [
            setting.label
            for setting in SETTINGS
            if setting.is_live
            and getattr(self.config, setting.name) != getattr(run_config, setting.name)
        ]

    def _on_control(self, setting: Setting, change: dict[str, Any]) -> None:
        self.config = self._choose(**{setting.name: read_value(setting, change["new"])})

    def _choose(self, **values: Any) -> RunConfig:  # noqa: ANN401 - as the fields
        """Return the settings with other values.

        A new optimizer brings its usual weight decay, unless one was chosen or it is locked.
        """
        if "weight_decay" in self._locked:
            return replace(self.config, **values)
        return self.config.with_values(**values)

    def _on_preset(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.config = PRESETS[change["new"]].apply(self.config)
        else:
            self._presets.forget()
        self.preset = change["new"] or None
        self.schedule_redraw(urgent=True)

    def _on_text(self, change: dict[str, Any]) -> None:
        self._text_error = ""
        try:
            self.config = self._read(change["new"])
        except ValueError as error:
            self._text_error = str(error)
        else:
            self._show_config()
        self.schedule_redraw(urgent=True)

    def _read(self, text: str) -> RunConfig:
        config = RunConfig.from_string(text, defaults=self.config)
        kept = self.config
        if "optimizer" not in self._fixed:
            kept = self._choose(optimizer=config.optimizer)
        if "decay=" not in text.lower():
            config = replace(config, weight_decay=kept.weight_decay)
        for setting in SETTINGS:
            value = getattr(kept, setting.name)
            if setting.name in self._fixed and getattr(config, setting.name) != value:
                raise ValueError(f"{setting.label} is locked here: {setting.to_words(value)}.")
        for setting in self._shown:
            setting.check(getattr(config, setting.name))
        return config

    def _on_config(self, _change: object) -> None:
        self._text_error = ""
        self._show_config()
        self.schedule_redraw(urgent=True)
