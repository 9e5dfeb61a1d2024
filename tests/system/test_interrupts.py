"""No interrupt is lost, wherever it arrives, and the run that it ends leaves nothing half done."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from timeouts import TIMEOUT_S
from torch import nn

from mnist_widgets import Callback, Evaluator, train_step
from mnist_widgets.system.interrupts import interrupts_call, interrupts_wait

FOREVER = 10_000
SCRIPT = Path(__file__).parents[1] / "interrupted_runs.py"


def interrupt(*_) -> None:
    signal.raise_signal(signal.SIGINT)


def interrupt_twice(*_) -> None:
    interrupt()
    interrupt()


class Wanderer(nn.Linear):
    """A model on the meta device, the one second device that every machine has."""

    def __init__(self) -> None:
        super().__init__(4, 3, device="meta")

    def to(self, device):
        self.to_empty(device=device)
        if not self.weight.is_meta:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)
        return self


class Reacting(Callback):
    """Calls a function the first time that one hook is called, from some epoch on."""

    def __init__(self, hook: str, react, epoch: int = 2) -> None:
        self.epoch, self._epoch_now, self.ends = epoch, 0, 0
        self._hook, self._react = hook, react

    def _note(self, hook: str) -> None:
        if hook == self._hook and (self._epoch_now >= self.epoch or "train" in hook):
            self._hook = ""
            self._react()

    def on_train_begin(self, trainer):
        self._note("on_train_begin")

    def on_epoch_begin(self, trainer, epoch):
        self._epoch_now = epoch
        self._note("on_epoch_begin")

    def on_batch_end(self, trainer, report):
        self._note("on_batch_end")

    def on_epoch_end(self, trainer, report):
        self._note("on_epoch_end")

    def on_train_end(self, trainer):
        self.ends += 1
        self._note("on_train_end")


class Loader:
    """Gives the batches of a list, and calls a function before one of them, or after the last."""

    def __init__(self, batches, index: int, react) -> None:
        self.batches, self.index, self.react, self.num_epochs = batches, index, react, 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        self.num_epochs += 1
        for index, batch in enumerate([*self.batches, None]):
            if (self.num_epochs, index) == (2, self.index):
                self.react()
            if batch is not None:
                yield batch


class InterruptedEvaluator:
    """An evaluator that calls a function in its second epoch."""

    def __init__(self, react) -> None:
        self.react, self.num_epochs = react, 0

    def evaluate(self, model, device):
        self.num_epochs += 1
        if self.num_epochs == 2:
            self.react()
        return {"score": float(self.num_epochs)}


def step_that_reacts(react):
    """Return a train_step that calls a function within its seventh batch."""
    steps = []

    def step(*arguments):
        steps.append(1)
        if len(steps) == 7:
            react()
        return train_step(*arguments)

    return step


def react_at(place: str, react, batches) -> dict:
    """Return the options of a trainer that calls a function at some place of its second epoch."""
    return {
        "before a batch": {"train_batches": Loader(batches, 2, react)},
        "after the last batch": {"train_batches": Loader(batches, 5, react)},
        "train_step": {"train_step": step_that_reacts(react)},
        "evaluator": {"evaluator": InterruptedEvaluator(react)},
    }.get(place, {"callbacks": [Reacting(place, react)]})


each_place = pytest.mark.parametrize(
    "place",
    [
        *("on_train_begin", "on_epoch_begin", "before a batch", "train_step", "on_batch_end"),
        *("after the last batch", "evaluator", "on_epoch_end"),
    ],
)


def check_that_nothing_is_half_done(trainer) -> None:
    """Device, handler, hooks and history are as they were or complete; a new run works."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert trainer.model.weight.is_meta
    assert not trainer.is_running
    history = trainer.history
    assert trainer.num_batches_trained == len(history.batch_losses)
    assert {len(values) for values in history.values()} <= {history.num_epochs}
    assert history.epoch_ends == [5 * epoch for epoch in range(1, history.num_epochs + 1)]
    before = history.num_epochs
    trainer.fit(1)
    assert trainer.history.num_epochs == before + 1


@each_place
def test_one_interrupt_ends_the_run_after_the_batch_wherever_it_comes(make_trainer, batches, place):
    trainer = make_trainer(model=Wanderer(), **react_at(place, interrupt, batches))
    ending = Reacting("", None)
    trainer.callbacks.append(ending)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(FOREVER)
    assert trainer.ending == "stopped"
    assert ending.ends == 1
    num_batches = len(trainer.history.batch_losses)
    # where an epoch's end has begun, it is done whole
    is_at_end = place in {"after the last batch", "evaluator", "on_epoch_end"}
    assert num_batches == {"on_train_begin": 0, "before a batch": 8, "train_step": 7}.get(
        place, 10 if is_at_end else 6
    )
    assert trainer.history.num_epochs == (2 if is_at_end else num_batches > 0)
    check_that_nothing_is_half_done(trainer)


