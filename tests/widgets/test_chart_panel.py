"""Pictures, numbers and files of all charts, and the table that the page shows."""

from __future__ import annotations

import base64
import io
from threading import Event

import numpy as np
import pandas as pd
import pytest
import torch
from counting_list import CountingList
from gallery_answers import show_answers
from PIL import Image
from timeouts import TIMEOUT_S

from mnist_widgets import Callback, DigitSet, History, SimpleNet, TrainingSession
from mnist_widgets.widgets import (
    ConfusionChart,
    DrawingPad,
    ImageGallery,
    LossChart,
    ProbabilityChart,
)
from mnist_widgets.widgets.chart_panel import ChartPanel
from mnist_widgets.widgets.redraws import scheduler

IMAGES = torch.arange(12 * 784).remainder(256).to(torch.uint8).reshape(12, 28, 28)
LABELS = torch.arange(12).remainder(10)
ANSWERS = torch.eye(10)[LABELS].mul(0.5).add(0.05)
COUNTS = torch.diag(torch.full((10,), 30)).index_put(
    (torch.tensor(4), torch.tensor(9)), torch.tensor(7)
)


def fill_losses(chart):
    for loss in np.geomspace(2.3, 0.1, 25):
        chart.add_batch(loss / 3)
    chart.add_epoch(1 / 3, test_loss=2 / 3)


def draw_a_one(pad):
    """Send what the page sends at the end of a stroke."""
    state = {"strokes": [[[0.5, 0.1], [0.5, 0.9]]], "drawing_number": 1}
    pad._canvas.set_state(state)


# For each kind: how it is made, and how it is filled.
CHARTS = {
    LossChart: (LossChart, fill_losses),
    ConfusionChart: (ConfusionChart, lambda chart: chart.show_counts(COUNTS)),
    ProbabilityChart: (
        ProbabilityChart,
        lambda chart: chart.show_prediction(IMAGES[3], ANSWERS[3], 3),
    ),
    ImageGallery: (
        lambda: ImageGallery(DigitSet(IMAGES, LABELS, "0123456789", "twelve")),
        lambda gallery: show_answers(gallery, range(12), ANSWERS),
    ),
    DrawingPad: (lambda: DrawingPad(SimpleNet(28 * 28, 10)), draw_a_one),
}


