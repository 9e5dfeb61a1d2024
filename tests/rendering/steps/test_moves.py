"""The five moves of unusual steps and networks: what is true is shown, and nothing else."""

from __future__ import annotations

import itertools
import math
import re
from decimal import Decimal

import pytest
import torch
from recorded_steps import Reader, find_numbers, is_written, record_digits
from torch import nn
from torch.nn import functional

from mnist_widgets import SimpleNet, record_step, train_step
from mnist_widgets.rendering.steps.choice import StepChoice, clamp, first_choice
from mnist_widgets.rendering.steps.moves import MOVES
from mnist_widgets.runs.choices import squared_error
from mnist_widgets.training.recording.losses import LossComparison

DATA, FORWARD, LOSS, BACKWARD, UPDATE = MOVES
LABELS = torch.tensor([0, 1, 2] * 5 + [0])


def record(model, loss_fn=None, targets=LABELS, *, step=train_step, inputs=None, num_steps=1):
    """Return the record of the last of some steps of a network on 4 x 4 images."""
    images = torch.rand(len(targets), 1, 4, 4) if inputs is None else inputs
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(num_steps):
        made = record_step(
            model, (images, targets), loss_fn or nn.CrossEntropyLoss(), optimizer, train_step=step
        )
    return made


def make_model(*between, num_outputs=3, after=()):
    layers = nn.Linear(16, 8), *(between or [nn.ReLU()]), nn.Linear(8, num_outputs), *after
    return nn.Sequential(nn.Flatten(), *layers)


def show_all(made, choice=None):
    choice = choice or first_choice(made)
    return {move.event or "data": move.show(made, choice) for move in MOVES}


