"""Two lists to say what is wrong with a training, and a button that checks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import HTML, HBox
from traitlets import Unicode, link

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.rendering.static_views import StaticView
from mnist_widgets.runs.clinic.choices import EVIDENCE, FAULTS
from mnist_widgets.runs.clinic.diagnosis import check_diagnosis
from mnist_widgets.widgets.panel import Panel
from mnist_widgets.widgets.parts.controls import ROW, LiveRegion, button, dropdown

_CHOOSE = "Choose a fault and an evidence first."
# A click can reach the kernel before the choice made just before it.
_NOT_CHECKED = "Not checked yet."
_WORDS = {True: "Right.", False: "Not yet."}


class DiagnosisPanel(Panel):
    """Choose the fault of a training of the clinic and the evidence for it, and check both.

    Example:
        ```python
        panel = DiagnosisPanel(7)
        panel.fault, panel.evidence = "dead units", "the accuracy reaches 100 % of the test images"
        panel.check()
        ```

    Args:
        number: of the training.
        on_right: called after each check that finds both right; returns what to add to the verdict.

    Attributes:
        fault: the fault chosen, a trait; empty if there is none.
        evidence: the evidence chosen, a trait; empty if there is none.
    """

    fault = Unicode()
    evidence = Unicode()

    def __init__(self, number: int, on_right: Callable[[], str] = str) -> None:
        self._number, self._on_right = number, on_right
        # whether the latest check found both right, None if nothing was checked; and what it said.
        # Replaced as a whole: another thread draws it.
        self._checked: tuple[bool | None, str] = None, ""
        lists = {
            "fault": ("Fault", "What is wrong with this training", FAULTS, 40, "3 1 250px"),
            "evidence": ("Evidence", "A number that the panels show", EVIDENCE, 62, "4 1 300px"),
        }
        controls = []
        for name, (label, tooltip, names, label_px, flex) in lists.items():
            options = [("Choose ...", ""), *((each, each) for each in names)]
            control = dropdown(label, tooltip, options, label_px=label_px, width_px=300)
            control.layout.width, control.layout.flex = "auto", flex
            control.layout.min_width = "0"  # not as wide as the longest name
            link((control, "value"), (self, name))
            controls.append(control)
        check = button("Check", "Check the fault and the evidence", self.check)
        self._verdict = HTML().add_class("mw-verdict")
        self._spoken = LiveRegion()
        row = HBox([*controls, check], layout=ROW)
        super().__init__("mw-diagnosis-panel", [row, self._verdict, self._spoken])
        self.observe(self._on_choice, ["fault", "evidence"])
        self.redraw()

    @property
    def is_right(self) -> bool:
        """Whether the latest check found fault and evidence right."""
        return bool(self._checked[0])

    def check(self) -> None:
        """Check the two choices, and say whether they are right."""
        if self.fault and self.evidence:
            checked = check_diagnosis(self._number, self.fault, self.evidence)
            more = self._on_right() if checked.is_right else ""
            self._checked = checked.is_right, f"{checked.words} {more}".strip()
        else:
            self._checked = None, _CHOOSE
        self.schedule_redraw(urgent=True)

    def redraw(self) -> None:
        """Update the verdict; called by the redraw scheduler."""
        is_right, words = self._checked
        state = "" if is_right is None else _WORDS[is_right]
        shown = [f"<strong>{state}</strong>" * bool(state), to_html(words)]
        self._verdict.value = " ".join(filter(None, shown))
        self._spoken.words = f"{state} {words}".strip()
        self.mark_static_view_stale()

    def static_view(self) -> StaticView:
        """Return the two choices, and the verdict if they were checked."""
        if not (self.fault and self.evidence):
            return StaticView.of_words("Nothing is chosen.")
        return StaticView.of_words(" ".join(self._describe()))

    def _describe(self) -> Sequence[str]:
        is_right, words = self._checked
        state = "Not checked." if is_right is None else _WORDS[is_right]
        return [f"Fault: {self.fault}.", f"Evidence: {self.evidence}.", state, words]

    def _on_choice(self, _change: object) -> None:
        """Replace a verdict, which is about other choices."""
        _, words = self._checked
        self._checked = None, _NOT_CHECKED if words else ""
        self.schedule_redraw(urgent=True)