@pytest.fixture(params=CHARTS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def empty(kind):
    chart = CHARTS[kind][0]()
    yield chart
    chart.close()


@pytest.fixture
def chart(kind, empty):
    CHARTS[kind][1](empty)
    scheduler.flush()
    return empty


@pytest.fixture
def loss_chart():
    chart = LossChart()
    yield chart
    chart.close()


def open_data(chart, is_open=True):
    """Send what the page sends when the button Data is clicked."""
    chart._footer.set_state({"shows_data": is_open})
    scheduler.flush()


def test_every_chart_panel_is_tried_here():
    assert set(CHARTS) == set(ChartPanel.__subclasses__())


def test_a_chart_has_a_picture_and_a_caption_full_or_empty(kind, empty):
    sizes, captions = [], []
    for fill in (lambda _chart: None, CHARTS[kind][1]):
        fill(empty)
        scheduler.flush()
        with Image.open(io.BytesIO(empty.to_png())) as picture:
            assert picture.format == "PNG"
            picture.load()
            sizes.append(picture.size)
            assert len(picture.getcolors()) > 1
        captions.append(empty._footer.caption or empty.grid.summary)
    assert all(captions)
    assert captions[0] != captions[1]


def test_the_static_view_has_the_same_picture_and_the_same_words(chart):
    view = chart.static_view()
    assert base64.b64encode(chart.to_png()).decode() in view.html
    words = chart._footer.caption or chart.grid.summary.partition(": ")[2]
    assert words in view.text


def test_csv_holds_the_numbers_of_the_table(chart):
    table = chart.to_dataframe()
    read = pd.read_csv(io.StringIO(chart.to_csv()), index_col=0)
    assert len(table) > 9
    assert read.index.tolist() == list(map(read.index.dtype.type, table.index))
    assert list(read.columns) == list(table.columns)
    for name in table.select_dtypes("number"):
        np.testing.assert_allclose(read[name], table[name], rtol=1e-6)


def test_an_empty_chart_has_csv_too(empty):
    assert pd.read_csv(io.StringIO(empty.to_csv())).columns.size > 0


def test_the_ending_chooses_what_is_saved(chart, tmp_path):
    for name in ("chart.png", "CHART.PNG"):
        chart.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == chart.to_png()
    for name in ("chart.csv", "CHART.Csv"):
        chart.save(str(tmp_path / name))
        assert (tmp_path / name).read_text("utf-8") == chart.to_csv()


@pytest.mark.parametrize("name", ["chart", "chart.jpg", ".png", "chart.csv.gz", ""])
def test_another_ending_is_refused_by_name(loss_chart, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\.png or \.csv") as caught:
        loss_chart.save(name)
    assert repr(name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_names_with_other_letters_are_saved_as_utf_8(tmp_path):
    chart = ConfusionChart(class_names=["é", "ж", "字"])
    chart.show_counts(torch.eye(3))
    chart.save(tmp_path / "counts.csv")
    assert pd.read_csv(tmp_path / "counts.csv", index_col=0).index.tolist() == ["é", "ж", "字"]
    chart.close()


def test_the_table_is_written_only_while_it_is_open(chart):
    assert chart._footer.table == ""
    open_data(chart)
    before = chart._footer.table
    assert "<table" in before
    open_data(chart, is_open=False)
    assert chart._footer.table == ""
    scheduler.schedule(chart.redraw)
    scheduler.flush()
    assert chart._footer.table == ""
    open_data(chart)
    assert chart._footer.table == before


def test_the_table_of_an_empty_chart_opens_too(empty):
    open_data(empty)
    assert empty._footer.table


def test_an_open_table_follows_a_training(loss_chart, make_trainer):
    open_data(loss_chart)
    assert "<table" not in loss_chart._footer.table
    trainer = make_trainer(callbacks=[loss_chart])
    for num_batches in (5, 10):
        trainer.fit(1)
        scheduler.flush()
        last = loss_chart._footer.table.rpartition('<th scope="row">')[2]
        assert last.startswith(f"{num_batches}</th>")


def test_an_open_table_of_a_long_training_reads_few_batches(loss_chart):
    history = loss_chart.history = History()
    history.batch_losses = CountingList([1.0] * 100_000)
    open_data(loss_chart)
    history.batch_losses.num_read = 0
    loss_chart.redraw()
    assert 'scope="row">100,000</th>' in loss_chart._footer.table
    assert history.batch_losses.num_read < 9_000


class FirstBatch(Callback):
    """Tells when the first batch was trained: only then does a chart redraw."""

    def __init__(self):
        self.is_trained = Event()

    def on_batch_end(self, _trainer, _report):
        self.is_trained.set()


def test_captions_are_read_aloud_only_while_nothing_trains(loss_chart, make_trainer):
    first_batch = FirstBatch()
    session = TrainingSession(make_trainer(callbacks=[loss_chart, first_batch]))
    said = []
    for action in (lambda: None, lambda: session.start(1000), session.pause, session.close):
        action()
        if not session.is_closed:
            session.between_batches(lambda: None).result(TIMEOUT_S)
        assert session.state != "running" or first_batch.is_trained.wait(TIMEOUT_S)
        scheduler.flush()
        said.append((session.state, loss_chart._footer.may_speak))
    assert said == [("idle", True), ("running", False), ("paused", True), ("stopped", True)]


def test_a_request_of_the_page_gives_the_chart_as_a_file(chart, monkeypatch):
    sent = []
    monkeypatch.setattr(chart._footer, "send", lambda *message: sent.append(message))
    for ending in ("png", "csv"):
        chart._footer._handle_custom_msg({"save": ending, "id": ending}, [])
    assert sent == [
        ({"save": "png", "id": "png"}, [chart.to_png()]),
        ({"save": "csv", "id": "csv"}, [chart.to_csv().encode()]),
    ]


def test_a_heading_stands_at_the_begin_of_the_controls(chart):
    controls = chart._controls.children
    chart.show_heading("Title")
    assert "Title" in chart._controls.children[0].value
    assert chart._controls.children[1:] == controls
