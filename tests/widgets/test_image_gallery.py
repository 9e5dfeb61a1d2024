"""What the gallery shows for which predictions and choices, without a browser."""

from __future__ import annotations

import io
import json
import math

import ipywidgets.widgets.widget as widget_module
import numpy as np
import pytest
import torch
from PIL import Image
from traitlets import TraitError

from mnist_widgets import RunConfig
from mnist_widgets.digit_set import DigitSet
from mnist_widgets.evaluation import Predictions
from mnist_widgets.widgets import ImageGallery, ProbabilityChart
from mnist_widgets.widgets.publishing import publisher

NUM_IMAGES = 130


@pytest.fixture
def digit_set():
    images = torch.randint(0, 256, (NUM_IMAGES, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (NUM_IMAGES,))
    labels[:10] = torch.arange(10)
    return DigitSet(images, labels, class_names="0123456789", name="noise")


@pytest.fixture
def gallery(digit_set):
    gallery = ImageGallery(digit_set)
    yield gallery
    publisher.flush()
    gallery.close()


@pytest.fixture
def predictions(digit_set):
    """Right for about every second image."""
    return make_predictions(digit_set)


def make_predictions(digit_set):
    scores = torch.randn(len(digit_set), 10)
    scores[torch.arange(len(digit_set)), digit_set.labels] += 1.5
    return Predictions(scores.softmax(dim=1), digit_set.labels)


def show(gallery, predictions):
    gallery.show_predictions(predictions)
    publisher.flush()


def choose(gallery, name=None, order=None):
    if name is not None:
        gallery._filter_box.label = name
    if order is not None:
        gallery._order_box.label = order
    publisher.flush()


def ask(gallery, **request):
    """Send what the front end sends for a click or a key."""
    gallery._grid._handle_custom_msg(request, [])
    publisher.flush()


def ids(gallery):
    return gallery._grid.image_ids


def page_text(gallery):
    return gallery._page_text.value


def count_sent(monkeypatch, gallery):
    """Return a list that grows by the names of the grid's traits as they are sent."""
    sent = []
    send_state = gallery._grid.send_state
    monkeypatch.setattr(
        gallery._grid,
        "send_state",
        lambda key=None: (
            sent.append(set(key) if isinstance(key, (set, list)) else {key}) or send_state(key)
        ),
    )
    return sent


def test_a_page_holds_the_pictures_of_its_images(gallery, digit_set):
    with Image.open(io.BytesIO(gallery._grid.sprite)) as picture:
        sprite = torch.from_numpy(np.array(picture))
    cells = sprite.reshape(5, 28, 10, 28).transpose(1, 2).reshape(50, 28, 28)
    assert ids(gallery) == list(range(50))
    assert torch.equal(cells, digit_set.images[:50])


def test_a_page_that_is_not_full_has_a_picture_of_the_same_size(gallery, digit_set):
    ask(gallery, page=2)
    with Image.open(io.BytesIO(gallery._grid.sprite)) as picture:
        sprite = torch.from_numpy(np.array(picture))
    assert sprite.shape == (5 * 28, 10 * 28)
    assert torch.equal(sprite[:28, :28], digit_set.images[100])
    assert not sprite[3 * 28 :].any()


def test_images_are_named_by_label_and_prediction(gallery, digit_set):
    assert gallery._grid.names[3] == "Image 3: true 3"
    assert gallery._grid.verdicts[3] == ""
    probabilities = torch.full((NUM_IMAGES, 10), 0.039)
    probabilities[:, 9] = 0.61
    show(gallery, Predictions(probabilities, digit_set.labels))
    assert gallery._grid.names[3] == "Image 3: true 3, predicted 9 with 61 %"
    assert gallery._grid.verdicts[3] == "wrong"
    assert gallery._grid.verdicts[9] == "right"


def test_large_positions_read_well():
    images = torch.zeros(1300, 28, 28, dtype=torch.uint8)
    digit_set = DigitSet(images, torch.zeros(1300, dtype=torch.int64), "0123456789", "blank")
    gallery = ImageGallery(digit_set, images_per_page=1)
    gallery.selected_index = 1234
    ask(gallery, page=1234)
    assert gallery._caption.value == "Image 1,234: true 0"
    assert page_text(gallery) == "Page 1,235 of 1,300 · 1,300 images"
    gallery.close()


def test_the_caption_names_the_selected_image(gallery, predictions):
    assert gallery.selected_index == 0
    show(gallery, predictions)
    ask(gallery, select=7)
    assert gallery.selected_index == gallery._grid.selected == 7
    assert gallery._caption.value == gallery._grid.names[7]
    gallery.selected_index = None
    publisher.flush()
    assert gallery._caption.value == "No image is selected."
    assert gallery._grid.selected == -1


def test_class_names_are_no_html():
    names = ["<b>bold</b>", "plain"]
    images, labels = torch.zeros(2, 28, 28, dtype=torch.uint8), torch.tensor([0, 1])
    gallery = ImageGallery(DigitSet(images, labels, names, "tags"))
    assert gallery._caption.value == "Image 0: true &lt;b&gt;bold&lt;/b&gt;"
    assert gallery._grid.names[0] == "Image 0: true <b>bold</b>"
    gallery.close()


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("Right", lambda pair: pair[0] == pair[1]),
        ("Mistakes", lambda pair: pair[0] != pair[1]),
        ("True 4", lambda pair: pair[0] == 4),
        ("Predicted 4", lambda pair: pair[1] == 4),
    ],
)
def test_a_filter_shows_what_fits(gallery, predictions, name, fits):
    show(gallery, predictions)
    choose(gallery, name)
    pairs = zip(
        predictions.labels.tolist(), predictions.probabilities.argmax(1).tolist(), strict=True
    )
    expected = [index for index, pair in enumerate(pairs) if fits(pair)]
    assert 0 < len(expected) < NUM_IMAGES
    assert ids(gallery) == expected[:50]
    assert f"· {len(expected)} images" in page_text(gallery)