class Residual(nn.Module):
    """Adds its input to the layer's output, so it is no chain of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, images):
        flat = images.flatten(1)
        return self.second(flat + self.first(flat).relu())


class InADict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)

    def forward(self, images):
        return {"scores": self.layer(images.flatten(1))}


def step_with_dict(model, batch, loss_fn, optimizer, device):
    loss = functional.cross_entropy(model(batch[0])["scores"], batch[1])
    loss.backward()
    optimizer.step()
    return loss.item()


def step_with_autocast(model, batch, loss_fn, optimizer, device):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def make_networks():
    """Return records of many networks, each with whether its gradients have terms."""
    conv = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    )
    only_conv = nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten())
    tokens = nn.Sequential(nn.Flatten(2), nn.Linear(16, 3), nn.Flatten())
    single = make_model(num_outputs=1)
    shares = torch.rand(16, 3).softmax(dim=1)
    named = nn.Sequential()
    for name, layer in (("flat", nn.Flatten()), ("<b>", nn.Linear(16, 3))):
        named.add_module(name, layer)
    smooth = nn.CrossEntropyLoss(label_smoothing=0.1)

    def mean_loss(scores, labels):
        return functional.cross_entropy(scores, labels)

    return {
        "plain": (record(make_model()), True),
        "deep": (record(make_model(nn.ReLU(), nn.Linear(8, 8), nn.ReLU())), True),
        "no activation function": (record(make_model(nn.Identity())), True),
        "dropout": (record(make_model(nn.ReLU(), nn.Dropout(0.5))), True),
        "no bias": (record(nn.Sequential(nn.Flatten(), nn.Linear(16, 3, bias=False))), True),
        "one layer": (record(nn.Linear(16, 3), inputs=torch.rand(16, 16)), True),
        "log softmax": (record(make_model(after=[nn.LogSoftmax(dim=1)]), nn.NLLLoss()), True),
        "sum": (record(make_model(), nn.CrossEntropyLoss(reduction="sum")), True),
        "squared error": (record(make_model(), squared_error), True),
        "own loss function": (record(make_model(), mean_loss), True),
        "one image": (record(make_model(), targets=LABELS[:1]), True),
        "conv": (record(conv), True),
        "named": (record(named), True),
        "uint8 labels": (record(make_model(), targets=LABELS.to(torch.uint8)), True),
        "colours": (record(nn.Sequential(nn.Flatten(), nn.Linear(48, 3)),
                           inputs=torch.rand(16, 3, 4, 4)), True),
        "batch norm": (record(make_model(nn.BatchNorm1d(8), nn.ReLU())), False),
        "sigmoid": (record(make_model(nn.Sigmoid())), False),
        "residual": (record(Residual()), False),
        "softmax twice": (record(make_model(after=[nn.Softmax(dim=1)])), False),
        "label smoothing": (record(make_model(), smooth), False),
        "class weights": (record(make_model(), nn.CrossEntropyLoss(torch.rand(3))), False),
        "soft labels": (record(make_model(), targets=shares), False),
        "binary": (record(single, nn.BCEWithLogitsLoss(), torch.rand(16, 1).round()), False),
        "regression": (record(make_model(), nn.MSELoss(), torch.rand(16, 3)), False),
        "only conv": (record(only_conv), False),
        "tokens": (record(tokens), False),
        "dict": (record(InADict(), step=step_with_dict), False),
        "half": (record(make_model().to(torch.bfloat16),
                        inputs=torch.rand(16, 1, 4, 4).to(torch.bfloat16)), False),
        "autocast": (record(make_model(), step=step_with_autocast), False),
        "scalar inputs": (record(nn.Sequential(nn.Unflatten(0, (16, 1)), nn.Linear(1, 3)),
                                 inputs=torch.rand(16)), True),
    }  # fmt: skip


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return make_networks()


def test_terms_are_shown_exactly_where_they_give_the_gradient(networks):
    for name, (made, has_terms) in networks.items():
        view = show_all(made)["backward"]
        assert ("Gradient at the unit" in view.text) == has_terms, (name, view.text)


def test_each_network_shows_the_size_of_gradients_and_updates(networks):
    for name, (made, _) in networks.items():
        views = show_all(made)
        for parameter, gradient in made.gradients.items():
            norm = float(gradient.double().norm())
            size = gradient.numel() * 1e-2 if name == "half" else 0
            row = find_row(views["backward"].html, parameter)
            assert is_written(row[-1], norm, size), name
        for parameter in made.before:
            change = made.after[parameter].double() - made.before[parameter].double()
            assert is_written(find_row(views["update"].html, parameter)[0], float(change.norm()))


def find_row(html, name):
    """Return the cells of a table's row beside its header."""
    for row in re.findall(r"<tr>(.*?)</tr>", html):
        cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)
        if cells[0].replace("&lt;", "<").replace("&gt;", ">") == name:
            return cells[1:]
    raise AssertionError(f"{name} is missing in {html}")


def test_terms_give_the_gradient_of_a_confident_network_too():
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.rand(16, 1, 4, 4)
    nn.init.normal_(model[1].weight, std=8)
    labels = model(images).argmax(dim=1)  # p is almost 1 for most of them
    made = record(model, targets=labels, inputs=images)
    for unit in range(3):
        for weight in range(16):
            choice = StepChoice(0, "1", unit, weight)
            assert "Gradient at the unit" in BACKWARD.show(made, choice).text


def test_sums_and_softmax_are_true_in_each_network(networks):
    for name, (made, _) in networks.items():
        view = show_all(made)["forward"]
        choice = first_choice(made)
        if "weighted sum" in view.text:
            total = find_row(view.html, "weighted sum")[-1]
            expected = float(made.layers[choice.layer].outputs[choice.image, choice.unit])
            assert is_written(total, expected, 5), name
        if "Softmax" in view.text:
            expected = made.outputs[choice.image].double().softmax(dim=0)
            column = [cells[-1] for cells in find_rows(view.html, "Softmax")]
            for written, share in zip(column, expected.tolist(), strict=True):
                assert is_written(written, share, 1), name


