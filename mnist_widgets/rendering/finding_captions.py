"""The findings of a `HealthMonitor` as text and HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mnist_widgets.training.health.finding import LESSON, Finding


def describe_finding(finding: Finding) -> str:
    """Return a finding as text: its name, evidence and advice."""
    return f"{finding.title}: {finding.evidence} {finding.advice}"


def explain_findings(findings: Sequence[Finding]) -> str:
    """Return the newest finding as HTML, with the names of the others.

    It names its lesson in words. A link to a notebook beside the student's own works only in some
    front ends.

    Args:
        findings: the newest last, at least one.
    """
    *others, newest = findings
    lines = [
        f"In epoch {newest.epoch}, batch {newest.batch}: {newest.evidence}",
        newest.advice,
        f'Lesson 3 ({LESSON}) explains it under the heading "{newest.title}".',
    ]
    if others:
        lines.append(f"Also found: {', '.join(each.name for each in reversed(others))}.")
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)
