"""The drawing pad without a browser: what is drawn, what the network reads, and the own set."""

from __future__ import annotations

import gc
import json
import random
import re
import sys
import threading
import time

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import (
    DigitSet,
    Evaluator,
    SimpleNet,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    train_step,
)
from mnist_widgets.data.handwriting.drawing import Drawing
from mnist_widgets.data.handwriting.drawing_files import load_drawings, read_drawings, write_text
from mnist_widgets.training.evaluation.evaluator import predict_probabilities
from mnist_widgets.widgets import ConfusionChart, DrawingPad, ImageGallery, dashboard
from mnist_widgets.widgets.parts.drawing import live_reader
from mnist_widgets.widgets.redraws import scheduler

TRAIN_SET, TEST_SET = load_bundled_digits()
ONE = [[[0.5, 0.2], [0.5, 0.8]]]
SEVEN = [[[0.2, 0.2], [0.8, 0.2], [0.4, 0.9]]]


def make_model(num_classes: int = 10) -> nn.Module:
    torch.manual_seed(1)
    return SimpleNet(28 * 28, num_classes, hidden_units=16)


def make_session(model: nn.Module | None = None, **options) -> TrainingSession:
    model = model or make_model()
    optimizer = torch.optim.Adam(model.parameters())
    batches = TRAIN_SET.batches(32, generator=torch.Generator().manual_seed(2))
    return TrainingSession(
        Trainer(model, nn.CrossEntropyLoss(), optimizer, batches, device="cpu", **options)
    )


@pytest.fixture
def session():
    session = make_session()
    yield session
    session.close()


@pytest.fixture
def make_pad():
    pads = []

    def make(source=None, **options) -> DrawingPad:
        pads.append(DrawingPad(make_model() if source is None else source, **options))
        return pads[-1]

    yield make
    for pad in pads:
        pad.close()


@pytest.fixture
def pad(make_pad):
    return make_pad()


def expect_prediction(pad, model, strokes) -> None:
    """Expect that the bars show what the model says of a drawing."""
    expected = predict_probabilities(model, Drawing(strokes).to_image())[0].tolist()
    assert pad.to_dataframe()["probability"].tolist() == pytest.approx(expected, abs=1e-6)


def find_all(widget, css_class):
    """Return the widgets of a panel that have a CSS class."""
    children = getattr(widget, "children", ())
    found = [each for child in children for each in find_all(child, css_class)]
    return [widget, *found] if css_class in getattr(widget, "_dom_classes", ()) else found


def find(widget, css_class):
    """Return the first widget of a panel that has a CSS class, or None."""
    return next(iter(find_all(widget, css_class)), None)


def send(widget, message, buffers=()):
    """Let a widget receive a message of the page."""
    data = {"method": "custom", "content": message}
    widget._handle_msg({"content": {"data": data}, "buffers": list(buffers)})


def draw(pad, strokes):
    """Let the page write a drawing, and wait until it is predicted and drawn."""
    state = {"strokes": strokes, "drawing_number": next_number(pad)}
    find(pad, "mw-canvas").set_state(state)
    scheduler.flush()


def next_number(pad) -> int:
    """Return the number that the page gives to the drawing now."""
    canvas = find(pad, "mw-canvas")
    return max(canvas.drawing_number, canvas.last_added + 1)


def settle(session):
    session.between_batches(lambda: None).result(TIMEOUT_S)
    scheduler.flush()


def caption(pad) -> str:
    return find(pad, "mw-chart-footer").caption


def alert(pad) -> str:
    words = read_notice(pad)
    return words if "mw-alert" in words else ""


def read_notice(pad) -> str:
    return " ".join(
        child.value
        for child in find(pad, "mw-own-set").children
        if "mw-notice" in getattr(child, "value", "")
    )


def add(pad, strokes, label):
    draw(pad, strokes)
    number = next_number(pad)
    send(find(pad, "mw-canvas"), {"drawing_number": number, "strokes": strokes, "label": label})
    scheduler.flush()