def find_rows(html, title):
    """Return the rows of the table with this title."""
    table = next(each for each in html.split("<table>") if f">{title}</th>" in each)
    return [
        re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)
        for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2])
    ]


def test_outputs_that_are_no_scores_have_no_softmax_and_no_difference(networks):
    for name in ("binary", "regression", "dict", "soft labels", "label smoothing"):
        views = show_all(networks[name][0])
        assert "Softmax" not in views["forward"].text, name
        assert "p - y" not in {cell for row in [views["loss"].html] for cell in find_titles(row)}


def find_titles(html):
    return re.findall(r'<th scope="col">([^<]*)</th>', html)


def test_rounded_numbers_have_no_arithmetic(networks):
    assert "not shown" in show_all(networks["half"][0])["update"].text
    assert "not shown" not in show_all(networks["plain"][0])["update"].text


def test_a_second_softmax_is_named(networks):
    assert "a second time" in show_all(networks["softmax twice"][0])["forward"].text
    assert "a second time" not in show_all(networks["plain"][0])["forward"].text


def test_after_relu_and_dropout_stands_what_the_next_layer_gets(networks):
    made, _ = networks["dropout"]
    for image in range(16):
        view = FORWARD.show(made, StepChoice(image, "1", 3, 0))
        row = find_row(view.html, "after ReLU and dropout")
        assert is_written(row[-1], float(made.layers["4"].inputs[image, 3]), 5)


def test_the_loss_of_guessing_evenly_fits_the_loss_function(networks):
    even = torch.zeros(1, 3), torch.zeros(1, dtype=torch.long)
    for name, loss_fn in (("plain", functional.cross_entropy), ("squared error", squared_error)):
        text = show_all(networks[name][0])["loss"].text
        expected = float(loss_fn(*even))
        assert any(is_written(each, expected) for each in find_numbers(text.splitlines()[0]))


def test_a_sum_of_losses_is_called_a_sum(networks):
    made, _ = networks["sum"]
    text = show_all(made)["loss"].text
    assert "sum of all 16" in text
    assert is_written(find_row(show_all(made)["loss"].html, "sum of all 16")[-1], made.loss, 20)
    backward = show_all(made)["backward"]
    choice = first_choice(made)
    gradient = float(made.gradients["1.weight"][choice.unit, choice.weight])
    assert is_written(find_row(backward.html, "sum")[-1], gradient, 10)
    assert "mean: sum" not in backward.text


def test_what_a_name_holds_is_escaped(networks):
    made, _ = networks["named"]
    views = show_all(made)
    assert "<b>" in views["update"].text
    for view in views.values():
        assert "<b>" not in view.html


def test_every_code_runs(networks):
    for name, (made, _) in networks.items():
        for view in show_all(made).values():
            *lines, last = view.code.splitlines() or ["None"]
            variables = {"record": made}
            exec("\n".join(lines), variables)
            result = eval(last, variables)
            assert result is None or not isinstance(result, torch.Tensor), name


def test_tables_and_pictures_have_names(networks):
    for name, (made, _) in networks.items():
        for view in show_all(made).values():
            num_tables = view.html.count("<table>")
            assert view.html.count("<table><caption>") == num_tables, name
            assert view.html.count("<thead>") == num_tables
            pictures = re.findall(r"<img[^>]*>", view.html)
            assert all(re.search(r'alt="[^"]+"', picture) for picture in pictures)
    views = show_all(networks["plain"][0])
    assert views["data"].html.count("<img") == views["backward"].html.count("<img") == 1
    assert "<img" in show_all(networks["colours"][0])["data"].html


def skip(*names):
    """Return a training step without some of its lines."""

    def step(model, batch, loss_fn, optimizer, device):
        loss = torch.zeros((), requires_grad=True)
        if "forward" not in names:
            outputs = model(batch[0])
            loss = outputs.sum() if "loss" in names else loss_fn(outputs, batch[1])
        if "backward" not in names:
            loss.backward()
        if "update" not in names:
            optimizer.step()
        if "zero_grad" not in names:
            optimizer.zero_grad()
        return loss.item()

    return step


