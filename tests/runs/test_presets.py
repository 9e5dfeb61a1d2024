"""The presets by their names, and what goes with them."""

from __future__ import annotations

from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.runs.presets import PRESETS


def test_each_preset_has_its_own_settings_two_sentences_and_can_be_built():
    data = load_bundled_digits()
    for name, preset in PRESETS.items():
        assert preset.watch_for.count(". ") == 1, name
        assert preset.watch_for.endswith("."), name
        preset.settings.build(*data, device="cpu")
    settings = [preset.settings for preset in PRESETS.values()]
    assert all(settings.count(each) == 1 for each in settings)
    assert RunConfig() not in settings


def test_a_preset_fits_if_it_leaves_the_fixed_settings_as_they_are():
    sick = PRESETS["overfitting"].settings
    assert PRESETS["dropout"].fits(sick, {"train_images", "label_noise", "seed"})
    assert not PRESETS["dropout"].fits(sick, {"dropout"})
    assert not PRESETS["linear"].fits(sick, {"train_images"})
