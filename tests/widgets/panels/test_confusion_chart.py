"""What the confusion chart draws and which pair a click gives, without a browser."""

from __future__ import annotations

import threading

import ipywidgets.widgets.widget as widget_module
import pytest
import torch
from bqplot import Figure
from bqplot_events import click_cell
from traitlets import TraitError

from mnist_widgets import Callback, DigitSet, Evaluator, SimpleNet, Trainer, TrainingSession
from mnist_widgets.rendering.confusion_captions import DIAGONAL_STRENGTH
from mnist_widgets.widgets import ConfusionChart
from mnist_widgets.widgets.redraws import scheduler

NAMES = ["cat", "dog", "hen"]
DIGITS = list("0123456789")
CLOTHES = [f"clothes {digit}" for digit in DIGITS]
NO_CHOICE = "\N{EN DASH}"
COUNTS = torch.tensor([[6, 2, 0], [1, 3, 4], [5, 0, 7]])


@pytest.fixture
def chart():
    chart = ConfusionChart(class_names=NAMES)
    chart.show_counts(COUNTS)
    scheduler.flush()
    yield chart
    chart.close()


def texts_of(chart) -> list[list[str]]:
    """Return the numbers on the cells, row by row as drawn."""
    scheduler.flush()
    return chart._texts.text.reshape(3, 3).tolist()


def outlined(chart):
    scheduler.flush()
    return None if chart._cells.selected is None else chart._cells.selected.tolist()


def chosen(chart):
    """Return what the two lists show."""
    scheduler.flush()
    return chart._lists.true_label.label, chart._lists.predicted_label.label


def test_a_row_is_a_true_class_and_a_column_a_predicted_one(chart):
    assert texts_of(chart) == [["6", "2", "0"], ["1", "3", "4"], ["5", "0", "7"]]
    assert chart._row_axis.label == "True class"
    assert chart._column_axis.label == "Predicted class"
    assert "16 of 28 right" in chart._footer.caption


def test_many_classes_have_cells_without_numbers_in_a_figure_of_bounded_height():
    chart = ConfusionChart(map(str, range(300)))
    chart.show_counts(torch.eye(300, dtype=torch.int64))
    scheduler.flush()
    assert chart._cells.color.shape == (300, 300)
    assert len(chart._texts.text) == 0
    parts = [part for box in chart.children for part in getattr(box, "children", ())]
    (figure,) = (part for part in (*chart.children, *parts) if isinstance(part, Figure))
    assert int(figure.layout.height.removesuffix("px")) < 1_100


def test_more_classes_than_a_browser_can_show_are_refused():
    with pytest.raises(ValueError, match="at most 300"):
        ConfusionChart(map(str, range(301)))


def test_very_long_names_leave_room_for_the_cells():
    names = [letter * 50 for letter in "abc"]
    chart = ConfusionChart(class_names=names)
    parts = [part for box in chart.children for part in getattr(box, "children", ())]
    (figure,) = [part for part in parts if isinstance(part, Figure)]
    assert figure.fig_margin["left"] < 200
    for axis in figure.axes:
        assert max(map(len, axis.tick_labels.values())) <= 16
    assert [name for name, _ in chart._lists.true_label.options][1:] == names  # in full
    chart.close()


def test_digits_are_called_digits():
    chart = ConfusionChart()
    assert chart._row_axis.label == "True digit"
    assert chart._settings.numbers.options[1][0] == "% of true digit"
    chart.close()


def test_swapped_axes_show_the_transpose(chart):
    chart._settings.swap.value = True
    assert texts_of(chart) == [["6", "1", "5"], ["2", "3", "0"], ["0", "4", "7"]]
    assert chart._row_axis.label == "Predicted class"
    assert chart._column_axis.label == "True class"


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_click_gives_true_and_predicted_and_another_takes_them_back(chart, is_swapped):
    chart._settings.swap.value = is_swapped
    scheduler.flush()
    cell = (2, 1) if is_swapped else (1, 2)
    click_cell(chart._cells, *cell)
    assert chart.selected_pair == (1, 2)
    assert outlined(chart) == [list(cell)]
    assert chosen(chart) == ("dog", "hen")
    assert chart._sentence.value == "4 images"
    click_cell(chart._cells, *cell)
    assert chart.selected_pair is None
    assert outlined(chart) is None
    assert chosen(chart) == (NO_CHOICE, NO_CHOICE)
    assert "Click a cell" in chart._sentence.value


def test_a_click_is_read_by_the_axes_that_were_on_the_page(chart, monkeypatch):
    monkeypatch.setattr(scheduler, "schedule", lambda *_, **__: None)
    chart._settings.swap.value = True  # not drawn yet
    click_cell(chart._cells, 1, 2)
    assert chart.selected_pair == (1, 2)


