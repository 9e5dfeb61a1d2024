"""The settings of a run, to choose from, to paste as text and to take away as code.

What they mean is `run_config`'s business; what becomes of them is decided by whoever observes the
panel.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from ipywidgets import (
    HTML,
    BoundedIntText,
    Checkbox,
    Dropdown,
    FloatLogSlider,
    GridBox,
    HBox,
    Layout,
    Text,
    VBox,
    Widget,
)
from traitlets import Instance

from mnist_widgets.run_config import LIMITS, LOSSES, OPTIMIZERS, SETTINGS, RunConfig
from mnist_widgets.twins import Twin
from mnist_widgets.widgets.number_field import NumberField
from mnist_widgets.widgets.panel import Panel, check_names, text_line
from mnist_widgets.widgets.publishing import publisher
from mnist_widgets.widgets.setting_controls import agrees, setting_of, trait_of

CONTROLS = (*SETTINGS, "text")
"""What `lock` and `hide` may name."""

_BATCH_SIZES = (16, 32, 64, 128, 256, 512, 1024)
_LABELS = {
    "optimizer": "Optimizer",
    "learning_rate": "Learning rate",
    "batch_size": "Batch size",
    "hidden_units": "Hidden units",
    "loss": "Loss function",
    "seed": "Seed",
}
# of a number's control, or of what is chosen in a list
_EXPLANATIONS = {
    "learning_rate": "How far each update moves the weights.",
    "batch_size": "Images to look at before each update.",
    "hidden_units": "Width of the network's hidden layer.",
    "seed": "Same seed, same random numbers.",
    "sgd": "Each step goes straight downhill.",
    "momentum": "Steps keep some of their last direction.",
    "rmsprop": "Shorter steps where gradients are large.",
    "adam": "Momentum, and a step length per weight.",
    "adamw": "Adam, which also keeps the weights small.",
    "cross-entropy": "Punishes confidence in wrong answers.",
    "nll": "Cross-entropy in two parts, same result.",
    "mse": "Squared error of the ten probabilities.",
}
_LISTS = {
    "optimizer": "How an update follows from the gradients",
    "batch_size": "How many images each update learns from",
    "loss": "What the training makes small",
}
"""The settings chosen in a list, and what their labels say to a mouse that rests on them."""
_STYLE = {"description_width": "96px"}
_COLUMNS = "repeat(auto-fill, minmax(min(300px, 100%), 1fr))"  # as many as there is room for


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
        config: what to begin with.
        lock: names from `CONTROLS` that can be seen but not changed.
        hide: names from `CONTROLS` that cannot be seen either.
        write_code: returns the code shown for some settings; another one than
            `RunConfig.to_code` may name data and training step.

    Attributes:
        config: the settings shown, a trait.
        run_config: the settings of the present run, a trait; None if there is no run.

    Raises:
        ValueError: `lock` or `hide` names what is no control.
    """

    config = Instance(RunConfig)
    run_config = Instance(RunConfig, allow_none=True)

    def __init__(
        self,
        config: RunConfig | None = None,
        *,
        lock: Iterable[str] = (),
        hide: Iterable[str] = (),
        write_code: Callable[[RunConfig], str] = RunConfig.to_code,
    ) -> None:
        hidden = check_names("hide", hide, CONTROLS)
        self._fixed = hidden | check_names("lock", lock, CONTROLS)
        self._write_code = write_code
        self._complaint = ""  # what speaks against the text that was typed
        self._is_listing = False
        self._controls: dict[str, list[Widget]] = {}
        self._explanations: dict[str, HTML] = {}
        layout = Layout()  # one for all of them: the fewer models, the sooner a page is there
        settings = [self._build_setting(name, layout) for name in SETTINGS if name not in hidden]
        self._effect = text_line("mw-caption", flex="0 1 auto")
        self._difference = text_line("mw-difference", flex="1 1 300px")
        text = self._build_text()
        super().__init__(
            "mw-hyperparameter-panel",
            [
                GridBox(settings, layout={"grid_template_columns": _COLUMNS}),
                HBox([self._effect, self._difference], layout={"flex_flow": "row wrap"}),
                *(text if "text" not in hidden else []),
            ],
        )
        self._parts_off_page = text
        self.config = config or RunConfig()
        self._show_config()
        self.redraw()
        for name, controls in self._controls.items():
            for control in controls:
                control.observe(partial(self._on_control, name), names=trait_of(control))
        self._text.observe(self._on_text, names="value")
        self.observe(self._on_config, names="config")
        self.observe(self._on_run_config, names="run_config")

    def twin(self) -> Twin:
        """Return the present run's settings as text and as code; the chosen ones before a run."""
        config = self.run_config or self.config
        return Twin.of_code(
            f"{config.to_string()}, in code; put your number of epochs in:",
            self._write_code(config),
        )

    def redraw(self) -> None:
        """Bring the words up to date with the settings; called by the publisher."""
        config = self.config
        for name, line in self._explanations.items():
            explanation = _EXPLANATIONS[name if name in LIMITS else getattr(config, name)]
            line.value = explanation + " Locked." * (name in self._fixed)
        self._effect.value = self._describe_effect()
        self._difference.value = self._describe_difference()
        alert = f'<span role="alert">{html.escape(self._complaint)}</span>'
        self._notice.value = alert if self._complaint else ""
        self._code.value = (
            "<div>The same in code; put in your number of epochs:</div>"
            f'<pre class="mw-code">{html.escape(self._write_code(config))}</pre>'
        )
        self.mark_twin_stale()

    def _build_setting(self, name: str, layout: Layout) -> VBox:
        """Return the controls of one setting above the line that explains it."""
        controls = self._controls[name] = self._build_controls(name)
        for control in controls:
            control.disabled = name in self._fixed
        explanation = self._explanations[name] = HTML(layout=layout).add_class("mw-explanation")
        row = controls[0] if len(controls) == 1 else HBox(controls)
        setting = VBox([row, explanation], layout=layout)
        return setting.add_class("mw-setting").add_class(f"mw-{name.replace('_', '-')}")

    def _build_controls(self, name: str) -> list[Widget]:
        options: dict[str, Any] = {"description": _LABELS[name], "style": _STYLE}
        if name in _LISTS:
            tooltip = _LISTS[name]
            return [
                Dropdown(
                    layout={"width": "290px"}, options=_options(name), tooltip=tooltip, **options
                )
            ]
        least, greatest = LIMITS[name]
        if name != "learning_rate":
            limits = {
                "min": int(least),
                "max": int(greatest),
                "tooltip": f"A whole number from {least:,} to {greatest:,}",
            }
            return [BoundedIntText(layout={"width": "190px"}, **limits, **options)]
        # The field has the name that the slider cannot give to screen readers.
        field = NumberField(
            least,
            least,
            greatest,
            tooltip="From 0.00001 to 10",
            layout={"width": "190px"},
            **options,
        )
        slider = FloatLogSlider(min=-5, max=1, readout=False, layout={"flex": "1 1 90px"})
        return [field, slider]

    def _build_text(self) -> list[Widget]:
        """Return the part that is folded away, below the switch that unfolds it."""
        switch = Checkbox(description="Show the settings as text and as code", indent=False)
        self._text = Text(
            description="Text",
            tooltip="Pass it on, or paste another and press Enter",
            continuous_update=False,
            disabled="text" in self._fixed,
            style=_STYLE,
            layout={"width": "auto", "max_width": "640px"},
        )
        self._notice = text_line("mw-notice")
        self._code = HTML()
        folded = VBox([self._text, self._notice, self._code], layout={"display": "none"})
        switch.observe(
            lambda change: folded.layout.set_trait("display", None if change["new"] else "none"),
            names="value",
        )
        return [switch, folded]

    def _show_config(self) -> None:
        """Set the controls to the settings, in the thread of whoever changed these."""
        for name, controls in self._controls.items():
            value = getattr(self.config, name)
            for control in controls:
                if name == "batch_size" and value not in control.options:
                    self._add_batch_size(control, value)
                if not agrees(control, value):
                    setattr(control, trait_of(control), value)
        self._text.value = self.config.to_string()

    def _add_batch_size(self, control: Dropdown, batch_size: int) -> None:
        self._is_listing = True  # new options make a list jump to the first of them
        control.options = sorted({*control.options, batch_size})
        self._is_listing = False

    def _describe_effect(self) -> str:
        free = [name for name in self._controls if name not in self._fixed]
        if not free:
            return "These settings belong to the lesson."
        if "learning_rate" not in free:
            return "Choose, then press Start. During a run: changes wait for the next Reset."
        return (
            "Choose, then press Start. During a run: the learning rate changes at once, all else "
            "waits for the next Reset."
        )

    def _describe_difference(self) -> str:
        config, run_config = self.config, self.run_config
        if run_config is None:
            return ""
        words, run_words = config.to_words(), run_config.to_words()
        awaiting = [
            words[name]
            for name in SETTINGS
            if name != "learning_rate" and words[name] != run_words[name]
        ]
        if not awaiting:
            return ""
        return (
            '<span role="status">Press Reset to begin a run with these settings: '
            f"{html.escape(', '.join(awaiting))}. The present run goes on without them.</span>"
        )

    def _on_control(self, name: str, change: dict[str, Any]) -> None:
        control = change["owner"]
        # a control that follows the settings has nothing to say
        if not self._is_listing and not agrees(control, getattr(self.config, name)):
            setting: dict[str, Any] = {name: setting_of(control)}
            self.config = replace(self.config, **setting)

    def _on_text(self, change: dict[str, Any]) -> None:
        text = change["new"]
        self._complaint = ""
        if text != self.config.to_string():
            try:
                self.config = self._read(text)
            except ValueError as error:
                self._complaint = str(error)
            else:
                self._text.value = self.config.to_string()
        publisher.request(self.redraw, urgent=True)

    def _read(self, text: str) -> RunConfig:
        config = RunConfig.from_string(text, defaults=self.config)
        for name in SETTINGS:
            if name in self._fixed and getattr(config, name) != getattr(self.config, name):
                own = self.config.to_words()[name]
                raise ValueError(f"{_LABELS[name]} is locked here: {own}.")
        return config

    def _on_config(self, _change: object) -> None:
        self._complaint = ""
        self._show_config()
        publisher.request(self.redraw, urgent=True)

    def _on_run_config(self, _change: object) -> None:
        publisher.request(self.redraw)


def _options(name: str) -> list[Any]:
    if name == "optimizer":
        return [(choice.name, key) for key, choice in OPTIMIZERS.items()]
    if name == "loss":
        return [(words[0].upper() + words[1:], key) for key, words in LOSSES.items()]
    return list(_BATCH_SIZES)
