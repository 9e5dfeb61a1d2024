"""What the gallery shows for which predictions and choices, without a browser."""

from __future__ import annotations

import io
import math

import ipywidgets.widgets.widget as widget_module
import numpy as np
import pytest
import torch
from gallery_answers import show_answers
from PIL import Image
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SubsetRandomSampler
from traitlets import TraitError

from mnist_widgets import Callback, RunConfig, predict_probabilities
from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.training.evaluation.evaluator import Predictions
from mnist_widgets.widgets import ImageGallery, ProbabilityChart
from mnist_widgets.widgets.redraws import scheduler

NUM_IMAGES, PAGE_SIZE = 80, 30
ANSWERS = {"names", "verdicts", "sentences", "probabilities"}


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
    scheduler.flush()
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
    scheduler.flush()


def choose(gallery, name=None, order=None):
    if name is not None:
        gallery._filters.box.label = name
    if order is not None:
        gallery._order.label = order
    scheduler.flush()


def turn_to(gallery, page_index):
    """Send what the page sends when the keyboard leaves its images."""
    gallery.grid._handle_custom_msg({"page": page_index}, [])
    scheduler.flush()


def click(gallery, index):
    """Send what the page sends when an image is clicked."""
    gallery.grid.set_state({"selected": index})
    scheduler.flush()


def ids(gallery):
    """Return the images on the page; the selected one may follow behind."""
    return gallery.grid.image_ids[: gallery.grid.num_visible]


def answers(gallery):
    """Return by image what the page knows of its answer: probabilities and sentence."""
    grid = gallery.grid
    probabilities = np.frombuffer(grid.probabilities, np.float32).reshape(-1, 10).tolist()
    return dict(zip(grid.image_ids, zip(probabilities, grid.sentences, strict=True), strict=True))


def page_text(gallery):
    return gallery._pager._text.value


def count_sent(monkeypatch, gallery):
    """Return a list that grows by the names of the grid's traits as they are sent."""
    sent = []
    send_state = gallery.grid.send_state
    monkeypatch.setattr(
        gallery.grid,
        "send_state",
        lambda key=None: (
            sent.append(set(key) if isinstance(key, (set, list)) else {key}) or send_state(key)
        ),
    )
    return sent


def pictures(gallery):
    """Return the pictures that the page has, uint8 (40, 28, 28): 30, one more, and black cells."""
    with Image.open(io.BytesIO(gallery.grid.sprite)) as picture:
        sprite = torch.from_numpy(np.array(picture))
    return sprite.reshape(4, 28, 10, 28).transpose(1, 2).reshape(40, 28, 28)


def test_a_page_holds_the_pictures_of_its_images(gallery, digit_set):
    assert ids(gallery) == list(range(PAGE_SIZE))
    assert torch.equal(pictures(gallery)[:PAGE_SIZE], digit_set.images[:PAGE_SIZE])
    assert not pictures(gallery)[PAGE_SIZE:].any()


def test_a_page_that_is_not_full_has_a_picture_of_the_same_size(gallery, digit_set):
    turn_to(gallery, 2)
    assert torch.equal(pictures(gallery)[:20], digit_set.images[60:])
    assert torch.equal(pictures(gallery)[20], digit_set.images[0])  # the selected one
    assert not pictures(gallery)[21:].any()


def test_images_are_named_by_label_and_prediction(gallery, digit_set):
    assert gallery.grid.names[3] == "Image 3: true 3"
    assert gallery.grid.verdicts[3] == ""
    probabilities = torch.full((NUM_IMAGES, 10), 0.039)
    probabilities[:, 9] = 0.61
    show(gallery, Predictions(probabilities, digit_set.labels))
    assert gallery.grid.names[3] == "Image 3: true 3, predicted 9 with 61 %"
    assert gallery.grid.verdicts[3] == "wrong"
    assert gallery.grid.verdicts[9] == "right"


def test_large_positions_read_well():
    images = torch.zeros(1300, 28, 28, dtype=torch.uint8)
    digit_set = DigitSet(images, torch.zeros(1300, dtype=torch.int64), "0123456789", "blank")
    gallery = ImageGallery(digit_set, images_per_page=1)
    turn_to(gallery, 1234)
    assert gallery.grid.names[0] == "Image 1,234: true 0"
    assert page_text(gallery) == "Page 1,235 of 1,300 · 1,300 images"
    gallery.close()