def load(pad, *files, unreadable=()):
    names, contents = [name for name, _ in files], [text.encode() for _, text in files]
    message = {"names": names, "unreadable": list(unreadable), "is_too_large": False}
    send(find(pad, "mw-file-buttons"), message, contents)
    scheduler.flush()


def test_an_empty_pad_predicts_nothing(pad):
    assert pad.drawing.is_empty
    assert pad.to_dataframe()["probability"].isna().all()
    draw(pad, ONE)
    assert not pad.to_dataframe()["probability"].isna().any()
    draw(pad, [])
    assert pad.to_dataframe()["probability"].isna().all()


def test_the_probabilities_are_those_of_the_image_that_is_shown(make_pad, session):
    for source, model in ((make_model(), make_model()), (session, session.trainer.model)):
        pad = make_pad(source)
        draw(pad, SEVEN)
        settle(session)
        expected = predict_probabilities(model, Drawing(SEVEN).to_image())[0]
        shown = torch.tensor(pad.to_dataframe()["probability"].to_numpy(), dtype=torch.float32)
        assert torch.allclose(shown, expected, atol=1e-6)
        assert f"{expected.argmax()}" in caption(pad)


def test_a_switch_of_a_stage_changes_what_is_predicted(pad):
    draw(pad, [[[0.1, 0.1], [0.1, 0.3]]])
    before = pad.to_dataframe()["probability"].tolist()
    switches = [box for box in _checkboxes(pad) if box.description in ("Scale", "Center")]
    assert len(switches) == 2
    for switch in switches:
        switch.value = False
    scheduler.flush()
    image = Drawing([[[0.1, 0.1], [0.1, 0.3]]]).to_image(scale=False, center=False)
    expected = predict_probabilities(make_model(), image)[0]
    shown = pad.to_dataframe()["probability"].tolist()
    assert shown == pytest.approx(expected.tolist(), abs=1e-6)
    assert shown != before


def _checkboxes(widget):
    if type(widget).__name__ == "Checkbox":
        return [widget]
    return [box for child in getattr(widget, "children", ()) for box in _checkboxes(child)]


def test_pictures_and_bars_belong_to_one_drawing_also_while_the_next_is_predicted(
    make_pad, session
):
    def shown():
        scheduler.flush()
        return (
            find(pad, "mw-stage-pictures").value,
            pad.to_png(),
            pad.to_dataframe()["probability"].tolist(),
        )

    pad = make_pad(session)
    draw(pad, SEVEN)
    settle(session)
    before = shown()
    goes_on = threading.Event()
    session.between_batches(lambda: goes_on.wait(TIMEOUT_S))  # the prediction waits behind it
    draw(pad, ONE)
    pad.schedule_redraw()
    assert shown() == before
    goes_on.set()
    settle(session)
    assert all(new != old for new, old in zip(shown(), before, strict=True))


def test_new_weights_change_the_prediction(make_pad, session):
    pad = make_pad(session)
    draw(pad, SEVEN)
    settle(session)
    before = pad.to_dataframe()["probability"].tolist()
    session.step()
    settle(session)
    settle(session)
    expected = predict_probabilities(session.trainer.model, Drawing(SEVEN).to_image())[0]
    shown = pad.to_dataframe()["probability"].tolist()
    assert shown == pytest.approx(expected.tolist(), abs=1e-6)
    assert shown != before


@pytest.mark.parametrize(("num_cpus", "wait_s"), [(2, live_reader.DRAWING_S), (8, 0.0)])
def test_a_training_leaves_few_cpus_to_the_page_that_draws(
    make_pad, session, monkeypatch, num_cpus, wait_s
):
    monkeypatch.setattr(live_reader, "effective_cpu_count", lambda: num_cpus)
    waits, has_waited, sleep = [], threading.Event(), time.sleep

    def note(seconds: float) -> None:
        if session.is_worker_here:
            waits.append(seconds)
            has_waited.set()
        sleep(seconds)

    monkeypatch.setattr(live_reader.time, "sleep", note)
    pad = make_pad(session)
    draw(pad, SEVEN)
    settle(session)
    assert waits == []  # nothing trains
    session.start(10_000)
    draw(pad, ONE)
    assert has_waited.wait(TIMEOUT_S)
    assert set(waits) == {wait_s}