@each_place
def test_a_second_interrupt_raises_at_once_wherever_it_comes(make_trainer, batches, place):
    went_on = []

    def interrupt_twice_and_go_on() -> None:
        interrupt_twice()
        went_on.append(place)

    options = react_at(place, interrupt_twice_and_go_on, batches)
    trainer = make_trainer(model=Wanderer(), **options)
    ending = Reacting("", None)
    trainer.callbacks.append(ending)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(FOREVER)
    assert not went_on
    assert trainer.ending == "failed"
    assert ending.ends == 1
    check_that_nothing_is_half_done(trainer)


def test_an_interrupt_in_a_finalizer_at_the_end_of_an_epoch_ends_the_run(make_trainer, batches):
    class Finalized(list):
        def __iter__(self):
            try:
                yield from super().__iter__()
            finally:
                interrupt()

    trainer = make_trainer(train_batches=Finalized(batches))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(FOREVER)
    assert (trainer.ending, trainer.history.num_epochs) == ("stopped", 1)


def test_an_interrupt_during_the_last_hook_is_raised_after_it(make_trainer):
    last = Reacting("on_train_end", interrupt)
    trainer = make_trainer(callbacks=[last])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(1)
    assert trainer.history.num_epochs == 1


def test_an_interrupt_that_the_training_step_swallows_is_raised_at_the_end(make_trainer):
    def deaf_step(*arguments):
        with contextlib.suppress(BaseException):
            interrupt_twice()
        return train_step(*arguments)

    trainer = make_trainer(train_step=deaf_step)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(FOREVER)
    assert (trainer.ending, len(trainer.history.batch_losses)) == ("stopped", 1)


def test_an_interrupt_and_an_error_in_one_batch_raise_both(make_trainer):
    def failing_step(*_):
        interrupt()
        raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt) as raised:
        make_trainer(train_step=failing_step).fit(FOREVER)
    assert isinstance(raised.value.__context__, ZeroDivisionError)


def test_a_run_inside_a_callback_of_another_passes_the_interrupt_on(make_trainer):
    inner = make_trainer(callbacks=[Reacting("on_batch_end", interrupt)])
    outer = make_trainer(callbacks=[Reacting("on_batch_end", lambda: inner.fit(FOREVER))])
    with pytest.raises(KeyboardInterrupt):
        outer.fit(FOREVER)
    assert (inner.ending, len(inner.history.batch_losses)) == ("stopped", 6)
    assert len(outer.history.batch_losses) == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_from_before_is_put_back_and_one_set_meanwhile_stays(make_trainer):
    earlier, later = (lambda *_: None), (lambda *_: None)
    signal.signal(signal.SIGINT, earlier)
    make_trainer().fit(1)
    assert signal.getsignal(signal.SIGINT) is earlier
    set_another = Reacting("on_epoch_end", lambda: signal.signal(signal.SIGINT, later), epoch=1)
    make_trainer(callbacks=[set_another]).fit(1)
    assert signal.getsignal(signal.SIGINT) is later


def test_where_the_process_ignores_interrupts_a_run_does_too(make_trainer):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer = make_trainer(callbacks=[Reacting("on_batch_end", interrupt_twice)])
    trainer.fit(2)
    assert trainer.ending == "finished"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_run_in_another_thread_leaves_the_handler_alone(make_trainer):
    seen = []
    look = Reacting("on_batch_end", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    training = threading.Thread(target=make_trainer(callbacks=[look]).fit, args=(2,))
    training.start()
    training.join(TIMEOUT_S)
    assert seen == [signal.default_int_handler]


def test_contexts_may_end_in_any_order(make_trainer):
    heard = []
    first = interrupts_call(lambda: heard.append("first"))
    second = interrupts_call(lambda: heard.append("second"))
    first.__enter__()
    second.__enter__()
    interrupt()
    assert heard == ["second", "first"]
    first.__exit__(None, None, None)
    interrupt()
    assert heard == ["second", "first", "second"]
    second.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_an_interrupt_waits_for_the_end_of_what_is_short():
    done = []

    def work() -> None:
        with interrupts_wait():
            interrupt()
            done.append(1)
        done.append(2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_a_short_wait_inside_of_a_run_leaves_the_interrupt_to_the_run(make_trainer):
    def work() -> None:
        with interrupts_wait():
            interrupt_twice()

    trainer = make_trainer(callbacks=[Reacting("on_batch_end", work)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(FOREVER)
    assert trainer.ending == "stopped"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one thread")
@pytest.mark.parametrize(
    ("way", "num_interrupts"),
    [("random", 140), ("session", 60), ("epoch_end", 50), ("workers", 4)],
)
def test_many_interrupts_all_take_effect(way, num_interrupts):
    command = [sys.executable, str(SCRIPT), way, str(num_interrupts)]
    ended = subprocess.run(  # in a process group of its own
        command, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.endswith(f"{num_interrupts} interrupts took effect\n")
    assert "Exception ignored" not in ended.stderr


def test_an_interrupt_within_an_evaluation_leaves_the_epoch_whole(make_trainer, batches):
    class Interrupted(nn.Linear):
        def forward(self, inputs):
            if not self.training:
                interrupt()
            return super().forward(inputs)

    trainer = make_trainer(model=Interrupted(4, 3), evaluator=Evaluator(batches[:1]))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(3)
    assert trainer.ending == "stopped"
    assert (trainer.history.num_epochs, len(trainer.history["test_accuracy"])) == (1, 1)
