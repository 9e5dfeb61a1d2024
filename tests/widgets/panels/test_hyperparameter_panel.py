"""The controls, the text and the words of the settings, without a browser."""

from __future__ import annotations

import html
from dataclasses import replace

import ipywidgets.widgets.widget as widget_module
import pytest
from ipywidgets import HBox, Text
from traitlets import TraitError

from mnist_widgets import RunConfig
from mnist_widgets.runs.choices import format_number
from mnist_widgets.runs.settings import SETTINGS
from mnist_widgets.widgets import HyperparameterPanel
from mnist_widgets.widgets.parts.controls import Disclosure
from mnist_widgets.widgets.parts.settings.controls import read_value
from mnist_widgets.widgets.redraws import scheduler


@pytest.fixture
def panel(make_panel):
    return make_panel()


def find_shown(widget):
    """Return the widgets on the page within another one, itself included, in their order."""
    if widget.layout.display == "none":
        return []
    parts = [part for child in getattr(widget, "children", ()) for part in find_shown(child)]
    return [widget, *parts]


def find_labels(panel):
    """Return the labels of the settings on the page, in their order."""
    labels = [getattr(widget, "description", "") for widget in find_shown(panel)]
    return [label for label in labels if label in {setting.label for setting in SETTINGS}]


def control(panel, name):
    return panel._controls[name]


def values_shown(panel):
    rows = {setting.name: setting for setting in panel._shown}
    return {
        name: read_value(rows[name], getattr(control, "number", control.value))
        for name, control in panel._controls.items()
    }


def unfold(panel):
    """Open what is folded, and return the button."""
    (button,) = (widget for widget in find_shown(panel) if isinstance(widget, Disclosure))
    button._handle_custom_msg({"is_open": True}, [])  # what the page sends
    return button


def choose(panel, name, value):
    """Set a control as the page does; a text field gets what was typed."""
    is_text = isinstance(control(panel, name), Text)
    control(panel, name).value = format_number(value) if is_text else value


