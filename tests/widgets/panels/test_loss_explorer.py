"""The loss explorer without a browser: its traits, its numbers, and those of its page."""

from __future__ import annotations

import json
import math
import shutil
import subprocess

import pytest
import torch
from torch.nn import functional
from traitlets import TraitError

from mnist_widgets.widgets import LossChart, LossExplorer, Row
from mnist_widgets.widgets.theme import read_static

FASHION = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat"]
SETTINGS_SEED, NUM_SETTINGS = 0, 200
EXPLAIN = """
const {explainLoss} = await import(`data:text/javascript,${encodeURIComponent(process.argv[1])}`);
const states = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(states.map(explainLoss)));
"""


@pytest.fixture
def explorer():
    explorer = LossExplorer()
    yield explorer
    explorer.close()


def random_settings():
    """Return settings of the page: most scores usual, some large; any temperature."""
    generator = torch.Generator().manual_seed(SETTINGS_SEED)
    settings = []
    for number in range(NUM_SETTINGS):
        size = (1.0, 3.0, 10.0, 30.0)[number % 4]
        scores = (size * torch.randn(10, generator=generator, dtype=torch.float64)).clamp(-100, 100)
        position = 2 * torch.rand((), generator=generator, dtype=torch.float64) - 1
        settings.append(
            {
                "scores": scores.tolist(),
                "trueClass": int(torch.randint(10, (), generator=generator)),
                "temperature": 10 ** position.item(),
                "isTwice": number % 2 == 1,
            }
        )
    return settings


def compute_by_torch(setting):
    """Return p, q, loss and gradient."""
    scores = torch.tensor(setting["scores"], dtype=torch.float64, requires_grad=True)
    scaled = scores / setting["temperature"]
    probabilities = torch.softmax(scaled, dim=0)
    given = probabilities if setting["isTwice"] else scaled
    loss = functional.cross_entropy(given[None], torch.tensor([setting["trueClass"]]))
    loss.backward()
    again = torch.softmax(probabilities, dim=0)
    return probabilities.tolist(), again.tolist(), loss.item(), scores.grad.tolist()