class Meeting(nn.Module):
    """Lets a batch wait for a prediction in the middle of it, and a prediction for that batch."""

    def __init__(self):
        super().__init__()
        self.has_batch, self.goes_on, self.batch_ended = (threading.Event() for _ in range(3))

    def forward(self, images):
        if len(images) > 1 and not self.has_batch.is_set():
            self.has_batch.set()
            assert self.goes_on.wait(TIMEOUT_S)
        elif len(images) == 1:
            self.goes_on.set()
            assert self.batch_ended.wait(TIMEOUT_S)
        return images


def test_the_pad_of_a_model_waits_for_the_batches_of_a_session_made_later(make_pad):
    meeting, norm = Meeting(), nn.BatchNorm1d(8)
    model = nn.Sequential(nn.Flatten(), meeting, nn.Linear(784, 8), norm, nn.Linear(8, 10))
    pad = make_pad(model)
    session = make_session(model, train_step=end_batch(meeting))
    session.step()
    assert meeting.has_batch.wait(TIMEOUT_S)
    draw(pad, SEVEN)
    meeting.goes_on.set()
    settle(session)
    assert session.error is None
    assert norm.num_batches_tracked == 1  # batch norm was in training mode during the batch
    expect_prediction(pad, model, SEVEN)


def end_batch(meeting):
    """Return the usual `train_step` that tells when it has ended."""

    def step(*arguments):
        try:
            return train_step(*arguments)
        finally:
            meeting.batch_ended.set()

    return step


def test_the_pad_of_a_model_follows_a_session_that_trains_it(make_pad):
    model = make_model()
    pad = make_pad(model)
    session = make_session(model)
    draw(pad, SEVEN)
    settle(session)
    before = pad.to_dataframe()["probability"].tolist()
    session.step()
    settle(session)
    settle(session)
    expect_prediction(pad, model, SEVEN)
    assert pad.to_dataframe()["probability"].tolist() != before


def test_a_pad_predicts_no_model_that_a_cell_may_train_but_after_the_cell(shell, make_pad):
    """A message of the page can come in another thread, while the main thread runs a cell."""
    model = make_model()
    pad = make_pad(model)
    shell.events.trigger("pre_run_cell", None)
    draw(pad, SEVEN)
    assert caption(pad) == "No prediction yet."
    shell.events.trigger("post_run_cell", None)
    scheduler.flush()
    assert "%" in caption(pad)


def test_the_pad_of_a_session_follows_what_a_cell_does_to_the_weights(shell, make_pad, session):
    pad = make_pad(session)
    draw(pad, SEVEN)
    settle(session)
    session.trainer.fit(1)
    shell.events.trigger("post_run_cell", None)
    settle(session)
    expect_prediction(pad, session.trainer.model, SEVEN)


def test_a_drawing_that_is_cleared_during_its_prediction_does_not_come_back(make_pad):
    model = make_model()
    pad = make_pad(model)
    calls = []

    def clear_once(*_arguments) -> None:
        if not calls:
            calls.append(1)
            draw(pad, [])
            draw(pad, ONE)

    model.register_forward_hook(clear_once)
    draw(pad, SEVEN)
    assert calls
    expect_prediction(pad, model, ONE)


@pytest.mark.usefixtures("shell")
def test_a_refused_pad_raises_nothing_else_when_it_is_collected(session, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: raised.append(error.exc_value))
    for source, names in ((session, ["a", "a"]), (make_model(), "aa"), (None, None)):
        with pytest.raises((TypeError, ValueError)):
            DrawingPad(source, class_names=names)
        gc.collect()
    assert not raised


