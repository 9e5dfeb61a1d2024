"""The source of a step, with the line of one move marked."""

from __future__ import annotations

import functools
import pickle
import re
from dataclasses import replace
from html import unescape

import pytest
import torch
from torch import nn

from mnist_widgets import record_step, train_step
from mnist_widgets.rendering.steps.source import mark_source


def record(step):
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    batch = torch.rand(8, 4), torch.randint(0, 3, (8,))
    return record_step(model, batch, nn.CrossEntropyLoss(), optimizer, train_step=step)


def find_marked(html):
    """List the marked lines."""
    return [unescape(line).strip() for line in re.findall(r"<mark>(.*?)</mark>", html)]


def own_step(model, batch, loss_fn, optimizer, device):
    """A student's own step."""
    optimizer.zero_grad()
    images, labels = batch
    if images.dim() < 9 and batch:
        outputs = model(images)
    loss = loss_fn(outputs, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ("zero_grad", "optimizer.zero_grad()"),
        ("forward", "outputs = model(images)"),
        ("loss", "loss = loss_fn(outputs, labels)"),
        ("backward", "loss.backward()"),
        ("update", "optimizer.step()"),
    ],
)
def test_the_line_of_a_move_is_marked_with_words(event, line):
    html = mark_source(record(own_step), event)
    (marked,) = find_marked(html)
    assert marked.startswith(line)
    assert marked != line
    assert html.count("this move") == 1


def test_the_source_is_whole_and_escaped_without_its_docstring():
    text = unescape(re.sub("<[^>]*>", "", mark_source(record(own_step), None)))
    assert text.startswith("def own_step(model")
    assert "if images.dim() < 9 and" in text
    assert text.endswith("return loss.item()")
    assert "A student" not in text
    assert "images.dim() &lt; 9" in mark_source(record(own_step), None)


def test_without_a_line_nothing_is_marked():
    made = record(own_step)
    for event in (None, "other"):
        assert not find_marked(mark_source(made, event))
    made = record(train_step)
    assert len(find_marked(mark_source(made, "forward"))) == 1


class Step:
    """A step that is an object, decorated and indented."""

    @torch.enable_grad()
    def __call__(self, model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        return loss.item()


def test_steps_of_other_kinds_are_found():
    partial = functools.partial(own_step)
    assert find_marked(mark_source(record(partial), "backward"))
    html = mark_source(record(Step()), "backward")
    assert find_marked(html)[0].startswith("loss.backward()")
    one_line = lambda *parts: train_step(*parts)  # noqa: E731, PLW0108 - has no docstring
    assert "lambda" in mark_source(record(one_line), "forward")


def test_an_unknown_source_is_empty():
    code = "def step(model, batch, loss_fn, optimizer, device):\n    return 0.0"
    names = {}
    exec(code, names)
    assert mark_source(record(names["step"]), "loss") == ""
    assert mark_source(replace(record(own_step), code=None), "loss") == ""


def test_a_record_without_code_can_be_saved():
    made = pickle.loads(pickle.dumps(record(own_step)))
    assert made.events
    assert mark_source(made, "loss") == ""
