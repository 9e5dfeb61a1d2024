"""The presets by their names, and what goes with them."""

from __future__ import annotations

import pytest

from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.runs.presets import PRESETS, choose_settings, find_preset


def test_each_preset_has_its_own_settings_two_sentences_and_can_be_built():
    data = load_bundled_digits()
    for name, preset in PRESETS.items():
        assert find_preset(name) is preset
        assert preset.watch_for.count(". ") == 1, name
        assert preset.watch_for.endswith("."), name
        preset.settings.build(*data, device="cpu")
    settings = [preset.settings for preset in PRESETS.values()]
    assert all(settings.count(each) == 1 for each in settings)
    assert RunConfig() not in settings


def test_an_unknown_preset_is_refused_with_the_list_of_the_known():
    for name in ("overfiting", "", 3, ["overfitting"]):
        with pytest.raises(ValueError, match="Choose one of") as refusal:
            find_preset(name)
        assert all(f'"{known}"' in str(refusal.value) for known in PRESETS)


def test_a_preset_fits_if_it_leaves_the_fixed_settings_as_they_are():
    sick = PRESETS["overfitting"].settings
    assert PRESETS["dropout"].fits(sick, {"train_images", "label_noise", "seed"})
    assert not PRESETS["dropout"].fits(sick, {"dropout"})
    assert not PRESETS["linear"].fits(sick, {"train_images"})


def test_a_preset_brings_its_epochs_unless_others_are_passed():
    preset = PRESETS["overfitting"]
    chosen = choose_settings("overfitting", None, None, has_model=False)
    assert chosen == (preset.settings, preset.epochs)
    assert choose_settings("overfitting", None, 2, has_model=False)[1] == 2
    assert choose_settings(None, "sgd", None, has_model=False) == ("sgd", 10)


def test_a_preset_meets_neither_other_settings_nor_a_model():
    with pytest.raises(ValueError, match="Pass one of them"):
        choose_settings("overfitting", "sgd", None, has_model=False)
    with pytest.raises(ValueError, match="model of your own"):
        choose_settings("overfitting", None, None, has_model=True)
