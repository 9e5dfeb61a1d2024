"""Long work in portions: what comes between two of them, and what becomes of work given up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import Evaluator, TrainingSession, predict_probabilities
from mnist_widgets.training.evaluation import portions
from mnist_widgets.training.evaluation.evaluator import predict_in_portions

FOREVER = 10_000


@pytest.fixture(autouse=True)
def yield_after_each_pass(monkeypatch):
    """Let every forward pass be a portion of its own, however fast it is."""
    monkeypatch.setattr(portions, "PORTION_S", 0)


class Gate:
    """A place where one thread waits until another one lets it go on."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.may_go_on.wait(TIMEOUT_S)


class RecordingNetwork(nn.Module):
    """A linear network that counts the images of its passes in evaluation mode, and can wait.

    Attributes:
        passes: the number of images in each pass.
        gates: by the number of passes so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.passes: list[int] = []
        self.gates: dict[int, Gate] = {}

    def forward(self, inputs):
        if not self.training:
            self.passes.append(len(inputs))
            if gate := self.gates.pop(len(self.passes), None):
                gate.wait()
        return self.linear(inputs)


@pytest.fixture
def test_batches():
    """Two batches of 320 images, ten passes of the evaluator."""
    return [(torch.randn(320, 4), torch.randint(0, 3, (320,))) for _ in range(2)]


@pytest.fixture
def make_session(make_trainer, test_batches):
    """Return a function that makes a session with an evaluator and a gate in its third pass."""
    made = []

    def make(at_pass: int = 3, **options) -> tuple[TrainingSession, Gate]:
        model, gate = RecordingNetwork(), Gate()
        model.gates[at_pass] = gate
        options.setdefault("evaluator", Evaluator(test_batches))
        made.append((TrainingSession(make_trainer(model=model, **options)), gate))
        return made[-1]

    yield make
    for session, gate in made:
        gate.may_go_on.set()
        session.close()


def settle(session) -> None:
    session.between_batches(lambda: None).result(TIMEOUT_S)


def num_batches_of(session) -> int:
    return len(session.trainer.history.batch_losses)


def test_a_stop_within_an_evaluation_ends_it_and_its_epoch_does_not_count(make_session):
    session, gate = make_session()
    session.start(FOREVER)
    assert gate.reached.wait(TIMEOUT_S)
    session.stop()
    gate.may_go_on.set()
    session.join(TIMEOUT_S)
    assert len(session.trainer.model.passes) == 3
    assert (session.state, session.trainer.ending) == ("stopped", "stopped")
    assert (num_batches_of(session), session.trainer.history.num_epochs) == (5, 0)
    assert session.trainer.evaluator.predictions is None
    assert session.trainer.model.training


def test_closing_within_an_evaluation_ends_it(make_session):
    session, gate = make_session()
    session.start(FOREVER)
    assert gate.reached.wait(TIMEOUT_S)
    closing = threading.Thread(target=session.close)
    closing.start()
    while not session.is_closed:
        closing.join(0.01)
    gate.may_go_on.set()
    closing.join(TIMEOUT_S)
    assert len(session.trainer.model.passes) == 3
    assert session.trainer.ending == "stopped"


def test_a_pause_within_an_evaluation_takes_effect_and_changes_no_metric(
    make_session, test_batches
):
    session, gate = make_session()
    session.start(1)
    assert gate.reached.wait(TIMEOUT_S)
    session.pause()
    paused = session.between_batches(lambda: (session.state, len(session.trainer.model.passes)))
    gate.may_go_on.set()
    assert paused.result(TIMEOUT_S) == ("paused", 3)
    session.resume()
    session.join(TIMEOUT_S)
    metrics = Evaluator(test_batches).evaluate(session.trainer.model, "cpu")
    assert {name: session.trainer.history[name] for name in metrics} == {
        name: [value] for name, value in metrics.items()
    }


def test_a_job_is_done_within_an_evaluation_and_finds_the_model_in_training_mode(make_session):
    session, gate = make_session()
    session.start(1)
    assert gate.reached.wait(TIMEOUT_S)
    model = session.trainer.model
    job = session.between_batches(
        lambda: (len(model.passes), model.training, torch.is_grad_enabled())
    )
    gate.may_go_on.set()
    assert job.result(TIMEOUT_S) == (3, True, True)
    session.join(TIMEOUT_S)
    assert session.state == "finished"


def test_a_step_ends_an_interrupted_evaluation_and_trains_one_batch_more(make_session):
    session, gate = make_session()
    session.start(2)
    assert gate.reached.wait(TIMEOUT_S)
    session.pause()
    session.step()
    gate.may_go_on.set()
    with pytest.raises(RuntimeError, match="paused"):  # it waits until the step is done
        session.join(TIMEOUT_S)
    assert (num_batches_of(session), session.trainer.history.num_epochs) == (6, 1)
    assert session.state == "paused"


def test_the_last_step_of_a_run_finishes_it_with_its_evaluation(make_session):
    session, gate = make_session(at_pass=5)
    for _ in range(5):
        session.step()
    assert gate.reached.wait(TIMEOUT_S)
    answer = session.between_batches(lambda: len(session.trainer.model.passes))
    gate.may_go_on.set()
    assert answer.result(TIMEOUT_S) == 5
    session.join(TIMEOUT_S)
    assert (session.state, session.trainer.history.num_epochs) == ("finished", 1)


def test_two_steps_within_an_evaluation_train_two_batches(make_session):
    session, gate = make_session()
    for _ in range(5):
        session.step(epochs=2)
    assert gate.reached.wait(TIMEOUT_S)
    session.step()
    session.step()
    gate.may_go_on.set()
    with pytest.raises(RuntimeError, match="paused"):
        session.join(TIMEOUT_S)
    assert num_batches_of(session) == 7


def test_a_reset_within_an_evaluation_restores_the_beginning(make_session):
    session, gate = make_session()
    before = session.trainer.model.linear.weight.detach().clone()
    session.start(1)
    assert gate.reached.wait(TIMEOUT_S)
    session.reset()
    gate.may_go_on.set()
    settle(session)
    assert session.state == "idle"
    assert torch.equal(session.trainer.model.linear.weight, before)
    assert len(session.trainer.model.passes) == 3


def test_an_evaluator_that_overrides_evaluate_is_called_as_a_whole(make_session, test_batches):
    class Counting(Evaluator):
        def evaluate(self, model, device):
            return {**super().evaluate(model, device), "answer": 42.0}

    session, gate = make_session(evaluator=Counting(test_batches))
    gate.may_go_on.set()
    session.start(1)
    session.join(TIMEOUT_S)
    assert session.trainer.history["answer"] == [42.0]


def test_an_evaluation_in_portions_gives_the_metrics_of_one_in_a_piece(test_batches):
    model = nn.Linear(4, 3)
    inputs, labels = map(torch.cat, zip(*test_batches, strict=True))
    evaluator = Evaluator(test_batches)
    metrics = evaluator.evaluate(model, "cpu")
    loss = nn.functional.cross_entropy(model(inputs), labels).item()
    assert metrics["test_loss"] == pytest.approx(loss, abs=1e-6)
    assert metrics["test_accuracy"] == (model(inputs).argmax(dim=1) == labels).float().mean()
    assert torch.equal(evaluator.predictions.labels, labels)


def test_predictions_in_portions_are_those_of_one_piece():
    model, images = nn.Linear(4, 3), torch.randn(100, 4)
    for some in (images, images[:1], images[:0]):
        predicted = portions.run_to_end(predict_in_portions(model, some), model)
        assert torch.allclose(predicted, predict_probabilities(model, some), atol=1e-6)


def test_cuts_grow_while_passes_are_short_and_shrink_when_they_are_long(monkeypatch):
    now_s, sizes = [0.0], []
    for clock in ("perf_counter", "thread_time"):
        monkeypatch.setattr(portions.time, clock, lambda: now_s[0])
    monkeypatch.setattr(portions, "PORTION_S", 0.025)
    seconds_per_image = [1e-5]

    def compute(images):
        sizes.append(len(images))
        now_s[0] += seconds_per_image[0] * len(images)
        return images

    images = torch.zeros(20_000)
    cuts = portions.ImageCuts()
    assert torch.equal(portions.run_to_end(cuts.map(compute, images), torch.nn.Identity()), images)
    assert sizes[:3] == [16, 32, 64]
    assert max(sizes) == portions.MAX_IMAGES
    seconds_per_image[0] = 1e-3
    sizes.clear()
    longest_s, began_s = 0.0, now_s[0]
    for _ in cuts.map(compute, images):
        longest_s, began_s = max(longest_s, now_s[0] - began_s) if sizes[7:] else 0.0, now_s[0]
    assert longest_s <= 0.05


def test_whole_batches_are_passed_while_passes_are_short(monkeypatch):
    monkeypatch.setattr(portions, "PORTION_S", 60)
    model = RecordingNetwork()
    batches = [(torch.randn(512, 4), torch.zeros(512).long()) for _ in range(4)]
    for _ in range(2):
        model.passes.clear()
        Evaluator(batches).evaluate(model, "cpu")
        assert model.passes[-3:] == [512, 512, 512]  # the first batch is cut to measure its cost
    small = [(inputs[:10], labels[:10]) for inputs, labels in batches]
    model.passes.clear()
    Evaluator(small).evaluate(model, "cpu")
    assert model.passes == [10, 10, 10, 10]


def test_no_pass_has_a_single_image_where_the_batch_has_more(monkeypatch):
    model = RecordingNetwork()
    for portion_s in (0, 60):  # the cuts shrink to two images, or grow
        monkeypatch.setattr(portions, "PORTION_S", portion_s)
        for num_images in (2, 3, 5, 17, 33, 65, 113, 513):
            model.passes.clear()
            Evaluator([(torch.randn(num_images, 4), torch.zeros(num_images).long())] * 6).evaluate(
                model, "cpu"
            )
            assert sum(model.passes) == 6 * num_images
            assert min(model.passes) > 1, num_images


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_portion_ends_by_the_time_of_its_work(monkeypatch):
    class Slow(nn.Linear):
        def forward(self, inputs):
            torch.cuda._sleep(100_000_000)  # cycles, about 60 ms
            return super().forward(inputs)

    monkeypatch.setattr(portions, "PORTION_S", 0.025)
    model = Slow(4, 3, device="cuda")
    evaluation = Evaluator([(torch.randn(64, 4), torch.zeros(64).long())]).evaluate_in_portions(
        model, "cuda"
    )
    assert len(list(evaluation)) >= 4  # each pass ends a portion


@pytest.fixture
def session(make_trainer):
    session = TrainingSession(make_trainer())
    yield session
    session.close()


def test_commands_and_jobs_come_between_two_portions(session):
    gate, order = Gate(), []

    def work():
        order.append("first portion")
        gate.wait()
        yield
        order.append("second portion")
        return 42

    result = session.in_portions(work)
    assert gate.reached.wait(TIMEOUT_S)
    session.step()
    session.between_batches(lambda: order.append(f"job after {num_batches_of(session)} batch"))
    gate.may_go_on.set()
    assert result.result(TIMEOUT_S) == 42
    assert order == ["first portion", "job after 1 batch", "second portion"]


def test_a_running_training_waits_for_the_end_of_a_long_job(session):
    session.start(FOREVER)

    def count():
        before = num_batches_of(session)
        for _ in range(5):
            yield
        return num_batches_of(session) - before

    assert session.in_portions(count).result(TIMEOUT_S) == 0
    assert session.state == "running"


def test_a_run_can_be_joined_while_a_long_job_goes_on(session):
    is_over = threading.Event()

    def work():
        while not is_over.is_set():
            yield
        return "done"

    session.start(1)
    session.join(TIMEOUT_S)
    result = session.in_portions(work)
    session.start(1)
    session.stop()
    session.join(TIMEOUT_S)
    assert not result.done()
    is_over.set()
    assert result.result(TIMEOUT_S) == "done"


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_a_long_job_is_dropped_when_the_session_closes_or_it_is_cancelled(session, end):
    gate, ended = Gate(), threading.Event()

    def work():
        try:
            gate.wait()
            yield
            raise AssertionError("this portion is not wanted any more")
        finally:
            ended.set()

    result = session.in_portions(work)
    never_begun = session.in_portions(work)
    assert gate.reached.wait(TIMEOUT_S)
    if end == "cancel":
        assert result.cancel()
        assert never_begun.cancel()
        gate.may_go_on.set()
        settle(session)
    else:
        closing = threading.Thread(target=session.close)
        closing.start()
        while not session.is_closed:
            time.sleep(0.001)
        gate.may_go_on.set()
        closing.join(TIMEOUT_S)
    assert ended.wait(TIMEOUT_S)
    for future in (result, never_begun):
        with pytest.raises(CancelledError):
            future.result(TIMEOUT_S)


def test_an_error_in_a_long_job_belongs_to_its_caller(session):
    def fail():
        yield
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError, match="planted"):
        session.in_portions(fail).result(TIMEOUT_S)
    assert session.state == "idle"
