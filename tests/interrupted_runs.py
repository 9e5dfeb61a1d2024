"""Interrupt many runs and look each time whether the interrupt took effect and what it left.

test_interrupts.py runs this in a process of its own:

    python interrupted_runs.py random|session|epoch_end|workers NUM_INTERRUPTS

Delays are multiples of the time that a batch takes here, so the speed of the machine does not
matter. It prints how many interrupts took effect, or fails.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import threading
import time
from itertools import cycle

import torch
from torch import nn
from torch.utils.data import DataLoader

from mnist_widgets import Callback, DigitSet, Evaluator, Trainer, TrainingSession, train_step
from mnist_widgets import trainer as train_as_in_the_tutorial

FOREVER = 1_000_000
TIMEOUT_S = 120
NUM_BATCHES = 4

rng = random.Random(0)
digit_set = DigitSet(
    torch.randint(0, 256, (64, 28, 28), dtype=torch.uint8),
    torch.arange(64) % 10,
    "0123456789",
    "noise",
)


class Wanderer(nn.Sequential):
    """A model on the meta device, the one second device that every machine has."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(28 * 28, 10, device="meta"))

    def to(self, device):
        self.to_empty(device=device)
        if not self[1].weight.is_meta:
            nn.init.zeros_(self[1].weight)
            nn.init.zeros_(self[1].bias)
        return self


class Sender:
    """Sends the main thread one SIGINT, some while after `release` was called.

    Args:
        delay_in_batches: the most that the while may be, in the time that a batch takes.
    """

    batch_s = 0.001

    def __init__(self, delay_in_batches: float) -> None:
        self._released = threading.Event()
        self._delay_s = rng.uniform(0, delay_in_batches) * self.batch_s
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()
        self.release = self._released.set

    def join(self) -> None:
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), "the interrupt was never sent"

    def _send(self) -> None:
        assert self._released.wait(TIMEOUT_S)
        time.sleep(self._delay_s)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


class Aiming(Callback):
    """Counts what was trained, and releases an interrupt at a batch or at a place of its epoch."""

    def __init__(self, release, at_batch: int = 1, place: str = "train_step") -> None:
        self.release, self.at_batch, self.place = release, at_batch, place
        self.num_batches = self.num_ends = 0
        self.trainer = None

    def come_to(self, place: str) -> None:
        if (self.num_batches, place) == (self.at_batch, self.place):
            self.release()

    def step(self, *arguments):
        began_s = time.perf_counter()
        self.num_batches += 1
        self.come_to("train_step")
        loss = train_step(*arguments)
        Sender.batch_s = 0.9 * Sender.batch_s + 0.1 * (time.perf_counter() - began_s)
        return loss

    def load(self, batches):
        """Return a loader that is a generator inside, with something to do after its batches."""
        aiming = self

        class Loader:
            def __len__(self) -> int:
                return len(batches)

            def __iter__(self):
                try:
                    yield from batches
                finally:
                    aiming.come_to("loader")

        return Loader()

    def evaluate(self, model, device):
        self.come_to("evaluator")
        return {"score": 1.0}

    def on_train_begin(self, trainer):
        self.trainer = trainer

    def on_batch_end(self, trainer, report):
        self.come_to("on_batch_end")

    def on_epoch_end(self, trainer, report):
        self.come_to("on_epoch_end")

    def on_train_end(self, trainer):
        self.num_ends += 1