def test_a_move_that_did_not_happen_is_shown_as_missing():
    for name, move in (
        ("forward", FORWARD), ("loss", LOSS), ("backward", BACKWARD), ("zero_grad", BACKWARD),
        ("update", UPDATE),
    ):  # fmt: skip
        whole, made = record(make_model()), record(make_model(), step=skip(name))
        assert "Missing" not in move.show(whole, first_choice(whole)).text
        choice = first_choice(made)
        view = move.show(made, choice)
        assert "Missing" in view.text, name
        for other in MOVES:
            assert other.show(made, choice).html, name


def test_an_empty_step_shows_that_everything_is_missing():
    made = record(make_model(), step=lambda *_: 0.0)
    views = show_all(made)
    assert all("Missing" in view.text for event, view in views.items() if event != "data")
    assert find_numbers(views["forward"].text) == []


def test_gradients_that_were_not_cleared_are_said_to_be_sums():
    made = record(make_model(), step=skip("zero_grad"), num_steps=2)
    view = show_all(made)["backward"]
    assert "several batches" in view.text
    assert "Gradient at the unit" not in view.text
    norm = float(made.gradients["1.weight"].double().norm())
    assert is_written(find_row(view.html, "1.weight")[-1], norm)


def test_an_update_before_the_backward_pass_is_named():
    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
        return loss.item()

    for num_steps in (1, 3):
        made = record(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), step=step, num_steps=num_steps)
        view = show_all(made)["backward"]
        assert "before the backward pass" in view.text
        # the first update had no gradients, the third one those of the second batch
        assert ("Gradient at the unit" in view.text) == (num_steps == 1)
        assert ("older" in view.text) == (num_steps == 3)


def test_a_loss_that_loss_fn_does_not_compute_is_no_missing_backward_pass():
    made = record(make_model(), step=skip("loss"))
    views = show_all(made)
    assert "Missing" in views["loss"].text
    assert "Missing" not in views["backward"].text


def test_parameters_that_train_step_changes_itself_are_not_said_to_be_unchanged():
    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(batch[0]), batch[1])
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(parameter.grad, alpha=0.1)
        return loss.item()

    view = show_all(record(make_model(), step=step))["update"]
    assert "Missing" not in view.text
    assert "another way" in view.text


def test_numbers_that_are_not_finite_are_shown_as_they_are():
    def step(model, batch, loss_fn, optimizer, device):
        return train_step(model, (math.inf * batch[0], batch[1]), loss_fn, optimizer, device)

    model = make_model()
    made = record(model, step=step, num_steps=2)
    views = show_all(made)
    assert "nan" in views["loss"].text
    assert "nan" in views["update"].text


def test_losses_around_the_step_stand_in_the_last_move():
    made = record(make_model())
    choice = first_choice(made)
    html = UPDATE.show(made, choice, LossComparison(1.5, 1.25, 1.75, 1.625)).html
    assert find_row(html, "this batch") == ["1.5000", "1.2500"]
    assert find_row(html, "another batch, of test images") == ["1.7500", "1.6250"]
    html = UPDATE.show(made, choice, LossComparison(1.5, 1.25, None, None)).html
    assert "another batch" not in html
    nothing = LossComparison(None, None, None, None)
    assert UPDATE.show(made, choice, nothing).text != UPDATE.show(made, choice).text


def test_the_first_choice_is_the_worst_image_with_its_most_active_unit():
    made = record_digits()
    choice = first_choice(made)
    assert made.losses[choice.image] == made.losses.max()
    outputs = made.layers["linear1"].outputs[choice.image]
    assert choice.layer == "linear1"
    assert outputs[choice.unit] == outputs.max()
    sizes = made.gradients["linear1.weight"][choice.unit].abs()
    assert sizes[choice.weight] == sizes.max() > 0


