"""`check_trainer`: the loops that students write, and the verdicts."""

# ruff: noqa: PERF401 - students append in loops
from __future__ import annotations

import re

import pytest
import torch

import mnist_widgets
from mnist_widgets import Trainer, train_step
from mnist_widgets.exercises import check_trainer


def right(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    history = {"train": []}
    for _ in range(epochs):
        model.train()
        losses = []
        for batch in loader:
            losses.append(train_step(model, batch, loss_fn, optimizer, device))
        history["train"].append(sum(losses) / len(losses))
        if evaluator is not None:
            for name, value in evaluator.evaluate(model, device).items():
                history.setdefault(name, []).append(value)
    return history


def right_in_one_piece(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    device = next(model.parameters()).device
    history = {}
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(inputs.to(device)), targets.to(device))
            loss.backward()
            optimizer.step()
            total += loss.item()
        metrics = {"train": total / len(loader)}
        if evaluator:
            metrics.update(evaluator.evaluate(model, device))
        for name, value in metrics.items():
            history[name] = [*history.get(name, []), value]
        print(f"Epoch {epoch}: {metrics}")
    return history


def right_with_the_kit(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return Trainer(model, loss_fn, optimizer, loader, evaluator=evaluator).fit(epochs)


def right_with_the_training_accuracy(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    device = next(model.parameters()).device
    history = {"train": []}
    for epoch in range(epochs):
        model.train()
        total, num_right = 0.0, 0
        for batch in loader:
            inputs, targets = (tensor.to(device) for tensor in batch)
            assert not inputs.isnan().any()
            scores = model(inputs)
            loss = loss_fn(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            num_right += (scores.argmax(dim=1) == targets).sum().item()
        print(f"Epoch {epoch}: {num_right / len(loader.dataset):.1%}")
        history["train"].append(total / len(loader))
        if evaluator is not None:
            for name, value in evaluator.evaluate(model, device).items():
                history.setdefault(name, []).append(value)
    return history


def right_with_printed_losses(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    def step(model, batch, loss_fn, optimizer, device):
        inputs, targets = (tensor.to(device) for tensor in batch)
        print("before:", loss_fn(model(inputs), targets).item())
        loss = train_step(model, batch, loss_fn, optimizer, device)
        with torch.no_grad():
            print("after:", loss_fn(model(inputs), targets).item())
        return loss

    return mnist_widgets.trainer(
        model, loader, loss_fn, optimizer, epochs, evaluator, train_step=step
    )


def right_with_named_arguments(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    def compute_loss(scores, targets):
        return loss_fn(input=scores, target=targets)

    return right(model, loader, compute_loss, optimizer, epochs, evaluator)


def right_with_an_evaluation_of_each_batch(
    model, loader, loss_fn, optimizer, epochs, evaluator=None
):
    def step(model, batch, loss_fn, optimizer, device):
        inputs = batch[0].to(device)
        loss = train_step(model, batch, loss_fn, optimizer, device)
        with torch.inference_mode():
            print(model.eval()(inputs).argmax(dim=1))
        model.train()
        return loss

    return mnist_widgets.trainer(
        model, loader, loss_fn, optimizer, epochs, evaluator, train_step=step
    )


RIGHT = [
    *(right, right_in_one_piece, right_with_the_kit, mnist_widgets.trainer),
    *(right_with_the_training_accuracy, right_with_printed_losses),
    *(right_with_named_arguments, right_with_an_evaluation_of_each_batch),
]


@pytest.mark.parametrize("trainer", RIGHT)
def test_right_answers_pass_however_they_are_written(trainer):
    verdict = check_trainer(trainer)
    assert verdict.passed, verdict


def returns_within_the_epochs(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        model.train()
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
        return history
    return None


def returns_within_the_batches(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        for batch in loader:
            history["train"].append(train_step(model, batch, loss_fn, optimizer, "cpu"))
            return history
    return None


def trains_one_batch_an_epoch(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        batch = next(iter(loader))
        history["train"].append(train_step(model, batch, loss_fn, optimizer, "cpu"))
    return history


def ignores_the_epochs(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(10):
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
    return history


num_epochs = 3  # as in the exercise's notebook


def takes_the_notebooks_number(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, num_epochs, evaluator)


def keeps_the_batches(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, list(loader), loss_fn, optimizer, epochs, evaluator)


def writes_the_number_out(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, 3, evaluator)


def begins_with_epoch_1(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, len(range(1, epochs)), evaluator)


def never_ends(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    epoch = 0
    while epoch < epochs:
        for batch in loader:
            train_step(model, batch, loss_fn, optimizer, "cpu")


def trains_nothing(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return {"train": [0.0] * epochs}


def forgets_the_update(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        losses = [loss_fn(model(inputs), targets).item() for inputs, targets in loader]
        history["train"].append(sum(losses) / len(losses))
    return history


def forgets_zero_grad(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        losses = []
        for inputs, targets in loader:
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history["train"].append(sum(losses) / len(losses))
    return history


def forgets_return(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    right(model, loader, loss_fn, optimizer, epochs, evaluator)


def returns_a_list(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, epochs, evaluator)["train"]


def calls_it_loss(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return {"loss": right(model, loader, loss_fn, optimizer, epochs, evaluator)["train"]}


def keeps_one_number(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return {name: values[-1] for name, values in history.items()}


def keeps_the_last_epoch(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    for _ in range(epochs):
        history = {"train": []}
        model.train()
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
    return history


def keeps_tensors(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return history | {"train": [torch.tensor(loss) for loss in history["train"]]}


def keeps_text(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return history | {"train": [f"{loss:.2f}" for loss in history["train"]]}


def changes_the_losses(change):
    """Return a loop that computes something else from the losses of each epoch."""

    def trainer(model, loader, loss_fn, optimizer, epochs, evaluator=None):
        history = {"train": []}
        for epoch in range(epochs):
            losses = []
            for batch in loader:
                losses.append(train_step(model, batch, loss_fn, optimizer, "cpu"))
            change(history["train"], losses, epoch)
        return history

    return trainer


def resets_nothing(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history, losses = {"train": []}, []
    for _ in range(epochs):
        for batch in loader:
            losses.append(train_step(model, batch, loss_fn, optimizer, "cpu"))
        history["train"].append(sum(losses) / len(losses))
    return history


def resets_no_total(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history, total = {"train": []}, 0
    for _ in range(epochs):
        for batch in loader:
            total += train_step(model, batch, loss_fn, optimizer, "cpu")
        history["train"].append(total / len(loader))
    return history


def weighs_by_batch_size(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        total = 0
        for batch in loader:
            loss = train_step(model, batch, loss_fn, optimizer, "cpu")
            total += loss * len(batch[0])
        history["train"].append(total / len(loader.dataset))
    return history


def forgets_training_mode(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
        if evaluator is not None:
            for name, value in evaluator.evaluate(model, "cpu").items():
                history.setdefault(name, []).append(value)
    return history


def sets_training_mode_once(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    model.train()
    return forgets_training_mode(model, loader, loss_fn, optimizer, epochs, evaluator)


def evaluates_each_batch(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        model.train()
        losses = []
        for batch in loader:
            losses.append(train_step(model, batch, loss_fn, optimizer, "cpu"))
            for name, value in evaluator.evaluate(model, "cpu").items():
                history.setdefault(name, []).append(value)
        history["train"].append(sum(losses) / len(losses))
    return history


def evaluates_at_the_end(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs)
    return history | {name: [value] for name, value in evaluator.evaluate(model, "cpu").items()}


def evaluates_first(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        for name, value in evaluator.evaluate(model, "cpu").items():
            history.setdefault(name, []).append(value)
        model.train()
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
    return history


def evaluates_before_training_too(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    before = {} if evaluator is None else evaluator.evaluate(model, "cpu")
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return {
        name: [before[name], *values] if name in before else values
        for name, values in history.items()
    }


def ignores_the_evaluator(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, epochs)


def forgets_the_metrics(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return {"train": history["train"]}


def overwrites_the_metrics(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return history | {"test_loss": history["test_loss"][-1]}


def mixes_up_the_metrics(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = right(model, loader, loss_fn, optimizer, epochs, evaluator)
    return history | {"test_loss": history["share_right"]} if evaluator else history


def begins_no_list(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
        for name, value in evaluator.evaluate(model, "cpu").items():
            history[name].append(value)
    return history


def expects_an_accuracy(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": [], "test_accuracy": []}
    for _ in range(epochs):
        losses = [train_step(model, batch, loss_fn, optimizer, "cpu") for batch in loader]
        history["train"].append(sum(losses) / len(losses))
        metrics = evaluator.evaluate(model, "cpu")
        history["test_accuracy"].append(metrics["test_accuracy"])
    return history


def reads_an_unknown_key(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    return right(model, loader, loss_fn, optimizer, epochs, evaluator)["losses"]


def calls_the_evaluator(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        for batch in loader:
            train_step(model, batch, loss_fn, optimizer, "cpu")
        history["test_loss"] = evaluator(model)
    return history


def evaluates_elsewhere(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    for batch in loader:
        train_step(model, batch, loss_fn, optimizer, "cpu")
    return evaluator.evaluate(model, "meta")


def needs_an_evaluator(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    device = next(model.parameters()).device
    history = {"train": []}
    for _ in range(epochs):
        model.train()
        losses = [train_step(model, batch, loss_fn, optimizer, device) for batch in loader]
        history["train"].append(sum(losses) / len(losses))
        for name, value in evaluator.evaluate(model, device).items():
            history.setdefault(name, []).append(value)
    return history


def needs_six_arguments(model, loader, loss_fn, optimizer, epochs, evaluator):
    return right(model, loader, loss_fn, optimizer, epochs, evaluator)


REMEMBERED = {}


def remembers_the_last_call(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    REMEMBERED.update(right(model, loader, loss_fn, optimizer, epochs, evaluator))
    return REMEMBERED


def ignores_the_device(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    history = {"train": []}
    for _ in range(epochs):
        model.train()
        losses = []
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history["train"].append(sum(losses) / len(losses))
        if evaluator is not None:
            for name, value in evaluator.evaluate(model, "cpu").items():
                history.setdefault(name, []).append(value)
    return history


def is_a_stub(model, loader, loss_fn, optimizer, epochs, evaluator=None): ...


def is_half_a_stub(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    for _ in range(epochs):
        for batch in ...:
            train_step(model, batch, loss_fn, optimizer, "cpu")


WRONG = [
    (returns_within_the_epochs, "ends_after_one_epoch"),
    (returns_within_the_batches, "ends_after_one_batch"),
    (trains_one_batch_an_epoch, "one_batch_an_epoch"),
    (ignores_the_epochs, "ignores_epochs"),
    (takes_the_notebooks_number, "ignores_epochs"),
    (writes_the_number_out, "ignores_epochs"),
    (keeps_the_batches, "loader_used_once"),
    (begins_with_epoch_1, "wrong_number_of_batches"),
    (never_ends, "never_ends"),
    (trains_nothing, "trains_nothing"),
    (forgets_the_update, "learns_nothing"),
    (forgets_zero_grad, "learns_otherwise"),
    (forgets_return, "returns_none"),
    (returns_a_list, "no_dict"),
    (calls_it_loss, "no_train_entry"),
    (keeps_one_number, "no_list"),
    (keeps_the_last_epoch, "only_one_epoch"),
    (keeps_tensors, "tensors_in_history"),
    (keeps_text, "no_floats"),
    (changes_the_losses(lambda kept, losses, _: kept.extend(losses)), "one_entry_a_batch"),
    (
        changes_the_losses(lambda kept, losses, _: kept.extend(losses[:2])),
        "wrong_number_of_entries",
    ),
    (changes_the_losses(lambda kept, losses, _: kept.append(losses[-1])), "last_batch_loss"),
    (changes_the_losses(lambda kept, losses, _: kept.append(sum(losses))), "sum_of_losses"),
    (changes_the_losses(lambda kept, losses, _: kept.append(sum(losses) / 3)), "divided_by_epochs"),
    (
        changes_the_losses(lambda kept, losses, _: kept.append(sum(losses) / 14)),
        "divided_by_inputs",
    ),
    (changes_the_losses(lambda kept, losses, _: kept.append(min(losses))), "wrong_mean"),
    (resets_nothing, "losses_not_reset"),
    (resets_no_total, "sum_not_reset"),
    (weighs_by_batch_size, "mean_over_inputs"),
    (forgets_training_mode, "forgot_train_mode"),
    (sets_training_mode_once, "train_mode_once"),
    (evaluates_each_batch, "evaluated_for_each_batch"),
    (evaluates_at_the_end, "evaluated_once"),
    (evaluates_first, "evaluated_at_the_wrong_time"),
    (evaluates_before_training_too, "evaluated_before_training"),
    (ignores_the_evaluator, "evaluator_ignored"),
    (forgets_the_metrics, "metric_missing"),
    (overwrites_the_metrics, "metric_of_one_epoch"),
    (mixes_up_the_metrics, "wrong_metric"),
    (begins_no_list, "list_not_begun"),
    (expects_an_accuracy, "hard_coded_metric"),
    (reads_an_unknown_key, "raises"),
    (calls_the_evaluator, "evaluator_called"),
    (evaluates_elsewhere, "evaluated_on_another_device"),
    (needs_an_evaluator, "needs_evaluator"),
    (needs_six_arguments, "needs_evaluator"),
    (remembers_the_last_call, "invents_metrics"),
    (ignores_the_device, "device_ignored"),
    (is_a_stub, "unsolved"),
    (is_half_a_stub, "unsolved"),
]


@pytest.mark.parametrize(("trainer", "mistake"), WRONG)
def test_each_mistake_is_recognized(trainer, mistake):
    verdict = check_trainer(trainer)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed


def fails_without_an_evaluator(model, loader, loss_fn, optimizer, epochs, evaluator=None):
    if evaluator is None:
        raise TypeError("scripted")
    return right(model, loader, loss_fn, optimizer, epochs, evaluator)


def test_another_error_without_an_evaluator_is_shown():
    assert "scripted" in check_trainer(fails_without_an_evaluator).hint


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        (returns_within_the_epochs, "expected 12 losses, found 4; the loader was iterated 1 t"),
        (takes_the_notebooks_number, "2 epochs of 4 batches: expected 8 losses, found 12"),
        (ignores_the_epochs, "expected 12 losses, found 40; the loader was iterated 10 times"),
        (never_ends, "found more than 50 epochs"),
        (evaluates_each_batch, "after 4, 8, 12 batches, found 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"),
        (evaluates_first, "after 4, 8, 12 batches, found 0, 4, 8"),
        (evaluates_before_training_too, "after 4, 8, 12 batches, found 0, 4, 8, 12"),
        (evaluates_at_the_end, "after 4, 8, 12 batches, found 12"),
        (ignores_the_evaluator, "after 4, 8, 12 batches, found never"),
        (sets_training_mode_once, "in 3 epochs, found training, evaluation, evaluation"),
        (keeps_the_last_epoch, "expected 3 numbers under 'train', found 1"),
        (calls_it_loss, "expected a list under 'train', found 'loss'"),
        (keeps_tensors, "expected floats, found a tensor (float32) of shape ()"),
        (overwrites_the_metrics, "expected [1.0, 0.5, 0.3333333333333333] under 'test_loss', foun"),
        (remembers_the_last_call, "expected only 'train', found 'train', 'test_loss', 'share_ri"),
        (evaluates_elsewhere, "expected cpu, where the network is, found meta"),
        (ignores_the_device, "expected one device, found inputs on cpu, network on meta"),
    ],
)
def test_the_hint_names_what_was_found(trainer, words):
    verdict = check_trainer(trainer)
    assert words in verdict.hint
    [failed] = [detail for detail in verdict.details if detail.passed is False]
    assert words in failed.numbers


@pytest.mark.parametrize(
    ("change", "compute"),
    [
        (lambda kept, losses, _: kept.append(losses[-1]), lambda losses: losses[-1]),
        (lambda kept, losses, _: kept.append(sum(losses)), sum),
        (lambda kept, losses, _: kept.append(min(losses)), min),
    ],
)
def test_wrong_means_are_shown_beside_the_right_ones(change, compute):
    epochs = []

    def note(kept, losses, epoch):
        epochs.append(losses)
        change(kept, losses, epoch)

    words = check_trainer(changes_the_losses(note)).hint
    expected, found = (
        ", ".join(f"{how(losses):.4f}" for losses in epochs)
        for how in (lambda losses: sum(losses) / len(losses), compute)
    )
    assert f"expected {expected}, found {found}" in words


def test_a_weight_that_differs_is_shown():
    [expected, found] = re.findall(r"-?\d\.\d{4}", check_trainer(forgets_zero_grad).hint)
    assert expected != found