def test_images_are_sorted(gallery, predictions):
    show(gallery, predictions)
    choose(gallery, order="Highest loss first")
    losses = predictions.losses[ids(gallery)]
    assert losses[0] == predictions.losses.max()
    assert torch.equal(losses, losses.sort(descending=True).values)
    choose(gallery, "Mistakes", "Least sure first")
    confidences = predictions.confidences[ids(gallery)]
    assert torch.equal(confidences, confidences.sort().values)
    assert set(gallery._grid.verdicts) == {"wrong"}


def test_a_pair_shows_exactly_its_images_and_the_way_back_shows_all(gallery, predictions):
    show(gallery, predictions)
    counts = predictions.confusion
    difference = (counts - counts.T).triu()
    true, predicted = divmod(int(difference.argmax()), 10)
    assert counts[true, predicted] != counts[predicted, true]
    choose(gallery, "Right")
    gallery.selected_pair = (true, predicted)
    publisher.flush()
    is_pair = (predictions.labels == true) & (predictions.predicted_labels == predicted)
    assert ids(gallery) == is_pair.nonzero().squeeze(1).tolist()
    assert gallery._filter_box.label == f"True {true}, predicted {predicted}"
    assert gallery.selected_pair == (true, predicted)
    choose(gallery, "All")
    assert gallery.selected_pair is None
    assert ids(gallery) == list(range(50))
    assert gallery._filter_box.options == gallery._filter_options


def test_a_pair_that_is_taken_back_shows_all(gallery, predictions):
    show(gallery, predictions)
    choose(gallery, "Mistakes")
    for pair in ((4, 9), (9, 4), None):
        gallery.selected_pair = pair
        publisher.flush()
    assert gallery._filter_box.label == "All"
    assert ids(gallery) == list(range(50))


def test_another_filter_takes_the_place_of_a_pair(gallery, predictions):
    show(gallery, predictions)
    gallery.selected_pair = (4, 9)
    publisher.flush()
    choose(gallery, "True 3")
    assert gallery.selected_pair is None
    assert gallery._filter_box.label == "True 3"
    assert set(predictions.labels[ids(gallery)].tolist()) == {3}


def test_an_empty_page_says_so_and_keeps_its_place(gallery, digit_set):
    right = torch.eye(10)[digit_set.labels]
    show(gallery, Predictions(right, digit_set.labels))
    choose(gallery, "Mistakes")
    assert ids(gallery) == []
    assert gallery._grid.notice == "Not a single mistake."
    assert page_text(gallery) == "Page 1 of 1 · 0 images"
    assert gallery._previous.disabled
    assert gallery._next.disabled
    assert gallery._grid.page_size == 50
    for pair, notice in (((4, 9), "No 4 is taken for 9 at present."), ((4, 4), "")):
        gallery.selected_pair = pair
        publisher.flush()
        assert gallery._grid.notice == notice
    choose(gallery, "All")
    assert gallery._grid.notice == ""
    assert len(ids(gallery)) == 50


