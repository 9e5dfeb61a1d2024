"""One image's probabilities, without a browser."""

from __future__ import annotations

import base64
import re

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from gallery_answers import show_answers

from mnist_widgets import DigitSet
from mnist_widgets.data.images import to_png
from mnist_widgets.rendering.captions import format_share
from mnist_widgets.rendering.image_captions import describe_prediction
from mnist_widgets.widgets import ImageGallery, ProbabilityChart
from mnist_widgets.widgets.redraws import scheduler

IMAGE = torch.arange(784).reshape(28, 28).remainder(256).to(torch.uint8)
PROBABILITIES = torch.tensor([0.0, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.93, 0.02, 0.0])


@pytest.fixture
def chart():
    chart = ProbabilityChart()
    yield chart
    chart.close()


def show(chart, *prediction, **options) -> None:
    chart.show_prediction(*prediction, **options)
    scheduler.flush()


def png_of(chart) -> bytes:
    return base64.b64decode(re.search(r"base64,([^\"]+)", chart._image.value)[1])


def test_bars_sentence_and_picture_show_the_same_prediction(chart):
    show(chart, IMAGE, PROBABILITIES, true_label=7)
    assert chart._figure.bars.y.tolist() == pytest.approx(PROBABILITIES.tolist())
    assert chart._footer.caption == "True 7. The network says 7 with 93 %, then 2 with 5 %."
    assert png_of(chart) == to_png(IMAGE)
    assert 'alt="' in chart._image.value


@pytest.mark.parametrize("true_label", [0, 2, 9])
def test_the_true_class_is_framed_and_named(chart, true_label):
    show(chart, IMAGE, PROBABILITIES, true_label)
    assert chart._figure.frame.visible
    assert chart._figure.frame_title.visible
    assert (
        chart._figure.frame.x.tolist() == chart._figure.frame_title.x.tolist() == [str(true_label)]
    )
    assert chart._figure.frame_title.text.tolist() == ["true"]


def test_without_a_label_nothing_is_framed(chart):
    show(chart, IMAGE, PROBABILITIES, 2)
    show(chart, IMAGE, PROBABILITIES)
    assert not chart._figure.frame.visible
    assert not chart._figure.frame_title.visible
    assert chart._footer.caption == "The network says 7 with 93 %, then 2 with 5 %."


def test_classes_have_their_own_names():
    sentence = describe_prediction(torch.tensor([0.2, 0.8]), ["cat", "dog"])
    assert sentence == "dog with 80 %, then cat with 20 %"
    chart = ProbabilityChart(class_names=["<cat>", "{dog}"])
    show(chart, IMAGE, torch.tensor([0.2, 0.8]), 0)
    assert chart._figure.bars.x.tolist() == ["<cat>", "{dog}"]
    assert "&lt;cat&gt;  20.00 %\n{dog}  80.00 %" in chart._figure.tooltip.value
    assert chart._footer.caption.startswith("True <cat>. The network says {dog} with 80 %")
    chart.close()


def test_of_two_classes_as_likely_the_first_is_what_the_network_predicts():
    probabilities = torch.tensor([0.2, 0.4, 0.4])
    assert describe_prediction(probabilities, "abc") == "b with 40 %, then c with 40 %"


def test_before_an_image_and_after_clearing_there_is_none(chart):
    for _ in range(2):
        assert chart._footer.caption == "No image is selected."
        assert chart._image.value == ""
        assert not chart._figure.bars.y.any()
        assert not chart._figure.frame.visible
        show(chart, IMAGE, PROBABILITIES, 7)
        assert png_of(chart)
        chart.clear()
        scheduler.flush()


