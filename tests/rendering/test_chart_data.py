"""The numbers behind each chart, as tables."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
import torch

from mnist_widgets import DigitSet, History
from mnist_widgets.rendering.chart_data import (
    tabulate_confusion,
    tabulate_images,
    tabulate_losses,
    tabulate_prediction,
    write_html,
)

LONG = ["<b>a very long name of a class & more</b>", "b", "c"]


def test_each_batch_has_a_row_and_the_last_of_an_epoch_its_metrics():
    history = History()
    for loss in (3.0, 2.0, math.nan):
        history.add_batch(loss)
        if loss == 2.0:
            history.add_epoch(2.5, {"test_loss": 2.25})
    table = tabulate_losses(history)
    assert table.index.name == "batch"
    assert table.index.tolist() == [1, 2, 3]
    assert table["loss"].tolist() == pytest.approx([3, 2, math.nan], nan_ok=True)
    metrics = table[["epoch", "mean loss of the epoch", "test_loss"]]
    assert metrics.loc[2].tolist() == [1, 2.5, 2.25]
    assert metrics.loc[[1, 3]].isna().all(axis=None)


def test_the_epochs_in_a_file_are_whole_numbers():
    history = History()
    for loss in (3.0, 2.0):
        history.add_batch(loss)
    history.add_epoch(2.5, {"test_loss": 2.25})
    assert tabulate_losses(history).to_csv().splitlines() == [
        "batch,loss,epoch,mean loss of the epoch,test_loss",
        "1,3.0,,,",
        "2,2.0,1,2.5,2.25",
    ]


def test_metrics_may_have_the_names_of_other_columns():
    names = ("loss", "epoch", "batch", "mean loss of the epoch", "loss (metric)")
    history = History()
    history.add_batch(3.0)
    history.add_epoch(2.5, {name: 10.0 + at for at, name in enumerate(names)})
    table = tabulate_losses(history)
    read = pd.read_csv(io.StringIO(table.to_csv()), index_col="batch")
    assert table.columns.is_unique
    assert read.columns.tolist() == table.columns.tolist()
    assert read[["loss", "epoch", "mean loss of the epoch"]].loc[1].tolist() == [3, 1, 2.5]
    assert sorted(read.loc[1]) == [1, 2.5, 3, 10, 11, 12, 13, 14]


def test_an_epoch_that_is_just_being_added_has_no_row_yet():
    history = History()
    history.add_batch(3.0)
    history.add_epoch(3.0, {"test_loss": 2.0})
    history["train"].append(2.0)  # as a training does it, one list after the other
    table = tabulate_losses(history)
    assert table["epoch"].tolist() == [1]


def test_empty_tables_have_their_columns_and_a_sentence_on_the_page():
    digit_set = DigitSet(torch.zeros(1, 28, 28, dtype=torch.uint8), torch.tensor([0]), LONG, "one")
    none = torch.tensor([], dtype=torch.int64)
    tables = {
        "loss": tabulate_losses(History()),
        "recall": tabulate_confusion(None, LONG),
        "probability": tabulate_prediction(None, LONG),
        "predicted": tabulate_images(digit_set, torch.zeros(1, 3), none),
    }
    for column, table in tables.items():
        assert len(table) == 0
        assert column in table.columns
        assert "<table" not in write_html(table)
        assert len(pd.read_csv(io.StringIO(table.to_csv()))) == 0


def test_the_confusion_table_has_counts_recall_and_precision():
    counts = torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    table = tabulate_confusion(counts, LONG)
    assert table.index.tolist() == LONG
    assert table[f"predicted {LONG[0]}"].tolist() == [6, 1, 0]
    assert table["recall"].tolist() == pytest.approx([0.75, 0.75, math.nan], nan_ok=True)
    assert table["precision"].tolist() == pytest.approx([6 / 7, 0.6, math.nan], nan_ok=True)


def test_the_prediction_table_has_each_class_also_without_numbers():
    table = tabulate_prediction(torch.tensor([0.25, 0.5, 0.25]), LONG)
    assert table.index.tolist() == LONG
    assert table["probability"].tolist() == [0.25, 0.5, 0.25]
    nans = tabulate_prediction(torch.full((3,), math.nan), LONG)
    assert nans["probability"].isna().all()
    assert write_html(nans).count("<td>nan</td>") == 3


def test_the_image_table_tells_a_missing_answer_from_one_that_is_no_number():
    images, labels = torch.zeros(4, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])
    digit_set = DigitSet(images, labels, LONG, "four")
    nan = math.nan
    answers = torch.tensor([[0.5, 0.25, 0.25], [0.0] * 3, [nan] * 3, [0.25, 0.75, 0.0]])
    table = tabulate_images(digit_set, answers, torch.tensor([3, 0, 1, 2]))
    assert table.index.tolist() == [3, 0, 1, 2]
    assert table["true"].tolist() == [LONG[0], LONG[0], "b", "c"]
    assert table["predicted"].tolist()[:3] == ["b", LONG[0], None]
    assert table["right"].tolist()[:3] == [False, True, None]
    assert table["probability"].tolist()[:3] == [0.75, 0.5, None]
    assert math.isnan(table["probability"][2])
    assert table.loc[2, ["predicted", "right"]].tolist() == [None, None]
    html = write_html(table)
    assert "<td>b</td><td></td><td></td><td></td>" in html
    assert "<td>nan</td>" in html


def test_the_html_has_headers_for_rows_and_columns_and_escapes_names():
    html = write_html(tabulate_prediction(torch.tensor([0.123456, 0.5, 0.25]), LONG))
    assert html.count('scope="col"') == 2
    assert html.count('scope="row"') == 3
    assert "<b>" not in html
    assert "&lt;b&gt;a very long name" in html
    assert "<td>12.3\xa0%</td>" in html


def test_the_page_shows_probabilities_near_0_and_1_as_the_chart_does():
    html = write_html(tabulate_prediction(torch.tensor([0.99999, 0.00001, 0.0]), LONG))
    for share in ("&gt;99.9\xa0%", "&lt;0.1\xa0%", "0\xa0%"):
        assert f"<td>{share}</td>" in html