def test_the_page_computes_what_torch_and_its_autograd_compute():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    settings = random_settings()
    logic = read_static("loss_explorer_logic.js")
    command = [node, "--input-type=module", "--eval", EXPLAIN, "--", logic]
    answer = subprocess.run(
        command, input=json.dumps(settings), capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    assert len(found) == NUM_SETTINGS
    for setting, result in zip(settings, found, strict=True):
        *expected, gradient = compute_by_torch(setting)
        shown = [result["probabilities"], result["again"], result["loss"], result["gradient"]]
        for numbers, wanted in zip(shown, [*expected, gradient], strict=True):
            assert numbers == pytest.approx(wanted, rel=0, abs=1e-6), setting


def test_the_panel_computes_what_torch_computes(explorer):
    for setting in random_settings()[:8]:
        explorer.scores, explorer.true_class = setting["scores"], setting["trueClass"]
        explorer.temperature, explorer.softmax_twice = setting["temperature"], setting["isTwice"]
        probabilities, _, loss, gradient = compute_by_torch(setting)
        assert explorer.probabilities.tolist() == pytest.approx(probabilities)
        assert explorer.loss == pytest.approx(loss)
        assert explorer.gradient.tolist() == pytest.approx(gradient)


def test_scores_from_a_list_keep_their_exact_values(explorer):
    explorer.scores = [0.1] * 10
    assert explorer.scores == (0.1,) * 10


def test_the_gradient_is_p_minus_y_divided_by_the_temperature(explorer):
    explorer.temperature = 2.5
    truth = functional.one_hot(torch.tensor(explorer.true_class), 10)
    wanted = (explorer.probabilities - truth) / 2.5
    assert torch.allclose(explorer.gradient, wanted)


def test_softmax_twice_leaves_a_loss_of_1_46_and_little_gradient(explorer):
    explorer.scores = [30.0 if label == 3 else 0.0 for label in range(10)]
    assert explorer.loss == pytest.approx(0)
    explorer.softmax_twice = True
    assert explorer.loss == pytest.approx(math.log(1 + 9 / math.e))
    explorer.true_class = 5  # sure and wrong
    assert explorer.gradient.abs().max() < 1e-9
    explorer.softmax_twice = False
    assert explorer.gradient.abs().max() > 0.99


def test_numbers_are_there_while_gradients_are_off(explorer):
    before = explorer.gradient
    with torch.no_grad():
        assert explorer.gradient.equal(before)
    with torch.inference_mode():
        assert explorer.gradient.equal(before)


def test_the_page_writes_the_traits_and_python_reads_them_and_the_other_way_round(explorer):
    page, seen = explorer.children[-1], []
    explorer.observe(seen.append, names=["scores", "true_class"])
    page.set_state({"scores": [1, *range(9)], "true_class": 7, "temperature": 2})
    assert explorer.scores == (1.0, *map(float, range(9)))
    assert (explorer.true_class, explorer.temperature) == (7, 2.0)
    assert [change["name"] for change in seen] == ["scores", "true_class"]
    explorer.scores = torch.zeros(10, requires_grad=True)
    explorer.softmax_twice = True
    state = page.get_state()
    assert list(state["scores"]) == [0.0] * 10
    assert state["softmax_twice"] is True


def test_start_again_knows_the_first_values():
    scores = torch.arange(10.0)
    explorer = LossExplorer(scores=scores, true_class=9)
    explorer.scores = torch.zeros(10)
    explorer.temperature = 3
    first = explorer.children[-1].get_state()["first_values"]
    assert {**first, "scores": list(first["scores"])} == {
        "scores": scores.tolist(),
        "true_class": 9,
        "temperature": 1.0,
        "softmax_twice": False,
    }
    explorer.close()


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        ("scores", [1.0, 2.0]),
        ("scores", torch.zeros(1, 10)),
        ("scores", "0123456789"),
        ("scores", [math.nan] * 10),
        ("scores", [math.inf] * 10),
        ("scores", [101.0] * 10),
        ("true_class", 10),
        ("true_class", -1),
        ("true_class", 1.5),
        ("temperature", 0),
        ("temperature", 11),
        ("temperature", math.nan),
        ("softmax_twice", "yes"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(explorer, trait, value):
    before = getattr(explorer, trait)
    with pytest.raises(TraitError, match=trait):
        setattr(explorer, trait, value)
    assert getattr(explorer, trait) == before
    assert explorer.children[-1].get_state()[trait] == before


def test_classes_have_their_own_names_and_number():
    explorer = LossExplorer(FASHION)
    assert len(explorer.scores) == 5
    assert explorer.children[-1].get_state()["class_names"] == FASHION
    explorer.true_class = 4
    assert "Coat" in explorer.static_view().text.splitlines()[0]
    explorer.close()
    two = LossExplorer(["cat", "dog"])
    assert two.true_class == 1
    two.close()
    for names in (["one"], ["a", "a"]):
        with pytest.raises(ValueError, match="class_names"):
            LossExplorer(names)


def test_the_static_view_has_all_numbers_as_text(explorer):
    explorer.scores, explorer.true_class = [math.log(9), *[0.0] * 9], 0
    view = explorer.static_view()
    caption, _, first, second, *_ = view.text.splitlines()
    assert "0.693" in caption
    assert first.split() == ["0", "2.197", "50.00", "%", "-0.5"]
    assert second.split() == ["1", "0", "5.56", "%", "+0.0556"]
    assert "<caption>" in view.html
    explorer.softmax_twice = True
    assert "twice" in explorer.static_view().text


def test_a_row_shows_the_explorer_and_closes_it():
    explorer, chart = LossExplorer(), LossChart()
    row = Row(explorer, chart)
    assert explorer.static_view().text in row.static_view().text
    page = explorer.children[-1]
    row.close()
    assert explorer.comm is None
    assert page.comm is None
    explorer.temperature = 2  # no error
