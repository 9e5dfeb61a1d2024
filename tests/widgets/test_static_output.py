"""When and where the static views of panels are written into a notebook."""

from __future__ import annotations

import sys
import threading
from types import ModuleType

import nbformat
import pytest
from nbclient import NotebookClient
from settled_lab import settle
from timeouts import TIMEOUT_S

from mnist_widgets import Callback, RunConfig, TrainingSession, load_bundled_digits
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.widgets import (
    ConfusionChart,
    HyperparameterPanel,
    ImageGallery,
    LossChart,
    ProbabilityChart,
    TrainingPanel,
    dashboard,
)
from mnist_widgets.widgets.panel import Panel
from mnist_widgets.widgets.redraws import RedrawScheduler, scheduler
from mnist_widgets.widgets.static_output import CALM_S, StaticViewWriter, hide_static_view


def outputs_of(shell) -> list[dict]:
    return shell.display_pub.outputs


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Something with a static view."""

    view_class = "mw-static-test"

    def __init__(self) -> None:
        self.words = "first"

    def static_view(self) -> StaticView:
        return StaticView.of_words(self.words)


class StillScheduler(RedrawScheduler):
    """A scheduler whose frames the test makes itself."""

    is_scheduled = False

    def schedule(self, redraw, urgent=False) -> None:
        self.is_scheduled = True


class Bench:
    """A writer whose frames and clock the test controls."""

    def __init__(self) -> None:
        self.scheduler, self.clock = StillScheduler(), Clock()
        self.writer = StaticViewWriter(self.scheduler, self.clock)
        self.source = Source()
        self.writer.show(self.source, [self.source])

    def change(self, words: str) -> None:
        self.source.words = words
        self.writer.mark_stale(self.source)

    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        is_scheduled, self.scheduler.is_scheduled = self.scheduler.is_scheduled, False
        if is_scheduled:
            self.writer.redraw()


@pytest.fixture
def bench(shell):
    return Bench()


def texts(shell) -> list[str]:
    return [output["data"]["text/plain"].splitlines()[0] for output in outputs_of(shell)]


def test_in_colab_a_static_view_is_written_with_each_redraw_while_nothing_trains(
    shell, make_trainer, monkeypatch
):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    trained = []

    class TextRecorder(Callback):
        def on_train_end(self, trainer):
            trained.extend(texts(shell))

    session = TrainingSession(make_trainer(callbacks=[TextRecorder()]))
    panel = TrainingPanel(session, epochs=1)
    panel._ipython_display_()
    panel._buttons["start"].click()
    assert not any(text.startswith("Training.") for text in trained)
    assert texts(shell)[-1].startswith("Finished.")
    panel.close()


def test_a_static_view_is_rewritten_when_its_panel_has_come_to_rest(shell, bench):
    for number in range(5):
        bench.change(f"change {number}")
        bench.wait(CALM_S / 2)
    assert texts(shell) == ["first"]
    bench.wait(CALM_S / 2)
    bench.wait(CALM_S)
    assert texts(shell) == ["first", "change 4"]
    first, second = outputs_of(shell)
    assert second["update"]
    assert first["transient"] == second["transient"] == {"display_id": "mw-static-test"}


def test_frames_far_apart_are_no_rest_while_something_trains(shell, bench, make_trainer):
    bench.scheduler.interval_s = CALM_S
    session = TrainingSession(make_trainer())
    session.start(100_000)
    for number in range(3):
        bench.change(f"change {number}")
        bench.wait(2 * CALM_S)
    assert texts(shell) == ["first"]
    session.stop()
    session.join()
    bench.wait(0)
    assert texts(shell) == ["first", "change 2"]


def test_a_redraw_that_changes_nothing_writes_nothing(shell, bench):
    bench.change("first")
    bench.wait(CALM_S)
    assert texts(shell) == ["first"]


def test_redraws_of_other_panels_write_nothing(shell, bench):
    bench.source.words = "changed"
    bench.writer.mark_stale(Source())
    bench.writer.write_all()
    assert texts(shell) == ["first"]


def test_one_static_view_at_a_time_is_written_between_two_frames(shell, bench):
    other = Source()
    bench.writer.show(other, [other])
    other.words = "other changed"
    bench.change("changed")
    bench.writer.mark_stale(other)
    bench.wait(CALM_S)
    assert texts(shell) == ["first", "first", "changed"]
    bench.wait(0)
    assert texts(shell)[3:] == ["other changed"]


def test_a_closed_panel_leaves_its_last_state(shell, bench):
    bench.change("the end")
    bench.writer.forget(bench.source)
    bench.change("too late")
    bench.writer.write_all()
    assert texts(shell) == ["first", "the end"]


def test_the_end_of_a_cell_does_not_wait_for_rest(shell):
    chart = LossChart()
    shell.user_ns["chart"] = chart
    shell.run_cell("chart", store_history=False)
    live, view = outputs_of(shell)
    assert "application/vnd.jupyter.widget-view+json" in live["data"]
    assert "text/html" not in live["data"]
    assert "No batch has been trained yet." in view["data"]["text/html"]
    shell.run_cell("for loss in (3, 2, 1): chart.add_batch(loss)", store_history=False)
    assert "Batch 3: loss 1.00" in outputs_of(shell)[-1]["data"]["text/plain"]
    chart.close()


def test_an_error_in_a_static_view_fails_no_cell(shell, caplog):
    class Faulty(Panel):
        is_broken = False

        def __init__(self) -> None:
            super().__init__("mw-faulty", [])

        def redraw(self) -> None:
            self.mark_static_view_stale()

        def static_view(self) -> StaticView:
            if self.is_broken:
                raise ValueError("no static view")
            return StaticView.of_words("fine")

    panel = shell.user_ns["panel"] = Faulty()
    shell.run_cell("panel", store_history=False)
    panel.is_broken = True
    scheduler.schedule(panel.redraw)
    assert shell.run_cell("1 + 1", store_history=False).success
    assert "A static view could not be written" in caplog.text
    caplog.clear()
    panel.is_broken = False
    panel.close()


def test_the_panels_own_style_sheet_hides_its_static_view_and_no_other(shell):
    charts = [LossChart(), LossChart()]
    for chart in charts:
        chart._ipython_display_()
    sheets = [chart.children[0].value for chart in charts]
    for chart, sheet, view in zip(charts, sheets, outputs_of(shell)[1::2], strict=True):
        assert hide_static_view(chart.view_class) in sheet
        assert f'class="mw-static {chart.view_class}"' in view["data"]["text/html"]
        chart.close()
    assert charts[0].view_class not in sheets[1]


def test_a_closed_panel_can_still_be_displayed(shell):
    chart = LossChart()
    chart.add_batch(0.5)
    chart.close()
    chart._ipython_display_()
    assert texts(shell) == ["Batch 1: loss 0.500."]


def test_a_static_view_may_be_made_in_any_thread(shell, bench):
    bench.change("from a thread")
    bench.clock.now_s += CALM_S
    thread = threading.Thread(target=bench.writer.redraw)
    thread.start()
    thread.join()
    assert texts(shell)[-1] == "from a thread"


@pytest.fixture(scope="module")
def lab():
    train_set, test_set = load_bundled_digits()
    lab = dashboard(data=(train_set, test_set), settings="adam batch=256 hidden=16")
    yield lab
    lab.close()


def test_a_dashboards_static_view_holds_what_all_its_panels_show(lab):
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    lab.selected_index = 4
    settle(lab)
    view = lab.static_view()
    assert view.html.count("<h3>") == 7
    assert view.html.count("<img") == 4
    for words in ("Finished. Epoch 1 of 1", "hidden_units=16", "Batch 6:", "Run 1 (adam lr=0.001"):
        assert words in view.text
    assert f"True {int(lab._factory.test_set.labels[4])}. The network says" in view.text
    assert len(view.html) < 100_000


def test_hidden_panels_have_no_static_view():
    lab = dashboard(data=load_bundled_digits(), hide=["settings", "runs", "prediction"])
    assert "<h3>Loss</h3>" in lab.static_view().html
    assert not {"Settings", "Runs", "Prediction"} & set(lab.static_view().text.splitlines())
    lab.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (LossChart, "No batch has been trained yet."),
        (ConfusionChart, "Nothing has been evaluated yet"),
        (ProbabilityChart, "No image is selected."),
        (lambda: HyperparameterPanel(RunConfig()), "optimizer = torch.optim.Adam"),
        (lambda: ImageGallery(load_bundled_digits()[1]), "page 1 of 12, shown: All"),
    ],
)
def test_every_panel_has_a_static_view_from_the_start(make, words):
    panel = make()
    assert words in panel.static_view().text
    panel.close()


@pytest.mark.parametrize("name", ["loss_chart", "gallery", "prediction", "confusion", "runs"])
def test_what_a_redraw_of_a_panel_changes_is_written_at_the_end_of_the_cell(shell, name):
    lab = dashboard(data=load_bundled_digits(), settings="adam batch=256 hidden=16")
    panel = shell.user_ns["panel"] = lab.panels[name]
    shell.run_cell("panel", store_history=False)
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    if name == "prediction":  # only a selection changes it here: no page is open
        lab.selected_index = 4
    shell.run_cell("None", store_history=False)
    assert outputs_of(shell)[-1]["data"]["text/plain"].startswith(panel.static_view().text)
    assert outputs_of(shell)[-1]["update"]
    lab.close()


def test_the_static_view_of_a_failed_training_names_the_error(make_trainer):
    def fail(*_):
        raise ValueError("a bad batch")

    session = TrainingSession(make_trainer(train_step=fail))
    panel = TrainingPanel(session)
    session.start(1)
    with pytest.raises(ValueError, match="a bad batch"):
        session.join(TIMEOUT_S)
    assert panel.static_view().text.startswith("Failed.")
    assert "ValueError: a bad batch" in panel.static_view().html
    panel.close()


CELLS = [
    """
from mnist_widgets import Callback, RunConfig, TrainingSession, load_bundled_digits
from mnist_widgets.widgets import LossChart
chart = LossChart()
session = TrainingSession(RunConfig(batch_size=256).build(*load_bundled_digits(), [chart]))
""",
    "chart",
    "session.start(2)\nawait session.finished()",
]


def test_a_notebook_that_is_run_without_a_page_is_saved_with_the_last_state():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    live, view = notebook.cells[1].outputs
    assert "LossChart" in live.data["text/plain"]
    assert "after epoch 2" in view.data["text/plain"]
    assert "<img" in view.data["text/html"]
    assert not notebook.cells[2].outputs
