"""What a run leaves behind: numbers by epoch and by batch, and tables of them."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from mnist_widgets import History


@pytest.fixture
def history():
    """Two epochs of two batches, and one batch of a third."""
    history = History()
    for losses, accuracy in (((2.0, 1.0), 0.5), ((0.9, 0.7), 0.75)):
        for loss in losses:
            history.add_batch(loss)
        history.add_epoch(sum(losses) / 2, {"test_accuracy": accuracy})
    history.add_batch(0.6)
    return history


def test_it_is_a_dict_of_lists_as_the_tutorials_trainer_returns(history):
    assert isinstance(history, dict)
    assert history == {"train": [1.5, 0.8], "test_accuracy": [0.5, 0.75]}


def test_it_is_empty_before_the_first_batch():
    history = History()
    assert history == {}
    assert history.batch_losses == history.epoch_ends == []
    assert history.num_epochs == 0


def test_every_batch_is_kept_and_counted():
    history = History()
    assert [history.add_batch(loss) for loss in (0.3, math.inf, 0.1)] == [1, 2, 3]
    assert history.batch_losses == [0.3, math.inf, 0.1]
    assert history == {}


def test_epoch_ends_count_the_batches_up_to_them(history):
    assert history.epoch_ends == [2, 4]
    assert history.num_epochs == 2
    history.add_epoch(0.6)
    assert history.epoch_ends == [2, 4, 5]


def test_a_metric_that_comes_late_stands_at_its_own_epoch(history):
    history.add_epoch(0.6, {"test_accuracy": 0.8, "test_loss": 0.7})
    assert history["test_loss"] == pytest.approx([math.nan, math.nan, 0.7], nan_ok=True)
    assert history["train"] == [1.5, 0.8, 0.6]


def test_a_metric_that_pauses_stands_at_its_own_epochs(history):
    history.add_epoch(0.6)
    table = history.to_dataframe()
    assert table["test_accuracy"].to_list() == pytest.approx([0.5, 0.75, math.nan], nan_ok=True)
    history.add_epoch(0.5, {"test_accuracy": 0.9})
    assert history["test_accuracy"] == pytest.approx([0.5, 0.75, math.nan, 0.9], nan_ok=True)


def test_entries_of_the_users_own_stay(history):
    history["note"], history["best"] = "as in the book", 0.9
    history.add_epoch(0.6, {"test_accuracy": 0.8})
    assert (history["note"], history["best"]) == ("as in the book", 0.9)
    assert history["train"] == [1.5, 0.8, 0.6]


def test_a_metric_called_train_is_refused_and_leaves_the_history_alone(history):
    with pytest.raises(ValueError, match="cannot be called 'train'"):
        history.add_epoch(0.6, {"test_accuracy": 0.8, "train": 0.1})
    assert history == {"train": [1.5, 0.8], "test_accuracy": [0.5, 0.75]}
    assert history.num_epochs == 2


def test_the_table_of_epochs_has_a_column_for_each_name_and_counts_from_1(history):
    expected = pd.DataFrame(
        {"train": [1.5, 0.8], "test_accuracy": [0.5, 0.75]},
        index=pd.RangeIndex(1, 3, name="epoch"),
    )
    pd.testing.assert_frame_equal(history.to_dataframe(), expected)


def test_the_table_of_batches_holds_the_losses_and_counts_from_1(history):
    expected = pd.DataFrame(
        {"loss": [2.0, 1.0, 0.9, 0.7, 0.6]}, index=pd.RangeIndex(1, 6, name="batch")
    )
    pd.testing.assert_frame_equal(history.to_dataframe("batch"), expected)


@pytest.mark.parametrize(("by", "columns"), [("epoch", []), ("batch", ["loss"])])
def test_an_empty_history_gives_empty_tables(by, columns):
    table = History().to_dataframe(by)
    assert len(table) == 0
    assert list(table.columns) == columns
    assert table.index.name == by


def test_batches_without_a_whole_epoch_make_no_row_of_epochs():
    history = History()
    history.add_batch(2.3)
    assert len(history.to_dataframe()) == 0
    assert len(history.to_dataframe("batch")) == 1


@pytest.mark.parametrize("by", ["step", "epochs", None])
def test_another_kind_of_row_is_named(history, tmp_path, by):
    with pytest.raises(ValueError, match=f"'epoch' or 'batch', not {by!r}"):
        history.to_dataframe(by)
    with pytest.raises(ValueError, match=f"'epoch' or 'batch', not {by!r}"):
        history.to_csv(tmp_path / "history.csv", by)
    assert not (tmp_path / "history.csv").exists()


def test_a_csv_file_has_single_line_ends_on_windows_too(history, tmp_path, monkeypatch):
    write_text = Path.write_text

    def write_text_on_windows(path, text, encoding=None, errors=None, newline=None):
        return write_text(path, text, encoding, errors, "\r\n" if newline is None else newline)

    monkeypatch.setattr("os.linesep", "\r\n")
    monkeypatch.setattr(Path, "write_text", write_text_on_windows)
    text = history.to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_bytes() == text.encode()


@pytest.mark.parametrize("by", ["epoch", "batch"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_csv_file_reads_back_as_the_same_table(history, tmp_path, by, as_text):
    history.add_epoch(1 / 3, {"test_loss": 2 / 3})  # so that something is missing, too
    path = tmp_path / "history.csv"
    history.to_csv(str(path) if as_text else path, by)
    read = pd.read_csv(path, index_col=by)
    pd.testing.assert_frame_equal(
        read, history.to_dataframe(by), check_index_type=False, rtol=1e-12
    )


def test_numbers_are_found_by_epoch_without_those_that_are_none():
    history = History()
    for metrics in ({}, {"test_accuracy": 0.5}, {}, {"test_accuracy": math.inf}, {}):
        history.add_epoch(1.0, metrics)
    assert history.find_numbers("test_accuracy") == {2: 0.5}
    assert history.find_numbers("f1") == {}
    values = [history.find("test_accuracy", epoch) for epoch in range(1, 6)]
    assert values == pytest.approx([math.nan, 0.5, math.nan, math.inf, math.nan], nan_ok=True)
