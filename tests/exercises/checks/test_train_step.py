"""`check_train_step`: what students write, and the verdicts."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from mnist_widgets import train_step
from mnist_widgets.exercises import check_train_step


def forgets_zero_grad(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    inputs, targets = inputs.to(device), targets.to(device)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss.item()


def forgets_backward(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def forgets_step(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


def forgets_backward_and_step(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    return loss_fn(model(inputs), targets).item()


def updates_before_backward(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    optimizer.step()
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


def updates_before_backward_and_keeps_gradients(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    optimizer.step()
    loss.backward()
    return loss.item()


def erases_the_gradients(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def returns_a_tensor(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss


def forgets_return(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    print(loss.item())


def returns_text(model, batch, loss_fn, optimizer, device):
    return f"{train_step(model, batch, loss_fn, optimizer, device):.3f}"


def returns_the_loss_afterwards(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss_fn(model(inputs), targets).item()


def prints_and_returns_the_loss_afterwards(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    print(loss_fn(model(inputs), targets).item())
    return returns_the_loss_afterwards(model, batch, loss_fn, optimizer, device)


def returns_the_loss_of_the_first_half(model, batch, loss_fn, optimizer, device):
    half = [tensor[:4].to(device) for tensor in batch]
    loss = loss_fn(model(half[0]), half[1]).item()
    train_step(model, batch, loss_fn, optimizer, device)
    return loss


def multiplies_by_the_batch_size(model, batch, loss_fn, optimizer, device):
    return train_step(model, batch, loss_fn, optimizer, device) * len(batch[0])


def applies_softmax(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    probabilities = torch.softmax(model(inputs), dim=1)
    loss = loss_fn(probabilities, targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def applies_softmax_to_the_columns(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs).softmax(dim=0), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def applies_log_softmax(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs).log_softmax(dim=1), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def takes_the_argmax(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    predicted = model(inputs).argmax(dim=1)
    loss = loss_fn(predicted, targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def swaps_the_arguments(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(targets, model(inputs))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def passes_a_list_to_the_loss(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn([model(inputs)], targets)
    loss.backward()
    return loss.item()


def uses_its_own_loss(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = nn.CrossEntropyLoss()(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def uses_its_own_optimizer(model, batch, loss_fn, optimizer, device):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return train_step(model, batch, loss_fn, optimizer, device)


def updates_twice(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


def takes_the_item_too_early(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets).item()
    loss.backward()
    optimizer.step()
    return loss


def computes_without_gradients(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    with torch.no_grad():
        loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluates(model, batch, loss_fn, optimizer, device):
    model.eval()
    return train_step(model, batch, loss_fn, optimizer, device)


def evaluates_afterwards(model, batch, loss_fn, optimizer, device):
    loss = train_step(model, batch, loss_fn, optimizer, device)
    model.eval()
    return loss


def rounds_the_loss(digits):
    def step(model, batch, loss_fn, optimizer, device):
        return round(train_step(model, batch, loss_fn, optimizer, device), digits)

    return step


def returns_the_accuracy(scale, calls_the_network_again):
    def step(model, batch, loss_fn, optimizer, device):
        inputs, targets = (tensor.to(device) for tensor in batch)
        scores = model(inputs)
        loss = loss_fn(scores, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if calls_the_network_again:
            scores = model(inputs)
        return scale * (scores.argmax(dim=1) == targets).float().mean().item()

    return step


def freezes_a_layer(model, batch, loss_fn, optimizer, device):
    next(model.parameters()).requires_grad = False
    return train_step(model, batch, loss_fn, optimizer, device)


def ignores_the_device(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def forgets_what_to_returns(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    inputs.to(device)
    targets.to(device)
    return ignores_the_device(model, (inputs, targets), loss_fn, optimizer, device)


def moves_the_inputs_alone(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    return ignores_the_device(model, (inputs.to(device), targets), loss_fn, optimizer, device)


def moves_the_inputs_and_reads_them(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    inputs = inputs.to(device)
    assert torch.isfinite(inputs).all()
    return ignores_the_device(model, (inputs, targets), loss_fn, optimizer, device)


def moves_the_targets_for_the_loss_alone(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch[0].to(device), batch[1]
    scores = model(inputs)
    loss = ignores_the_device(model, (inputs, targets.to(device)), loss_fn, optimizer, device)
    print((scores.argmax(dim=1) == targets).sum())
    return loss


def prints_before_it_moves_the_targets(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch[0].to(device), batch[1]
    print((model(inputs).argmax(dim=1) == targets).sum().item())
    return ignores_the_device(model, (inputs, targets), loss_fn, optimizer, device)


def never_calls_the_network(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    loss = loss_fn(inputs, targets)
    loss.backward()
    return loss.item()


def just_returns_zero(model, batch, loss_fn, optimizer, device):
    return 0.0


def has_a_typo(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    loss.backwards()
    return loss.item()


def takes_too_little(model, batch):
    return model(batch[0]).mean().item()


def is_a_stub(model, batch, loss_fn, optimizer, device): ...


def is_nbgraders_stub(model, batch, loss_fn, optimizer, device):
    # YOUR CODE HERE
    raise NotImplementedError()  # noqa: RSE102 - as nbgrader writes it


def is_half_a_stub(model, batch, loss_fn, optimizer, device):
    inputs, targets = ...
    return loss_fn(model(inputs), targets)


WRONG = [
    (forgets_zero_grad, "forgot_zero_grad"),
    (forgets_backward, "forgot_backward"),
    (forgets_step, "forgot_step"),
    (forgets_backward_and_step, "forgot_backward"),
    (updates_before_backward, "update_before_backward"),
    (updates_before_backward_and_keeps_gradients, "update_before_backward"),
    (erases_the_gradients, "gradients_erased"),
    (returns_a_tensor, "returns_tensor"),
    (forgets_return, "returns_none"),
    (returns_text, "returns_no_number"),
    (returns_the_loss_afterwards, "loss_after_update"),
    (prints_and_returns_the_loss_afterwards, "loss_after_update"),
    (returns_the_loss_of_the_first_half, "wrong_loss"),
    (multiplies_by_the_batch_size, "wrong_loss"),
    (applies_softmax, "softmax_before_loss"),
    (applies_softmax_to_the_columns, "softmax_over_batch"),
    (applies_log_softmax, "log_softmax_before_loss"),
    (takes_the_argmax, "argmax_before_loss"),
    (swaps_the_arguments, "loss_arguments_swapped"),
    (passes_a_list_to_the_loss, "wrong_loss_arguments"),
    (uses_its_own_loss, "ignores_loss_fn"),
    (uses_its_own_optimizer, "own_update"),
    (updates_twice, "wrong_update"),
    (takes_the_item_too_early, "item_too_early"),
    (computes_without_gradients, "no_graph"),
    (evaluates, "eval_mode"),
    (evaluates_afterwards, "eval_mode"),
    (rounds_the_loss(4), "rounded_loss"),
    (rounds_the_loss(2), "rounded_loss"),
    (rounds_the_loss(None), "rounded_loss"),
    (returns_the_accuracy(1, calls_the_network_again=False), "returns_accuracy"),
    (returns_the_accuracy(1, calls_the_network_again=True), "returns_accuracy"),
    (returns_the_accuracy(100, calls_the_network_again=False), "returns_accuracy"),
    (returns_the_accuracy(8, calls_the_network_again=False), "returns_accuracy"),
    (freezes_a_layer, "wrong_update"),
    (ignores_the_device, "device_ignored"),
    (forgets_what_to_returns, "device_ignored"),
    (moves_the_inputs_alone, "device_ignored"),
    (moves_the_inputs_and_reads_them, "device_ignored"),
    (moves_the_targets_for_the_loss_alone, "raises"),
    (prints_before_it_moves_the_targets, "raises"),
    (never_calls_the_network, "network_not_asked"),
    (just_returns_zero, "network_not_asked"),
    (has_a_typo, "raises"),
    (takes_too_little, "wrong_arguments"),
    (is_a_stub, "unsolved"),
    (is_nbgraders_stub, "unsolved"),
    (is_half_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("step", "mistake"), WRONG)
def test_each_mistake_is_recognized(step, mistake):
    verdict = check_train_step(step)
    assert verdict.mistake == mistake
    assert not verdict.passed


def zeroes_first(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch
    inputs, targets = inputs.to(device), targets.to(device)
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return float(loss)


def zeroes_through_the_model(model, batch, loss_fn, optimizer, device):
    inputs, targets = batch[0].to(device), batch[1].to(device)
    model.train()
    model.zero_grad()
    scores = model.forward(inputs)
    loss = loss_fn(scores, targets)
    value = loss.item()
    loss.backward()
    optimizer.step()
    return value


def uses_a_closure(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)

    def compute_loss():
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        return loss

    return optimizer.step(compute_loss).item()


def also_reads_values(read):
    """Return a step that is right, and reads values from its tensors."""

    def step(model, batch, loss_fn, optimizer, device):
        inputs, targets = (tensor.to(device) for tensor in batch)
        optimizer.zero_grad()
        scores = model(inputs)
        read(inputs, targets, scores)
        loss = loss_fn(scores, targets)
        loss.backward()
        optimizer.step()
        read(inputs, targets, scores)
        return loss.item()

    return step


def asserts_that_nothing_is_nan(inputs, targets, scores):
    assert not torch.isnan(inputs).any()


def asserts_that_all_is_finite(inputs, targets, scores):
    assert torch.isfinite(inputs).all()
    assert inputs.abs().max() > 0.1


READS = [
    lambda _inputs, targets, scores: (scores.argmax(1) == targets).float().mean().item(),
    lambda _inputs, targets, scores: f"{(scores.argmax(1) == targets).float().mean():.1%}",
    lambda _inputs, targets, scores: int((scores.argmax(1) == targets).sum()),
    lambda _inputs, _targets, scores: scores.detach().cpu().numpy().argmax(1),
    lambda _inputs, targets, scores: scores.argmax(1).to("cpu") == targets.cpu(),
    lambda _inputs, targets, scores: scores[targets == 1].tolist(),
    lambda _inputs, targets, scores: print(scores, targets),
    asserts_that_nothing_is_nan,
    asserts_that_all_is_finite,
]


def evaluates_in_between(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = train_step(model, batch, loss_fn, optimizer, device)
    model.eval()
    with torch.no_grad():
        print((model(inputs).argmax(dim=1) == targets).float().mean().item())
    model.train()
    return loss


def names_the_arguments(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    optimizer.zero_grad()
    loss = loss_fn(input=model(inputs), target=targets)
    loss.backward()
    optimizer.step()
    return loss.item()


def prints_losses(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    optimizer.zero_grad()
    scores = model(inputs)
    print("first half:", loss_fn(scores[:4], targets[:4]).item())
    print("before:", loss_fn(scores, targets).item())
    loss = loss_fn(scores, targets)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        print("after:", loss_fn(model(inputs), targets).item())
    return loss.item()


def computes_the_gradients_itself(model, batch, loss_fn, optimizer, device):
    inputs, targets = (tensor.to(device) for tensor in batch)
    loss = loss_fn(model(inputs), targets)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


RIGHT = [
    *(train_step, zeroes_first, zeroes_through_the_model, uses_a_closure),
    *(*map(also_reads_values, READS), computes_the_gradients_itself, prints_losses),
    *(names_the_arguments, evaluates_in_between),
]


@pytest.mark.parametrize("step", RIGHT)
def test_right_answers_pass_however_they_are_written(step):
    verdict = check_train_step(step)
    assert verdict.passed, verdict


def test_the_details_show_the_first_criterion_that_fails():
    states = [detail.passed for detail in check_train_step(forgets_zero_grad).details]
    assert states == [True, True, True, False, None, None]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (moves_the_inputs_alone, "found targets on cpu, scores on meta"),
        (evaluates, "expected training mode, found evaluation mode"),
        (evaluates_afterwards, "expected training mode afterwards, found evaluation mode"),
        (returns_text, "expected a float, found '"),
        (returns_a_tensor, "expected a float, found a tensor (float32) of shape ()"),
        (passes_a_list_to_the_loss, "expected scores and targets, found [tensor("),
        (swaps_the_arguments, "found a tensor (int64) of shape (8,) and a tensor (float32) of"),
    ],
)
def test_the_hint_names_what_was_found(step, words):
    assert words in check_train_step(step).hint


@pytest.mark.parametrize(
    "step",
    [
        *(forgets_backward, forgets_zero_grad, updates_twice, uses_its_own_optimizer),
        *(freezes_a_layer, rounds_the_loss(4), multiplies_by_the_batch_size),
        returns_the_loss_afterwards,
    ],
)
def test_what_is_shown_as_expected_and_found_differs(step):
    expected, found = re.findall(r"-?\d\.\d{5,6}", check_train_step(step).hint)
    assert expected != found


def test_the_loss_is_shown_as_returned():
    hint = check_train_step(rounds_the_loss(2)).hint
    expected, found = map(float, re.findall(r"\d\.\d{6}", hint))
    assert found == round(expected, 2)