def test_a_click_and_python_code_select_an_image(gallery, predictions):
    assert gallery.selected_index == gallery.grid.selected == 0
    show(gallery, predictions)
    click(gallery, 7)
    assert gallery.selected_index == gallery.grid.selected == 7
    for index, selected in ((70, 70), (None, -1), (3, 3)):
        gallery.selected_index = index
        scheduler.flush()
        assert gallery.grid.selected == selected


def test_a_click_is_answered_with_nothing_but_its_echo(gallery, predictions, monkeypatch):
    show(gallery, predictions)
    turn_to(gallery, 1)  # where the selected image, 0, is not
    sent = count_sent(monkeypatch, gallery)
    click(gallery, 36)
    assert [keys for keys in sent if keys] == []
    show(gallery, make_predictions(gallery._digit_set))
    assert not any({"sprite", "selected"} & keys for keys in sent)


def test_what_an_observer_decides_after_a_click_is_sent_to_the_page(gallery, monkeypatch):
    sent = count_sent(monkeypatch, gallery)
    gallery.observe(lambda _change: gallery.set_trait("selected_index", 2), "selected_index")
    click(gallery, 12)
    assert gallery.grid.selected == gallery.selected_index == 2
    assert {"selected"} in sent


def test_class_names_are_sent_as_they_are(gallery):
    names = ["<b>bold</b>", "plain"]
    images, labels = torch.zeros(2, 28, 28, dtype=torch.uint8), torch.tensor([0, 1])
    gallery = ImageGallery(DigitSet(images, labels, names, "tags"))
    assert gallery.grid.names[0] == "Image 0: true <b>bold</b>"  # the page escapes them
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
    assert ids(gallery) == expected[:PAGE_SIZE]
    assert f"· {len(expected)} images" in page_text(gallery)


def test_images_are_sorted(gallery, predictions):
    show(gallery, predictions)
    choose(gallery, order="Highest loss first")
    losses = predictions.losses[ids(gallery)]
    assert losses[0] == predictions.losses.max()
    assert torch.equal(losses, losses.sort(descending=True).values)
    choose(gallery, "Mistakes", "Least confident first")
    confidences = predictions.confidences[ids(gallery)]
    assert torch.equal(confidences, confidences.sort().values)
    assert set(gallery.grid.verdicts) == {"wrong"}


def test_a_pair_shows_exactly_its_images_and_the_way_back_shows_all(gallery, predictions):
    show(gallery, predictions)
    counts = predictions.confusion
    difference = (counts - counts.T).triu()
    true, predicted = divmod(int(difference.argmax()), 10)
    assert counts[true, predicted] != counts[predicted, true]
    choose(gallery, "Right")
    gallery.selected_pair = (true, predicted)
    scheduler.flush()
    is_pair = (predictions.labels == true) & (predictions.predicted_labels == predicted)
    assert ids(gallery) == is_pair.nonzero().squeeze(1).tolist()
    assert gallery._filters.box.label == f"True {true}, predicted {predicted}"
    assert gallery.selected_pair == (true, predicted)
    choose(gallery, "All")
    assert gallery.selected_pair is None
    assert ids(gallery) == list(range(PAGE_SIZE))
    assert gallery._filters.box.options == gallery._filters._options


def test_a_pair_that_is_cleared_shows_all(gallery, predictions):
    show(gallery, predictions)
    choose(gallery, "Mistakes")
    for pair in ((4, 9), (9, 4), None):
        gallery.selected_pair = pair
        scheduler.flush()
    assert gallery._filters.box.label == "All"
    assert ids(gallery) == list(range(PAGE_SIZE))


def test_another_filter_replaces_a_pair(gallery, predictions):
    show(gallery, predictions)
    gallery.selected_pair = (4, 9)
    scheduler.flush()
    choose(gallery, "True 3")
    assert gallery.selected_pair is None
    assert gallery._filters.box.label == "True 3"
    assert set(predictions.labels[ids(gallery)].tolist()) == {3}


def test_an_empty_page_says_so_and_keeps_its_place(gallery, digit_set):
    right = torch.eye(10)[digit_set.labels]
    show(gallery, Predictions(right, digit_set.labels))
    choose(gallery, "Mistakes")
    assert ids(gallery) == []
    assert gallery.grid.notice == "Not a single mistake."
    assert page_text(gallery) == "Page 1 of 1 · 0 images"
    assert gallery._pager._previous.disabled
    assert gallery._pager._next.disabled
    assert gallery.grid.page_size == PAGE_SIZE
    for pair, notice in (((4, 9), "No 4 is taken for 9 at present."), ((4, 4), "")):
        gallery.selected_pair = pair
        scheduler.flush()
        assert gallery.grid.notice == notice
    choose(gallery, "All")
    assert gallery.grid.notice == ""
    assert len(ids(gallery)) == PAGE_SIZE


