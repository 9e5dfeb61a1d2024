"""The rows of the runs, without a browser."""

from __future__ import annotations

import re

import ipywidgets.widgets.widget as widget_module
import pytest

from mnist_widgets import Evaluator, RunConfig
from mnist_widgets.runs.run_log import MAX_RUNS, RunLog
from mnist_widgets.widgets import RunTable
from mnist_widgets.widgets.redraws import scheduler

SLOW, FAST = RunConfig(learning_rate=0.001), RunConfig(learning_rate=0.1)


@pytest.fixture
def table():
    table = RunTable(RunLog())
    yield table
    table.close()


@pytest.fixture
def train(table, make_trainer, batches):
    """Return a function that trains a run of each of the given configurations."""

    def train(*configs):
        for config in configs:
            trainer = make_trainer(callbacks=[table.run_log.record()], evaluator=Evaluator(batches))
            trainer.config = config
            trainer.optimizer.param_groups[0]["lr"] = config.learning_rate
            trainer.fit(2)

    return train


def rows(table):
    """Return checkbox, text and button of each row, as listed."""
    scheduler.flush()
    parts = table._grid.children[2:]
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


def test_an_empty_table_says_when_a_run_begins(table):
    assert table._grid.children == ()
    assert table._caption.value.startswith("No run yet.")


def test_each_run_has_a_row_that_names_what_differs(table, train):
    train(SLOW)
    ((checkbox, text, _),) = rows(table)
    assert checkbox.description == "Run 1"
    assert SLOW.to_string() in text.value
    assert "<strong>run 1" not in text.value
    train(FAST)
    assert "<strong>lr 0.001</strong>" in rows(table)[0][1].value
    assert "<strong>lr 0.1</strong>" in rows(table)[1][1].value


def test_a_row_tells_accuracy_epochs_and_time(table, train):
    train(SLOW)
    run = table.run_log.runs[0]
    run.history["test_accuracy"] = [0.5, 0.97814, 0.9]
    run.duration_s = 200.0
    table.redraw()
    text = rows(table)[0][1].value
    assert "97.81\xa0%" in text
    assert "epochs </i>2<" in text
    assert "3 min 20 s" in text


def test_a_changed_learning_rate_is_shown_for_a_single_run_too(table, train):
    train(SLOW)
    table.run_log.runs[0].learning_rates[:] = [0.001, 0.01, 0.5]
    table.redraw()
    assert f"{SLOW.to_string()} (lr 0.001 → 0.01 → 0.5)" in rows(table)[0][1].value


def test_screen_readers_and_static_views_get_each_columns_heading(table, train):
    train(SLOW)
    text = rows(table)[0][1].value
    for heading in re.findall("<span>(.*?)</span>", table._grid.children[1].value):
        assert f"{heading.lower()} </i>" in text
        assert f"{heading.lower()} " in table.static_view().text


def test_the_best_accuracy_is_strong(table, train):
    train(SLOW, FAST)
    for run, accuracy in zip(table.run_log.runs, (0.5, 0.75), strict=True):
        run.history["test_accuracy"] = [accuracy]
    table.redraw()
    first, second = (text.value for _, text, _ in rows(table))
    assert "<strong>75.00\xa0%</strong>" in second
    assert "50.00\xa0%" in first
    assert "<strong>50.00\xa0%</strong>" not in first


def test_the_checkbox_shows_and_hides(table, train):
    train(SLOW, FAST)
    checkbox = rows(table)[0][0]
    assert checkbox.value
    checkbox.value = False
    assert table.run_log.earlier_shown == ()
    checkbox.value = True
    assert table.run_log.earlier_shown == (table.run_log.runs[0],)


def test_checkboxes_follow_the_log(table, train):
    train(*[SLOW] * 6)
    assert [checkbox.value for checkbox, _, _ in rows(table)] == [False, *[True] * 5]
    rows(table)[0][0].value = True
    assert [checkbox.value for checkbox, _, _ in rows(table)] == [True, False, *[True] * 4]


def test_deleting_removes_the_row_and_the_others_keep_theirs(table, train):
    train(SLOW, FAST, SLOW)
    first, second, third = rows(table)
    second[2].click()
    assert [run.number for run in table.run_log.runs] == [1, 3]
    assert rows(table) == [first, third]
    second[2].click()  # the second click of a double one
    second[0].value = not second[0].value
    assert [run.number for run in table.run_log.runs] == [1, 3]


def test_the_current_run_can_be_neither_hidden_nor_deleted(table, train):
    train(SLOW, FAST)
    assert [button.disabled for _, _, button in rows(table)] == [False, True]
    assert [checkbox.disabled for checkbox, _, _ in rows(table)] == [False, True]
    table.run_log.close_current()
    assert [button.disabled for _, _, button in rows(table)] == [False, False]


def test_the_table_has_room_for_every_run_that_is_kept(table, train):
    train(*[SLOW] * (MAX_RUNS + 1))
    descriptions = [checkbox.description for checkbox, _, _ in rows(table)]
    assert descriptions == [f"Run {number}" for number in range(2, MAX_RUNS + 2)]


def test_different_loss_functions_come_with_a_warning(table, train):
    train(SLOW)
    rows(table)
    assert "Different loss" not in table._caption.value
    train(RunConfig(loss="mse"))
    rows(table)
    assert "Different loss functions: compare their accuracies" in table._caption.value


def test_the_table_is_made_of_few_widgets():
    before = len(widget_module._instances)
    table = RunTable(RunLog())
    assert len(widget_module._instances) - before < 50
    table.close()


def test_a_closed_table_leaves_no_widget_and_no_listener_behind():
    log = RunLog()
    before = set(widget_module._instances)
    RunTable(log).close()
    assert set(widget_module._instances) == before
    assert len(log._listeners) == 0


def test_the_gap_has_a_column_only_if_a_run_has_one(table, train):
    train(SLOW, FAST)
    scheduler.flush()
    assert "Gap" not in table._grid.children[1].value
    first, second = table.run_log.runs
    second.history["train_accuracy"] = [0.9, 0.999]
    second.history["test_accuracy"] = [0.7, 0.75]
    table.redraw()
    assert "Gap" in table._grid.children[1].value
    texts = [text.value for _, text, _ in rows(table)]
    assert "24.9 points" in texts[1]
    assert "points" not in texts[0]
    assert "gap 24.9 points" in table.static_view().text
    assert [text.count("<span") for text in texts] == [5, 5]
    table.run_log.close_current()
    table.run_log.delete(second.number)
    table.redraw()
    assert "Gap" not in table._grid.children[1].value
    assert first in table.run_log.runs


def test_what_was_expected_stands_beside_what_came(table, train):
    table.run_log.expected_accuracy = 0.9
    train(SLOW)
    run = table.run_log.runs[0]
    run.history["test_accuracy"] = [0.99, 0.978]
    table.redraw()
    assert "You expected 90\xa0%; it is 97.8\xa0%." in rows(table)[0][1].value
    assert "You expected 90 %; it is 97.8 %." in table.static_view().text
    run.expected_accuracy = None
    table.redraw()
    assert "expected" not in rows(table)[0][1].value
