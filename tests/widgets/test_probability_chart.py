"""One image's probabilities, without a browser."""

from __future__ import annotations

import pytest
import torch

from mnist_widgets.widgets import ProbabilityChart
from mnist_widgets.widgets.messages import format_share
from mnist_widgets.widgets.probability_chart import describe_prediction

IMAGE = torch.zeros(28, 28, dtype=torch.uint8)


def test_bars_sentence_and_picture_show_the_same_prediction():
    chart = ProbabilityChart()
    probabilities = torch.tensor([0.0, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.93, 0.02, 0.0])
    chart.show_prediction(IMAGE, probabilities, true_label=7)
    assert chart._bars.y.tolist() == pytest.approx(probabilities.tolist())
    assert chart._sentence.value == "Label 7. The network says 7 with 93 %, then 2 with 5 %."
    assert bytes(chart._image.value).startswith(b"\x89PNG")
    chart.close()


def test_classes_have_their_own_names():
    sentence = describe_prediction(torch.tensor([0.2, 0.8]), ["cat", "dog"])
    assert sentence == "dog with 80 %, then cat with 20 %"


def test_the_wrong_number_of_probabilities_is_refused():
    chart = ProbabilityChart()
    with pytest.raises(ValueError, match=r"10 numbers.*\(3,\)"):
        chart.show_prediction(IMAGE, torch.ones(3) / 3)
    chart.close()


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.001, "under 1 %"),
        (0.5, "50 %"),
        (0.9999, "over 99 %"),
        (1.0, "100 %"),
        (float("nan"), "no number"),
    ],
)
def test_a_share_is_not_rounded_to_certainty(share, words):
    assert format_share(share) == words