def check(trainer, aiming) -> None:
    """Fail if the run left anything half done."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not trainer.is_running
    history = trainer.history
    assert len(history.batch_losses) == aiming.num_batches == trainer.num_batches_trained
    assert history.num_epochs in {num := aiming.num_batches // NUM_BATCHES, num - 1}
    assert {len(values) for values in history.values()} <= {history.num_epochs}
    assert [end % NUM_BATCHES for end in history.epoch_ends] == [0] * history.num_epochs


def interrupt_a_fit(aiming, sender, *, as_in_the_tutorial: bool) -> None:
    """Train until the interrupt comes, by `fit` or by `trainer`."""
    model = Wanderer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if as_in_the_tutorial:
        loader = DataLoader(digit_set, 16, shuffle=True, generator=torch.Generator())
    else:
        loader = digit_set.batches(16, shuffle=True)
    rest = aiming.load(loader) if aiming.place == "loader" else loader, nn.CrossEntropyLoss()
    try:
        if as_in_the_tutorial:
            train_as_in_the_tutorial(
                model, *rest[:2], optimizer, FOREVER, aiming, aiming.step, [aiming]
            )
        else:
            trainer = Trainer(
                model,
                rest[1],
                optimizer,
                rest[0],
                evaluator=aiming,
                callbacks=[aiming],
                train_step=aiming.step,
            )
            trainer.fit(FOREVER)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("the run went on to its end")
    if sender is not None:
        sender.join()
    assert model[1].weight.is_meta
    if aiming.trainer is not None:  # else the interrupt came before the run began
        assert aiming.trainer.ending == "stopped", aiming.trainer.ending
        assert aiming.num_ends == 1
        check(aiming.trainer, aiming)


def interrupt_at_random(num_interrupts: int) -> None:
    for index in range(num_interrupts):
        sender = Sender(delay_in_batches=2)
        at_batch = rng.randrange(12)
        aiming = Aiming(sender.release, at_batch)
        if at_batch == 0:
            try:  # perhaps before the run, perhaps within it
                sender.release()
                interrupt_a_fit(aiming, sender, as_in_the_tutorial=index % 2 == 0)
            except KeyboardInterrupt:
                sender.join()
        else:
            interrupt_a_fit(aiming, sender, as_in_the_tutorial=index % 2 == 0)


def interrupt_at_epoch_ends(num_interrupts: int) -> None:
    places = cycle(["train_step", "on_batch_end", "loader", "evaluator", "on_epoch_end"])
    for index in range(num_interrupts):
        last_batch = NUM_BATCHES * rng.randint(1, 3)
        as_in_the_tutorial = index % 4 < 2
        if index % 2:  # exactly at a place
            release = lambda: signal.raise_signal(signal.SIGINT)  # noqa: E731
            aiming, sender = Aiming(release, last_batch, next(places)), None
        else:  # from elsewhere, while the last batch is trained or soon after it
            sender = Sender(delay_in_batches=2)
            aiming = Aiming(sender.release, last_batch)
        interrupt_a_fit(aiming, sender, as_in_the_tutorial=as_in_the_tutorial)


def interrupt_waits(num_interrupts: int) -> None:
    ways = cycle(["join", "finished", "request", "finished", "commands"])
    for _ in range(num_interrupts):
        way = next(ways)
        aiming = Aiming(lambda: None)
        model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
        batches = digit_set.batches(16, shuffle=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        trainer = Trainer(
            model,
            nn.CrossEntropyLoss(),
            optimizer,
            batches,
            evaluator=Evaluator(digit_set.batches(64)),
            callbacks=[aiming],
            train_step=aiming.step,
        )
        session = TrainingSession(trainer, wait=way == "request")
        sender = Sender(delay_in_batches=3 * NUM_BATCHES)
        if way == "request":
            aiming.release = sender.release
        session.start(FOREVER)
        if way == "join":
            waiting = threading.Thread(target=release_when_listening, args=(sender,), daemon=True)
            waiting.start()
            session.join(TIMEOUT_S)
        elif way == "finished":
            asyncio.run(release_and_finish(session, sender))
        elif way == "commands":
            command_until_interrupted(session, sender)
            session.stop()
            session.join(TIMEOUT_S)
        sender.join()
        assert session.state == "stopped", session.state
        assert trainer.ending == "stopped"
        assert run_job_elsewhere(session) == 42, "a lock is taken"
        check(trainer, aiming)
        session.close()


def release_when_listening(sender) -> None:
    while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        time.sleep(0)
    sender.release()


async def release_and_finish(session, sender) -> None:
    waiting = asyncio.ensure_future(session.finished())
    await asyncio.sleep(0)  # it listens
    sender.release()
    await waiting


def command_until_interrupted(session, sender) -> None:
    gc.collect()
    gc.disable()  # between two commands Python's own handler raises; a finalizer would swallow it
    try:
        sender.release()
        while True:
            session.pause()
            session.resume()
            session.between_batches(lambda: None)
    except KeyboardInterrupt:
        pass
    finally:
        gc.enable()


def interrupt_loader_workers(num_interrupts: int) -> None:
    """Interrupt the whole process group, as Ctrl-C and Jupyter do: in `join`, and in other code."""
    for index in range(num_interrupts):
        model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
        loader = DataLoader(digit_set, 16, num_workers=2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, loader)
        session = TrainingSession(trainer, wait=False)
        session.start(FOREVER)
        wait_for_batches(session, 1)
        if index % 2:
            try:
                os.killpg(0, signal.SIGINT)
                time.sleep(TIMEOUT_S)
            except KeyboardInterrupt:
                wait_for_batches(session, 5 * NUM_BATCHES)  # more than are loaded in advance
            session.stop()
            session.join(TIMEOUT_S)
        else:
            threading.Thread(target=interrupt_group_when_listening, daemon=True).start()
            session.join(TIMEOUT_S)
        assert (session.state, trainer.ending) == ("stopped", "stopped")
        session.close()


def wait_for_batches(session, num_batches: int) -> None:
    wanted = session.trainer.num_batches_trained + num_batches
    while session.trainer.num_batches_trained < wanted:
        assert session.state == "running", session.error
        time.sleep(0.01)


def interrupt_group_when_listening() -> None:
    while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        time.sleep(0)
    os.killpg(0, signal.SIGINT)


def run_job_elsewhere(session) -> int | None:
    """Return the result of a job that another thread requests; None if it never runs."""
    results = []

    def request() -> None:
        results.append(session.between_batches(lambda: 42).result(TIMEOUT_S))

    requesting = threading.Thread(target=request, daemon=True)
    requesting.start()
    requesting.join(TIMEOUT_S)
    return results[0] if results else None


def main() -> None:
    torch.set_num_threads(1)
    way, num_interrupts = sys.argv[1], int(sys.argv[2])
    {
        "random": interrupt_at_random,
        "epoch_end": interrupt_at_epoch_ends,
        "session": interrupt_waits,
        "workers": interrupt_loader_workers,
    }[way](num_interrupts)
    print(f"{num_interrupts} interrupts took effect")


if __name__ == "__main__":
    main()