@pytest.mark.parametrize(
    ("name", "order"), [("Mistakes", None), ("Predicted 3", None), (None, "Surest first")]
)
def test_without_predictions_everything_is_shown_and_the_page_says_why(gallery, name, order):
    choose(gallery, name, order)
    assert ids(gallery) == list(range(50))
    assert "No predictions yet" in page_text(gallery)
    choose(gallery, "All", "As stored")
    assert "No predictions yet" not in page_text(gallery)


def test_a_filter_chosen_early_holds_from_the_first_predictions_on(gallery, predictions):
    choose(gallery, "Mistakes")
    show(gallery, predictions)
    assert set(gallery._grid.verdicts) == {"wrong"}
    assert "No predictions yet" not in page_text(gallery)
    show(gallery, None)
    assert set(gallery._grid.verdicts) == {""}


def test_labels_filter_without_predictions(gallery, digit_set):
    choose(gallery, "True 4")
    assert ids(gallery) == (digit_set.labels == 4).nonzero().squeeze(1).tolist()


def test_buttons_turn_pages_and_stop_at_the_ends(gallery):
    assert gallery._previous.disabled
    gallery._next.click()
    gallery._next.click()  # before anything is redrawn: no click is lost
    publisher.flush()
    assert ids(gallery) == list(range(100, 130))
    assert page_text(gallery) == "Page 3 of 3 · 130 images"
    assert gallery._next.disabled
    gallery._previous.click()
    publisher.flush()
    assert ids(gallery) == list(range(50, 100))


@pytest.mark.parametrize(("asked", "shown"), [(1, 1), (2, 2), (7, 2), (-1, 0)])
def test_the_keyboard_walks_on_to_other_pages(gallery, asked, shown):
    ask(gallery, page=asked)
    assert gallery._grid.page_index == shown
    assert ids(gallery)[0] == 50 * shown


def test_another_filter_begins_at_its_first_page(gallery, predictions):
    show(gallery, predictions)
    for change in (
        lambda: choose(gallery, "Right"),
        lambda: choose(gallery, order="Surest first"),
        lambda: setattr(gallery, "selected_pair", (4, 4)),
    ):
        choose(gallery, "All", "As stored")
        ask(gallery, page=2)
        assert gallery._grid.page_index == 2
        change()
        publisher.flush()
        assert gallery._grid.page_index == 0


def test_new_predictions_leave_selection_and_page_alone(gallery, digit_set):
    show(gallery, make_predictions(digit_set))
    ask(gallery, page=1)
    ask(gallery, select=66)
    for _ in range(3):
        show(gallery, make_predictions(digit_set))
        assert gallery.selected_index == 66
        assert ids(gallery) == list(range(50, 100))
        assert gallery._caption.value == gallery._grid.names[16]


def test_a_selected_image_that_no_longer_fits_stays_selected(gallery, digit_set, predictions):
    wrong = Predictions(torch.eye(10)[(digit_set.labels + 1) % 10], digit_set.labels)
    show(gallery, wrong)
    choose(gallery, "Mistakes")
    ask(gallery, select=5)
    right_but_for_one = torch.eye(10)[digit_set.labels]
    right_but_for_one[9] = right_but_for_one[9].roll(1)
    show(gallery, Predictions(right_but_for_one, digit_set.labels))
    assert ids(gallery) == [9]
    assert gallery.selected_index == 5
    assert gallery._caption.value == "Image 5: true 5, predicted 5 with 100 % (not on this page)"


def test_a_page_that_is_no_more_is_replaced_by_the_last(gallery, digit_set):
    wrong = Predictions(torch.eye(10)[(digit_set.labels + 1) % 10], digit_set.labels)
    show(gallery, wrong)
    choose(gallery, "Mistakes")
    ask(gallery, page=2)
    one_page = torch.eye(10)[(digit_set.labels + (torch.arange(NUM_IMAGES) < 60)) % 10]
    show(gallery, Predictions(one_page, digit_set.labels))
    assert page_text(gallery) == "Page 2 of 2 · 60 images"
    assert ids(gallery) == list(range(50, 60))
    gallery._previous.click()
    publisher.flush()
    assert gallery._grid.page_index == 0


