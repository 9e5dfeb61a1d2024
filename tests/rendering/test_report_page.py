"""The page that a session writes about its training."""

from __future__ import annotations

import asyncio
import html
import re
from functools import partial
from html.parser import HTMLParser

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_widgets import (
    Callback,
    DigitSet,
    Evaluator,
    RunConfig,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    train_step,
)


@pytest.fixture(scope="module")
def data():
    return load_bundled_digits()


@pytest.fixture
def session(data):
    with_settings = RunConfig(batch_size=256, hidden_units=8, learning_rate=0.01)
    session = TrainingSession(with_settings.build(*data))
    yield session
    session.close()


class Tags(HTMLParser):
    """Collects the tags of a page, and checks that each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_a_page_holds_curve_matrix_settings_ending_and_versions(session):
    session.start(2)
    session.join(TIMEOUT_S)
    page = session.report().html
    tags = Tags(page)
    pictures = [attrs for tag, attrs in tags.seen if tag == "img"]
    names = [picture["alt"].partition(".")[0] for picture in pictures]
    assert names[0] == "Loss curve"
    assert names[-1] == (
        "Confusion matrix: a row for each true digit, a column for each predicted one"
    )
    assert "The training finished" in page
    assert "2 whole epochs" in page
    assert "SimpleNet(28 * 28, 10, hidden_units=8)" in page
    assert "epochs = 2" in page
    assert "at the end of epoch 2" in page
    assert f"torch {torch.__version__.partition('+')[0]}" in page
    assert len(re.findall(r"<tr>", page)) == 1 + 2 + 1 + 10 + 1 + 8


def test_a_page_needs_no_other_file(session):
    session.step(3)
    session.between_batches(lambda: None).result(TIMEOUT_S)
    for tag, attrs in Tags(session.report().html).seen:
        assert tag not in ("script", "link", "iframe")
        assert all(not value.startswith("http") for value in attrs.values() if value)
        assert attrs.get("src", "data:").startswith("data:")


def test_a_page_is_saved_and_shown(session, tmp_path):
    path = tmp_path / "run.html"
    page = session.report(path)
    assert path.read_text(encoding="utf-8") == page.html
    assert "<style" not in page._repr_html_()  # it would dress the whole notebook
    assert "How it ended" in repr(page)


def test_before_a_training_the_page_says_so(session):
    page = session.report().html
    assert "No batch has been trained yet." in page
    assert "<img" not in page


def test_after_a_reset_the_last_runs_matrix_is_gone(session):
    session.start(1)
    session.join(TIMEOUT_S)
    assert "Confusion matrix: a row" in session.report().html
    session.reset()
    session.between_batches(lambda: None).result(TIMEOUT_S)
    assert "Confusion matrix: a row" not in session.report().html


def test_the_page_of_a_stop_gives_the_reason(data):
    class Stopper(Callback):
        def on_batch_end(self, trainer, report):
            trainer.request_stop("Enough <seen>.")

    session = TrainingSession(RunConfig(batch_size=256).build(*data, [Stopper()]))
    session.start(2)
    session.join(TIMEOUT_S)
    page = session.report().html
    assert (
        "The training was stopped before its end. Enough &lt;seen&gt;. It trained 1 batch" in page
    )
    assert "No epoch is complete yet." in page
    session.close()


@pytest.mark.parametrize(
    ("classes", "titles"),
    [(["Coat", "Bag", "Boot"], "True Coat Bag Boot Recall"), (None, "True 0 1 2 Recall")],
    ids=["named", "unknown"],
)
def test_a_page_has_the_class_names_of_any_data_set_and_all_rates(classes, titles):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3))
    groups = [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[1].parameters()}]
    images = TensorDataset(torch.randn(9, 4), torch.tensor([0, 0, 0, 1, 1, 0, 0, 2, 2]))
    if classes:
        images.classes = classes
    batches, optimizer = DataLoader(images, 9), torch.optim.SGD(groups, 0.001)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, batches, evaluator=Evaluator(batches), device="cpu"
    )
    session = TrainingSession(trainer)
    session.start(1)
    session.join(TIMEOUT_S)
    text = session.report().text
    assert titles in " ".join(text.split())
    assert "A row for each true class" in text
    assert "0, 0.001" in text


def test_the_page_of_a_failure_names_the_error(make_trainer):
    class Fault(Callback):
        def on_batch_end(self, trainer, report):
            raise ValueError("no good")

    session = TrainingSession(make_trainer(callbacks=[Fault()]))
    session.start(1)
    with pytest.raises(ValueError, match="no good"):
        asyncio.run(session.finished())
    assert "The training failed. ValueError: no good" in session.report().html
    session.close()


def test_an_error_without_a_message_is_named_alone(make_trainer):
    class Interrupt(Callback):
        def on_batch_end(self, trainer, report):
            raise KeyboardInterrupt

    session = TrainingSession(make_trainer(callbacks=[Interrupt()]))
    session.start(1)
    with pytest.raises(KeyboardInterrupt):
        session.join(TIMEOUT_S)
    assert "The training failed. KeyboardInterrupt. It trained 1 batch" in session.report().html
    session.close()


@pytest.mark.filterwarnings("ignore:The model has 12 outputs")
def test_a_network_of_other_classes_and_an_unused_lazy_layer_have_a_page_too(data):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(28 * 28, 12), nn.LazyLinear(3)

        def forward(self, images):
            return self.used(images.flatten(1))

    model, (train_set, test_set) = Wide(), data
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    evaluator = Evaluator(test_set.batches(512))
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, train_set.batches(512), evaluator=evaluator
    )
    trainer.fit(1)
    page = TrainingSession(trainer).report().html
    assert f"Wide, {28 * 28 * 12 + 12:,} parameters" in page
    assert "a row for each true class" in page
    assert '<th scope="row">11</th>' in page


def test_without_a_config_the_settings_come_from_the_trainer(make_trainer, batches):
    trainer = make_trainer(evaluator=Evaluator(batches))
    trainer.fit(1)
    page = TrainingSession(trainer).report().html
    assert "Linear, 15 parameters" in page
    assert '<th scope="row">Learning rate</th><td>0.01</td>' in page
    assert "a row for each true class" in page  # three classes are no ten digits
    assert "RunConfig" not in page
    assert "import torch" not in page


def test_the_settings_name_what_is_inside_a_wrapper(batches):
    model = nn.Linear(4, 3)
    loss_fn = partial(nn.functional.cross_entropy, label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters())
    trainer = Trainer(nn.DataParallel(model), loss_fn, optimizer, batches, device="cpu")
    page = TrainingSession(trainer).report().html
    assert "Linear, 15 parameters" in page
    assert '<th scope="row">Loss function</th><td>cross_entropy</td>' in page


def test_a_training_without_an_evaluator_has_no_matrix(make_trainer):
    trainer = make_trainer()
    trainer.fit(1)
    assert "This training has no Evaluator" in TrainingSession(trainer).report().html


def test_the_code_has_the_present_learning_rate(session):
    for group in session.trainer.optimizer.param_groups:
        group["lr"] = 0.5
    page = session.report().html
    assert "lr=0.01 " in page
    assert "The learning rate was changed." in page
    assert "Adam(model.parameters(), lr=0.5)" in page


def test_the_code_loads_the_data_that_the_run_was_made_with(session):
    assert "train_set, test_set = load_bundled_digits()" in session.report().html


def test_a_schedule_and_a_sample_are_reported_as_chosen(data):
    config = RunConfig(train_images=100, label_noise=0.2, schedule="cosine", batch_size=50)
    session = TrainingSession(config.build(*data))
    session.start(3)
    session.join(TIMEOUT_S)
    page = html.unescape(session.report().html)
    session.close()
    assert '<th scope="row">Learning rate</th><td>0.001</td>' in page
    assert "The learning rate was changed." not in page
    assert "train_set, test_set = load_bundled_digits()" in page


def test_the_code_says_what_to_fill_in_for_own_data_and_an_own_step(data):
    train_set, test_set = (
        DigitSet(part.images[part.labels < 3], part.labels[part.labels < 3], "abc", "letters")
        for part in data
    )
    trainer = RunConfig(batch_size=256).build(train_set, test_set)
    trainer.train_step = lambda *arguments: 2 * train_step(*arguments)
    page = html.unescape(TrainingSession(trainer).report().html)
    assert "train_set, test_set = ...  # FILL IN: your own data, two DigitSets of 3 classes" in page
    assert "train_step = ...  # FILL IN" in page
    assert "SimpleNet(28 * 28, 3, hidden_units=512)" in page


def test_a_page_has_a_curve_of_accuracies_if_there_is_a_gap(session):
    session.start(2)
    session.join(TIMEOUT_S)
    history = session.trainer.history
    history["train_accuracy"], history["test_accuracy"] = [0.8, 0.95], [0.8, 0.75]
    page = session.report()
    assert 'alt="Accuracy curve.' in page.html
    assert "a gap of 20.0 percentage points" in page.text
    del history["train_accuracy"]
    assert "Accuracy curve" not in session.report().html


def test_the_page_of_a_run_keeps_its_matrix_when_another_run_shares_the_evaluator(
    make_trainer, batches
):
    evaluator = Evaluator(batches)
    first, other = make_trainer(evaluator=evaluator), make_trainer(evaluator=evaluator)
    accuracy = first.fit(3)["test_accuracy"][-1]
    before = TrainingSession(first).report().text
    assert f"Accuracy {100 * accuracy:.1f} %" in before
    assert other.fit(1)["test_accuracy"][-1] != accuracy
    assert (
        TrainingSession(first).report().text.split("How it ended")[1]
        == before.split("How it ended")[1]
    )


class EveryThird(Evaluator):
    """Evaluates the first epoch and each third one after it."""

    num_epochs = 0

    def evaluate(self, model, device):
        self.num_epochs += 1
        return super().evaluate(model, device) if self.num_epochs % 3 == 1 else {}


def test_the_page_names_the_epoch_in_which_the_matrix_was_counted(make_trainer, batches):
    trainer = make_trainer(evaluator=EveryThird(batches))
    trainer.fit(6)
    accuracy = trainer.history["test_accuracy"][3]
    page = TrainingSession(trainer).report().text
    assert "Counted on the test images at the end of epoch 4." in page
    assert f"Accuracy {100 * accuracy:.1f} %" in page


def test_the_page_names_the_epoch_of_a_metric_and_keeps_its_column(make_trainer, batches):
    class FromTheSecond(EveryThird):
        num_epochs = 1  # so that the first evaluation is that of the third epoch

        def evaluate(self, model, device):
            found = super().evaluate(model, device)
            return found | ({"train_accuracy": 0.5} if found else {})

    trainer = make_trainer(evaluator=FromTheSecond(batches))
    trainer.fit(4)
    accuracy = trainer.history["test_accuracy"][2]
    assert 0 < accuracy < 1
    page = TrainingSession(trainer).report()
    words = f"{100 * accuracy:.2f} %"
    assert f"Test accuracy after epoch 3: {words}; the best of all epochs: {words}." in page.text
    assert "after epoch 3: " in page.text
    assert "Test accuracy" in page.text
    assert '<th scope="col">Test loss</th>' in page.html
    assert 'alt="Accuracy curve.' in page.html
    assert "Test loss" in page.text.split("Loss\n----")[1].split("Epochs")[0]