def test_the_image_is_sent_again_only_if_it_changed(chart):
    show(chart, IMAGE, PROBABILITIES, 7)
    sent = []
    chart._image.observe(sent.append, names="value")
    show(chart, IMAGE.clone(), PROBABILITIES.flip(0), 7)
    assert chart._figure.bars.y[2] == pytest.approx(0.93)
    assert not sent
    image = IMAGE.clone()
    image[0, 0] = 255
    show(chart, image, PROBABILITIES, 7)
    assert len(sent) == 1
    show(chart, (image / 255).unsqueeze(0), PROBABILITIES, 7)
    assert png_of(chart) == to_png(image)


def test_only_the_newest_of_many_predictions_is_drawn(chart, monkeypatch):
    drawn = []
    chart._figure.bars.observe(lambda change: drawn.append(change["new"]), names="y")
    monkeypatch.setattr(scheduler, "schedule", lambda *_, **__: None)
    for shift in range(10):
        chart.show_prediction(IMAGE, PROBABILITIES.roll(shift), 7)
    assert not drawn
    chart.redraw()
    assert len(drawn) == 1
    assert drawn[0].tolist() == pytest.approx(PROBABILITIES.roll(9).tolist())


def test_what_the_caller_writes_afterwards_is_not_shown(chart, monkeypatch):
    monkeypatch.setattr(scheduler, "schedule", lambda *_, **__: None)
    image, probabilities = IMAGE.clone(), PROBABILITIES.clone()
    chart.show_prediction(image, probabilities, 7)
    image.zero_()
    probabilities.zero_()
    chart.redraw()
    assert png_of(chart) == to_png(IMAGE)
    assert chart._figure.bars.y[7] == pytest.approx(0.93)


def test_the_wrong_number_of_probabilities_is_refused(chart):
    with pytest.raises(ValueError, match=r"10 numbers.*\(3,\)"):
        chart.show_prediction(IMAGE, torch.ones(3) / 3)


def test_an_image_of_another_shape_is_refused_where_it_is_given(chart):
    with pytest.raises(ValueError, match=r"\(2, 28, 28\)"):
        chart.show_prediction(torch.stack([IMAGE, IMAGE]), PROBABILITIES)
    scheduler.flush()
    assert chart._footer.caption == "No image is selected."


@pytest.mark.parametrize("true_label", [-1, 10])
def test_a_label_outside_the_classes_is_refused(chart, true_label):
    with pytest.raises(ValueError, match=rf"from 0 to 9, not {true_label}"):
        chart.show_prediction(IMAGE, PROBABILITIES, true_label)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.001, "under 1 %"),
        (0.5, "50 %"),
        (0.9999, "over 99 %"),
        (1.0, "100 %"),
        (float("nan"), "nan %"),
    ],
)
def test_a_share_is_not_rounded_to_certainty(share, words):
    assert format_share(share) == words


def test_a_closed_chart_leaves_no_widget_behind():
    before = set(widget_module._instances)
    ProbabilityChart().close()
    assert set(widget_module._instances) == before


