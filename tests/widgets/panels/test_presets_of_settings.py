"""The list of presets in the settings panel, its sentences, and the picture of the network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.runs.presets import PRESETS
from mnist_widgets.widgets import HyperparameterPanel, dashboard
from mnist_widgets.widgets.redraws import scheduler

SICK = PRESETS["overfitting"]


@pytest.fixture
def make_panel():
    """Return a function that makes a panel; panels are closed at the end."""
    panels = []

    def make(*arguments, **options):
        panels.append(HyperparameterPanel(*arguments, **options))
        return panels[-1]

    yield make
    for panel in panels:
        panel.close()


def said(panel):
    """Return what the panel says of the preset, or "" while it says nothing."""
    scheduler.flush()
    return "" if panel._watch_for.layout.display == "none" else panel._watch_for.value


def offered(panel):
    return [name for _, name in panel._presets.options]


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
    assert (panel._presets.value, panel.preset) == (None, None)
    assert "changed: dropout 0.3" in said(panel)
    assert SICK.watch_for not in said(panel)
    panel._presets.value = "overfitting"
    assert panel.config == SICK.settings
    assert SICK.watch_for in said(panel)


def test_no_preset_says_nothing_and_changes_no_setting(make_panel):
    panel = make_panel(SICK.settings)
    panel._presets.value = None
    assert panel.config == SICK.settings
    assert panel.preset is None
    assert said(panel) == ""


def test_only_presets_that_respect_locked_and_hidden_settings_are_offered(make_panel):
    fixed = ["train_images", "label_noise"]
    remedies = [None, "overfitting", "dropout", "augmentation"]
    assert offered(make_panel(SICK.settings, lock=fixed)) == remedies
    assert offered(make_panel(SICK.settings, hide=fixed)) == remedies
    assert offered(make_panel()) == [None, *PRESETS]
    panel = make_panel(lock=["optimizer"])
    assert "rate-too-low" not in offered(panel)
    panel.config = RunConfig("sgd")  # the teacher's own code may
    assert offered(panel) == [None, "rate-too-low"]


def test_the_list_can_be_locked_or_hidden(make_panel):
    panel = make_panel(SICK.settings, lock="preset")
    assert panel._presets.disabled
    assert SICK.watch_for in said(panel)
    panel = make_panel(SICK.settings, hide="preset")
    assert panel._watch_for not in panel.children


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


def test_a_refused_preset_leaves_the_open_lab_alone(open_lab):
    lab = open_lab()
    with pytest.raises(ValueError, match="no preset 'overfit'"):
        dashboard(preset="overfit")
    assert not lab.session.is_closed