def test_a_choice_is_brought_into_a_smaller_record():
    made, small = record(make_model()), record(make_model(), targets=LABELS[:2])
    far = StepChoice(15, "1", 7, 15)
    assert clamp(far, made) == far
    assert clamp(far, small) == StepChoice(1, "1", 7, 15)
    assert clamp(StepChoice(99, "3", 99, 99), made) == StepChoice(15, "3", 2, 7)
    assert clamp(StepChoice(-1, "other", -1, 99), made) == StepChoice(0, "1", 0, 15)
    assert clamp(far, record(nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten()))).layer == ""
    for move in MOVES:
        move.show(small, StepChoice(99, "3", 99, 99))


def test_the_moves_are_those_of_the_tutorial_in_its_order():
    names = [move.name for move in MOVES]
    assert names == [
        "Data sampling",
        "Forward pass",
        "Loss computation",
        "Backward pass",
        "Parameters update",
    ]
    assert [move.event for move in MOVES] == [None, "forward", "loss", "backward", "update"]


def test_many_classes_are_shown_in_part():
    made = record(make_model(num_outputs=100))
    views = show_all(made)
    assert len(find_rows(views["forward"].html, "Softmax")) == 20
    label = str(int(made.targets[first_choice(made).image]))
    assert find_row(views["loss"].html, label)[1] == "1"


def test_a_number_of_the_first_move_is_the_image_s_own():
    made = record_digits()
    read = Reader(DATA.show(made, StepChoice(3)).text.splitlines()[-1])
    read.take_all(3, made.targets[3], made.inputs[3].min(), made.inputs[3].max())
    read.finish()


def test_an_untrained_network_of_zeros_can_be_shown():
    model = SimpleNet(16, 3, hidden_units=4)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    for view in show_all(record(model)).values():
        assert "nan" not in view.text


def test_a_loss_too_near_to_0_for_a_float_is_no_false_equation():
    scores = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    nn.init.zeros_(scores[1].weight)
    for bias, words in ((36.0, "ln(sum of exp(score))"), (60.0, "-ln 1.000 = 0.")):
        scores[1].bias.data = torch.tensor([bias, 0.0, 0.0])
        made = record(scores, targets=torch.zeros(16, dtype=torch.long))
        assert words in LOSS.show(made, StepChoice()).text


def test_the_loss_at_the_start_of_a_training_stands_only_beside_scores(networks):
    text = show_all(networks["plain"][0])["loss"].text
    assert "starts at about ln 3 = 1.099" in text
    for name in ("binary", "regression", "soft labels"):
        assert "start" not in show_all(networks[name][0])["loss"].text


def test_small_sums_add_up_with_a_row_for_the_rounding():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    made = record(model, targets=LABELS[:4], inputs=torch.rand(4, 1, 2, 2))
    names = set()
    for image, unit, weight in itertools.product(range(4), range(3), range(4)):
        for move, title in ((FORWARD, "Product"), (BACKWARD, "Term")):
            rows = find_rows(move.show(made, StepChoice(image, "1", unit, weight)).html, title)
            last = next(at for at, row in enumerate(rows) if row[0] in ("weighted sum", "sum"))
            parts = [Decimal(row[-1]) for row in rows[:last]]
            assert sum(parts) == Decimal(rows[last][-1]), rows
            names.update(row[0] for row in rows)
    assert "rounding" in names


def test_a_record_made_elsewhere_says_where_its_losses_around_the_step_are():
    made = record(make_model())
    words = "shown for a step taken in the explorer"
    assert words in UPDATE.show(made, first_choice(made)).text
    comparison = LossComparison(1.0, 0.9, None, None)
    assert words not in UPDATE.show(made, first_choice(made), comparison).text
    missing = record(make_model(), step=skip("update"))
    assert words not in UPDATE.show(missing, first_choice(missing)).text
