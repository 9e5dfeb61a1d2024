"""The findings of a `HealthMonitor` as text and HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.system.hosts import NOTEBOOK_SERVERS
from mnist_widgets.training.health.finding import Finding

LESSON = "03_inside_one_step.ipynb"
"""The lesson that has a heading with a paragraph for each sign."""


def describe_finding(finding: Finding) -> str:
    """Return a finding as text: its name, evidence and advice."""
    return f"{finding.title}: {finding.evidence} {finding.advice}"


def explain_findings(findings: Sequence[Finding], lesson: str | None = None) -> str:
    """Return the newest finding as HTML, with the names of the others.

    Args:
        findings: the newest last, at least one.
        lesson: a link to the lesson, as `find_lesson` returns it. Without one, words name it.
    """
    *others, newest = findings
    name, news = f"Lesson 3 ({LESSON})", ""
    if lesson is not None:
        # front ends that do not know the heading open the lesson at its start
        target = html.escape(f"{lesson}#{newest.title.replace(' ', '-')}")
        name = f'<a href="{target}" target="_blank" rel="noopener">{name}</a>'
        news = " The link opens a new tab."
    lines = [
        to_html(f"In epoch {newest.epoch}, batch {newest.batch}: {newest.evidence}"),
        to_html(newest.advice),
        f"{name} explains it under the heading &quot;{html.escape(newest.title)}&quot;.{news}",
    ]
    if others:
        also = ", ".join(each.name for each in reversed(others))
        lines.append(html.escape(f"Also found: {also}."))
    return "".join(f"<p>{line}</p>" for line in lines)


def find_lesson(folder: Path, front_end: str) -> str | None:
    """Return a link from a notebook to the lesson that explains findings, or None.

    Only the pages of JupyterLab and Notebook open such links. The lesson must be beside the
    notebook or, for an exercise, one folder up.

    Args:
        folder: that of the notebook.
        front_end: as `find_front_end` names it.
    """
    if front_end not in NOTEBOOK_SERVERS:
        return None
    return next((link for link in (LESSON, f"../{LESSON}") if (folder / link).is_file()), None)
