"""`check_predict_probabilities`: what students write, and the verdicts."""

from __future__ import annotations

import copy

import pytest
import torch

from mnist_widgets import predict_probabilities
from mnist_widgets.exercises import check_predict_probabilities


def right(model, images):
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        probabilities = model(images).softmax(dim=1)
    model.train(was_training)
    return probabilities


@torch.no_grad()
def right_by_hand(model, images):
    mode = model.training
    try:
        powers = model.eval()(images).exp()
    finally:
        model.train(mode)
    return powers / powers.sum(dim=1, keepdim=True)


def right_one_by_one(model, images):
    mode = model.training
    model.eval()
    rows = [torch.softmax(model(image.unsqueeze(0))[0], dim=0).detach() for image in images]
    model.train(mode)
    return torch.stack(rows)


def right_with_a_copy(model, images):
    with torch.no_grad():
        return copy.deepcopy(model).eval()(images).softmax(dim=1)


RIGHT = [predict_probabilities, right, right_by_hand, right_one_by_one, right_with_a_copy]


@pytest.mark.parametrize("predict", RIGHT)
def test_right_answers_pass_however_they_are_written(predict):
    verdict = check_predict_probabilities(predict)
    assert verdict.passed, verdict


def changes_the_result(change):
    """Return a function that is right except for what it computes from the scores."""

    def predict(model, images):
        was_training = model.training
        model.eval()
        with torch.no_grad():
            result = change(model(images))
        model.train(was_training)
        return result

    return predict


def forgets_eval(model, images):
    with torch.inference_mode():
        return model(images).softmax(dim=1)


def keeps_gradients(model, images):
    was_training = model.training
    model.eval()
    probabilities = model(images).softmax(dim=1)
    model.train(was_training)
    return probabilities


def leaves_it_in_evaluation_mode(model, images):
    model.eval()
    with torch.no_grad():
        return model(images).softmax(dim=1)


def always_goes_back_to_training(model, images):
    model.eval()
    with torch.no_grad():
        probabilities = model(images).softmax(dim=1)
    model.train()
    return probabilities


def restores_the_mode_without_its_layers(model, images):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        probabilities = model(images).softmax(dim=1)
    model.training = was_training
    return probabilities


def changes_the_images(model, images):
    probabilities = right(model, images)
    images.zero_()
    return probabilities


def leaves_gradients_disabled(model, images):
    was_training = model.training
    torch.set_grad_enabled(False)
    probabilities = model.eval()(images).softmax(dim=1)
    model.train(was_training)
    return probabilities


def forgets_return(model, images):
    right(model, images)


def never_calls_the_network(model, images):
    return torch.full((len(images), 10), 0.1)


def forgets_detach(model, images):
    return model.eval()(images).softmax(dim=1).numpy()


def forgets_eval_of_a_copy(model, images):
    with torch.no_grad():
        return copy.deepcopy(model)(images).softmax(dim=1)


def returns_an_array(model, images):
    return right(model, images).numpy()


def returns_lists(model, images):
    return right(model, images).tolist()


def is_a_stub(model, images): ...


def returns_text(model, images):
    return str(right(model, images))


WRONG = [
    (forgets_eval, "forgot_eval"),
    (keeps_gradients, "keeps_gradients"),
    (leaves_it_in_evaluation_mode, "mode_not_restored"),
    (always_goes_back_to_training, "always_trains_afterwards"),
    (restores_the_mode_without_its_layers, "layers_not_restored"),
    (changes_the_images, "changes_images"),
    (leaves_gradients_disabled, "gradients_stay_disabled"),
    (forgets_return, "returns_none"),
    (never_calls_the_network, "network_not_asked"),
    (forgets_detach, "raises"),
    (is_a_stub, "unsolved"),
    (returns_text, "not_numbers"),
    (forgets_eval_of_a_copy, "forgot_eval"),
    (returns_an_array, "not_a_tensor"),
    (returns_lists, "not_a_tensor"),
    (changes_the_result(lambda scores: scores), "raw_scores"),
    (changes_the_result(lambda scores: scores.softmax(dim=0)), "softmax_over_images"),
    (changes_the_result(lambda scores: scores.softmax(dim=1).softmax(dim=1)), "softmax_twice"),
    (changes_the_result(lambda scores: scores.log_softmax(dim=1)), "log_probabilities"),
    (changes_the_result(lambda scores: scores.sigmoid()), "sigmoid_not_softmax"),
    (changes_the_result(lambda scores: scores.exp()), "exponentials_only"),
    (
        changes_the_result(lambda scores: scores.exp() / scores.exp().sum()),
        "softmax_over_everything",
    ),
    (
        changes_the_result(lambda scores: scores / scores.sum(dim=1, keepdim=True)),
        "shares_of_raw_scores",
    ),
    (changes_the_result(lambda scores: 100 * scores.softmax(dim=1)), "percent"),
    (changes_the_result(lambda scores: scores.softmax(dim=1).round()), "other_numbers"),
    (changes_the_result(lambda scores: scores.argmax(dim=1)), "returns_labels"),
    (changes_the_result(lambda scores: scores.softmax(dim=1).amax(dim=1)), "returns_highest_only"),
    (changes_the_result(lambda scores: scores.softmax(dim=1).T), "wrong_shape"),
]


@pytest.mark.parametrize(("predict", "mistake"), WRONG)
def test_each_mistake_is_recognized(predict, mistake):
    verdict = check_predict_probabilities(predict)
    assert verdict.mistake == mistake, verdict
    assert not verdict.passed
