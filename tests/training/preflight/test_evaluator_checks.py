"""An `Evaluator` that cannot measure a training is refused or warned of, with the way out."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

from mnist_widgets import (
    Evaluator,
    Trainer,
    load_bundled_digits,
    predict_probabilities,
    train_step,
)

TRAIN_SET, TEST_SET = load_bundled_digits()
WAY_OUT = r"Evaluator is for classification\. .*evaluate\(model, device\)"


def make_trainer(model, loss_fn, batches, evaluator, **options):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Trainer(model, loss_fn, optimizer, batches, evaluator=evaluator, device="cpu", **options)


def refuse_before_an_update(trainer, words):
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        trainer.fit(1)
    assert trainer.history.batch_losses == []
    for name, value in trainer.model.state_dict().items():
        assert value.equal(before[name]), name


def autoencode(model, batch, loss_fn, optimizer, device):
    return train_step(model, (batch[0], batch[0].flatten(1)), loss_fn, optimizer, device)


def make_autoencoder():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 4), nn.Linear(4, 784))


class TestAnotherTask:
    def test_an_autoencoder_is_no_classifier_of_the_classes_behind_a_loader(self):
        words = rf"784 classes, .* 10 classes.*{WAY_OUT}"
        for test_batches in (
            DataLoader(TEST_SET, 64),
            DataLoader(Subset(TEST_SET, range(90)), 64, shuffle=True),
            TEST_SET.batches(64),
        ):
            for loss_fn in (nn.MSELoss(), nn.L1Loss()):
                evaluator = Evaluator(test_batches, loss_fn)
                batches = DataLoader(TRAIN_SET, 64)
                model = make_autoencoder()
                refuse_before_an_update(
                    make_trainer(model, loss_fn, batches, evaluator, train_step=autoencode), words
                )
                with pytest.raises(ValueError, match=words):
                    evaluator.evaluate(model, "cpu")

    def test_an_autoencoder_is_no_classifier_where_the_classes_have_no_names(self):
        pictures = TRAIN_SET.images[:, None] / 255
        some = TensorDataset(pictures[:64], TRAIN_SET.labels[:64])
        for batches in (DataLoader(some, 64), [(pictures[:64], TRAIN_SET.labels[:64])]):
            for loss_fn in (nn.MSELoss(), functional.mse_loss, nn.BCEWithLogitsLoss()):
                trainer = make_trainer(
                    make_autoencoder(),
                    loss_fn,
                    batches,
                    Evaluator(batches, loss_fn),
                    train_step=autoencode,
                )
                refuse_before_an_update(trainer, rf"float32 of shape \(64, 784\).*{WAY_OUT}")

    def test_a_classifier_may_learn_from_other_targets_than_labels(self):
        inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
        one_hot = functional.one_hot(labels, 3).float()
        several = one_hot.roll(1, dims=1) + one_hot
        for targets in (one_hot * 2 - 1, torch.randn(8, 3), several, several / 2, several - 0.05):
            loss_fn = nn.MSELoss()
            evaluator = Evaluator([(inputs, labels)], loss_fn)
            trainer = make_trainer(nn.Linear(4, 3), loss_fn, [(inputs, targets)], evaluator)
            assert trainer.fit(1).num_epochs == 1

    def test_a_second_task_beside_the_classes_is_not_checked(self):
        class Both(nn.Module):
            def __init__(self):
                super().__init__()
                self.scores, self.picture = nn.Linear(784, 10), nn.Linear(784, 784)

            def forward(self, images):
                return self.scores(images.flatten(1))

        def step(model, batch, loss_fn, optimizer, device):
            rows, labels = batch[0].flatten(1), batch[1]
            loss = loss_fn(model.picture(rows), rows)
            loss = loss + functional.cross_entropy(model(batch[0]), labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        batches = list(TRAIN_SET.sample(64).batches(64))
        evaluator = Evaluator(batches, nn.MSELoss())
        trainer = make_trainer(Both(), nn.MSELoss(), batches, evaluator, train_step=step)
        assert trainer.fit(1).num_epochs == 1

    def test_a_loader_may_make_fewer_classes_of_those_of_its_set(self):
        def collate(images):
            inputs, labels = zip(*images, strict=True)
            return torch.stack(inputs), torch.tensor(labels)[:, None].eq(3).float()

        batches = DataLoader(TEST_SET, 64, collate_fn=collate)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
        loss_fn = nn.BCEWithLogitsLoss()
        evaluator = Evaluator(batches, loss_fn)
        assert make_trainer(model, loss_fn, batches, evaluator).fit(1).num_epochs == 1

    def test_a_regression_has_no_accuracy(self):
        inputs = torch.randn(8, 4)
        for loss_fn in (nn.MSELoss(), nn.functional.l1_loss, nn.HuberLoss()):
            for targets in (
                inputs[:, :2],
                inputs[:, :1],
                torch.arange(8.0)[:, None],
                torch.rand(8, 3),
            ):
                batches = [(inputs, targets)]
                trainer = make_trainer(
                    nn.Linear(4, targets.shape[1]), loss_fn, batches, Evaluator(batches, loss_fn)
                )
                refuse_before_an_update(trainer, WAY_OUT)

    def test_several_labels_of_an_image_have_no_accuracy(self):
        inputs, loss_fn = torch.randn(8, 4), nn.BCEWithLogitsLoss()
        ordinal = (torch.arange(8)[:, None] > torch.arange(7)).float()
        for targets in (ordinal, torch.ones(8, 3), torch.rand(8, 3)):
            batches = [(inputs, targets)]
            trainer = make_trainer(
                nn.Linear(4, targets.shape[1]), loss_fn, batches, Evaluator(batches, loss_fn)
            )
            refuse_before_an_update(trainer, WAY_OUT)

    def test_numbers_for_each_class_are_classes_if_they_are_two_or_shares(self):
        inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
        one_hot = functional.one_hot(labels, 3).float()
        for targets in (one_hot, one_hot * 2 - 1, 0.1 + 0.8 * one_hot, (one_hot * 3).softmax(1)):
            batches = [(inputs, targets)]
            loss_fn = nn.MSELoss()
            trainer = make_trainer(nn.Linear(4, 3), loss_fn, batches, Evaluator(batches, loss_fn))
            assert trainer.fit(1).num_epochs == 1
        half = [(inputs.bfloat16(), (one_hot * 3).softmax(1).bfloat16())]
        model = nn.Linear(4, 3).bfloat16()
        Evaluator(half, loss_fn).evaluate(model, "cpu")

    def test_outputs_that_are_no_scores_are_refused_with_the_way_out(self):
        class Named(nn.Linear):
            def forward(self, inputs):
                return {"logits": super().forward(inputs)}

        class Image(nn.Linear):
            def forward(self, inputs):
                return super().forward(inputs)[:, None]

        batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
        for kind, words in (
            (Named, r"a dict.*\(8, C\).*forward return .* alone"),
            (Image, rf"\(8, 1, 3\).*{WAY_OUT}"),
        ):
            with pytest.raises(ValueError, match=words):
                Evaluator(batches).evaluate(kind(4, 3), "cpu")


class TestBatchesOfOneUse:
    @staticmethod
    def make(test_batches, **options):
        batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
        evaluator = Evaluator(test_batches, **options)
        return make_trainer(nn.Linear(4, 3), nn.CrossEntropyLoss(), batches, evaluator)

    def test_an_iterator_is_refused_where_the_trainer_is_made(self):
        pair = (torch.randn(8, 4), torch.arange(8) % 3)
        loader = DataLoader(TensorDataset(*pair), 4)
        for one_use in (
            (batch for batch in [pair]),
            zip([pair[0]], [pair[1]], strict=True),
            map(tuple, [pair]),
            iter([pair]),
            itertools.chain([pair]),
            iter(loader),
        ):
            for arguments in ({"test_batches": one_use}, {"test_batches": [pair]}):
                if arguments["test_batches"] is not one_use:
                    arguments["train_batches"] = one_use
                with pytest.raises(TypeError, match=r"only once.*each epoch.*list\("):
                    self.make(**arguments)
        assert Evaluator(batch for batch in [pair]).evaluate(nn.Linear(4, 3), "cpu")
        with pytest.raises(TypeError, match=r"train_batches is .*only once.*each epoch"):
            make_trainer(nn.Linear(4, 3), nn.CrossEntropyLoss(), iter(loader), None)

    def test_what_cannot_be_iterated_is_refused_where_the_trainer_is_made(self):
        def generate():
            yield torch.randn(8, 4), torch.arange(8) % 3

        for batches, words in (
            (generate, "a function"),
            (torch.rand, "a builtin_function"),
            (None, "a NoneType"),
            (DataLoader, "the class DataLoader"),
            (3, "a int"),
        ):
            with pytest.raises(TypeError, match=rf"evaluator\.batches is {words}.*batches\(512\)"):
                self.make(batches)
        with pytest.raises(TypeError, match=r"pass list\(generate\(\)\)"):
            self.make(generate)

    def test_batches_that_can_be_iterated_again_are_accepted(self):
        pair = (torch.randn(8, 4), torch.arange(8) % 3)

        class StartsAgain:
            """An iterator that each `iter` sets back."""

            def __iter__(self):
                self.rest = [pair]
                return self

            def __next__(self):
                if self.rest:
                    return self.rest.pop()
                raise StopIteration

        class ByIndex:
            def __getitem__(self, index):
                return [pair][index]

        loader = DataLoader(TensorDataset(*pair), 4)
        for batches in (StartsAgain(), ByIndex(), loader, (pair,), TEST_SET.batches(64)):
            torch.manual_seed(1)
            self.make([pair])
            after = torch.get_rng_state()
            torch.manual_seed(1)
            trainer = self.make(batches)
            assert torch.get_rng_state().equal(after)
            if batches is not loader and not hasattr(batches, "digit_set"):
                assert trainer.fit(2).num_epochs == 2


@pytest.mark.filterwarnings(
    "ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning"
)
def test_a_model_that_accepts_no_hook_is_trained_and_evaluated():
    batches = [(torch.randn(8, 4), torch.arange(8) % 3)] * 2
    model = torch.jit.script(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))
    trainer = make_trainer(model, nn.CrossEntropyLoss(), batches, Evaluator(batches))
    assert trainer.fit(2).num_epochs == 2


def test_other_options_of_the_loss_function_give_a_warning():
    batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
    weight = torch.tensor([1.0, 2.0, 3.0])
    cross_entropy, with_logits = nn.CrossEntropyLoss, nn.BCEWithLogitsLoss
    plain = functional.cross_entropy
    for loss_fn, of_evaluator, words in (
        (cross_entropy(weight=weight), plain, "weight"),
        (cross_entropy(), cross_entropy(weight), "weight"),
        (cross_entropy(weight), cross_entropy(weight * 2), "weight"),
        (nn.NLLLoss(weight), plain, "weight"),
        (
            cross_entropy(label_smoothing=0.1, ignore_index=3),
            plain,
            "ignore_index, label_smoothing",
        ),
        (partial(plain, label_smoothing=0.1), plain, "label_smoothing"),
        (with_logits(pos_weight=weight), with_logits(), "pos_weight"),
        (nn.HuberLoss(delta=0.5), nn.HuberLoss(), "delta"),
        (nn.SmoothL1Loss(), nn.SmoothL1Loss(beta=0.5), "beta"),
        (nn.MultiMarginLoss(p=2), nn.MultiMarginLoss(margin=0.5), "margin, p"),
    ):
        evaluator = Evaluator(batches, of_evaluator)
        with pytest.warns(UserWarning, match=rf"other options \({words}\).*cannot be compared"):
            trainer = make_trainer(nn.Linear(4, 3), loss_fn, batches, evaluator)
        assert len(trainer.warnings) == 1
    for loss_fn, of_evaluator in (
        (cross_entropy(weight), cross_entropy(weight.double())),
        (cross_entropy(weight), partial(plain, weight=weight.clone())),
        (cross_entropy(torch.ones(3)), plain),
        (cross_entropy(label_smoothing=0.1), cross_entropy(label_smoothing=0.1)),
        (both := cross_entropy(weight.to("meta")), both),
        (nn.HuberLoss(), functional.huber_loss),
        (nn.SmoothL1Loss(), functional.smooth_l1_loss),
        (nn.MultiMarginLoss(), functional.multi_margin_loss),
        (cross_entropy(), nn.NLLLoss()),
    ):
        evaluator = Evaluator(batches, of_evaluator)
        assert make_trainer(nn.Linear(4, 3), loss_fn, batches, evaluator).warnings == []


def test_a_model_of_two_inputs_needs_an_evaluator_of_its_own():
    class Two(nn.Linear):
        def forward(self, first, second):
            return super().forward(first + second)

    def step(model, batch, loss_fn, optimizer, device):
        loss = loss_fn(model(*batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
    batches = [((inputs, inputs), labels)]
    words = r"without 'second'.*one tensor.*evaluator of your own"
    for model in (Two(4, 3), torch.compile(Two(4, 3), backend="eager")):
        trainer = make_trainer(
            model, nn.CrossEntropyLoss(), batches, Evaluator(batches), train_step=step
        )
        with pytest.raises(ValueError, match=words) as failed:
            trainer.fit(1)
        assert isinstance(failed.value.__cause__, TypeError)
    with pytest.raises(ValueError, match=words):
        predict_probabilities(Two(4, 3), inputs)

    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = Two(4, 3)

        def forward(self, inputs):
            return self.layer(inputs)

    with pytest.raises(TypeError, match="'second'"):
        predict_probabilities(Wrong(), inputs)


def test_an_evaluator_without_an_image_says_so():
    empty = [(torch.randn(0, 4), torch.zeros(0).long())]
    ignored = [(torch.randn(3, 4), torch.full((3,), -100))]
    for batches, words in ((empty, "has no images"), (ignored, "ignores all labels")):
        with pytest.raises(ValueError, match=words):
            Evaluator(batches).evaluate(nn.Linear(4, 3), "cpu")


def own_cross_entropy(outputs, labels):
    return functional.cross_entropy(outputs, labels)


class TestMoreOutputsThanClasses:
    @staticmethod
    def fit_twice(trainer):
        trainer.fit(1)
        trainer.fit(1)

    def test_more_outputs_than_named_classes_give_one_warning_in_the_users_line(self):
        for test_batches in (TEST_SET.batches(64), DataLoader(TEST_SET, 64)):
            for loss_fn in (functional.cross_entropy, own_cross_entropy):
                model = nn.Sequential(nn.Flatten(), nn.Linear(784, 26))
                evaluator = Evaluator(test_batches, loss_fn)
                trainer = make_trainer(
                    model, nn.CrossEntropyLoss(), TRAIN_SET.batches(512), evaluator
                )
                with pytest.warns(UserWarning, match=r"26 outputs.* 10 classes") as warned:
                    self.fit_twice(trainer)
                assert [each.filename for each in warned] == [__file__]
                assert len(trainer.warnings) == 1

    def test_an_embedding_gives_a_warning(self):
        def contrast(model, batch, loss_fn, optimizer, device):
            inputs, labels = (tensor.to(device)[: len(tensor) // 2 * 2] for tensor in batch)
            same = labels[::2].eq(labels[1::2]).float() * 2 - 1
            embeddings = model(inputs)
            loss = loss_fn(embeddings[::2], embeddings[1::2], same)
            loss.backward()
            optimizer.step()
            return loss.item()

        trainer = make_trainer(
            nn.Sequential(nn.Flatten(), nn.Linear(784, 16)),
            nn.CosineEmbeddingLoss(),
            TRAIN_SET.sample(512).batches(512),
            Evaluator(TEST_SET.batches(64)),
            train_step=contrast,
        )
        with pytest.warns(UserWarning, match=rf"16 outputs.*{WAY_OUT}"):
            trainer.fit(1)

    def test_as_many_outputs_as_classes_give_no_warning(self):
        for num_outputs in (10, 12):
            test_batches = TEST_SET.batches(64) if num_outputs == 10 else list(TEST_SET.batches(64))
            trainer = make_trainer(
                nn.Sequential(nn.Flatten(), nn.Linear(784, num_outputs)),
                nn.CrossEntropyLoss(),
                TRAIN_SET.batches(512),
                Evaluator(test_batches),
            )
            trainer.fit(1)
            assert trainer.warnings == []
