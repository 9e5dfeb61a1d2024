"""Trainings in a real kernel: waiting for them, what its interrupt button does, what is drawn."""

from __future__ import annotations

import os
import sys

import pytest
from jupyter_client import KernelManager
from timeouts import TIMEOUT_S

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
def running_kernel():
    """A running kernel of this environment."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT_S)
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(running_kernel):
    """The kernel, with a session in it that no other test has changed."""
    _, client = running_kernel
    run(client, SET_UP)
    return running_kernel


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
def session_listens():
    handler = signal.getsignal(signal.SIGINT)
    return getattr(handler, "__module__", "") == "mnist_widgets.system.interrupts"
def announce():
    while session.last_report is None or not session_listens():
        time.sleep(0.01)
    print("training", flush=True)
threading.Thread(target=announce).start()
"""
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


IN_COLAB = """
import sys
import threading
from types import ModuleType
from mnist_widgets.widgets import LossChart, TrainingPanel
sys.modules["google.colab"] = ModuleType("google.colab")
chart = LossChart()
trainer = Trainer(model, loss_fn, optimizer, train_set.batches(64), callbacks=[chart])
waiting = TrainingSession(trainer)
panel = TrainingPanel(waiting, epochs=10_000)
"""


@pytest.fixture
def colab(kernel):
    """The kernel as in Colab, with a chart, a session whose requests wait, and its panel."""
    manager, client = kernel
    run(client, IN_COLAB)
    yield manager, client
    run(client, "waiting.close(); del sys.modules['google.colab']")


def test_a_training_is_drawn_by_the_cell_that_waits_for_it(colab):
    _, client = colab
    drawn = []

    def collect(message) -> None:  # gets the messages that this cell sends, as Colab does
        if message["msg_type"] == "comm_msg":
            state = message["content"]["data"].get("state", {})
            drawn.append(state.get("caption") or state.get("value"))

    reply = client.execute_interactive("waiting.start(3)", output_hook=collect, timeout=TIMEOUT_S)
    assert reply["content"]["status"] == "ok"
    captions = [value for value in drawn if " batches" in str(value)]
    assert captions[-1] == run(client, "print(chart._footer.caption)")
    assert run(client, "print('in', waiting.last_report.step, 'batches')") in captions[-1]
    assert any("Training</span>" in str(value) for value in drawn)
    assert any("interrupt the kernel" in str(value) for value in drawn)
    assert [value for value in drawn if "mw-state" in str(value)][-1].count("Finished")


@pytest.mark.parametrize("num_interrupts", [1, 2])
def test_one_interrupt_stops_what_a_cell_trains_and_a_second_one_ends_the_cell(
    colab, num_interrupts
):
    manager, client = colab

    def interrupt(message) -> None:
        if "now" in message["content"].get("text", ""):
            manager.interrupt_kernel()

    code = f"""
from mnist_widgets import train_step
may_go_on = threading.Event()
def hang_at_last(*arguments):
    if len(trainer.history.batch_losses) == 3:
        print("now", flush=True)
        while waiting.can("pause"):  # the first interrupt has requested a stop by then
            pass
        if {num_interrupts} == 2:
            print("now", flush=True)
            may_go_on.wait()
    return train_step(*arguments)
trainer.train_step = hang_at_last
waiting.start(10_000)
"""
    reply = client.execute_interactive(code, output_hook=interrupt, timeout=TIMEOUT_S)["content"]
    printed = run(
        client, "may_go_on.set(); waiting.join(); print(waiting.state, waiting.last_report.step)"
    )
    assert printed == "stopped 4"
    if num_interrupts == 1:
        assert reply["status"] == "ok"
    else:
        assert reply["ename"] == "KeyboardInterrupt"


def test_a_training_that_a_click_began_is_stopped_by_an_interrupt(colab):
    manager, client = colab
    start = run(client, "print(panel._buttons['start'].model_id)")
    click = {"comm_id": start, "data": {"method": "custom", "content": {"event": "click"}}}
    message = client.session.msg("comm_msg", click)
    client.shell_channel.send(message)
    states = []
    while states[-1:] != ["idle"]:
        answer = client.get_iopub_msg(timeout=TIMEOUT_S)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if "interrupt the kernel" in str(answer["content"]):
            manager.interrupt_kernel()
        states.append(answer["content"].get("execution_state"))
    assert run(client, "print(waiting.state, trainer.ending)") == "stopped stopped"
    assert "Stopped" in run(client, "print(panel._state.value)")
