"""Opening a lab, clicking images and counting leave the network unchanged."""

from __future__ import annotations

import pytest
import torch
from sensitive_models import MODELS, describe
from settled_lab import settle, shown_probabilities
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import DigitSet, load_bundled_digits, predict_probabilities, train_step
from mnist_widgets.widgets import dashboard


@pytest.fixture(scope="module")
def data():
    """Forty bundled digits to train on, sixty to test: more than a page of images."""
    train_set, test_set = load_bundled_digits()
    names = train_set.class_names
    return (
        DigitSet(train_set.images[:40], train_set.labels[:40], names, "some"),
        DigitSet(test_set.images[:60], test_set.labels[:60], names, "others"),
    )


@pytest.fixture
def make_lab(data):
    """Return a function that makes a lab of a model; all are closed."""
    labs = []

    def make(model, sets=data, **options):
        labs.append(dashboard(model, sets, **options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def click_images_and_count(lab):
    """Click images and the button that counts the matrix."""
    settle(lab)
    for index in (3, 7, 55):
        lab.selected_index = index
        settle(lab)
    next(part for part in parts_of(lab) if "mw-count" in part._dom_classes).click()
    settle(lab)


def parts_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


@pytest.mark.parametrize("name", MODELS)
def test_opening_a_lab_clicking_images_and_counting_changes_nothing(make_lab, name):
    model = MODELS[name]()
    before = describe(model)
    lab = make_lab(model)
    click_images_and_count(lab)
    after = describe(model)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert not changed
    assert lab.panels["confusion"]._counts.sum() == 60


def test_a_model_with_lazy_layers_is_trained_and_reset_in_the_lab(make_lab):
    model = MODELS["lazy layers"]()
    before = describe(model)
    lab = make_lab(model)
    for _ in range(2):
        click_images_and_count(lab)
        lab.session.start(1)
        lab.session.join(TIMEOUT_S)
        assert type(model[4]) is nn.Linear
        click_images_and_count(lab)
        lab.session.reset()
        settle(lab)
        after = describe(model)
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert changed <= {"torch"}  # training shuffles and draws weights


def test_outputs_that_are_probabilities_are_shown_as_they_are(make_lab, data):
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10), nn.Softmax(dim=1))
    lab = make_lab(model)
    lab.selected_index = 3
    settle(lab)
    with torch.no_grad():
        expected = model(data[1].images[3:4] / 255)[0]
    assert shown_probabilities(lab) == pytest.approx(expected.tolist(), abs=1e-5)
    torch.testing.assert_close(predict_probabilities(model, data[1].images[3])[0], expected)


def test_a_loss_that_ignores_a_class_of_the_data_is_refused(make_lab):
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    with pytest.raises(ValueError, match=r"ignores the images of class 3 .*ignore_index=3"):
        make_lab(model, loss_fn=nn.CrossEntropyLoss(ignore_index=3))


def step_on_floats(model, batch, loss_fn, optimizer, device):
    """Train on labels as binary cross-entropy takes them: floats of the outputs' shape."""
    inputs, labels = batch
    return train_step(model, (inputs, labels[:, None].float()), loss_fn, optimizer, device)


def step_on_one_hot(model, batch, loss_fn, optimizer, device):
    """Train on labels as a squared error takes them: a number for each class."""
    inputs, labels = batch
    one_hot = nn.functional.one_hot(labels, 10).float()
    return train_step(model, (inputs, one_hot), loss_fn, optimizer, device)


BCE = nn.BCEWithLogitsLoss()


@pytest.mark.parametrize(
    "options",
    [
        {"loss_fn": lambda outputs, labels: BCE(outputs.flatten(), labels.float())},
        {"loss_fn": BCE, "train_step": step_on_floats},
    ],
    ids=["own loss", "own step"],
)
def test_a_single_output_is_shown_as_the_probabilities_of_two_classes(make_lab, options):
    sets = tuple(
        DigitSet(each.images, each.labels >= 5, ["small", "large"], "size")
        for each in load_bundled_digits()
    )
    lab = make_lab(nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1)), sets, **options)
    lab.session.start(10)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    trainer, test_set = lab.session.trainer, sets[1]
    with torch.no_grad():
        scores = trainer.model(test_set.images.unsqueeze(1) / 255).flatten()
    num_right = int(((scores > 0) == test_set.labels).sum())
    assert num_right > 0.75 * len(test_set)
    assert trainer.history["test_accuracy"][-1] == pytest.approx(num_right / len(test_set))
    assert lab.panels["confusion"]._counts.trace() == num_right
    expected = torch.stack([-scores[0], scores[0]]).sigmoid()
    assert shown_probabilities(lab) == pytest.approx(expected.tolist(), abs=1e-5)


def test_an_own_step_with_one_hot_targets_is_trained_and_evaluated(make_lab, data):
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    lab = make_lab(model, loss_fn=nn.MSELoss(), train_step=step_on_one_hot)
    lab.session.start(2)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    history, test_set = lab.session.trainer.history, data[1]
    with torch.no_grad():
        outputs = model(test_set.images[:, None] / 255)
    targets = nn.functional.one_hot(test_set.labels, 10).float()
    assert history["test_loss"][-1] == pytest.approx(
        nn.MSELoss()(outputs, targets).item(), rel=1e-4
    )
    is_right = outputs.argmax(1) == test_set.labels
    assert history["test_accuracy"][-1] == pytest.approx(is_right.float().mean().item())
    assert lab.panels["confusion"]._counts.trace() == is_right.sum()