def test_a_pad_that_is_refused_or_closed_leaves_nothing_that_observes(session, make_pad):
    listeners = list(session._listeners)
    with pytest.raises(ValueError, match=r"twice|same|differ"):
        DrawingPad(session, class_names=["a", "a"])
    assert list(session._listeners) == listeners
    pad = make_pad(session)
    pad.close()
    pad._reader._submit()  # as a worker does that has begun before
    assert list(session._listeners) == listeners


def test_a_network_that_cannot_read_the_drawing_says_so_where_the_bars_are(make_pad):
    pad = make_pad(nn.Linear(3, 10))
    draw(pad, ONE)
    assert "cannot be predicted" in caption(pad)
    pad = make_pad(make_model(num_classes=4))
    draw(pad, ONE)
    assert "4 classes" in caption(pad)
    with pytest.raises(TypeError, match="a TrainingSession or a Module"):
        DrawingPad("model")


def test_a_training_with_normalized_images_is_named_beside_the_probabilities(make_pad):
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters())
    batches = TRAIN_SET.batches(32, transform=lambda inputs: (inputs - 0.13) / 0.31)
    session = TrainingSession(Trainer(model, nn.CrossEntropyLoss(), optimizer, batches))
    pad = make_pad(session)
    draw(pad, ONE)
    assert "normalization" not in caption(pad)
    session.step()
    session.between_batches(lambda: None).result(TIMEOUT_S)
    draw(pad, SEVEN)
    assert "range from -0.419 to 2.81" in caption(pad)
    assert "normalization the model's first layer" in caption(pad)
    session.close()


def test_the_pad_of_a_closed_session_says_so(make_pad, session):
    pad = make_pad(session)
    session.close()
    draw(pad, ONE)
    assert "closed" in caption(pad)


def test_a_drawing_is_added_with_its_label_and_leaves_the_canvas(pad):
    add(pad, SEVEN, 7)
    assert pad.drawings == [(Drawing(SEVEN), 7)]
    assert pad.drawing.is_empty
    assert "1 of 7" in pad.static_view().text
    assert "of 1" not in pad.static_view().text
    add(pad, ONE, 1)
    find(pad, "mw-undo").click()
    assert pad.drawings == [(Drawing(SEVEN), 7)]


def test_what_arrives_after_an_addition_neither_changes_it_nor_brings_it_back(pad):
    canvas = find(pad, "mw-canvas")
    draw(pad, ONE)  # the kernel has seen the begin of a seven
    number = canvas.drawing_number
    addition = {"drawing_number": number, "strokes": SEVEN, "label": 7}
    send(canvas, addition)
    canvas.set_state({"strokes": SEVEN, "drawing_number": number})
    send(canvas, addition)  # of another page that shows the same drawing
    assert pad.drawings == [(Drawing(SEVEN), 7)]
    assert pad.drawing.is_empty
    canvas.set_state({"strokes": ONE, "drawing_number": number + 1})
    assert pad.drawing == Drawing(ONE)
    canvas.set_state({"strokes": SEVEN, "drawing_number": number})  # held back until now
    assert pad.drawing == Drawing(ONE)


def test_an_empty_set_is_refused_in_a_sentence(pad, tmp_path):
    for use in (pad.digit_set, lambda: pad.save(tmp_path / "none.json")):
        with pytest.raises(ValueError, match="set is empty"):
            use()


def test_the_set_has_the_preprocessing_that_the_pad_shows_unless_another_is_given(pad):
    add(pad, SEVEN, 7)
    for box in _checkboxes(pad):
        box.value = False
    find(pad, "mw-canvas").set_state({"pen": 1.8})
    shown = Drawing(SEVEN).to_image(scale=False, center=False, pen=1.8)
    assert torch.equal(pad.digit_set().images[0], shown)
    usual = Drawing(SEVEN).to_image(pen=1.3)
    assert torch.equal(pad.digit_set(scale=True, center=True, pen=1.3).images[0], usual)


