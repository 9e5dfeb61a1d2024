"""The findings of a session's health monitors that a person has not dismissed yet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mnist_widgets.rendering.finding_captions import explain_findings, find_lesson
from mnist_widgets.session.session import TrainingSession
from mnist_widgets.session.states import State
from mnist_widgets.system.hosts import find_front_end
from mnist_widgets.training.health.finding import Finding
from mnist_widgets.training.health.monitor import HealthMonitor

_find_front_end = cache(find_front_end)  # it stays the same, and takes milliseconds to find


class OpenFindings:
    """Findings of the latest run, for a panel that shows and announces them.

    Args:
        session: each `HealthMonitor` among the callbacks of its trainer is read.
    """

    def __init__(self, session: TrainingSession) -> None:
        self._session = session
        self._shown: list[Finding] = []
        self._dismissed: list[Finding] = []
        self._announced: list[Finding] = []  # to screen readers, the newest in this state:
        self._announced_in: State = "idle"

    def find(self) -> list[Finding]:
        """Return the findings that were not dismissed, the newest last."""
        found = [
            finding
            for callback in self._session.trainer.callbacks
            if isinstance(callback, HealthMonitor)
            for finding in callback.findings
        ]
        return [each for each in found if not _contains(self._dismissed, each)]

    def show(self) -> list[Finding]:
        """Return the same, and note that the newest is the one that a person sees."""
        self._shown = self.find()
        return self._shown

    def explain_shown(self) -> str:
        """Return the newest finding shown as HTML, with a link to its lesson where links work."""
        return explain_findings(self._shown, find_lesson(Path(), _find_front_end()))

    def dismiss_shown(self) -> None:
        """Leave out the finding that a person sees; another one may have come since."""
        self._dismissed += self._shown[-1:]

    def is_news(self, finding: Finding) -> bool:
        """Return whether screen readers read a finding: once, until the state changes."""
        state = self._session.state
        if not _contains(self._announced, finding):
            self._announced.append(finding)
            self._announced_in = state
        return finding is self._announced[-1] and state == self._announced_in


def _contains(findings: list[Finding], finding: Finding) -> bool:
    return any(each is finding for each in findings)  # the next run may find an equal one