def drawn(widget):
    scheduler.flush()
    return widget.value


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd"},
        {"learning_rate": 0.5},
        {"batch_size": 64},
        {"hidden_units": 100},
        {"loss": "mse"},
        {"seed": 7},
        {"optimizer": "adamw"},
        {"weight_decay": 0.1},
        {"network": "convolutional"},
        {"dropout": 0.5},
        {"train_images": 500},
        {"label_noise": 0.2},
        {"augment": True},
        {"schedule": "cosine"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_control_changes_its_setting_and_follows_it(panel, settings):
    ((name, value),) = settings.items()
    changes = []
    panel.observe(changes.append, names="config")
    choose(panel, name, value)
    assert panel.config == RunConfig(**settings)
    assert [change["new"] for change in changes] == [panel.config]
    assert panel._text.value == panel.config.to_string()
    panel.config = RunConfig()
    assert values_shown(panel) == vars(RunConfig())


def test_a_list_never_shows_an_empty_field(panel):
    images = control(panel, "train_images")
    for choose_all in (
        lambda: setattr(panel, "config", RunConfig()),
        lambda: setattr(images, "index", 0),  # what the page sends
    ):
        panel.config = RunConfig(train_images=500)
        assert images.label == "500"
        choose_all()
        assert images.label == "All"
        assert panel.config == RunConfig()


def test_the_learning_rate_may_be_typed_with_a_decimal_comma(panel):
    field = control(panel, "learning_rate")
    for text, rate in (
        ("0,01", 0.01),
        (" 0,5 ", 0.5),
        ("1e-3", 0.001),
        ("2,5", 2.5),
        ("100", 10),
        ("-1", 1e-5),
    ):
        field.value = text
        assert panel.config.learning_rate == rate, text
        assert field.value == format_number(rate), text


def test_typed_text_that_is_not_a_number_is_replaced(panel):
    for text in ("", "fast", "0,0,1", "nan", "inf"):
        control(panel, "learning_rate").value = text
        assert panel.config.learning_rate == 0.001, text
        assert control(panel, "learning_rate").value == "0.001", text


@pytest.mark.parametrize("learning_rate", [1e-5, 0.012345, 10])
def test_every_rate_can_be_shown_without_being_changed(panel, learning_rate):
    panel.config = RunConfig(learning_rate=learning_rate)
    assert panel.config.learning_rate == learning_rate
    assert control(panel, "learning_rate").number == learning_rate


def test_an_unusual_batch_size_joins_the_list(panel):
    panel.config = RunConfig(batch_size=100)
    assert panel.config.batch_size == control(panel, "batch_size").value == 100
    assert control(panel, "batch_size").options == (16, 32, 64, 100, 128, 256, 512, 1024)
    control(panel, "batch_size").value = 16
    assert panel.config.batch_size == 16


def test_a_pasted_text_sets_everything(panel):
    panel._text.value = "seed=3 SGD lr=0.5 loss=mse images=77 batch=48 hidden=9"
    assert panel.config == RunConfig("sgd", 0.5, 48, 9, "mse", 3, train_images=77)
    assert values_shown(panel) == vars(panel.config)
    assert panel._text.value == panel.config.to_string()


def test_what_a_pasted_text_leaves_out_stays(panel):
    panel.config = before = RunConfig(seed=5, batch_size=64)
    panel._text.value = "lr=0.1"
    assert panel.config == replace(before, learning_rate=0.1)
    panel._text.value = ""
    assert panel._text.value == panel.config.to_string()


def test_a_bad_text_gets_an_error_message_below_it_and_loses_nothing(panel):
    panel.config = before = RunConfig(seed=5)
    panel._text.value = "adam lr=<b>"
    assert panel.config == before
    assert panel._text.value == "adam lr=<b>"
    assert "Learning rate must be" in drawn(panel._error)
    assert "not &#x27;&lt;b&gt;&#x27;." in panel._error.value
    assert "not '<b>'" in panel._spoken.words
    panel._text.value = before.to_string()
    assert drawn(panel._error) == ""


def test_using_a_control_replaces_a_bad_text(panel):
    panel._text.value = "nonsense"
    control(panel, "seed").value = 1
    assert drawn(panel._error) == ""
    assert panel._text.value == RunConfig(seed=1).to_string()


def test_the_code_is_that_of_the_settings(panel):
    panel._switch.value = True
    control(panel, "optimizer").value = "momentum"
    assert "torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)" in drawn(panel._code)
    control(panel, "seed").value = 11
    assert "manual_seed(11)" in drawn(panel._code)


def test_the_code_is_written_only_while_it_is_shown(make_panel):
    written = []
    panel = make_panel(write_code=lambda config: written.append(config) or "the code")
    control(panel, "seed").value = 11
    scheduler.flush()
    assert written == []
    panel._switch.value = True
    assert "the code" in drawn(panel._code)
    assert written == [RunConfig(seed=11)]


def test_more_settings_unfold_with_text_and_code(panel):
    common = [setting.label for setting in SETTINGS if not setting.is_rare]
    rare = [setting.label for setting in SETTINGS if setting.is_rare]
    assert common
    assert rare
    assert find_labels(panel) == common
    assert panel._text not in find_shown(panel)
    button = unfold(panel)
    assert find_labels(panel) == common + rare
    assert {panel._text, panel._switch} <= set(find_shown(panel))
    assert panel._code not in find_shown(panel)
    panel._switch.value = True
    scheduler.flush()
    assert panel._code in find_shown(panel)
    button.is_open = False
    assert find_labels(panel) == common


def test_settings_that_wait_for_a_reset_are_announced_and_listed(panel):
    assert "Reset" not in drawn(panel._difference)
    panel.run_config = RunConfig()
    assert "Reset" not in drawn(panel._difference)
    control(panel, "batch_size").value = 64
    control(panel, "seed").value = 1
    assert "Reset" in drawn(panel._difference)
    for said in (panel._difference.value, panel._help.value, panel._spoken.words):
        assert "batch size 64, seed 1" in said
    panel.run_config = panel.config
    assert "Reset" not in drawn(panel._difference)
    assert "Reset" not in panel._spoken.words


def test_the_learning_rate_waits_for_no_reset(panel):
    panel.run_config = RunConfig()
    choose(panel, "learning_rate", 0.1)
    for said in (drawn(panel._difference), panel._spoken.words):
        assert "Reset" not in said
        assert "next batch" in said
    panel.run_config = panel.config  # a batch has used it
    assert "next batch" not in drawn(panel._difference)


def test_each_setting_has_a_control_with_its_label_tooltip_and_explanation(panel):
    assert list(panel._controls) == [setting.name for setting in SETTINGS]
    for setting in SETTINGS:
        first = control(panel, setting.name)
        assert first.description == setting.label
        assert first.tooltip
        for value in setting.choices or [getattr(panel.config, setting.name)]:
            choose(panel, setting.name, value)
            assert html.escape(setting.explain(value)) in drawn(panel._help)


def test_what_is_locked_can_be_seen_but_not_changed(make_panel):
    panel = make_panel(RunConfig(seed=4), lock=["seed", "learning_rate"])
    assert control(panel, "seed").disabled
    assert control(panel, "learning_rate").disabled
    assert not control(panel, "optimizer").disabled
    assert panel._help.value.count("Locked.") == 2
    assert "at once" not in panel._help.value
    panel._text.value = "sgd seed=5"
    assert panel.config == RunConfig(seed=4)
    assert "Seed is locked here: seed 4." in drawn(panel._error)
    panel._text.value = "sgd"
    assert panel.config == RunConfig("sgd", seed=4)


def test_what_is_hidden_is_absent_and_cannot_be_changed_by_text_either(make_panel):
    panel = make_panel(hide=["loss"])
    assert "loss" not in values_shown(panel)
    panel._text.value = "loss=mse"
    assert panel.config == RunConfig()
    panel.config = RunConfig(loss="mse")  # the teacher's own code may
    assert panel.config.loss == "mse"


def test_a_locked_weight_decay_stays_with_each_optimizer(make_panel):
    panel = make_panel(lock=["weight_decay"])
    control(panel, "optimizer").value = "adamw"
    assert panel.config == RunConfig("adamw", weight_decay=0)
    panel._text.value = "adam lr=0.1"
    panel._text.value = "adamw"
    assert panel.config == RunConfig("adamw", learning_rate=0.1, weight_decay=0)
    panel._text.value = "adamw decay=0.01"
    assert "Weight decay is locked here: weight decay 0." in drawn(panel._error)


def test_a_hidden_weight_decay_is_the_usual_one_of_the_optimizer(make_panel):
    panel = make_panel(hide=["weight_decay"])
    panel._text.value = "adamw"
    assert panel.config == RunConfig("adamw")
    control(panel, "optimizer").value = "sgd"
    assert panel.config == RunConfig("sgd")
    panel._text.value = "adamw decay=0.5"
    assert "Weight decay is locked here" in drawn(panel._error)
    assert panel.config == RunConfig("sgd")


def test_more_training_images_than_there_are_cannot_be_chosen(make_panel):
    panel = make_panel(num_images=1438)
    offered = [name for name, _ in control(panel, "train_images").options]
    assert offered == ["All", "100", "200", "500", "1,000"]
    panel._text.value = "images=1438"
    assert panel.config == RunConfig(train_images=1438)
    panel._text.value = "images=1439"
    assert "a whole number from 1 to 1,438, not 1439" in drawn(panel._error)
    assert panel.config == RunConfig(train_images=1438)


def test_the_text_can_be_hidden_or_locked(make_panel):
    panel = make_panel(hide="text")
    unfold(panel)
    assert not {panel._text, panel._switch} & set(find_shown(panel))
    assert make_panel(lock="text")._text.disabled


def test_with_everything_locked_no_reset_is_mentioned(make_panel):
    panel = make_panel(lock=list(vars(RunConfig())))
    assert "Reset" not in panel._help.value


def test_no_empty_row_stands_where_all_is_hidden_or_locked(make_panel):
    names = list(vars(RunConfig()))
    rare = [setting for setting in SETTINGS if setting.is_rare]
    for hidden, num_rows in (([*names, "text"], 0), (names, 1), ([s.name for s in rare], 1)):
        panel = make_panel(hide=hidden)
        rows = [widget for widget in find_shown(panel) if isinstance(widget, HBox)]
        assert all(row.children for row in rows), hidden
        assert len([row for row in panel.children if row in rows]) == num_rows, hidden
    only_rare = make_panel(hide={*names} - {setting.name for setting in rare})
    assert find_labels(only_rare) == [setting.label for setting in rare]
    locked = make_panel(lock=names, hide="text")
    assert locked._difference not in find_shown(locked)


@pytest.mark.parametrize("argument", ["lock", "hide"])
def test_an_unknown_control_is_refused_with_the_list_of_the_known(argument):
    known = ", ".join(sorted([*vars(RunConfig()), "preset", "text"]))
    with pytest.raises(ValueError, match=f"{argument} names 'speed', but here it can name {known}"):
        HyperparameterPanel(**{argument: ["seed", "speed"]})


def test_a_config_of_another_kind_is_refused(panel):
    with pytest.raises(TraitError):
        panel.config = "adam"


def test_a_closed_panel_leaves_no_widget_behind():
    before = set(widget_module._instances)
    HyperparameterPanel(hide=["text", "seed"]).close()
    HyperparameterPanel().close()
    assert set(widget_module._instances) == before
