"""Where no thread can be started: an error in place, and a session that stays usable."""

from __future__ import annotations

import subprocess
import sys

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")

LIMITED = """
import os, resource, sys, threading
import torch
torch.set_num_threads(1)
from mnist_widgets import TrainingSession, load_bundled_digits, RunConfig
{imports}

session = TrainingSession(RunConfig(batch_size=512).build(*load_bundled_digits()))
{before}
if os.getuid() == 0:  # the limit does not hold for root
    os.setgid(65534)
    os.setuid(65534)
_, hard = resource.getrlimit(resource.RLIMIT_NPROC)
resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
try:
    threading.Thread(target=int).start()
except RuntimeError:
    pass
else:
    sys.exit(77)
{limited}
assert session.state == "idle", session.state
assert session.can("start")
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
session.start(1)
session.join(60)
assert session.state == "finished"
assert session.trainer.history.num_epochs == 1
assert session.between_batches(lambda: 42).result(60) == 42
session.close()
{after}
"""

REQUEST = """
for request in (
    lambda: session.start(1),
    session.step,
    session.reset,
    lambda: session.between_batches(lambda: None),
    lambda: session.in_portions(lambda: iter(())),
):
    try:
        request()
    except RuntimeError as error:
        assert "thread" in str(error)
    else:
        raise AssertionError("no error")
"""
MAKE_PANEL = """
panel = TrainingPanel(session, epochs=1)
redraws.scheduler.flush()
while redraws.scheduler._thread is not None:
    redraws.scheduler._thread.join(0.01)
"""
CLICK = """
panel._buttons["start"].click()
assert "No thread could be started" in panel._status.value, panel._status.value
assert not panel._buttons["start"].disabled
"""
IS_DRAWN = """
redraws.scheduler.flush()
assert "Finished" in panel._state.value, panel._state.value
"""


def run_limited(**parts) -> None:
    script = LIMITED.format(**{"imports": "", "before": "", "after": "", **parts})
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    if ended.returncode == 77:
        pytest.skip("this system starts threads in spite of the limit")
    assert ended.returncode == 0, ended.stderr.decode()


@linux_only
def test_every_request_fails_in_place_and_the_session_stays_usable():
    run_limited(limited=REQUEST)


@linux_only
def test_the_panel_says_what_is_wrong_and_draws_without_a_thread():
    imports = "from mnist_widgets.widgets import TrainingPanel, redraws"
    run_limited(imports=imports, before=MAKE_PANEL, limited=CLICK, after=IS_DRAWN)