@pytest.mark.parametrize(
    ("name", "order"), [("Mistakes", None), ("Predicted 3", None), (None, "Most confident first")]
)
def test_without_predictions_everything_is_shown_and_the_page_says_why(gallery, name, order):
    choose(gallery, name, order)
    assert ids(gallery) == list(range(PAGE_SIZE))
    assert "No predictions yet" in page_text(gallery)
    choose(gallery, "All", "As stored")
    assert "No predictions yet" not in page_text(gallery)


def test_a_filter_chosen_early_holds_from_the_first_predictions_on(gallery, predictions):
    choose(gallery, "Mistakes")
    show(gallery, predictions)
    assert set(gallery.grid.verdicts) == {"wrong"}
    assert "No predictions yet" not in page_text(gallery)
    show(gallery, None)
    assert set(gallery.grid.verdicts) == {""}


def test_labels_filter_without_predictions(gallery, digit_set):
    choose(gallery, "True 4")
    assert ids(gallery) == (digit_set.labels == 4).nonzero().squeeze(1).tolist()


def test_buttons_turn_pages_and_stop_at_the_ends(gallery):
    assert gallery._pager._previous.disabled
    gallery._pager._next.click()
    gallery._pager._next.click()  # before anything is redrawn: no click is lost
    scheduler.flush()
    assert ids(gallery) == list(range(60, 80))
    assert page_text(gallery) == "Page 3 of 3 · 80 images"
    assert gallery._pager._next.disabled
    gallery._pager._previous.click()
    scheduler.flush()
    assert ids(gallery) == list(range(30, 60))


@pytest.mark.parametrize(("asked", "shown"), [(1, 1), (2, 2), (7, 2), (-1, 0)])
def test_the_keyboard_walks_on_to_other_pages(gallery, asked, shown):
    turn_to(gallery, asked)
    assert gallery.grid.page_index == shown
    assert ids(gallery)[0] == PAGE_SIZE * shown


def test_another_filter_begins_at_its_first_page(gallery, predictions):
    show(gallery, predictions)
    for change in (
        lambda: choose(gallery, "Right"),
        lambda: choose(gallery, order="Most confident first"),
        lambda: setattr(gallery, "selected_pair", (4, 4)),
    ):
        choose(gallery, "All", "As stored")
        turn_to(gallery, 2)
        assert gallery.grid.page_index == 2
        change()
        scheduler.flush()
        assert gallery.grid.page_index == 0


def test_new_predictions_leave_selection_and_page_alone(gallery, digit_set):
    show(gallery, make_predictions(digit_set))
    turn_to(gallery, 1)
    click(gallery, 36)
    for _ in range(3):
        show(gallery, make_predictions(digit_set))
        assert gallery.selected_index == 36
        assert ids(gallery) == list(range(30, 60))


def test_a_selected_image_that_no_longer_fits_stays_selected(gallery, digit_set, predictions):
    wrong = Predictions(torch.eye(10)[(digit_set.labels + 1) % 10], digit_set.labels)
    show(gallery, wrong)
    choose(gallery, "Mistakes")
    click(gallery, 5)
    right_but_for_one = torch.eye(10)[digit_set.labels]
    right_but_for_one[9] = right_but_for_one[9].roll(1)
    show(gallery, Predictions(right_but_for_one, digit_set.labels))
    assert ids(gallery) == [9]
    assert gallery.selected_index == 5
    assert gallery.grid.image_ids == [9, 5]
    assert gallery.grid.names[1] == "Image 5: true 5, predicted 5 with 100 %"


def test_a_page_that_no_longer_exists_is_replaced_by_the_last(gallery, digit_set):
    wrong = Predictions(torch.eye(10)[(digit_set.labels + 1) % 10], digit_set.labels)
    show(gallery, wrong)
    choose(gallery, "Mistakes")
    turn_to(gallery, 2)
    one_page = torch.eye(10)[(digit_set.labels + (torch.arange(NUM_IMAGES) < 40)) % 10]
    show(gallery, Predictions(one_page, digit_set.labels))
    assert page_text(gallery) == "Page 2 of 2 · 40 images"
    assert ids(gallery) == list(range(30, 40))
    gallery._pager._previous.click()
    scheduler.flush()
    assert gallery.grid.page_index == 0


