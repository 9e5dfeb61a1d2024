"""The static views of what panels show: their words, and the points of their pictures."""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_widgets import History
from mnist_widgets.rendering.chart_sentences import describe_confusion, describe_losses
from mnist_widgets.rendering.curves.accuracy_series import AccuracySeries
from mnist_widgets.rendering.curves.loss_series import LossSeries
from mnist_widgets.rendering.curves.quantities import ACCURACY, LOSS
from mnist_widgets.rendering.palette import LIGHT
from mnist_widgets.rendering.png_canvas import PIXEL_RATIO
from mnist_widgets.rendering.png_charts import (
    CELL_PX,
    PLOT,
    TILE_PX,
    draw_confusion,
    draw_images,
    draw_prediction,
    draw_words,
)
from mnist_widgets.rendering.static_views import (
    StaticView,
    join_views,
    render_confusion,
    render_images,
    render_prediction,
    tabulate_batches,
    tabulate_counts,
    tabulate_epochs,
)

DIGITS = [str(digit) for digit in range(10)]
FASHION = ["T-shirt/top", "Trouser", "Pullover", *"ABCDEFG"]
TABLE = (["class", "count"], [("<a>", "1,000"), ("b", "7")], "How many & why")


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def find_color(png: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y, in pixels of the page, of the pixels that nearly have a colour."""
    color = LIGHT[name]
    wanted = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    rows, columns = np.nonzero(np.abs(pixels_of(png) - wanted).max(axis=2) <= 12)
    return columns / PIXEL_RATIO, rows / PIXEL_RATIO


def in_plot(places):
    """Return the places within the loss chart's axes, beside its key."""
    x, y = places
    left, top, right, bottom = PLOT
    inside = (x >= left) & (x <= right) & (y >= top - 2) & (y <= bottom + 2)
    return x[inside], y[inside]


@pytest.fixture
def history():
    history = History()
    for loss in (4.0, 3.0, 2.0, 1.0, 1.0):
        history.add_batch(loss)
    history.add_epoch(2.2, {"test_loss": 0.5, "test_accuracy": 0.9})
    for loss in (1.0, 1.0, 1.0, 1.0, 1.0):
        history.add_batch(loss)
    history.add_epoch(1.0, {"test_loss": 3.0, "test_accuracy": 0.95})
    return history


@pytest.fixture
def counts():
    counts = torch.diag(torch.full((10,), 30))
    counts[4, 9] = 7
    return counts


def test_the_loss_picture_draws_each_loss_at_its_place(history):
    x, y = in_plot(find_color(LOSS.draw(LossSeries(history, 0)), "strong"))
    left, top, right, bottom = PLOT
    for batch, loss in enumerate(history.batch_losses[:5], start=1):
        place = left + batch / 10 * (right - left)  # the axis reaches to batch 10,
        height = bottom - loss / 4 * (bottom - top)  # and to the loss 4
        near = np.abs(x - place) <= 1
        assert np.abs(y[near] - height).min() <= 2, batch
    assert x.min() == pytest.approx(left + (right - left) / 10, abs=2)


@pytest.mark.parametrize(("color", "values"), [("mean", [2.2, 1.0]), ("test", [0.5, 3.0])])
def test_the_loss_picture_draws_the_epochs_where_they_ended(history, color, values):
    x, y = in_plot(find_color(LOSS.draw(LossSeries(history)), color))
    left, top, right, bottom = PLOT
    for end, value in zip((5, 10), values, strict=True):
        near = np.abs(x - (left + end / 10 * (right - left))) <= 3
        assert np.median(y[near]) == pytest.approx(bottom - value / 4 * (bottom - top), abs=3)


def test_a_logarithmic_loss_picture_omits_losses_that_it_cannot_show(history):
    history.add_batch(0.0)
    history.add_batch(math.nan)
    x, _ = in_plot(find_color(LOSS.draw(LossSeries(history, 0, is_log=True)), "strong"))
    left, _, right, _ = PLOT
    # the dot of the last epoch lies over the line's end
    assert x.max() == pytest.approx(left + 10 / 12 * (right - left), abs=6)


def test_a_diverged_training_still_has_a_picture():
    history = History()
    history.add_batch(math.nan)
    assert pixels_of(LOSS.draw(LossSeries(history))).shape == (600, 1280, 3)


def test_the_loss_static_view_shows_what_the_chart_shows_and_says(history):
    view = LOSS.render(history, 0.5, log_scale=True)
    series = LossSeries(history, 0.5, is_log=True)
    assert view.text == describe_losses(series)
    assert base64.b64encode(LOSS.draw(series)).decode() in view.html
    assert LOSS.render(History()).text == "No batch has been trained yet."


def test_the_table_of_epochs_holds_the_last_ones(history):
    table = tabulate_epochs(history, max_epochs=1)
    assert table.text.split()[:6] == ["The", "last", "1", "of", "2", "epochs:"]
    assert table.text.splitlines()[-2:] == [
        "Epoch  Mean loss  Test loss  Test accuracy",
        "    2       1.00       3.00        95.00 %",
    ]
    assert table.html.count("<tr>") == 2


def test_the_table_of_batches_has_the_metrics_where_epochs_end(history):
    history.add_batch(math.nan)
    assert tabulate_batches(history, smoothing=0.5).text.splitlines() == [
        "Batch  Loss  Smoothed  Epoch  Mean loss  Test loss  Test accuracy",
        "    1  4.00      4.00                                            ",
        "    2  3.00      3.33                                            ",
        "    3  2.00      2.57                                            ",
        "    4  1.00      1.73                                            ",
        "    5  1.00      1.35      1       2.20      0.500        90.00 %",
        *(
            f"    {batch}  1.00      {smoothed}                                            "
            for batch, smoothed in zip(range(6, 10), ("1.17", "1.09", "1.04", "1.02"), strict=True)
        ),
        "   10  1.00      1.01      2       1.00       3.00        95.00 %",
        "   11   nan      1.01                                            ",
    ]


def test_the_table_of_a_long_training_spreads_its_rows(history):
    for _ in range(1000):
        for _ in range(100):
            history.add_batch(0.5)
        history.add_epoch(0.5, {"test_loss": 0.6, "test_accuracy": 0.9})
    caption, _, first, *_, last = tabulate_batches(history, max_rows=40).text.splitlines()
    num_rows = int(caption.split()[0])
    assert 20 <= num_rows <= 40
    assert caption.split()[1:4] == ["of", "100,010", "batches;"]
    assert first.split() == ["1", "4.00", "4.00"]
    assert last.split() == ["100,010", "0.500", "0.500", "1002", "0.500", "0.600", "90.00", "%"]


def test_before_a_batch_the_table_of_batches_is_a_sentence():
    assert tabulate_batches(History()).text == "No batch has been trained yet."
    history = History()
    history.add_batch(2.0)
    assert tabulate_batches(history).text.splitlines() == [
        "Batch  Loss  Smoothed",
        "    1  2.00      2.00",
    ]


def test_the_text_of_a_table_is_aligned_below_its_caption():
    assert StaticView.of_table(*TABLE).text.splitlines() == [
        "How many & why",
        "class  count",
        "  <a>  1,000",
        "    b      7",
    ]
    assert StaticView.of_table(*TABLE[:2]).text.startswith("class")


def test_the_html_of_a_table_escapes_its_cells_and_names_rows_and_columns():
    html = StaticView.of_table(*TABLE).html
    assert html.startswith("<table><caption>How many &amp; why</caption><thead>")
    assert '<th scope="row">&lt;a&gt;</th><td>1,000</td>' in html
    assert html.count('<th scope="col">') == 2
    assert "<caption>" not in StaticView.of_table(*TABLE[:2]).html


def test_the_table_of_counts_has_titles_a_caption_measures_and_a_bold_diagonal():
    counts = torch.tensor([[6, 2, 0], [1, 3, 0], [5, 0, 0]])
    view = tabulate_counts(counts, ["a", "b", "<c>"], "class")
    caption, *lines = view.text.splitlines()
    assert "Recall: the share of a class's images that were recognized." in caption
    assert "Precision: " in caption
    assert lines == [
        "True  a  b  <c>  Recall  Precision",
        "   a  6  2    0  75.0 %     50.0 %",
        "   b  1  3    0  75.0 %     60.0 %",
        " <c>  5  0    0     0 %          \N{EN DASH}",
    ]
    assert re.findall("<strong>(.*?)</strong>", view.html) == ["6", "3", "0"]
    assert '<th scope="row">b</th><td>1</td><td><strong>3</strong></td>' in view.html


def test_the_confusion_picture_colours_mistakes_and_greys_the_diagonal(counts):
    picture = pixels_of(draw_confusion(counts, DIGITS, "digit"))
    left = picture.shape[1] / PIXEL_RATIO - 6 - 10 * CELL_PX

    def corner_of_cell(true: int, predicted: int) -> list[int]:
        x = round((left + predicted * CELL_PX + 4) * PIXEL_RATIO)
        y = round((6 + true * CELL_PX + 4) * PIXEL_RATIO)
        return picture[y, x].tolist()

    red, _, blue = corner_of_cell(4, 9)
    assert blue - red > 60
    assert min(corner_of_cell(9, 4)) > 245
    assert len(set(corner_of_cell(3, 3))) == 1  # grey
    assert 200 < corner_of_cell(3, 3)[0] < 245


def test_a_matrix_of_many_classes_is_small_squares_and_its_most_frequent_mistakes():
    for num_classes in (41, 300, 1000):
        names = [f"c{at}" for at in range(num_classes)]
        counts = torch.eye(num_classes, dtype=torch.int64)
        counts[2, 30] = 1_500
        counts[31, 3] = 7
        picture = pixels_of(draw_confusion(counts, names, "class"))
        assert max(picture.shape) <= 640 * PIXEL_RATIO
        edge = (min(picture.shape[:2]) - 40 * PIXEL_RATIO) // num_classes
        corner = (6 * PIXEL_RATIO, 34 * PIXEL_RATIO)
        cell = picture[corner[0] + 2 * edge, corner[1] + 30 * edge]
        assert cell[2] - cell[0] > 60  # blue
        view = render_confusion(counts, names, "class")
        assert [line.split() for line in view.text.splitlines()[-2:]] == [
            ["c2", "c30", "1,500"],
            ["c31", "c3", "7"],
        ]
        assert len(view.html) < 200_000


def test_a_matrix_of_many_classes_without_a_mistake_says_so():
    names = [f"c{at}" for at in range(50)]
    assert "no mistake" in render_confusion(torch.eye(50).long(), names, "class").text


def test_long_class_names_enlarge_the_picture(counts):
    short = pixels_of(draw_confusion(counts, DIGITS, "digit")).shape
    long = pixels_of(draw_confusion(counts, FASHION, "class")).shape
    assert long[0] > short[0]
    assert long[1] > short[1]


def test_the_confusion_static_view_holds_every_number(counts):
    view = render_confusion(counts, DIGITS, "digit")
    rows = [line.split() for line in view.text.splitlines()]
    four = ["4", *["0", "0", "0", "0", "30", "0", "0", "0", "0", "7"], "81.1", "%", "100", "%"]
    assert four in rows
    assert view.text.startswith(describe_confusion(counts, DIGITS, "digit"))
    assert base64.b64encode(draw_confusion(counts, DIGITS, "digit")).decode() in view.html
    assert "<td>81.1\xa0%</td><td>100\xa0%</td>" in view.html


@pytest.mark.parametrize("nothing", [None, torch.zeros(10, 10, dtype=torch.int64)])
def test_before_an_evaluation_there_is_no_matrix(nothing):
    view = render_confusion(nothing, DIGITS, "digit")
    assert "Nothing has been evaluated yet" in view.text
    assert "<img" not in view.html


def test_wrong_images_are_framed_and_named():
    images = torch.zeros(11, 28, 28, dtype=torch.uint8)
    verdicts = ["right"] * 10 + ["wrong"]
    picture = draw_images(images, verdicts, num_columns=10)
    assert pixels_of(picture).shape == (2 * TILE_PX * PIXEL_RATIO, 10 * TILE_PX * PIXEL_RATIO, 3)
    assert find_color(picture, "wrong")[0].max() < TILE_PX
    assert find_color(picture, "wrong")[1].min() > TILE_PX
    assert find_color(picture, "right")[1].max() < TILE_PX
    names = [f"Image {index}: true 0, predicted <1>" for index in range(11)]
    view = render_images(images, verdicts, names, 10, "Page 1 of 1")
    assert view.text.splitlines() == ["Page 1 of 1", names[10]]
    assert "<li>Image 10: true 0, predicted &lt;1&gt;</li>" in view.html


def test_images_without_predictions_are_neither_right_nor_wrong():
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    view = render_images(images, ["", ""], ["a", "b"], 10, "Page")
    assert "Wrong" not in view.html
    assert view.text == "Page"
    assert render_images(images[:0], [], [], 10, "None.") == StaticView.of_words("None.")


def test_the_bars_of_a_prediction_are_as_high_as_its_probabilities():
    probabilities = torch.tensor([0.0] * 7 + [0.8, 0.2, 0.0])
    image = torch.full((1, 28, 28), 0.5)
    x, y = find_color(draw_prediction(image, probabilities, DIGITS, true_label=7), "strong")
    step = 368 / 10
    for label, share in ((7, 0.8), (8, 0.2)):
        inside = np.abs(x - (186 + step * (label + 0.5))) < step * 0.3
        assert y[inside].min() == pytest.approx(166 - 150 * share, abs=1.5)
    view = render_prediction(image, probabilities, DIGITS, 7, "The network says 7 & more.")
    assert "7: 80.00 %" in view.text
    assert "7 &amp; more" in view.html


def test_nan_probabilities_have_a_picture():
    image, nans = torch.zeros(28, 28, dtype=torch.uint8), torch.full((10,), math.nan)
    assert len(draw_prediction(image, nans, FASHION, None)) > 1000


def test_static_views_hold_nothing_that_github_removes(history, counts):
    curve, matrix = LOSS.render(history), render_confusion(counts, DIGITS, "digit")
    view = join_views([curve.titled("Loss"), matrix])
    assert not re.search(r"<(?:style|script|svg)|style=|class=", view.html)
    assert "Loss\n----\nLoss fell from 4.00 " in view.text
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', view.html)
    widths = re.findall(r'<img width="(\d+)"', view.html)
    assert len(pictures) == 2
    for picture, width in zip(pictures, widths, strict=True):
        assert Image.open(io.BytesIO(base64.b64decode(picture))).width == int(width) * PIXEL_RATIO


@pytest.mark.parametrize(("color", "accuracies"), [("train", [70, 90]), ("test", [60, 65])])
def test_the_accuracy_picture_draws_the_epochs_where_they_ended(color, accuracies):
    history = History()
    for train, test in ((0.7, 0.6), (0.9, 0.65)):
        for _ in range(5):
            history.add_batch(1.0)
        history.add_epoch(1.0, {"train_accuracy": train, "test_accuracy": test})
    x, y = in_plot(find_color(ACCURACY.draw(AccuracySeries(history)), color))
    left, top, right, bottom = PLOT
    for end, value in zip((5, 10), accuracies, strict=True):
        near = np.abs(x - (left + end / 10 * (right - left))) <= 3
        height = bottom - (value - 60) / 40 * (bottom - top)
        assert np.median(y[near]) == pytest.approx(height, abs=3)


def test_tables_have_a_dash_where_a_metric_was_not_measured():
    history = History()
    for metrics in ({}, {"test_accuracy": 0.5}, {}):
        history.add_batch(1.0)
        history.add_epoch(1.0, metrics)
    assert [line.split() for line in tabulate_epochs(history).text.splitlines()[1:]] == [
        ["1", "1.00", "\N{EN DASH}"],
        ["2", "1.00", "50.00", "%"],
        ["3", "1.00", "\N{EN DASH}"],
    ]
    last = tabulate_batches(history).text.splitlines()[-1]
    assert last.split() == ["3", "1.00", "1.00", "3", "1.00", "\N{EN DASH}"]
    diverged = History()
    diverged.add_batch(math.nan)
    diverged.add_epoch(math.nan)
    assert tabulate_epochs(diverged).text.split()[-1] == "nan"


def test_only_the_html_keeps_numbers_and_per_cent_signs_together():
    words = "71.4 % recognized."
    table = StaticView.of_table(["True", "Recall"], [["a", "71.4 %"]], words)
    picture = StaticView.of_picture(draw_words("A picture."), words)
    for view in (StaticView.of_words(words), StaticView.of_code(words, "a % b"), picture, table):
        assert "71.4 %" in view.text
        assert "71.4\xa0% recognized" in view.html
    assert "<td>71.4\xa0%</td>" in table.html
    assert "a % b" in StaticView.of_code(words, "a % b").html