def test_what_is_said_aloud_is_short_and_is_said_again_when_it_happens_again(pad):
    region, said = find(pad, "mw-own-set").children[-1], []
    region.observe(lambda change: said.append(change.new), "words")
    for label in (1, 3):
        add(pad, ONE, label)
    assert said[-1] == "Added a 3. 2 drawings."
    said.clear()
    for _ in range(3):
        load(pad, ("bad.json", "no"))
    assert len(said) == 3
    assert all("bad.json" in words for words in said)
    pad.schedule_redraw()
    scheduler.flush()
    assert len(said) == 3


def test_files_are_merged_and_a_bad_one_is_named(pad):
    ones = write_text([Drawing(ONE)] * 2, [1, 1])
    sevens = write_text([Drawing(SEVEN)], [7])
    load(pad, ("ones.json", ones), ("bad.json", "<b>no</b>"), ("sevens.json", sevens))
    assert [label for _, label in pad.drawings] == [1, 1, 7]
    assert "bad.json" in alert(pad)
    assert "ones.json" not in alert(pad)
    load(pad, ("<img src=x>.json", "{}"))
    assert "<img" not in alert(pad)
    find(pad, "mw-undo").click()
    assert not pad.drawings


def test_drawings_that_the_set_has_are_left_out_and_the_page_says_how_many(pad):
    add(pad, SEVEN, 7)
    ones = write_text([Drawing(ONE)] * 2, [1, 1])
    both = write_text([Drawing(SEVEN), Drawing(ONE), Drawing(ONE)], [7, 1, 7])
    load(pad, ("ones.json", ones), ("copy.json", ones), ("both.json", both))
    assert [label for _, label in pad.drawings] == [7, 1, 1, 7]
    assert "New drawings: 3. Already in my set and left out: 4" in read_notice(pad)
    assert not alert(pad)
    load(pad, ("ones.json", ones), ("bad.json", ""))
    assert len(pad.drawings) == 4
    assert "left out: 2" in alert(pad)
    assert "bad.json" in alert(pad)
    draw(pad, ONE)
    assert not read_notice(pad)
    find(pad, "mw-undo").click()  # of the first files: the later ones added nothing
    assert [label for _, label in pad.drawings] == [7]


def test_a_file_that_the_browser_cannot_read_is_named(pad):
    ones = write_text([Drawing(ONE)], [1])
    load(pad, ("ones.json", ones), unreadable=["cloud.json", "x" * 1_000])
    assert len(pad.drawings) == 1
    assert "cannot read cloud.json" in alert(pad)
    assert len(alert(pad)) < 1_000


def test_additions_are_undone_one_after_the_other_and_any_drawing_can_be_removed(pad):
    add(pad, SEVEN, 7)
    load(pad, ("ones.json", write_text([Drawing(ONE)] * 2, [1, 2])))
    add(pad, ONE, 3)
    add(pad, ONE, 4)
    pad.remove(2)
    assert [label for _, label in pad.drawings] == [7, 1, 3, 4]
    for index in (4, -1):
        with pytest.raises(IndexError, match=f"no drawing {index}: it has 4"):
            pad.remove(index)
    undo = find(pad, "mw-undo")
    for labels in ([7, 1, 3], [7, 1], [7], []):
        assert not undo.disabled
        undo.click()
        scheduler.flush()
        assert [label for _, label in pad.drawings] == labels
    assert undo.disabled
    add(pad, SEVEN, 7)
    pad.remove(0)
    scheduler.flush()
    assert undo.disabled
    with pytest.raises(IndexError, match="it has none"):
        pad.remove(0)


def test_a_pad_or_a_lab_that_is_made_again_has_the_drawings_of_the_one_before(make_pad):
    first = make_pad()
    add(first, SEVEN, 7)
    first.close()
    second = make_pad(make_session())  # as when all cells of a lesson are run again
    assert second.drawings == [(Drawing(SEVEN), 7)]
    assert "1 drawing" in find(second, "mw-set-status").value
    for number in range(2, 5):
        lab = dashboard(data=(TRAIN_SET, TEST_SET), show="drawing")
        add(lab.panels["drawing"], ONE, 1)
        assert len(lab.panels["drawing"].drawings) == number
    lab.close()
    assert len(second.drawings) == 4