def test_arrays_and_lists_are_shown_as_tensors_are(chart):
    for image, probabilities in (
        (IMAGE.numpy(), PROBABILITIES.numpy()),
        (IMAGE.tolist(), PROBABILITIES.tolist()),
        (IMAGE.numpy()[None] / 255, PROBABILITIES.double().numpy()),
    ):
        chart.clear()
        show(chart, image, probabilities, true_label=7)
        assert png_of(chart) == to_png(IMAGE)
        assert chart._figure.bars.y.tolist() == pytest.approx(PROBABILITIES.tolist(), abs=1e-5)
    for wrong_image, wrong_probabilities, words in (
        ("image.png", PROBABILITIES, "images must be a tensor"),
        (IMAGE, None, "probabilities must be a tensor"),
        (IMAGE, [0.5, 0.5], r"probabilities must be a tensor of 10 numbers.*\(2,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            chart.show_prediction(wrong_image, wrong_probabilities)


def test_class_names_may_be_numbers(chart):
    other = ProbabilityChart(class_names=[3, 5])
    show(other, IMAGE, [0.25, 0.75], true_label=1)
    assert other._footer.caption == "True 5. The network says 5 with 75 %, then 3 with 25 %."
    other.close()


@pytest.fixture
def gallery():
    """A gallery of two images, the first of which has an answer."""
    images = torch.stack([IMAGE, 255 - IMAGE])
    gallery = ImageGallery(DigitSet(images, torch.tensor([7, 2]), "0123456789", "two"))
    show_answers(gallery, [0], PROBABILITIES[None])
    yield gallery
    gallery.close()


def test_the_static_view_of_a_chart_that_follows_a_gallery_is_that_of_its_selection(chart, gallery):
    chart.follow(gallery)
    assert "True 7. The network says 7 with 93 %" in chart.static_view().text
    assert "\n2: 5.00 %" in chart.static_view().text
    gallery.selected_index = 1
    scheduler.flush()
    assert chart.static_view().text == "No prediction yet."
    gallery.selected_index = None
    scheduler.flush()
    assert chart.static_view().text == "No image is selected."
    gallery.selected_index = 1
    scheduler.flush()
    show_answers(gallery, [1], PROBABILITIES.roll(1)[None])
    assert "True 2. The network says 8 with 93 %" in chart.static_view().text


def test_the_kernel_shows_nothing_in_a_chart_that_follows_a_gallery(chart, gallery):
    chart.follow(gallery)
    scheduler.flush()
    written = []
    for part in chart._parts():
        part.observe(written.append)
    gallery.selected_index = 1
    show_answers(gallery, [0, 1], torch.eye(10)[[3, 4]])
    assert {change["name"] for change in written} <= {"topic"}  # what may be read aloud


def test_a_chart_that_follows_a_gallery_shows_nothing_else(chart, gallery):
    chart.follow(gallery)
    for request in (
        lambda: chart.show_prediction(IMAGE, PROBABILITIES),
        chart.clear,
        lambda: chart.follow(gallery),
    ):
        with pytest.raises(RuntimeError, match="follows a gallery"):
            request()


def test_a_gallery_of_other_classes_is_refused(gallery):
    chart = ProbabilityChart(class_names=["cat", "dog"])
    with pytest.raises(ValueError, match=r"cat, dog.*0, 1, 2"):
        chart.follow(gallery)
    chart.close()


def test_a_closed_chart_follows_nothing(chart, gallery):
    chart.close()
    targets = gallery.grid.targets
    with pytest.raises(RuntimeError, match="closed"):
        chart.follow(gallery)
    assert gallery.grid.targets == targets


def test_before_the_page_says_so_no_class_is_framed(chart, gallery):
    chart.follow(gallery)
    for mark in (chart._figure.frame, chart._figure.frame_title):
        assert len(mark.x) == 0


def test_a_closed_chart_is_no_target_of_the_gallery_any_more(gallery):
    before = gallery.grid.targets
    chart, other = ProbabilityChart(), ProbabilityChart()
    chart.follow(gallery)
    other.follow(gallery)
    bars = chart._figure.bars.model_id
    assert ("bars", bars, "y") in gallery.grid.targets
    chart.close()
    ids = [model_id for _, model_id, _ in gallery.grid.targets]
    assert bars not in ids
    assert other._figure.bars.model_id in ids
    other.close()
    assert gallery.grid.targets == before


def test_raw_scores_are_refused(chart):
    show(chart, IMAGE, PROBABILITIES, 7)
    for scores in (torch.linspace(-2, 3, 10), 100 * PROBABILITIES):
        with pytest.raises(ValueError, match=r"sum to 1.*raw scores"):
            chart.show_prediction(IMAGE, scores, 7)
    show(chart, IMAGE, torch.full((10,), torch.nan))
    assert "no numbers" in chart.static_view().text
    show(chart, IMAGE, (1 - torch.tensor([1.0000001, *[1.0] * 8, 0.0])).bfloat16())
    assert "<img" in chart.static_view().html
