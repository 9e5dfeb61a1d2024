"""The list of presets in the settings panel, its sentences, and the picture of the network."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from mnist_widgets import RunConfig, SimpleNet, load_bundled_digits
from mnist_widgets.runs.presets import PRESETS
from mnist_widgets.widgets import dashboard
from mnist_widgets.widgets.redraws import scheduler

SICK = PRESETS["overfitting"]


def said(panel):
    """Return what the panel says of the preset, or "" while it says nothing."""
    scheduler.flush()
    is_hidden = panel._watch_for.layout.display == "none"
    return "" if is_hidden else panel._watch_for.value.replace("\xa0", " ")


def offered(panel):
    return [name for _, name in panel._presets.options]


def is_within(box, part):
    return any(child is part or is_within(child, part) for child in getattr(box, "children", ()))


def test_a_chosen_preset_sets_the_settings_but_not_the_seed_and_shows_its_sentences(make_panel):
    panel = make_panel(RunConfig(seed=7))
    assert said(panel) == ""
    panel._presets.value = "overfitting"
    assert panel.config == replace(SICK.settings, seed=7)
    assert panel.preset == "overfitting"
    assert SICK.watch_for in said(panel)
    assert SICK.watch_for in panel._spoken.words


def test_a_setting_changed_afterwards_is_named_and_the_preset_can_be_chosen_again(make_panel):
    panel = make_panel(SICK.settings)
    assert panel._presets.value == "overfitting"
    panel.config = replace(panel.config, dropout=0.3)
    assert (panel._presets.label, panel.preset) == ("None", None)
    assert "changed: dropout 0.3" in said(panel)
    assert SICK.watch_for not in said(panel)
    panel._presets.value = "overfitting"
    assert panel.config == SICK.settings
    assert SICK.watch_for in said(panel)


def test_no_preset_says_nothing_and_changes_no_setting(make_panel):
    panel = make_panel(SICK.settings)
    panel._presets.value = ""
    assert panel.config == SICK.settings
    assert panel.preset is None
    assert said(panel) == ""


def test_only_presets_that_respect_locked_and_hidden_settings_are_offered(make_panel):
    fixed = ["train_images", "label_noise"]
    remedies = ["", "overfitting", "dropout", "augmentation"]
    assert offered(make_panel(SICK.settings, lock=fixed)) == remedies
    assert offered(make_panel(SICK.settings, hide=fixed)) == remedies
    assert offered(make_panel()) == ["", *PRESETS]
    assert offered(make_panel(num_images=300)) == [
        *("", "few-images", "rate-too-high", "rate-too-low", "linear", "convolutional")
    ]
    panel = make_panel(lock=["optimizer"])
    assert "rate-too-low" not in offered(panel)
    panel.config = RunConfig("sgd")  # the teacher's own code may
    assert offered(panel) == ["", "rate-too-low"]


def test_a_locked_preset_locks_what_it_sets(make_panel):
    panel = make_panel(SICK.settings, lock="preset")
    assert panel._presets.disabled
    assert SICK.watch_for in said(panel)
    assert is_within(panel, panel._watch_for)
    free = {name for name, control in panel._controls.items() if not control.disabled}
    assert free == {"seed"}
    panel._text.value = "dropout=0.5"
    assert panel.config == SICK.settings
    panel._text.value = "seed=3"
    assert panel.config == replace(SICK.settings, seed=3)


def test_a_hidden_preset_is_neither_shown_nor_read_aloud(make_panel):
    panel = make_panel(SICK.settings, hide="preset")
    assert not is_within(panel, panel._watch_for)
    assert not is_within(panel, panel._presets)
    assert SICK.watch_for not in panel._spoken.words
    panel.config = replace(panel.config, dropout=0.3)
    scheduler.flush()
    assert SICK.label not in panel._spoken.words


def test_the_caption_of_a_hidden_network_is_not_read_aloud(make_panel):
    panel = make_panel(hide="network")
    panel._more.is_open = True
    scheduler.flush()
    assert "parameters" not in panel._spoken.words


def test_controls_without_effect_are_disabled_and_explained(make_panel):
    panel = make_panel(lock="seed")
    panel._controls["network"].value = "linear"
    scheduler.flush()
    disabled = {name for name, control in panel._controls.items() if control.disabled}
    assert disabled == {"seed", "hidden_units", "dropout"}
    assert panel._help.value.count("No effect") == 2
    panel._controls["network"].value = "one-hidden"
    scheduler.flush()
    disabled = {name for name, control in panel._controls.items() if control.disabled}
    assert disabled == {"seed"}
    assert "No effect" not in panel._help.value


def test_a_change_without_effect_does_not_wait_for_reset(make_panel):
    panel = make_panel(RunConfig(network="linear"))
    panel.run_config = RunConfig(network="linear", hidden_units=7, dropout=0.5)
    scheduler.flush()
    assert "Reset" not in panel._difference.value


def test_the_picture_is_drawn_only_while_it_is_shown(make_panel):
    panel = make_panel()
    assert panel._picture.value == ""
    panel._more.is_open = True
    scheduler.flush()
    assert "407,050 parameters" in panel._picture.value
    panel.config = RunConfig(hidden_units=10)
    scheduler.flush()
    assert "7,960 parameters" in panel._picture.value
    assert "7,960 parameters" in panel._spoken.words


@pytest.fixture
def open_lab():
    """Return a function that opens a lab; it is closed at the end."""
    labs = []

    def make(**options):
        labs.append(dashboard(data=load_bundled_digits(), device="cpu", **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def test_a_lab_begins_with_a_preset_and_its_epochs_and_follows_the_list(open_lab):
    lab = open_lab(preset="overfitting")
    assert lab.session.trainer.config == SICK.settings
    assert lab.panels["training"].epochs == SICK.epochs
    lab.panels["settings"]._presets.value = "linear"
    assert lab.panels["training"].epochs == PRESETS["linear"].epochs
    lab = open_lab(preset="overfitting", epochs=3, lock=["epochs"])
    lab.panels["settings"]._presets.value = "linear"
    assert lab.panels["training"].epochs == 3
    assert open_lab(preset="linear", lock="preset").panels["training"]._epochs.disabled


def test_settings_that_come_to_match_a_preset_leave_the_number_of_epochs(open_lab):
    lab = open_lab(preset="overfitting", epochs=3)
    settings, training = lab.panels["settings"], lab.panels["training"]
    settings._controls["dropout"].number = 0.5
    settings._controls["dropout"].number = 0.0
    assert settings._presets.value == "overfitting"
    assert training.epochs == 3
    settings._text.value = PRESETS["linear"].settings.to_string()
    assert settings._presets.value == "linear"
    assert training.epochs == 3
    for name in ("overfitting", "linear", "overfitting"):
        settings._presets.value = name
        assert training.epochs == PRESETS[name].epochs
        settings._controls["dropout"].number = 0.3
        training.epochs = 3
        settings._presets.value = name
        assert training.epochs == PRESETS[name].epochs


def test_the_code_of_a_lab_has_its_number_of_epochs(open_lab):
    lab = open_lab(epochs=7)
    settings = lab.panels["settings"]
    settings._switch.value = True
    scheduler.flush()
    assert "epochs = 7" in html.unescape(settings._code.value)
    lab.panels["training"].epochs = 4
    scheduler.flush()
    assert "epochs = 4" in html.unescape(settings._code.value)


def test_an_unknown_preset_is_refused_with_the_list_of_the_known():
    for name in ("overfiting", "", 3, ["overfitting"]):
        with pytest.raises(ValueError, match=r"There is no preset .* Choose one of") as refusal:
            dashboard(preset=name)
        assert all(f'"{known}"' in str(refusal.value) for known in PRESETS)


def test_a_refused_preset_leaves_the_open_lab_alone(open_lab):
    lab = open_lab()
    for options, words in (
        ({"preset": "overfit"}, "no preset 'overfit'"),
        ({"preset": "overfitting", "settings": "sgd"}, "Pass one of them"),
        ({"preset": "overfitting", "model": SimpleNet(784, 10)}, "model of your own"),
    ):
        with pytest.raises(ValueError, match=words):
            dashboard(data=load_bundled_digits(), **options)
    assert not lab.session.is_closed