def test_another_cell_takes_the_place_of_the_first(chart):
    pairs = []
    chart.observe(lambda change: pairs.append(change["new"]), names="selected_pair")
    for cell in ((0, 1), (1, 0)):
        click_cell(chart._cells, *cell)
        scheduler.flush()
    assert pairs == [(0, 1), (1, 0)]


def test_two_lists_choose_a_pair_and_one_alone_none(chart):
    chart._lists.true_label.label = "dog"
    assert chart.selected_pair is None
    assert chosen(chart) == ("dog", NO_CHOICE)
    chart._lists.predicted_label.label = "hen"
    assert chart.selected_pair == (1, 2)
    assert outlined(chart) == [[1, 2]]
    chart._lists.true_label.label = NO_CHOICE
    assert chart.selected_pair is None
    assert chosen(chart) == (NO_CHOICE, "hen")
    assert outlined(chart) is None


def test_a_pair_set_from_outside_shows_without_a_detour(chart):
    pairs = []
    chart.observe(lambda change: pairs.append(change["new"]), names="selected_pair")
    for pair in ((2, 0), (0, 1), None):
        chart.selected_pair = pair
        names = (NO_CHOICE, NO_CHOICE) if pair is None else (NAMES[pair[0]], NAMES[pair[1]])
        assert chosen(chart) == names
    assert pairs == [(2, 0), (0, 1), None]


def test_a_pair_keeps_its_outline_when_the_axes_swap_and_the_counts_change(chart):
    chart.selected_pair = (1, 2)
    chart._settings.swap.value = True
    assert outlined(chart) == [[2, 1]]
    chart.show_counts(COUNTS * 2)
    assert outlined(chart) == [[2, 1]]
    assert chart._sentence.value == "8 images"


@pytest.mark.parametrize("pair", [(0, 3), (-1, 0), (1,), "12", (0.5, 1)])
def test_a_pair_outside_the_classes_is_refused(chart, pair):
    with pytest.raises(TraitError, match="selected_pair"):
        chart.selected_pair = pair
    assert chart.selected_pair is None


def test_shares_show_in_cells_and_in_the_sentence(chart):
    chart.selected_pair = (1, 0)
    chart._settings.numbers.value = "true"
    assert texts_of(chart)[1] == ["12.5", "37.5", "50.0"]
    assert chart._sentence.value.endswith("12.5\xa0% of the images of that class")
    chart._settings.numbers.value = "predicted"
    assert [row[0] for row in texts_of(chart)] == ["50.0", "8.3", "41.7"]


def test_mistakes_are_highlighted_unless_the_box_is_unchecked(chart):
    assert (chart._cells.color.diagonal() == DIAGONAL_STRENGTH).all()
    chart._settings.highlights.value = False
    scheduler.flush()
    assert (chart._cells.color >= 0).all()
    assert chart._cells.color[2, 2] == 7 / 12


@pytest.mark.parametrize("counts", [None, torch.zeros(3, 3, dtype=torch.int64)])
def test_before_the_first_evaluation_a_sentence_explains_the_empty_chart(chart, counts):
    chart.selected_pair = (0, 1)
    chart.show_counts(counts)
    assert {text for row in texts_of(chart) for text in row} == {""}
    assert not chart._cells.color.any()
    assert "Nothing has been evaluated yet" in chart._footer.caption
    assert chart._sentence.value == ""
    assert chart._key.value == ""
    assert outlined(chart) == [[0, 1]]


@pytest.mark.parametrize("counts", [torch.ones(10, 10).long(), torch.ones(9).long()])
def test_counts_of_another_shape_are_refused(chart, counts):
    with pytest.raises(ValueError, match=r"of the shape \(3, 3\).*not torch.int64 of the shape"):
        chart.show_counts(counts)


def test_shares_are_refused_as_counts(chart):
    with pytest.raises(ValueError, match=r"torch\.float32"):
        chart.show_counts(torch.full((3, 3), 1 / 3))


def test_counts_that_go_on_counting_do_not_change_the_chart(chart):
    counts = COUNTS.clone()
    chart.show_counts(counts)
    counts[0, 0] = 99
    assert texts_of(chart)[0][0] == "6"


def test_as_a_callback_it_shows_the_counts_of_each_epoch_until_a_reset(
    chart, make_trainer, batches
):
    evaluator = Evaluator(batches)
    trainer = make_trainer(evaluator=evaluator, callbacks=[chart])
    beginning = trainer.snapshot()
    for _ in range(2):
        trainer.fit(1)
        assert texts_of(chart) == [[str(n) for n in row] for row in evaluator.confusion.tolist()]
    trainer.restore(beginning)
    assert texts_of(chart) == [[""] * 3] * 3