def test_pads_with_the_same_classes_show_the_same_set_and_others_another(make_pad):
    first, second = make_pad(), make_pad()
    letters = make_pad(class_names="ABCDEFGHIJ")
    add(first, SEVEN, 7)
    assert second.drawings == first.drawings
    assert "1 of 7" in find(second, "mw-set-status").value
    assert find(second, "mw-file-buttons").can_save
    assert not letters.drawings
    draw(second, ONE)
    assert first.drawing.is_empty  # each pad has its own canvas
    find(second, "mw-undo").click()
    scheduler.flush()
    assert not first.drawings
    assert not find(first, "mw-file-buttons").can_save


def test_a_file_is_named_like_no_other_and_always_the_same_for_one_set(make_pad):
    names = [
        find(make_pad(class_names=[f"{number}a", f"{number}b"]), "mw-file-buttons").file_name
        for number in (1, 2, 3, 1)
    ]
    assert len(set(names)) == 3
    assert names[0] == names[3]
    assert all(re.fullmatch(r"my_digits_\w{6}\.json", name) for name in names)
    state = random.getstate()
    make_pad(class_names="xyz")
    assert random.getstate() == state


def test_a_set_of_letters_is_saved_and_loaded_again(make_pad, tmp_path):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    pad = make_pad(make_model(num_classes=26), class_names=letters)
    add(pad, SEVEN, 25)
    pad.save(tmp_path / "mine.json")
    load(pad, ("more.json", write_text([Drawing(ONE)], [8])))
    assert [label for _, label in pad.drawings] == [25, 8]
    assert pad.digit_set().class_names == tuple(letters)
    assert load_drawings(tmp_path / "mine.json", class_names=letters).labels.tolist() == [25]


@pytest.mark.parametrize("classes", [[*"ABCDEFGHIJ"], ["<b>0</b>"] * 10, {"<i>": 1}, "0123456789"])
def test_a_file_of_other_classes_is_refused_though_its_labels_fit(pad, classes):
    content = json.loads(write_text([Drawing(SEVEN)], [7]))
    load(pad, ("letters.json", json.dumps({**content, "classes": classes})))
    assert "letters.json cannot be used: its drawings have other classes" in alert(pad)
    assert "<b>" not in alert(pad)
    assert "<i>" not in alert(pad)
    assert not pad.drawings


def test_files_that_are_too_large_for_the_page_are_refused(pad):
    send(find(pad, "mw-file-buttons"), {"names": ["all.json"], "is_too_large": True})
    scheduler.flush()
    assert "8 MB" in alert(pad)
    assert not pad.drawings


def test_labels_that_the_network_does_not_have_are_refused(make_pad):
    pad = make_pad(make_model(num_classes=2), class_names=["zero", "one"])
    load(pad, ("sevens.json", write_text([Drawing(SEVEN)], [7])))
    assert "sevens.json" in alert(pad)
    assert not pad.drawings


def test_a_saved_set_is_read_again_exactly(pad, tmp_path):
    add(pad, SEVEN, 7)
    add(pad, ONE, 1)
    pad.save(tmp_path / "mine.json")
    assert read_drawings(tmp_path / "mine.json") == pad.drawings
    sent = []
    buttons = find(pad, "mw-file-buttons")
    buttons.send = lambda _content, buffers: sent.extend(buffers)
    send(buttons, {"id": "x"})
    assert json.loads(sent[0]) == json.loads((tmp_path / "mine.json").read_text())
    shown = pad.digit_set()
    loaded = load_drawings(tmp_path / "mine.json")
    assert torch.equal(shown.images, loaded.images)
    assert torch.equal(shown.labels, loaded.labels)
    pad.save(tmp_path / "bars.csv")
    pad.save(tmp_path / "bars.png")
    with pytest.raises(ValueError, match=r"\.json"):
        pad.save(tmp_path / "mine.txt")