def test_pictures_are_sent_anew_only_when_other_images_are_shown(gallery, digit_set, monkeypatch):
    sent = count_sent(monkeypatch, gallery)
    for _ in range(3):
        show(gallery, make_predictions(digit_set))
    assert [keys - {"summary"} for keys in sent if keys] == [ANSWERS] * 3
    scheduler.schedule(gallery.redraw)
    scheduler.flush()
    assert len([keys for keys in sent if keys]) == 3
    turn_to(gallery, 1)
    assert {"sprite", "image_ids", "page_index"} <= [keys for keys in sent if keys][-1]


def test_the_page_knows_the_answer_of_each_image_on_it(gallery, predictions):
    show(gallery, predictions)
    turn_to(gallery, 1)
    known = answers(gallery)
    for index in range(30, 60):
        probabilities, sentence = known[index]
        expected = predictions.probabilities[index]
        assert probabilities == pytest.approx(expected.tolist(), abs=1e-6)
        label, predicted = predictions.labels[index], expected.argmax()
        assert sentence.startswith(f"True {label}. The network says {predicted} with ")


def test_the_page_knows_the_selected_image_wherever_it_is(gallery, digit_set, predictions):
    show(gallery, predictions)
    for index, page_index in ((70, 0), (70, 1), (7, 2)):
        gallery.selected_index = index
        turn_to(gallery, page_index)
        position = gallery.grid.image_ids.index(index)
        expected = predictions.probabilities[index].tolist()
        assert answers(gallery)[index][0] == pytest.approx(expected, abs=1e-6)
        assert gallery.grid.labels[position] == digit_set.labels[index]
        assert torch.equal(pictures(gallery)[position], digit_set.images[index])
        assert gallery.selected_answer().image.equal(digit_set.images[index])


def test_an_image_without_an_answer_has_no_sentence(gallery, predictions):
    show(gallery, predictions)
    show_answers(gallery, torch.tensor([3]), torch.zeros(1, 10))
    gallery.selected_index = 3
    scheduler.flush()
    assert answers(gallery)[3][1] == ""
    assert answers(gallery)[4][1] != ""
    assert gallery.selected_answer() is None
    show_answers(gallery, torch.tensor([3]), torch.full((1, 10), math.nan))
    assert "no numbers any more (nan)" in answers(gallery)[3][1]
    assert gallery.selected_answer() is not None


def test_a_second_chart_can_follow_and_a_closed_one_leaves_the_gallery_alone(gallery, predictions):
    before = set(widget_module._instances)
    for _ in range(2):
        chart = ProbabilityChart()
        chart.follow(gallery)
        show(gallery, predictions)
        chart.close()
        assert set(widget_module._instances) == before
    click(gallery, 3)
    assert gallery.grid.comm is not None
    assert gallery.selected_index == 3


def test_newer_answers_change_frames_and_names_of_their_images_only(
    gallery, digit_set, predictions
):
    show(gallery, predictions)
    before, visible = list(gallery.grid.names), gallery.visible_indices
    assert torch.equal(visible, torch.arange(PAGE_SIZE))
    newer = torch.eye(10)[digit_set.labels[visible]]
    show_answers(gallery, visible[:20], newer[:20])
    assert set(gallery.grid.verdicts[:20]) == {"right"}
    assert gallery.grid.names[0] == "Image 0: true 0, predicted 0 with 100 %"
    assert gallery.grid.names[20:] == before[20:]
    show(gallery, predictions)
    assert gallery.grid.names == before


def test_newer_answers_for_a_page_that_was_left_change_nothing_on_this_one(
    gallery, digit_set, predictions
):
    show(gallery, predictions)
    left = gallery.visible_indices
    turn_to(gallery, 1)
    names = gallery.grid.names[
        :PAGE_SIZE
    ]  # behind them comes the selected image, which was left, too
    show_answers(gallery, left, torch.eye(10)[digit_set.labels[left]])
    assert gallery.grid.names[:PAGE_SIZE] == names


def test_newer_answers_do_not_move_images(gallery, digit_set, predictions):
    show(gallery, predictions)
    choose(gallery, "Mistakes")
    visible = gallery.visible_indices
    show_answers(gallery, visible, torch.eye(10)[digit_set.labels[visible]])
    assert torch.equal(gallery.visible_indices, visible)
    assert set(gallery.grid.verdicts) == {"right"}


