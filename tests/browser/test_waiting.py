"""A lab whose requests wait, in a real JupyterLab: drawn while it trains, interrupted."""

from __future__ import annotations

from playwright.sync_api import expect
from watched_page import AFTER_AN_EPOCH, batches_in_caption

from mnist_widgets import load_bundled_digits

_, DIGITS = load_bundled_digits()
CELLS = [
    "from mnist_widgets import load_bundled_digits\nfrom mnist_widgets.widgets import dashboard",
    "lab = dashboard(data=load_bundled_digits(), wait=True, epochs=1000)\nlab",
]
INTERRUPT = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"


def test_a_training_that_a_click_began_is_drawn_live_and_stopped_by_an_interrupt(lab):
    lab.open_notebook(CELLS)
    lab.run_all()
    page = lab.page
    state, start, pause, stop = (
        page.locator(f".mw-{n}") for n in ("state", "start", "pause", "stop")
    )
    caption = page.locator(".mw-loss-chart .mw-caption")
    start.click()
    expect(state).to_have_text("Training")
    expect(page.locator(".mw-training-panel .mw-status")).to_contain_text("interrupt the kernel")
    expect(pause).to_be_disabled()
    expect(stop).to_be_disabled()
    expect(caption).to_contain_text(AFTER_AN_EPOCH)  # drawn before the end
    lab.screenshot("waiting-training")
    images, label = page.locator(".mw-image-gallery [role=option]"), DIGITS.labels[12]
    images.nth(12).click()  # the kernel receives this when the training ends
    expect(page.locator(".mw-probability-chart .mw-caption")).to_contain_text(f"True {label}.")
    page.evaluate(INTERRUPT)
    expect(state).to_have_text("Stopped")
    expect(start).to_be_enabled()
    lab.wait_until_idle()
    num_batches = int(lab.run_cell("print(len(lab.session.trainer.history.batch_losses))"))
    expect(caption).to_contain_text(batches_in_caption(num_batches))
    page.locator(".mw-step").click()
    expect(state).to_have_text("Paused")
    expect(pause).to_have_text("Resume")
    lab.screenshot("waiting-paused")