def test_gallery_and_matrix_show_the_own_set_hardest_first(pad):
    for label, strokes in ((7, SEVEN), (1, ONE), (4, ONE), (0, SEVEN)):
        add(pad, strokes, label)
    digit_set = pad.digit_set()
    assert isinstance(digit_set, DigitSet)
    evaluator = Evaluator(digit_set.batches(512))
    evaluator.evaluate(make_model(), "cpu")
    predictions = evaluator.predictions
    gallery, chart = ImageGallery(digit_set), ConfusionChart(digit_set.class_names)
    gallery.show_predictions(predictions)
    chart.show_counts(predictions.confusion)
    find(gallery, "mw-sort").value = "highest loss"
    scheduler.flush()
    of_label = predictions.probabilities[range(4), digit_set.labels.tolist()]
    assert gallery.visible_indices.tolist() == of_label.argsort(stable=True).tolist()
    assert int(predictions.confusion.sum()) == 4
    gallery.close()
    chart.close()


def test_closing_the_pad_leaves_the_session_and_its_steps_alone(session):
    pad = DrawingPad(session)
    draw(pad, ONE)
    pad.close()
    session.step()
    settle(session)
    assert len(session.trainer.history.batch_losses) == 1


def test_the_lab_builds_the_pad_once_it_is_asked_for():
    lab = dashboard(data=(TRAIN_SET, TEST_SET))
    assert "drawing" not in lab.panels
    lab = dashboard(data=(TRAIN_SET, TEST_SET), show=["drawing"])
    pad = lab.panels["drawing"]
    draw(pad, ONE)
    settle(lab.session)
    assert "Draw a digit" in lab.static_view().text
    lab.close()


def test_a_pad_that_the_lab_hides_predicts_no_new_weights_until_it_is_shown_again():
    lab = dashboard(
        make_model(),
        (TRAIN_SET, TEST_SET),
        show="drawing",
        hide=["gallery", "prediction", "confusion"],
    )
    session, pad = lab.session, lab.panels["drawing"]
    draw(pad, ONE)
    settle(session)
    (opener,) = (each for each in find_all(lab, "mw-more") if each.more == "Draw a digit")
    image, calls = Drawing(ONE).to_image(), []
    session.trainer.model.register_forward_pre_hook(
        lambda _model, inputs: calls.append(len(inputs[0])) if len(inputs[0]) == 1 else None
    )
    send(opener, {"is_open": False})
    for _ in range(3):
        session.step()
        settle(session)
    assert not calls
    send(opener, {"is_open": True})
    settle(session)
    assert calls == [1]
    expected = predict_probabilities(session.trainer.model, image)[0]
    assert pad.to_dataframe()["probability"].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    lab.close()


def test_a_pad_that_a_cell_shows_too_follows_the_weights_while_the_lab_hides_it():
    lab = dashboard(make_model(), (TRAIN_SET, TEST_SET), show="drawing", hide=["gallery"])
    session, pad = lab.session, lab.panels["drawing"]
    pad._ipython_display_()
    draw(pad, ONE)
    settle(session)
    (opener,) = (each for each in find_all(lab, "mw-more") if each.more == "Draw a digit")
    send(opener, {"is_open": False})
    session.step()
    settle(session)
    settle(session)
    expect_prediction(pad, session.trainer.model, ONE)
    lab.close()


def test_each_message_of_the_page_is_predicted_once(make_pad):
    model = make_model()
    calls = []
    model.register_forward_hook(lambda *_arguments: calls.append(1))
    pad = make_pad(model)
    draw(pad, ONE)  # the first change is of the number and of the strokes
    assert len(calls) == 1
    draw(pad, SEVEN)
    assert len(calls) == 2


def test_a_closed_pad_does_not_follow_the_set(make_pad):
    redraws = []

    class CountingPad(DrawingPad):
        def redraw(self) -> None:
            redraws.append(self)
            super().redraw()

    other, closed = make_pad(), CountingPad(make_model())
    add(other, SEVEN, 7)
    assert len(redraws) == 2  # at first, and after the addition
    closed.close()
    add(other, ONE, 1)
    assert len(redraws) == 2
