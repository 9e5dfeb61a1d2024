"""The clinic as a lab: what it shows and hides, and the check of a diagnosis."""

from __future__ import annotations

import pytest
from settled_lab import settle
from timeouts import TIMEOUT_S

from mnist_widgets.rendering.captions import to_html
from mnist_widgets.runs.clinic.cases import CASES, EPOCHS
from mnist_widgets.runs.clinic.choices import EVIDENCE, FAULTS
from mnist_widgets.training.health.monitor import HealthMonitor
from mnist_widgets.widgets import DiagnosisPanel, clinic, dashboard
from mnist_widgets.widgets.redraws import scheduler


def words_of(panel) -> str:
    """Return what a screen reader gets after a redraw."""
    scheduler.flush()
    return panel._spoken.words


def choose(panel, fault, evidence) -> str:
    panel.fault, panel.evidence = fault, evidence
    panel.check()
    return words_of(panel)


def test_a_sick_training_is_trained_and_shown_like_any_other():
    lab = clinic(3)
    assert lab.number == 3
    assert {"loss_chart", "gallery", "prediction", "confusion", "diagnosis"} < set(lab.panels)
    assert not {"settings", "runs"} & set(lab.panels)
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    assert lab.session.state == "finished"
    assert "Epoch" in lab.panels["loss_chart"].static_view().text


def test_nothing_on_the_page_names_the_fault_but_the_list():
    for number, case in CASES.items():
        lab = clinic(number)
        lab.session.step(EPOCHS)
        settle(lab)
        shown = lab.static_view().text + lab.panels["training"].static_view().html
        assert case.fault not in shown
        assert case.explanation not in shown
        assert not lab.session.trainer.warnings
        assert not any(isinstance(each, HealthMonitor) for each in lab.session.trainer.callbacks)
        lab.close()


def test_the_healthy_training_has_nothing_to_diagnose():
    assert "diagnosis" not in clinic(0).panels


@pytest.mark.parametrize("number", [-1, 13, "7", True, None, 2.0])
def test_an_unknown_number_is_refused_and_the_open_lab_stays(number):
    before = clinic(1)
    with pytest.raises(ValueError, match="1 to 12"):
        clinic(number)
    assert not before.session.is_closed


def test_a_new_lab_closes_the_one_before():
    first = clinic(1)
    second = clinic(2)
    assert first.session.is_closed
    third = dashboard()
    assert second.session.is_closed
    fourth = clinic(1)
    assert third.session.is_closed
    assert not fourth.session.is_closed


def test_the_check_says_what_is_right():
    panel, case = DiagnosisPanel(7), CASES[7]
    other_fault = next(fault for fault in FAULTS if fault != case.fault)
    other_evidence = next(evidence for evidence in EVIDENCE if evidence != case.evidence)
    answers = [
        choose(panel, fault, evidence)
        for fault in (case.fault, other_fault)
        for evidence in (case.evidence, other_evidence)
    ]
    assert answers[0] == f"Right. {case.explanation}"
    assert all(answer.startswith("Not yet.") for answer in answers[1:])
    assert len(set(answers)) == 4


def test_a_right_answer_lets_a_health_monitor_watch_the_next_run():
    lab, case = clinic(4), CASES[4]
    panel = lab.panels["diagnosis"]
    choose(panel, case.fault, EVIDENCE[0] if case.evidence != EVIDENCE[0] else EVIDENCE[1])
    lab.session.start(1)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    assert case.fault not in lab.panels["training"].static_view().text
    for _ in range(2):
        choose(panel, case.fault, case.evidence)
    lab.session.reset()
    lab.session.start(EPOCHS)
    lab.session.join(TIMEOUT_S)
    settle(lab)
    assert case.fault in lab.panels["training"].static_view().text.lower()
    monitors = [each for each in lab.session.trainer.callbacks if isinstance(each, HealthMonitor)]
    assert len(monitors) == 1


def test_a_right_answer_after_the_session_was_closed_has_its_verdict():
    lab, case = clinic(7), CASES[7]
    lab.session.close()
    answer = choose(lab.panels["diagnosis"], case.fault, case.evidence)
    assert answer == f"Right. {case.explanation}"


def test_a_check_without_both_choices_asks_for_them():
    panel = DiagnosisPanel(7)
    panel.check()
    assert "Choose" in words_of(panel)
    assert "Choose" in choose(panel, FAULTS[0], "")
    assert not panel.is_right


def test_another_choice_removes_the_verdict():
    panel, case = DiagnosisPanel(7), CASES[7]
    choose(panel, case.fault, case.evidence)
    assert panel.is_right
    panel.fault = next(fault for fault in FAULTS if fault != case.fault)
    assert words_of(panel) == "Not checked yet."
    assert not panel.is_right


def test_the_static_view_keeps_the_diagnosis():
    panel, case = DiagnosisPanel(7), CASES[7]
    assert case.fault not in panel.static_view().text
    choose(panel, case.fault, case.evidence)
    view = panel.static_view()
    for words in (case.fault, case.evidence, "Right."):
        assert words in view.text
        assert to_html(words) in view.html


def test_an_unknown_choice_is_refused():
    panel = DiagnosisPanel(7)
    with pytest.raises(Exception, match="Invalid selection"):
        panel.fault = "a cold"