def test_newer_answers_are_shown_before_the_first_evaluation(gallery):
    show_answers(gallery, torch.tensor([3]), torch.eye(10)[[3]])
    assert gallery.grid.verdicts[:5] == ["", "", "", "right", ""]


def test_observers_of_the_visible_images_are_called_for_another_page(gallery):
    heard = []
    gallery.observe(lambda change: heard.append(change["new"].tolist()), "visible_indices")
    click(gallery, 3)
    assert heard == []
    turn_to(gallery, 2)
    assert heard == [list(range(60, 80))]


def test_as_a_callback_it_shows_the_predictions_of_each_epoch_until_a_reset(gallery, digit_set):
    trainer = RunConfig(hidden_units=8).build(digit_set, digit_set, callbacks=[gallery])
    beginning = trainer.snapshot()
    for _ in range(2):
        trainer.fit(1)
        scheduler.flush()
        verdicts = {True: "right", False: "wrong"}
        are_right = trainer.evaluator.predictions.are_right[:PAGE_SIZE].tolist()
        assert gallery.grid.verdicts == [verdicts[is_right] for is_right in are_right]
    trainer.restore(beginning)
    scheduler.flush()
    assert set(gallery.grid.verdicts) == {""}


def test_as_a_callback_without_an_evaluator_it_stays_as_it_is(gallery, digit_set, predictions):
    show(gallery, predictions)
    verdicts = gallery.grid.verdicts
    trainer = RunConfig(hidden_units=8).build(digit_set, digit_set, callbacks=[gallery])
    trainer.evaluator = None
    trainer.fit(1)
    scheduler.flush()
    assert gallery.grid.verdicts == verdicts


def test_a_trainer_that_is_tested_on_other_images_is_refused(gallery, digit_set):
    others = DigitSet(digit_set.images[:60], digit_set.labels[:60], "0123456789", "others")
    trainer = RunConfig(hidden_units=8).build(digit_set, others, callbacks=[gallery])
    with pytest.raises(ValueError, match="60 images"):
        trainer.fit(1)


def test_a_diverged_network_is_shown_as_such(gallery, digit_set):
    nothing = torch.full((NUM_IMAGES, 10), torch.nan)
    show(gallery, Predictions(nothing, digit_set.labels))
    assert gallery.grid.names[0].endswith("outputs are no numbers (nan)")
    assert set(gallery.grid.verdicts) == {""}
    choose(gallery, "Right")
    assert gallery.grid.num_images == 0


def test_predictions_for_other_images_are_refused(gallery, digit_set):
    shuffled = digit_set.labels.flip(0)
    for labels in (shuffled, digit_set.labels[:60]):
        with pytest.raises(ValueError, match=f"{len(labels)} images.*own order"):
            gallery.show_predictions(Predictions(torch.eye(10)[labels], labels))


@pytest.mark.parametrize("index", [-1, NUM_IMAGES])
def test_a_selection_outside_of_the_set_is_named(gallery, index):
    with pytest.raises(TraitError, match=f"selected_index is {index}.* 0 to 79"):
        gallery.selected_index = index


@pytest.mark.parametrize("pair", [(10, 0), (0, -1)])
def test_a_pair_of_unknown_classes_is_named(gallery, pair):
    with pytest.raises(TraitError, match=r"selected_pair is .* 0 to 9"):
        gallery.selected_pair = pair


def test_a_page_holds_at_least_one_image(digit_set):
    with pytest.raises(ValueError, match=r"images_per_page must be .* not 0"):
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


def test_the_summary_counts_the_page_and_says_why_there_is_no_count(gallery, digit_set):
    assert gallery.grid.summary.endswith("has not predicted these images yet.")
    probabilities = torch.eye(10)[digit_set.labels]
    probabilities[:3] = probabilities[:3].roll(1, dims=1)
    show(gallery, Predictions(probabilities, digit_set.labels))
    assert gallery.grid.summary == "Page 1 of 3: 27 right, 3 wrong."
    assert "page 1 of 3, shown: All: 27 right, 3 wrong." in gallery.static_view().text
    gallery.selected_pair = (9, 3)
    scheduler.flush()
    assert gallery.grid.summary == gallery.grid.notice == gallery.static_view().text
    gallery.selected_pair = None
    show(gallery, Predictions(torch.full((NUM_IMAGES, 10), math.nan), digit_set.labels))
    assert "no numbers" in gallery.grid.summary


