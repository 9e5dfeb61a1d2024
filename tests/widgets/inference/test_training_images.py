"""The images of the present training in the lab, and when they are predicted."""

from __future__ import annotations

import pytest
import torch
from settled_lab import settle
from torch import nn

from mnist_widgets import DigitSet, load_bundled_digits, predict_probabilities
from mnist_widgets.training.evaluation.selection import ImageFilter
from mnist_widgets.widgets import ImageGallery, ProbabilityChart, dashboard

NAME = "training_images"


class CountingNetwork(nn.Module):
    """A linear network that counts the images of its passes in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)
        self.num_predicted = 0

    def forward(self, images):
        self.num_predicted += 0 if self.training else len(images)
        return self.linear(images.flatten(1))


@pytest.fixture
def make_lab():
    """Return a function that makes a lab of the bundled digits; it is closed at the end."""
    labs = []

    def make(settings=None, data=None, **options):
        labs.append(dashboard(data=data or load_bundled_digits(), settings=settings, **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def find_parts(lab) -> tuple[ImageGallery, ProbabilityChart]:
    """Return the gallery of the training images and the chart beside it."""
    parts = lab.panels[NAME]._parts()
    galleries, charts = (
        [part for part in parts if isinstance(part, kind)]
        for kind in (ImageGallery, ProbabilityChart)
    )
    assert len(galleries) == len(charts) == 1
    return galleries[0], charts[0]


def set_open(lab, is_open: bool) -> None:
    lab._openers[NAME].is_open = is_open
    settle(lab)


def train(lab, epochs: int) -> None:
    lab.session.start(epochs)
    lab.session.join()
    settle(lab)


def test_the_gallery_shows_the_images_trained_with_and_counts_what_the_network_says(make_lab):
    lab = make_lab("lr=0.01 batch=32 images=200 noise=0.2", show=NAME)
    settle(lab)
    run_images = lab.session.trainer.train_batches.digit_set
    gallery, chart = find_parts(lab)
    shown = gallery._digit_set
    assert len(shown) == 200
    assert sorted(shown.labels.tolist()) == sorted(run_images.labels.tolist())
    assert int((shown.labels != shown.original_labels).sum()) == 40
    train(lab, 3)
    answers = predict_probabilities(lab.session.trainer.model, shown.images).argmax(dim=1)
    are_wrong = shown.labels != shown.original_labels
    memorized = int((are_wrong & (answers == shown.labels)).sum())
    resisted = int((are_wrong & (answers == shown.original_labels)).sum())
    for words in ("Of 40", f"repeats {memorized} (memorized)", f"for {resisted} (resisted)"):
        assert words in gallery.grid.summary
        assert words in lab.static_view().text
    gallery.selected_index = 7
    settle(lab)
    assert chart._shown_answer.true_label == int(shown.original_labels[7])
    assert lab.selected_index == 0  # of the test images


def test_another_run_shows_its_own_images_and_equal_ones_keep_the_gallery(make_lab):
    lab = make_lab("lr=0.01 batch=32 images=200 noise=0.2", show=NAME)
    settle(lab)
    settings, (before, _) = lab.panels["settings"], find_parts(lab)
    before.selected_index = 7
    for change, num_images in (({"dropout": 0.5}, 200), ({"train_images": 300}, 300)):
        settings.config = settings.config.with_values(**change)
        lab.session.reset()
        settle(lab)
        gallery, _ = find_parts(lab)
        assert (gallery is before) == (num_images == 200)
        assert gallery.selected_index == (7 if num_images == 200 else 0)
        assert len(gallery._digit_set) == num_images
        assert f"{num_images} images" in lab.panels[NAME].static_view().text
        train(lab, 1)
        assert f"Of {num_images // 5} wrong labels" in gallery.grid.summary
    assert before.comm is None
    settings.config = settings.config.with_values(label_noise=0.0)
    lab.session.reset()
    settle(lab)
    train(lab, 1)
    assert "wrong label" not in find_parts(lab)[0].grid.summary


def test_a_gallery_of_other_images_keeps_filter_and_order_where_they_make_sense(make_lab):
    lab = make_lab("lr=0.01 batch=32 images=200 noise=0.2", show=NAME)
    settle(lab)
    settings, (gallery, _) = lab.panels["settings"], find_parts(lab)

    def reset(**values):
        settings.config = settings.config.with_values(**values)
        lab.session.reset()
        settle(lab)
        return find_parts(lab)[0]

    gallery._filters.box.value = ImageFilter(has_wrong_label=True)
    gallery._order.value = "highest loss"
    gallery = reset(train_images=300)
    train(lab, 1)
    are_wrong = gallery._digit_set.labels != gallery._digit_set.original_labels
    assert are_wrong.sum() == 60
    assert are_wrong[gallery.visible_indices].all()
    assert gallery._filters.box.label == "Wrong labels"
    assert gallery._order.value == "highest loss"
    gallery = reset(label_noise=0.0)
    assert gallery._filters.box.label == "All"
    gallery.selected_pair = (4, 9)
    assert reset(train_images=200).selected_pair == (4, 9)


def test_nothing_is_predicted_while_the_panel_is_closed(make_lab):
    hide = ["gallery", "prediction", "confusion"]
    lab = make_lab(model=CountingNetwork(), batch_size=64, hide=hide, monitor=False)
    lab.session.trainer.evaluator = None
    model, num_images = lab.session.trainer.model, len(load_bundled_digits()[0])
    settle(lab)
    model.num_predicted = 0
    train(lab, 1)
    assert model.num_predicted == 0
    set_open(lab, True)
    assert model.num_predicted >= num_images
    set_open(lab, False)
    model.num_predicted = 0
    train(lab, 1)
    assert model.num_predicted == 0
    set_open(lab, True)
    gallery, _ = find_parts(lab)
    answers = predict_probabilities(model, gallery._digit_set.images)
    torch.testing.assert_close(gallery.answers, answers)


def test_of_many_images_some_are_shown(make_lab):
    images = torch.randint(0, 256, (6_000, 28, 28), dtype=torch.uint8)
    many = DigitSet(images, torch.randint(0, 10, (6_000,)), tuple("0123456789"), "noise")
    for options in ({"settings": "batch=512"}, {"model": CountingNetwork()}):
        lab = make_lab(data=(many, load_bundled_digits()[1]), show=NAME, **options)
        settle(lab)
        assert len(find_parts(lab)[0]._digit_set) == 5_000
        assert "5,000 of the 6,000 images" in lab.panels[NAME].static_view().text
        lab.close()


def test_a_closed_panel_leaves_the_session_alone(make_lab):
    lab = make_lab("batch=64 images=100", show=NAME)
    settle(lab)
    lab.panels[NAME].close()
    train(lab, 1)
    assert lab.session.state == "finished"
    lab.close()
