"""Every number of the five moves, computed again from the record with torch alone, in float64."""

from __future__ import annotations

import math
import random
import re
from decimal import Decimal
from html import unescape

import pytest
import torch
from recorded_steps import OPTIMIZERS, Reader, find_numbers, is_written, record_digits

from mnist_widgets.rendering.png_canvas import Canvas
from mnist_widgets.rendering.steps.choice import StepChoice
from mnist_widgets.rendering.steps.moves import MOVES
from mnist_widgets.training.recording.losses import LossComparison

NUM_CHOICES = 100
NAMES = ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]


CASES = {
    **{name: (name, {}) for name in OPTIMIZERS},
    "confident": ("Adam", {"num_steps": 400, "num_batches": 4}),
    "unscaled": ("Adam", {"num_steps": 2, "scale": 255}),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    name, options = CASES[request.param]
    record = record_digits(name, **options)
    return name, record, compute_exactly(record)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Paint no pictures, which hold no numbers, but take time."""
    monkeypatch.setattr(Canvas, "to_png", lambda _: b"")


def choose(record):
    """Return random choices of both layers."""
    chance = random.Random(0)
    for _ in range(NUM_CHOICES):
        layer = chance.choice(["linear1", "linear2"])
        num_units, num_weights = record.before[f"{layer}.weight"].shape
        image = chance.randrange(len(record.inputs))
        yield StepChoice(image, layer, chance.randrange(num_units), chance.randrange(num_weights))


def compute_exactly(record):
    """Return what follows from inputs, weights and labels: in float64, and gradients by torch."""
    before = {name: value.double() for name, value in record.before.items()}
    images, hidden = (record.layers[name].inputs.double() for name in ("linear1", "linear2"))
    sums = images @ before["linear1.weight"].T + before["linear1.bias"]
    scores = hidden @ before["linear2.weight"].T + before["linear2.bias"]
    size = float(record.inputs.max())
    assert torch.allclose(hidden, sums.relu(), atol=1e-5 * size)
    assert torch.equal(images, record.inputs.double().flatten(1))
    outputs = record.outputs.double()
    assert torch.allclose(scores, outputs, atol=1e-5 * size)
    log_probabilities = outputs.log_softmax(dim=1)
    probabilities = log_probabilities.exp()
    labels = torch.nn.functional.one_hot(record.targets, 10)
    at_sums, at_scores = compute_gradients(record)
    assert torch.allclose(at_scores, probabilities - labels, atol=1e-5)
    return {
        "linear1": (images, sums, at_sums),
        "linear2": (hidden, scores, at_scores),
        "hidden": hidden,
        "probabilities": probabilities,
        "differences": probabilities - labels,
        "losses": -log_probabilities[range(len(images)), record.targets],
        "size": 5 * size,
    }


def compute_gradients(record):
    """Return the gradients of each image's loss at the sums of both layers, from autograd."""
    sums = record.layers["linear1"].outputs.clone().requires_grad_()
    scores = torch.nn.functional.linear(
        sums.relu(), record.before["linear2.weight"], record.before["linear2.bias"]
    )
    loss = torch.nn.functional.cross_entropy(scores, record.targets)
    gradients = torch.autograd.grad(loss, [sums, scores])
    return [len(sums) * gradient.double() for gradient in gradients]


def check_data(read, record, choice, _numbers, _name):
    image, label = record.inputs[choice.image], record.targets[choice.image]
    read.take_all(len(record.inputs), len(record.targets), 0)
    read.take_all(*record.inputs.shape, record.inputs.min(), record.inputs.max())
    read.take_all(*record.targets.shape, record.targets.min(), record.targets.max())
    read.take_all(choice.image, label, image.min(), image.max())


def are_largest(shown, values):
    """Return whether no value is larger than the smallest one of those shown."""
    others = values.clone()
    others[shown] = -math.inf
    return values[shown].min() >= others.max() - 1e-6 * values.abs().max().clamp(min=1)


def check_forward(read, record, choice, numbers, _name):
    inputs, sums, _ = numbers[choice.layer]
    image, label = choice.image, record.targets[choice.image]
    passed_on = numbers["hidden"] if choice.layer == "linear1" else sums
    weights = record.before[f"{choice.layer}.weight"][choice.unit].double()
    products = inputs[image] * weights
    size = products.abs().sum()

    read.take_all((sums[image] > 0).sum(), sums.shape[1], 0, image, label)
    units = []
    num_units = read_rows(read, "Weighted sum")
    for _ in range(num_units):
        units.append(read.take_index())
        read.take(sums[image, units[-1]], numbers["size"])
        if choice.layer == "linear1":
            read.take(passed_on[image, units[-1]], numbers["size"])
    assert are_largest(units[:10], passed_on[image])
    assert choice.unit in units

    read.take_all(image, label)
    scores = numbers["linear2"][1]
    for each in range(10):
        read.take(each)
        read.take(scores[image, each], numbers["size"])
        read.take(numbers["probabilities"][image, each])

    read.take(choice.unit)
    columns = 28 if choice.layer == "linear1" else None
    terms = find_terms(read, columns)
    for term in terms:
        read.take_all(inputs[image, term], weights[term])
    others = products.sum() - products[terms].sum()
    read.take(others, size, len(terms) + 2)
    read.take(len(products) - len(terms))
    bias = record.before[f"{choice.layer}.bias"][choice.unit].double()
    total = products.sum() + bias
    results = [total, *([total.relu()] if columns else [])]
    for result in [bias, *results]:
        read.take(result, size)
    for term in terms:
        read.take(term)
        if columns:
            read.take_all(term // columns, term % columns)
        read.take_all(inputs[image, term], weights[term], products[term])
    assert choice.weight in terms
    assert are_largest(terms[:4], products.abs())
    read.take(len(products) - len(terms))
    read.take(others, size, len(terms) + 2)
    for result in [bias, *results]:
        read.take(result, size)


def read_rows(read, title):
    """Return the number of rows of the table with a column of this title."""
    lines = read.text.splitlines()
    first = next(index for index, line in enumerate(lines) if title in line)
    return next(index for index, line in enumerate([*lines[first:], ""]) if not line) - 1


def find_terms(read, columns):
    """List the inputs in the table of the weighted sum, below its title."""
    table = read.text.partition("Product\n")[2].partition("the other")[0]
    pattern = r"^ *(\d+) \(row" if columns else r"^ *(\d+)"
    return [int(term) for term in re.findall(pattern, table, re.MULTILINE)]


def check_loss(read, record, choice, numbers, _name):
    losses, probabilities = numbers["losses"], numbers["probabilities"][choice.image]
    label = record.targets[choice.image]
    read.take(losses.mean())
    read.take_all(10, 10, math.log(10))
    images = []
    for _ in range(read_rows(read, "Label") - 1):
        images.append(read.take_index())
        read.take(record.targets[images[-1]])
        read.take(losses[images[-1]])
    assert are_largest(images[:10], losses)
    assert losses[images[:10]].tolist() == sorted(losses[images[:10]].tolist(), reverse=True)
    assert choice.image in images
    read.take(len(losses))
    read.take(losses.mean())
    read.take_all(choice.image, label)
    read.take(probabilities[label])
    read.take(losses[choice.image])
    argument, loss = re.search(r"-ln (\S+) = (\S+)\. p", read.text).groups()
    assert is_written(loss, -float(Decimal(argument).ln())), read.text
    read.take_all(1, 0)
    for each in range(10):
        read.take(each)
        read.take(probabilities[each])
        read.take(int(each == label))
        read.take(numbers["differences"][choice.image, each])


def check_backward(read, record, choice, numbers, _name):
    gradients = {name: value.double() for name, value in record.gradients.items()}
    unit = gradients[f"{choice.layer}.weight"][choice.unit]
    inputs, _, at_units = numbers[choice.layer]
    terms = at_units[:, choice.unit] * inputs[:, choice.weight]
    size = terms.abs().sum()
    assert abs(terms.mean() - unit[choice.weight]) <= 1e-5 * size + 1e-12

    for name in NAMES:
        read.take_all(*gradients[name].shape)
        read.take(gradients[name].square().sum().sqrt())
    if choice.layer == "linear1":
        read.take_all(choice.unit, unit.min(), 0, unit.max(), 0, choice.weight)
    read.take(choice.weight)
    if choice.layer == "linear1":
        read.take_all(choice.weight // 28, choice.weight % 28)
    read.take_all(choice.unit, choice.unit)
    images = []
    for _ in range(read_rows(read, "Gradient at the unit") - 3):
        image = read.take_index()
        images.append(image)
        read.take(record.targets[image])
        read.take(at_units[image, choice.unit])
        read.take(inputs[image, choice.weight])
        read.take(terms[image])
    assert choice.image in images
    assert are_largest(images[:6], terms.abs())
    read.take(len(terms) - len(images))
    read.take(terms.sum() - terms[images].sum(), size, len(images) + 1)
    read.take(terms.sum(), size)
    read.take(len(terms))
    read.take(unit[choice.weight])


def check_update(read, record, choice, _numbers, name):
    weight = f"{choice.layer}.weight"
    at = (choice.unit, choice.weight)
    old, gradient, new = (
        float(values[weight][at]) for values in (record.before, record.gradients, record.after)
    )
    state = {
        key: float(value[at] if value.dim() else value)
        for key, value in record.optimizer_state.before.get(weight, {}).items()
    }
    read.take(choice.weight)
    if choice.layer == "linear1":
        read.take_all(choice.weight // 28, choice.weight % 28)
    read.take_all(choice.unit, old, gradient)
    UPDATES[name](read, old, gradient, state, new)
    read.take(0.001)
    for each in NAMES:
        before, after = record.before[each].double(), record.after[each].double()
        change, size = (after - before).norm(), before.norm()
        read.take_all(change, size, change / size)
    read.take_all(1.5, 1.25, 1.75, 1.625)


def check_sgd(read, old, gradient, _state, new):
    assert abs(old - 0.1 * gradient - new) < 1e-7
    read.take_all(old, 0.1, gradient, new)


def check_momentum(read, old, gradient, state, new):
    velocity = 0.9 * state["momentum_buffer"] + gradient
    read.take_all(0.9, state["momentum_buffer"], gradient, velocity)
    check_sgd(read, old, velocity, state, new)


def check_rmsprop(read, old, gradient, state, new):
    average = 0.99 * state["square_avg"] + 0.01 * gradient**2
    divisor = math.sqrt(average) + 1e-8
    read.take_all(0.99, state["square_avg"], 0.01, gradient, 2, average)
    read.take_all(average, 1e-8, divisor)
    assert abs(old - 0.001 * gradient / divisor - new) < 1e-7
    read.take_all(old, 0.001, gradient, divisor, new)


def check_adam(read, old, gradient, state, new):
    num_updates = state["step"] + 1
    mean = 0.9 * state["exp_avg"] + 0.1 * gradient
    squares = 0.999 * state["exp_avg_sq"] + 0.001 * gradient**2
    corrected = mean / (1 - 0.9**num_updates)
    corrected_squares = squares / (1 - 0.999**num_updates)
    read.take_all(0.9, state["exp_avg"], 0.1, gradient)
    read.take(mean, abs(gradient))
    read.take_all(0.999, state["exp_avg_sq"], 0.001, gradient, 2, squares)
    read.take(mean, abs(gradient))
    read.take_all(1, 0.9, num_updates)
    read.take(corrected, abs(gradient))
    read.take_all(squares, 1, 0.999, num_updates, corrected_squares)
    assert abs(old - 0.001 * corrected / (math.sqrt(corrected_squares) + 1e-8) - new) < 1e-7
    read.take_all(old, 0.001)
    read.take(corrected, abs(gradient))
    read.take_all(corrected_squares, 1e-8, new)


def check_adamw(read, old, gradient, state, new):
    kept = old * (1 - 0.001 * 0.01)
    read.take_all(old, 1, 0.001, 0.01, kept)
    check_adam(read, kept, gradient, state, new)


UPDATES = {
    "SGD": check_sgd,
    "momentum": check_momentum,
    "RMSprop": check_rmsprop,
    "Adam": check_adam,
    "AdamW": check_adamw,
}
CHECKS = [check_data, check_forward, check_loss, check_backward, check_update]
COMPARISON = LossComparison(1.5, 1.25, 1.75, 1.625)


def show(move, record, choice):
    """Return a move's view; that of the update gets the losses around the step, too."""
    more = [COMPARISON] if move.event == "update" else []
    return move.show(record, choice, *more)


def strip_tags(html):
    """Return what a screen shows of some HTML, without what pictures hold."""
    return unescape(re.sub(r"<[^>]*>", " ", html))


def test_every_number_is_right_to_the_digits_shown(case):
    name, record, numbers = case
    for choice in choose(record):
        for move, check in zip(MOVES, CHECKS, strict=True):
            view = show(move, record, choice)
            read = Reader(view.text)
            check(read, record, choice, numbers, name)
            read.finish()
            assert find_numbers(strip_tags(view.html)) == find_numbers(view.text)


def test_the_code_of_each_move_gives_the_numbers_that_it_is_for(case):
    _, record, numbers = case
    for choice in list(choose(record))[:10]:
        for move, find in zip(MOVES, FINDERS, strict=True):
            view = show(move, record, choice)
            *lines, last = view.code.splitlines()
            names = {"record": record}
            exec("\n".join(lines), names)
            result = eval(last, names)
            assert len(view.code.splitlines()) <= 4
            written, size = find(view, numbers, choice)
            for each, number in zip(written, flatten(result), strict=True):
                assert is_written(each, number, size), (each, number, view)


def find_data(view, _numbers, _choice):
    """Return the numbers of a view that its code computes, and the size of what they add up."""
    shape = re.search(r"inputs +\((.*?)\)", view.text)[1].split(", ")
    return [*shape, *re.search(r"from (\S+) to (\S+)\.", view.text).groups()], 0


def find_forward(view, numbers, choice):
    size = numbers[choice.layer][0].abs().max() * 5
    return [read_last_cell(view, "weighted sum")], float(size)


def find_loss(view, _numbers, _choice):
    mean = re.search(r"loss of the batch is (\S+)\. ", view.text)[1]
    return [mean, re.search(r"-ln \S+ = (\S+)\. ", view.text)[1]], 0


def find_backward(view, numbers, choice):
    inputs, _, at_units = numbers[choice.layer]
    terms = at_units[:, choice.unit] * inputs[:, choice.weight]
    return [read_last_cell(view, f"mean: sum / {len(terms)}")], float(terms.abs().mean())


def find_update(view, _numbers, _choice):
    return [read_last_cell(view, "new value")] * 2, 0


def read_last_cell(view, name):
    """Return the number at the end of the row of this name."""
    (line,) = (line for line in view.text.splitlines() if line.strip().startswith(name))
    return line.split()[-1]


FINDERS = [find_data, find_forward, find_loss, find_backward, find_update]


def flatten(result):
    """List the numbers in nested tuples and lists."""
    if isinstance(result, (tuple, list)):
        return [number for each in result for number in flatten(each)]
    return [float(result)]


def test_a_wrong_number_is_noticed():
    record = record_digits(num_steps=1)
    choice = StepChoice(0, "linear1", 0, 0)
    text = MOVES[2].show(record, choice).text
    last = find_numbers(text)[-1]
    read = Reader(text.replace(last, f"{float(last) + 0.001:.4f}"))
    with pytest.raises(AssertionError):
        check_loss(read, record, choice, compute_exactly(record), "SGD")


def test_parts_add_up_at_the_digits_shown(case):
    _, record, _ = case
    for choice in list(choose(record))[:20]:
        for move, last in ((MOVES[1], "weighted sum"), (MOVES[3], "sum")):
            html = show(move, record, choice).html
            table = next(each for each in html.split("<table>") if f'row">{last}<' in each)
            cells = re.findall(r"<td>([^<]*)</td></tr>", table)
            names = re.findall(r'<th scope="row">([^<]*)</th>', table)
            *parts, total = cells[: names.index(last) + 1]
            assert sum(map(Decimal, parts)) == Decimal(total), html