def test_as_a_callback_without_an_evaluator_it_stays_as_it_is(chart, make_trainer):
    make_trainer(callbacks=[chart]).fit(1)
    assert texts_of(chart)[0] == ["6", "2", "0"]


@pytest.mark.parametrize(
    ("shown", "stored", "fits"),
    [
        (DIGITS, ["0 - zero", *DIGITS[1:]], True),
        (DIGITS, CLOTHES, False),
        (CLOTHES, CLOTHES, True),
        ([f"Kleid {digit}" for digit in DIGITS], CLOTHES, True),  # names of one's own
        (DIGITS, ["a", "b"], False),
        (["a", "b"], DIGITS, False),
    ],
)
def test_it_names_the_classes_of_the_test_set_or_no_batch_is_trained(shown, stored, fits):
    images = torch.zeros(len(stored), 28, 28, dtype=torch.uint8)
    digit_set = DigitSet(images, torch.arange(len(stored)), tuple(stored), "clothes")
    model = SimpleNet(28 * 28, len(stored))
    chart, optimizer = ConfusionChart(shown), torch.optim.SGD(model.parameters())
    batches, evaluator = digit_set.batches(5), Evaluator(digit_set.batches(5))
    loss_fn = torch.nn.CrossEntropyLoss()
    trainer = Trainer(model, loss_fn, optimizer, batches, evaluator=evaluator, callbacks=[chart])
    if fits:
        trainer.fit(1)
    else:
        with pytest.raises(ValueError, match=r"ConfusionChart\(test_set\.class_names\)"):
            trainer.fit(1)
    assert trainer.num_batches_trained == (len(stored) // 5 if fits else 0)
    chart.close()


def test_what_stays_the_same_is_not_sent_again(chart):
    sent = []
    for widget in (chart._cells, chart._texts, chart._footer, chart._sentence):
        widget.observe(sent.append)
    chart.show_counts(COUNTS.clone())
    scheduler.flush()
    chart.redraw()
    assert not sent


def test_counts_may_come_from_any_thread_while_cells_are_clicked(chart):
    def train() -> None:
        for factor in range(1, 200):
            chart.show_counts(COUNTS * factor)

    thread = threading.Thread(target=train)
    thread.start()
    for index in range(100):
        click_cell(chart._cells, *divmod(index % 9, 3))
    thread.join()
    assert chart.selected_pair == divmod(99 % 9, 3)
    assert chosen(chart) == tuple(NAMES[label] for label in chart.selected_pair)
    assert texts_of(chart)[0][0] == str(6 * 199)


def test_a_closed_chart_leaves_no_widget_behind():
    before = set(widget_module._instances)
    ConfusionChart().close()
    assert set(widget_module._instances) == before


def test_arrays_and_lists_of_counts_are_shown_as_tensors_are(chart):
    expected = texts_of(chart)
    for counts in (COUNTS.numpy(), COUNTS.tolist(), COUNTS.double()):
        chart.show_counts(None)
        chart.show_counts(counts)
        assert texts_of(chart) == expected
    for wrong in (COUNTS.numpy() - 5, "counts", [[1, 2], [3]]):
        with pytest.raises(ValueError, match="counts must be a tensor"):
            chart.show_counts(wrong)


def test_class_names_may_be_numbers():
    chart = ConfusionChart(class_names=range(3))
    chart.show_counts(COUNTS)
    assert texts_of(chart)[0] == ["6", "2", "0"]
    chart.selected_pair = (0, 1)
    assert chosen(chart) == ("0", "1")
    chart.close()


class EvaluatesAnother(Callback):
    """Evaluates another network with the trainer's evaluator after each epoch."""

    def on_epoch_end(self, trainer, report):
        torch.manual_seed(len(trainer.history["train"]))
        trainer.evaluator.evaluate(torch.nn.Linear(4, 3), "cpu")


def test_as_a_callback_it_shows_the_trained_network_though_another_was_evaluated(
    chart, make_trainer, batches
):
    trainer = make_trainer(evaluator=Evaluator(batches), callbacks=[EvaluatesAnother(), chart])
    for _ in range(3):
        accuracy = trainer.fit(1)["test_accuracy"][-1]
        assert f"Accuracy {100 * accuracy:.1f} %" in chart.static_view().text
        assert f"Accuracy {100 * accuracy:.1f} %" in TrainingSession(trainer).report().text