def test_wrong_labels_are_marked_named_filtered_and_counted(digit_set):
    noisy = digit_set.with_wrong_labels(0.25, seed=3)
    gallery = ImageGallery(noisy)
    names = gallery._class_names
    wrong = (noisy.labels != digit_set.labels).nonzero().flatten().tolist()
    assert len(wrong) == 20
    scheduler.flush()
    assert "20 of 80 labels are wrong" in gallery.grid.summary
    for index, mark, name in zip(ids(gallery), gallery.grid.marks, gallery.grid.names, strict=True):
        label = names[noisy.labels[index]]
        assert mark == (label if index in wrong else "")
        assert (f"wrong label {label}" in name) == (index in wrong)
        assert f"true {names[digit_set.labels[index]]}" in name
    choose(gallery, "Wrong labels")
    assert ids(gallery) == wrong

    # the network repeats the first 11 wrong labels, and gives the true class of all other images
    answers = digit_set.labels.clone()
    answers[wrong[:11]] = noisy.labels[wrong[:11]]
    answers[wrong[11]] = next(
        label for label in range(10) if label not in (noisy.labels[wrong[11]], answers[wrong[11]])
    )
    probabilities = 0.01 + 0.9 * torch.nn.functional.one_hot(answers, 10)
    show(gallery, Predictions(probabilities, noisy.labels))
    for number in ("Of 20", "repeats 11 (memorized)", "for 8 (resisted)", "another one for 1"):
        assert number in gallery.grid.summary
        assert number in gallery.static_view().text
    for name, expected in (
        ("Wrong, memorized", wrong[:11]),
        ("Wrong, resisted", wrong[12:]),
        ("Wrong, neither", wrong[11:12]),
        ("Mistakes", wrong[:12]),
    ):
        choose(gallery, name)
        assert ids(gallery) == expected, name
    table = gallery.to_dataframe()
    assert (table["label"] != table["true"]).all()
    assert gallery.to_png()
    click(gallery, wrong[0])
    assert gallery.selected_answer().true_label == int(digit_set.labels[wrong[0]])
    gallery.close()


def test_a_set_without_wrong_labels_has_no_filter_for_them(gallery, digit_set, predictions):
    show(gallery, predictions)
    assert not any("Wrong" in label for label, _ in gallery._filters.box.options)
    assert set(gallery.grid.marks) == {""}
    assert "wrong label" not in gallery.grid.summary
    assert "label" not in gallery.to_dataframe().columns


class EvaluatesAnother(Callback):
    """Evaluates another network with the trainer's evaluator after each epoch."""

    def on_epoch_end(self, trainer, report):
        trainer.evaluator.evaluate(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)), "cpu"
        )


def test_as_a_callback_it_shows_the_trained_network_though_another_was_evaluated(
    gallery, digit_set
):
    callbacks = [EvaluatesAnother(), gallery]
    trainer = RunConfig(hidden_units=8).build(digit_set, digit_set, callbacks=callbacks)
    trainer.fit(1)
    expected = predict_probabilities(trainer.model, digit_set.images)
    torch.testing.assert_close(gallery.answers, expected)


def test_an_evaluator_that_shuffles_is_refused_before_the_first_batch(digit_set):
    sevens = DigitSet(digit_set.images, torch.full((NUM_IMAGES,), 7), "0123456789", "sevens")
    samplers = RandomSampler(sevens), SubsetRandomSampler(range(NUM_IMAGES))
    for batches, is_shuffled in (
        (sevens.batches(32, shuffle=True), True),
        (DataLoader(sevens, 32, shuffle=True), True),
        *((DataLoader(sevens, 32, sampler=sampler), True) for sampler in samplers),
        (DataLoader(sevens, batch_sampler=BatchSampler(samplers[0], 32, False)), True),
        (sevens.batches(32), False),
        (DataLoader(sevens, 32), False),
        (list(sevens.batches(32)), False),
    ):
        gallery = ImageGallery(sevens)
        trainer = RunConfig(hidden_units=8).build(digit_set, sevens, callbacks=[gallery])
        trainer.evaluator.batches = batches
        if is_shuffled:
            with pytest.raises(ValueError, match=r"shuffles its images.*test_set\.batches"):
                trainer.fit(1)
        else:
            trainer.fit(1)
            expected = predict_probabilities(trainer.model, sevens.images)
            torch.testing.assert_close(gallery.answers, expected)
        assert trainer.num_batches_trained == (0 if is_shuffled else 1)
        gallery.close()
