"""The words and links that explain a finding."""

from __future__ import annotations

import re

import pytest

from mnist_widgets.rendering.finding_captions import LESSON, explain_findings, find_lesson
from mnist_widgets.system.hosts import SERVERS
from mnist_widgets.training.health.finding import Finding

FINDINGS = [
    Finding("dead units", 1, 45, "95 % of the units are 0.", "Reset the weights."),
    Finding("rate too high", 2, 7, "The loss rose from 2 to <nan> & more.", "Use less."),
]


def find_links(content: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', content)


def test_an_explanation_names_the_lesson_and_its_heading_with_and_without_a_link():
    words, linked = explain_findings(FINDINGS), explain_findings(FINDINGS, f"../{LESSON}")
    for content in (words, linked):
        for part in (LESSON, "Rate too high", "epoch 2, batch 7", "&lt;nan&gt; &amp; more"):
            assert part in content
        assert "dead units" in content
    assert find_links(words) == []
    assert find_links(linked) == [f"../{LESSON}#Rate-too-high"]


@pytest.mark.parametrize("front_end", {*SERVERS.values(), "Google Colab", "VS Code", "terminal"})
def test_a_lesson_is_linked_where_it_is_and_where_the_front_end_opens_notebooks(
    tmp_path, front_end
):
    exercises = tmp_path / "exercises"
    exercises.mkdir()
    assert find_lesson(tmp_path, front_end) is None
    (tmp_path / LESSON).touch()
    links = [find_lesson(folder, front_end) for folder in (tmp_path, exercises)]
    opens_notebooks = "server" in front_end
    assert links == ([LESSON, f"../{LESSON}"] if opens_notebooks else [None, None])