def test_pictures_are_sent_anew_only_when_other_images_are_shown(gallery, digit_set, monkeypatch):
    sent = count_sent(monkeypatch, gallery)
    for _ in range(3):
        show(gallery, make_predictions(digit_set))
    assert [keys for keys in sent if keys] == [{"names", "verdicts"}] * 3
    publisher.request(gallery.redraw)
    publisher.flush()
    assert len([keys for keys in sent if keys]) == 3
    ask(gallery, page=1)
    assert {"sprite", "image_ids", "page_index"} <= [keys for keys in sent if keys][-1]


def states_of(gallery, trait, index):
    """Return what the page would show by itself of an image that is picked, if anything."""
    return json.loads(getattr(gallery._grid, trait)).get(str(index))


@pytest.fixture
def chart(gallery):
    """A chart in which the gallery's page shows what is picked."""
    chart = ProbabilityChart()
    gallery.preview_in(chart)
    publisher.flush()
    yield chart
    publisher.flush()
    chart.close()


@pytest.mark.parametrize("index", [3, 55])
def test_a_preview_is_what_will_be_shown_of_a_picked_image(
    gallery, chart, digit_set, predictions, index
):
    show(gallery, predictions)
    ask(gallery, page=index // 50)
    states = states_of(gallery, "image_previews", index)
    states |= states_of(gallery, "answer_previews", index)
    ask(gallery, select=index)
    label = int(digit_set.labels[index])
    chart.show_prediction(digit_set.images[index], predictions.probabilities[index], label)
    publisher.flush()
    parts = (*chart._parts(), *gallery._parts())
    widgets = {widget.model_id: widget for widget in parts}
    for model_id, state in states.items():
        for name, value in state.items():
            shown = getattr(widgets[model_id], name)
            assert (list(shown) if isinstance(value, list) else shown) == value, name
    assert len(states) == 7  # picture, frame, its title, bars, sentence, values and caption


def test_previews_follow_newer_answers_and_pictures_are_sent_once(
    gallery, chart, predictions, monkeypatch
):
    show(gallery, predictions)
    sent, before = count_sent(monkeypatch, gallery), states_of(gallery, "answer_previews", 3)
    gallery.show_visible(torch.tensor([3]), torch.eye(10)[:1])
    publisher.flush()
    after = states_of(gallery, "answer_previews", 3)
    assert before[chart._bars.model_id] != after[chart._bars.model_id] == {"y": [1.0] + 9 * [0.0]}
    assert "0 with 100 %" in after[gallery._caption.model_id]["value"]
    assert not any("image_previews" in keys for keys in sent)


@pytest.mark.parametrize("probability", [0.0, math.nan])
def test_an_image_without_an_answer_has_no_preview(gallery, chart, predictions, probability):
    show(gallery, predictions)
    gallery.show_visible(torch.tensor([3]), torch.full((1, 10), probability))
    publisher.flush()
    assert states_of(gallery, "answer_previews", 3) is None
    assert states_of(gallery, "answer_previews", 4)


def test_closed_widgets_are_not_previewed(gallery, chart, predictions):
    chart.close()
    show(gallery, predictions)
    assert list(states_of(gallery, "answer_previews", 3)) == [gallery._caption.model_id]


def test_every_pick_is_answered_also_of_what_is_selected(gallery):
    for num_picks in (1, 2):
        ask(gallery, select=3)
        assert gallery._grid.num_picks == num_picks
        assert gallery._grid.selected == 3


def test_newer_answers_change_frames_and_names_of_their_images_only(
    gallery, digit_set, predictions
):
    show(gallery, predictions)
    before, visible = list(gallery._grid.names), gallery.visible_indices
    assert torch.equal(visible, torch.arange(50))
    newer = torch.eye(10)[digit_set.labels[visible]]
    gallery.show_visible(visible[:20], newer[:20])
    publisher.flush()
    assert set(gallery._grid.verdicts[:20]) == {"right"}
    assert gallery._grid.names[0] == "Image 0: true 0, predicted 0 with 100 %"
    assert gallery._caption.value == gallery._grid.names[0]
    assert gallery._grid.names[20:] == before[20:]
    show(gallery, predictions)
    assert gallery._grid.names == before


def test_newer_answers_for_a_page_that_was_left_change_nothing_on_this_one(
    gallery, digit_set, predictions
):
    show(gallery, predictions)
    left = gallery.visible_indices
    ask(gallery, page=1)
    names = list(gallery._grid.names)
    gallery.show_visible(left, torch.eye(10)[digit_set.labels[left]])
    publisher.flush()
    assert gallery._grid.names == names


def test_newer_answers_do_not_move_images(gallery, digit_set, predictions):
    show(gallery, predictions)
    choose(gallery, "Mistakes")
    visible = gallery.visible_indices
    gallery.show_visible(visible, torch.eye(10)[digit_set.labels[visible]])
    publisher.flush()
    assert torch.equal(gallery.visible_indices, visible)
    assert set(gallery._grid.verdicts) == {"right"}


def test_newer_answers_are_shown_before_the_first_evaluation(gallery):
    gallery.show_visible(torch.tensor([3]), torch.eye(10)[[3]])
    publisher.flush()
    assert gallery._grid.verdicts[:5] == ["", "", "", "right", ""]


def test_those_who_predict_the_visible_images_hear_of_another_page(gallery):
    heard = []
    gallery.observe(lambda change: heard.append(change["new"].tolist()), "visible_indices")
    ask(gallery, select=3)
    assert heard == []
    ask(gallery, page=2)
    assert heard == [list(range(100, 130))]


def test_as_a_callback_it_shows_what_was_found_after_each_epoch_until_a_reset(gallery, digit_set):
    trainer = RunConfig(hidden_units=8).build(digit_set, digit_set, callbacks=[gallery])
    beginning = trainer.snapshot()
    for _ in range(2):
        trainer.fit(1)
        publisher.flush()
        verdicts = {True: "right", False: "wrong"}
        are_right = trainer.evaluator.predictions.are_right[:50].tolist()
        assert gallery._grid.verdicts == [verdicts[is_right] for is_right in are_right]
    trainer.restore(beginning)
    publisher.flush()
    assert set(gallery._grid.verdicts) == {""}


def test_as_a_callback_without_an_evaluator_it_stays_as_it_is(gallery, digit_set, predictions):
    show(gallery, predictions)
    verdicts = gallery._grid.verdicts
    trainer = RunConfig(hidden_units=8).build(digit_set, digit_set, callbacks=[gallery])
    trainer.evaluator = None
    trainer.fit(1)
    publisher.flush()
    assert gallery._grid.verdicts == verdicts


def test_a_trainer_that_is_tested_on_other_images_is_refused(gallery, digit_set):
    others = DigitSet(digit_set.images[:60], digit_set.labels[:60], "0123456789", "others")
    trainer = RunConfig(hidden_units=8).build(digit_set, others, callbacks=[gallery])
    with pytest.raises(ValueError, match="60 images"):
        trainer.fit(1)


def test_a_diverged_network_is_shown_as_such(gallery, digit_set):
    nothing = torch.full((NUM_IMAGES, 10), torch.nan)
    show(gallery, Predictions(nothing, digit_set.labels))
    assert gallery._caption.value.endswith("outputs are no numbers (nan)")
    assert set(gallery._grid.verdicts) == {""}
    choose(gallery, "Right")
    assert gallery._grid.num_images == 0


def test_predictions_for_other_images_are_refused(gallery, digit_set):
    shuffled = digit_set.labels.flip(0)
    for labels in (shuffled, digit_set.labels[:60]):
        with pytest.raises(ValueError, match=f"{len(labels)} images.*own order"):
            gallery.show_predictions(Predictions(torch.eye(10)[labels], labels))


@pytest.mark.parametrize("index", [-1, NUM_IMAGES])
def test_a_selection_outside_of_the_set_is_named(gallery, index):
    with pytest.raises(TraitError, match=f"selected_index is {index}.* 0 to 129"):
        gallery.selected_index = index


@pytest.mark.parametrize("pair", [(10, 0), (0, -1)])
def test_a_pair_of_unknown_classes_is_named(gallery, pair):
    with pytest.raises(TraitError, match=r"selected_pair is .* 0 to 9"):
        gallery.selected_pair = pair


def test_a_page_holds_at_least_one_image(digit_set):
    with pytest.raises(ValueError, match="images_per_page is 0"):
        ImageGallery(digit_set, images_per_page=0)


def test_a_misspelt_option_is_refused(digit_set):
    with pytest.raises(TypeError, match="image_per_page"):
        ImageGallery(digit_set, image_per_page=20)


def test_a_closed_gallery_leaves_no_widget_behind(digit_set):
    before = set(widget_module._instances)
    gallery = ImageGallery(digit_set)
    assert len(widget_module._instances) > len(before) + 10
    gallery.close()
    assert set(widget_module._instances) == before
