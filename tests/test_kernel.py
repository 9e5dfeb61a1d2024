"""Waiting for a training in a real kernel, and what its interrupt button does then."""

from __future__ import annotations

import os
import sys

import pytest
from jupyter_client import KernelManager

TIMEOUT_S = 60

SET_UP = """
import torch
from mnist_widgets import SimpleNet, Trainer, TrainingSession, load_bundled_digits
train_set, test_set = load_bundled_digits()
model = SimpleNet(28 * 28, 10)
optimizer = torch.optim.Adam(model.parameters())
loss_fn = torch.nn.CrossEntropyLoss()
session = TrainingSession(Trainer(model, loss_fn, optimizer, train_set.batches(64)))
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="interrupts work differently on Windows")


@pytest.fixture(scope="module")
def kernel():
    """A running kernel of this environment, with a session in it."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT_S)
    try:
        run(client, SET_UP)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run(client, code: str) -> str:
    """Run code in the kernel and return what it printed."""
    printed = []

    def collect(message) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, output_hook=collect, timeout=TIMEOUT_S)
    assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
    return "".join(printed).strip()


@pytest.mark.parametrize("wait", ["await session.finished()", "session.join()"])
def test_an_interrupted_wait_stops_the_training_and_the_cell_ends_well(kernel, wait):
    manager, client = kernel

    def interrupt_when_training(message) -> None:
        if "training" in message["content"].get("text", ""):
            manager.interrupt_kernel()

    # the cell speaks up once the wait has begun and a batch was trained
    announce = """
import signal, threading, time
def announce():
    while session.last_report is None or "_on_interrupt" not in repr(signal.getsignal(2)):
        time.sleep(0.01)
    print("training", flush=True)
threading.Thread(target=announce).start()
"""
    run(client, "session.reset(); session.between_batches(lambda: None).result()")
    reply = client.execute_interactive(
        f"{announce}\nsession.start(100_000)\n{wait}",
        output_hook=interrupt_when_training,
        timeout=TIMEOUT_S,
    )
    assert reply["content"]["status"] == "ok"
    assert run(client, "print(session.state)") == "stopped"


def test_a_crash_while_waiting_ends_the_cell_with_the_error(kernel):
    _, client = kernel
    code = """
def crash(*_):
    raise ZeroDivisionError("planted")
session.trainer.train_step = crash
session.start(1)
await session.finished()
"""
    reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=TIMEOUT_S)
    assert reply["content"]["ename"] == "ZeroDivisionError"
