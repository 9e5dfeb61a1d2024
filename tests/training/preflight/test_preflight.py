"""What does not fit together is said before the first update, and saying it changes nothing."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from timeouts import TIMEOUT_S
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    TensorDataset,
)

from mnist_widgets import (
    Evaluator,
    ProgressBar,
    SimpleNet,
    Trainer,
    TrainingSession,
    load_bundled_digits,
    predict_probabilities,
    train_step,
)
from mnist_widgets.data.digit_set import DigitSet
from mnist_widgets.training.devices import device_of, move_loss

TRAIN_SET, TEST_SET = load_bundled_digits()


class Stream(IterableDataset):
    """Pairs without an end that is known."""

    def __iter__(self):
        return iter([(torch.zeros(4), 0)] * 8)


class SizedStream(Stream):
    def __len__(self):
        return 8


def make_parts(model=None, *, loss_fn=None, optimizer=None, batches=None, **options):
    """Return a trainer of a small model, with some parts replaced."""
    model = nn.Linear(4, 3) if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
    loss_fn = nn.CrossEntropyLoss() if loss_fn is None else loss_fn
    batches = [(torch.randn(8, 4), torch.zeros(8).long())] * 3 if batches is None else batches
    return Trainer(model, loss_fn, optimizer, batches, device="cpu", **options)


def copy_state(model):
    """Return parameters, buffers, modes, gradients and the random state, to compare them."""
    return {
        **{name: value.clone() for name, value in model.state_dict().items()},
        "modes": torch.tensor([module.training for module in model.modules()]),
        "gradients": torch.tensor([each.grad is not None for each in model.parameters()]),
        "random": torch.get_rng_state(),
    }


def assert_equal(state, expected):
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


class TestBatches:
    def test_a_batch_that_is_no_pair_is_named(self):
        inputs, targets = torch.randn(8, 4), torch.zeros(8).long()
        for batch, words in [
            ({"image": inputs, "label": targets}, "dict with the keys 'image', 'label'"),
            ((inputs, targets, targets), "tuple of 3 parts"),
            ([inputs], "list of 1 parts"),
            (inputs[:2], r"single tensor of shape \(2, 4\)"),
            ((inputs, [0, 1]), "Tensor, list"),
            (None, "a NoneType"),
        ]:
            trainer = make_parts(batches=[batch])
            with pytest.raises(TypeError, match=f"{words}.*train_step of your own"):
                trainer.fit(1)

    def test_a_train_step_of_your_own_unpacks_what_it_wants(self):
        def step(model, batch, loss_fn, optimizer, device):
            return train_step(model, (batch["image"], batch["label"]), loss_fn, optimizer, device)

        batch = {"image": torch.randn(8, 4), "label": torch.zeros(8).long()}
        assert make_parts(batches=[batch], train_step=step).fit(1).num_epochs == 1

    def test_batches_without_a_length_are_refused_where_the_trainer_is_made(self):
        for batches, words in [
            (DataLoader(Stream(), batch_size=4), "DataLoader over a Stream"),
            (iter([]), "list_iterator"),
            ((batch for batch in ()), "generator"),
        ]:
            with pytest.raises(TypeError, match=f"no length: .*{words}"):
                make_parts(batches=batches)
        assert make_parts(batches=DataLoader(SizedStream(), batch_size=4)).fit(1).num_epochs == 1

    def test_batches_can_leave_out_a_small_last_one(self):
        some = DigitSet(TRAIN_SET.images[:33], TRAIN_SET.labels[:33], "0123456789", "33 digits")
        for shuffle in (False, True):
            generator = torch.Generator().manual_seed(1)
            batches = some.batches(16, shuffle=shuffle, generator=generator, drop_last=True)
            assert (len(batches), batches.num_images) == (2, 32)
            assert [len(labels) for _, labels in batches] == [16, 16]
        assert [len(labels) for _, labels in some.batches(11, drop_last=True)] == [11, 11, 11]
        assert [len(labels) for _, labels in some.batches(16)] == [16, 16, 1]
        with pytest.raises(ValueError, match="empty"):
            make_parts(batches=some.batches(64, drop_last=True))


class TestOptimizer:
    def test_a_class_in_place_of_an_instance_is_refused_where_the_trainer_is_made(self):
        for parts, words in [
            ({"optimizer": torch.optim.Adam}, r"class Adam .*Adam\(model.parameters\(\)\)"),
            ({"loss_fn": nn.CrossEntropyLoss}, r"class CrossEntropyLoss .*CrossEntropyLoss\(\)"),
        ]:
            with pytest.raises(TypeError, match=words):
                make_parts(**parts)

    def test_an_optimizer_of_another_model_is_refused(self):
        other = torch.optim.SGD(nn.Linear(4, 3).parameters(), lr=0.1)
        with pytest.raises(ValueError, match=r"another network.*model.parameters\(\)"):
            make_parts(optimizer=other)

    def test_layers_replaced_after_the_optimizer_was_made_are_noticed(self):
        model = nn.Sequential(nn.Linear(4, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model[0] = nn.Linear(4, 3)
        with pytest.raises(ValueError, match="another network"):
            make_parts(model, optimizer=optimizer)

    def test_parameters_missing_in_the_optimizer_give_one_warning_in_the_users_line(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
        optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
        trainers = []

        def make_and_train():
            trainers.append(make_parts(model, optimizer=optimizer))
            trainers[0].fit(2)
            trainers[0].fit(1)

        with pytest.warns(UserWarning, match=r"2 of the model's 4 .*0\.weight, 0\.bias") as warned:
            make_and_train()
        assert len(warned) == 1
        assert warned[0].filename == __file__
        assert len(trainers[0].warnings) == 1

    def test_frozen_parameters_are_no_fault(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
        model[0].requires_grad_(False)
        for held in (model, model[1]):
            optimizer = torch.optim.SGD(held.parameters(), lr=0.1)
            trainer = make_parts(model, optimizer=optimizer)
            trainer.fit(1)
            assert trainer.warnings == []

    def test_wrapped_and_lazy_models_hold_the_parameters_of_their_optimizer(self):
        for wrap in (nn.DataParallel, lambda model: torch.compile(model, backend="eager")):
            model = nn.Linear(4, 3)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            make_parts(wrap(model), optimizer=optimizer).fit(1)
        make_parts(nn.LazyLinear(3)).fit(1)

    def test_a_model_without_anything_to_train_is_explained(self):
        model = nn.Linear(4, 3).requires_grad_(False)
        with pytest.raises(ValueError, match=r"frozen.*requires_grad"):
            make_parts(model).fit(1)

    def test_lbfgs_needs_a_train_step_with_a_closure(self):
        model = nn.Linear(4, 3)
        optimizer = torch.optim.LBFGS(model.parameters())
        with pytest.raises(ValueError, match=r"LBFGS.*closure"):
            make_parts(model, optimizer=optimizer)

        def step(model, batch, loss_fn, optimizer, device):
            def closure():
                optimizer.zero_grad()
                loss = loss_fn(model(batch[0]), batch[1])
                loss.backward()
                return loss

            return optimizer.step(closure).item()

        losses = make_parts(model, optimizer=optimizer, train_step=step).fit(2)["train"]
        assert losses[1] < losses[0]

    def test_an_own_train_step_may_use_more_than_one_optimizer(self):
        generator, discriminator = nn.Linear(2, 4), nn.Linear(4, 1)
        both = nn.ModuleList([generator, discriminator])
        of_generator = torch.optim.SGD(generator.parameters(), lr=0.1)

        def train_gan(model, batch, loss_fn, optimizer, device):
            fakes = generator(torch.randn(8, 2))
            ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
            loss = loss_fn(discriminator(batch[0]), ones)
            loss = loss + loss_fn(discriminator(fakes.detach()), zeros)
            loss.backward()
            optimizer.step()
            of_generator.zero_grad()
            loss_fn(discriminator(fakes), ones).backward()
            of_generator.step()
            optimizer.zero_grad()
            return loss.item()

        for model in (both, generator):
            trainer = make_parts(
                model,
                loss_fn=nn.BCEWithLogitsLoss(),
                optimizer=torch.optim.SGD(discriminator.parameters(), lr=0.1),
                train_step=train_gan,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert trainer.fit(2).num_epochs == 2
            assert trainer.warnings == []

    def test_gradient_accumulation_is_no_fault(self):
        num_calls = 0

        def step(model, batch, loss_fn, optimizer, device):
            nonlocal num_calls
            num_calls += 1
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            if num_calls % 2 == 0:
                optimizer.step()
                optimizer.zero_grad()
            return loss.item()

        trainer = make_parts(train_step=step)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert trainer.fit(2).num_epochs == 2


class TestOutputsAndLoss:
    def test_parts_that_do_not_fit_are_refused_with_any_train_step(self):
        def own_step(model, batch, loss_fn, optimizer, device):
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return loss.item()

        inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
        for model, loss_fn, targets, words in [
            (nn.Linear(4, 1), nn.MSELoss(), labels.float(), r"\(8, 1\).*\(8,\)"),
            (nn.Linear(4, 1), nn.functional.mse_loss, labels.float(), r"\(8, 1\).*\(8,\)"),
            (nn.Linear(4, 2), nn.CrossEntropyLoss(), labels, "target is 2"),
            (nn.Linear(4, 1), nn.BCEWithLogitsLoss(), labels[:, None] % 2, "int64"),
        ]:
            for step in (train_step, own_step):
                trainer = make_parts(
                    model, loss_fn=loss_fn, batches=[(inputs, targets)] * 2, train_step=step
                )
                before = copy_state(model)
                with pytest.raises(ValueError, match=words):
                    trainer.fit(1)
                assert trainer.ending == "failed"
                assert trainer.history.batch_losses == []
                assert_equal(copy_state(model), before)

    def test_a_train_step_that_reshapes_for_its_loss_is_no_fault(self):
        def step(model, batch, loss_fn, optimizer, device):
            inputs, labels = batch
            return train_step(model, (inputs, labels[:, None].float()), loss_fn, optimizer, device)

        trainer = make_parts(nn.Linear(4, 1), loss_fn=nn.MSELoss(), train_step=step)
        assert trainer.fit(1).num_epochs == 1

    def test_one_loss_for_each_image_is_refused_for_the_usual_step_only(self):
        loss_fn = nn.CrossEntropyLoss(reduction="none")
        with pytest.raises(ValueError, match=r"reduction.*mean"):
            make_parts(loss_fn=loss_fn)

        def step(model, batch, loss_fn, optimizer, device):
            def mean(*pair):
                return loss_fn(*pair).mean()

            return train_step(model, batch, mean, optimizer, device)

        assert make_parts(loss_fn=loss_fn, train_step=step).fit(1).num_epochs == 1

    def test_a_loss_of_ones_own_may_use_the_option_reduction_in_its_own_way(self):
        class Focal(nn.CrossEntropyLoss):
            def __init__(self, reduction):
                super().__init__(reduction=reduction)

            def forward(self, outputs, targets):
                losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
                return ((1 - (-losses).exp()) ** 2 * losses).mean()

        batches = [(torch.randn(8, 4), torch.arange(8) % 3)] * 2
        model = nn.Linear(4, 3)
        for reduction in ("none", "sum"):
            loss_fn = Focal(reduction)
            evaluator = Evaluator(batches[:1], loss_fn)
            make_parts(model, loss_fn=loss_fn, batches=batches, evaluator=evaluator).fit(1)
            expected = loss_fn(model(batches[0][0]), batches[0][1]).item()
            assert evaluator.evaluate(model, "cpu")["test_loss"] == pytest.approx(expected)

    def test_a_loss_of_ones_own_that_gives_several_numbers_is_explained(self):
        class Named(nn.CrossEntropyLoss):
            pass

        for loss_fn in (Named(reduction="none"), lambda outputs, _: outputs.pow(2).mean(dim=1)):
            with pytest.raises(ValueError, match=r"one loss for each image.*mean"):
                make_parts(loss_fn=loss_fn).fit(1)

    def test_hooks_and_state_of_the_loss_function_miss_no_batch(self):
        class Recorder:
            def __init__(self):
                self.losses = []

            def record(self, module, arguments, loss):
                self.losses.append(loss.item())

            def __deepcopy__(self, memo):
                raise TypeError("cannot be copied")

        for loss_fn in (nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()):
            recorder, targets = Recorder(), torch.zeros(8).long()
            loss_fn.register_forward_hook(recorder.record)
            if isinstance(loss_fn, nn.BCEWithLogitsLoss):
                targets = torch.zeros(8, 3)
            batches = [(torch.randn(8, 4), targets)] * 3
            trainer = make_parts(loss_fn=loss_fn, batches=batches)
            trainer.fit(2)
            assert recorder.losses == trainer.history.batch_losses

    def test_a_refusal_changes_nothing(self):
        model = nn.Sequential(
            nn.Linear(4, 4),
            nn.BatchNorm1d(4),
            nn.Dropout(),
            nn.utils.spectral_norm(nn.Linear(4, 1)),
        )
        trainer = make_parts(model)
        before = copy_state(model)
        with pytest.raises(ValueError, match="one output for each class"):
            trainer.fit(1)
        assert_equal(copy_state(model), before)
        trainer.loss_fn = nn.MSELoss()
        trainer.train_batches = [(torch.randn(8, 4), torch.zeros(8, 1))]
        assert trainer.fit(1).num_epochs == 1

    def test_a_refusal_leaves_a_lazy_model_free_to_take_another_shape(self):
        model = nn.LazyLinear(1)
        trainer = make_parts(model)
        with pytest.raises(ValueError, match="one output for each class"):
            trainer.fit(1)
        trainer.loss_fn = nn.MSELoss()
        trainer.train_batches = [(torch.randn(8, 6), torch.zeros(8, 1))]
        assert trainer.fit(1).num_epochs == 1
        assert model.in_features == 6

    def test_the_checks_add_no_forward_pass_and_no_random_number(self):
        class Counting(nn.Module):
            num_calls = 0

            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 3))

            def forward(self, inputs):
                self.num_calls += 1
                return self.layers(inputs)

        model = Counting()
        reference = copy.deepcopy(model)
        batches = [(torch.randn(8, 4), torch.zeros(8).long())] * 3
        torch.manual_seed(1)
        losses = make_parts(model, batches=batches).fit(1).batch_losses
        assert model.num_calls == 3

        torch.manual_seed(1)
        optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
        device = torch.device("cpu")
        assert losses == [
            train_step(reference, batch, nn.CrossEntropyLoss(), optimizer, device)
            for batch in batches
        ]

    def test_the_first_batch_draws_no_more_from_a_loaders_generator(self):
        dataset = TensorDataset(torch.randn(24, 4), torch.zeros(24).long())

        def make_loader():
            generator = torch.Generator().manual_seed(3)
            return DataLoader(dataset, 8, shuffle=True, generator=generator)

        loader, reference = make_loader(), make_loader()
        running, alone = make_parts(batches=loader).iterate(1), iter(reference)
        next(running), next(alone)
        running.close()
        assert torch.equal(loader.generator.get_state(), reference.generator.get_state())

    def test_outputs_that_are_cut_off_from_the_weights_are_explained(self):
        class Detached(nn.Linear):
            def forward(self, inputs):
                return super().forward(inputs).detach()

        with pytest.raises(ValueError, match=r"does not depend on the model's weights.*detach"):
            make_parts(Detached(4, 3)).fit(1)

    def test_gradients_that_are_switched_off_are_explained(self):
        for switched_off in (torch.no_grad(), torch.inference_mode()):
            model = nn.Linear(4, 3)
            with switched_off, pytest.raises(ValueError, match=r"switched off.*set_grad_enabled"):
                make_parts(model).fit(1)
            assert make_parts(model).fit(1).num_epochs == 1

    def test_parts_that_were_made_in_inference_mode_are_explained(self):
        with torch.inference_mode():
            model = nn.Linear(4, 3)
            batches = [(torch.randn(8, 4), torch.zeros(8).long())]
        for trainer in (make_parts(model), make_parts(batches=batches)):
            with pytest.raises(ValueError, match=r"made in torch\.inference_mode\(\).*outside"):
                trainer.fit(1)

    def test_errors_of_later_batches_are_explained_too(self):
        def make_batch(num_images, num_inputs=4, label=0):
            return torch.randn(num_images, num_inputs), torch.full((num_images,), label)

        norm = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
        unforeseen = DataLoader([make_batch(8), make_batch(1)], batch_size=None)
        for model, batches, words in [
            (None, [make_batch(8), make_batch(8, label=3)], "target is 3.*one output for each"),
            (None, [make_batch(8), make_batch(8, num_inputs=5)], "in_features=5"),
            (norm, unforeseen, "single image.*drop_last"),
        ]:
            trainer = make_parts(model, batches=batches)
            with pytest.raises(ValueError, match=words):
                trainer.fit(1)
            assert len(trainer.history.batch_losses) == 1

    def test_an_error_of_the_model_itself_is_raised_as_it_is(self):
        class Broken(nn.Linear):
            def forward(self, inputs):
                raise ZeroDivisionError("planted")

        with pytest.raises(ZeroDivisionError, match="planted"):
            make_parts(Broken(4, 3)).fit(1)


class TestEvaluator:
    @pytest.mark.filterwarnings("ignore:The training loss is")
    def test_outputs_that_the_evaluator_refuses_are_refused_before_the_first_update(self):
        inputs, labels = torch.randn(8, 4), torch.arange(8) % 3
        shapes = DataLoader(TensorDataset(inputs, labels), batch_size=4)

        def autoencode(model, batch, loss_fn, optimizer, device):
            return train_step(model, (batch[0], batch[0]), loss_fn, optimizer, device)

        def unpack(model, batch, loss_fn, optimizer, device):
            return train_step(model, batch[:2], loss_fn, optimizer, device)

        images = TEST_SET.images[:32, None] / 255
        digits = Evaluator(TEST_SET.batches(32), nn.MSELoss())
        image_model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
        flat_model = nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.Unflatten(1, (784,)))
        for name, model, batch, loss_fn, step, evaluator, error, words in [
            (
                *("autoencoder", image_model, (images, images), nn.MSELoss(), train_step),
                *(digits, ValueError, r"\(32, 1, 28, 28\)"),
            ),
            (
                *("flat autoencoder", flat_model, (images, images.flatten(1)), nn.MSELoss()),
                *(train_step, digits, ValueError, "784 classes, .* 10 classes"),
            ),
            (
                *("own step", nn.Conv1d(1, 1, 1), (inputs[:, None], labels), nn.MSELoss()),
                *(autoencode, Evaluator(shapes), ValueError, r"\(8, 1, 4\)"),
            ),
            (
                *("regression", nn.Linear(4, 1), (inputs, inputs[:, :1]), nn.MSELoss()),
                *(train_step, Evaluator([(inputs, labels)]), ValueError, "one output for each"),
            ),
            (
                *("too few classes", nn.Linear(4, 3), (inputs, labels), nn.CrossEntropyLoss()),
                *(train_step, Evaluator([(inputs, labels + 1)]), ValueError, "target is 3"),
            ),
            (
                *("triples", nn.Linear(4, 3), (inputs, labels, labels), nn.CrossEntropyLoss()),
                *(unpack, Evaluator([(inputs, labels, labels)]), TypeError, "tuple of 3 parts"),
            ),
            (
                *("dicts", nn.Linear(4, 3), (inputs, labels), nn.CrossEntropyLoss()),
                *(train_step, Evaluator([{"image": inputs, "label": labels}]), TypeError, "dict"),
            ),
        ]:
            trainer = make_parts(
                model, loss_fn=loss_fn, batches=[batch] * 2, train_step=step, evaluator=evaluator
            )
            before = copy_state(model)
            with pytest.raises(error, match=words):
                trainer.fit(1)
            assert trainer.history.batch_losses == [], name
            assert_equal(copy_state(model), before)

    @pytest.mark.filterwarnings("ignore:The training loss is")
    def test_outputs_that_the_evaluator_accepts_are_accepted(self):
        inputs, labels = torch.randn(8, 4), torch.arange(8) % 3

        class TwoOutputsInTraining(nn.Linear):
            def forward(self, inputs):
                outputs = super().forward(inputs)
                return (outputs, inputs) if self.training else outputs

        def both_step(model, batch, loss_fn, optimizer, device):
            loss = loss_fn(model(batch[0])[0], batch[1])
            loss.backward()
            optimizer.step()
            return loss.item()

        def contrast_step(model, batch, loss_fn, optimizer, device):
            views = torch.cat([batch[0], batch[0]])
            return train_step(model, (views, batch[1].repeat(2)), loss_fn, optimizer, device)

        class ScoresInTraining(nn.Linear):
            def forward(self, inputs):
                scores = super().forward(inputs)
                return scores if self.training else scores.log_softmax(1)

        class SharesInEvaluation(nn.Linear):
            def forward(self, inputs):
                scores = super().forward(inputs) * 100
                return scores if self.training else scores.softmax(1)

        one_hot = nn.functional.one_hot(labels, 3).float()

        class OwnEvaluator(Evaluator):
            def evaluate(self, model, device):
                return {"answer": 42.0}

        triples = [(inputs, labels, labels)]
        for model, step, evaluator in [
            (TwoOutputsInTraining(4, 3), both_step, Evaluator([(inputs, labels)])),
            (nn.Linear(4, 3), contrast_step, Evaluator([(inputs, labels)])),
            (nn.Linear(4, 3), train_step, Evaluator([(inputs[:5], labels[:5])])),
            (nn.Linear(4, 3), train_step, Evaluator([(inputs.numpy(), labels.tolist())])),
            (nn.Linear(4, 3), train_step, OwnEvaluator(triples)),
            (ScoresInTraining(4, 3), train_step, Evaluator([(inputs, labels)], nn.NLLLoss())),
            (SharesInEvaluation(4, 3), train_step, Evaluator([(inputs, one_hot)], nn.BCELoss())),
            (nn.LazyLinear(3), train_step, Evaluator([(inputs, labels)])),
        ]:
            trainer = make_parts(
                model, batches=[(inputs, labels)], train_step=step, evaluator=evaluator
            )
            assert trainer.fit(2).num_epochs == 2

    def test_a_test_loss_that_cannot_be_compared_with_the_training_loss_gives_a_warning(self):
        summed = nn.CrossEntropyLoss(reduction="sum")
        batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
        for loss_fn, of_evaluator, words in [
            (nn.BCEWithLogitsLoss(), None, "BCEWithLogitsLoss, but the test loss is CrossEntropy"),
            (nn.functional.mse_loss, nn.L1Loss(), "MSELoss, but the test loss is L1Loss"),
            (summed, summed, "sum over the images.*mean"),
        ]:
            options = (batches,) if of_evaluator is None else (batches, of_evaluator)
            with pytest.warns(UserWarning, match=words):
                trainer = make_parts(loss_fn=loss_fn, evaluator=Evaluator(*options))
            assert len(trainer.warnings) == 1

        def divide(model, batch, loss_fn, optimizer, device):
            return train_step(
                model, batch, lambda *both: loss_fn(*both) / len(batch[1]), optimizer, device
            )

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make_parts(loss_fn=summed, evaluator=Evaluator(batches, summed), train_step=divide)

        class OwnLoss(nn.MSELoss):
            pass

        class OwnEvaluator(Evaluator):
            pass

        for loss_fn, evaluator in [
            (nn.CrossEntropyLoss(), Evaluator(batches)),
            (nn.NLLLoss(), Evaluator(batches)),
            (OwnLoss(), Evaluator(batches)),
            (nn.MSELoss(), Evaluator(batches, nn.MSELoss())),
            (nn.MSELoss(), OwnEvaluator(batches)),
            (summed, None),
        ]:
            assert make_parts(loss_fn=loss_fn, evaluator=evaluator).warnings == []

    def test_checking_the_evaluator_adds_no_forward_pass_and_no_hook(self):
        model, modes = nn.Linear(4, 3), []
        model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
        batches = [(torch.randn(8, 4), torch.arange(8) % 3)] * 3
        make_parts(model, batches=batches, evaluator=Evaluator(batches[:1])).fit(1)
        assert modes == [True, True, True, False]
        assert not model._forward_hooks


class TestShapes:
    def test_inputs_of_another_shape_are_explained_by_the_layer_that_fails(self):
        images = torch.rand(8, 1, 28, 28)
        for layers, inputs, words in [
            ([nn.Linear(5, 3)], torch.rand(8, 4), r"\(8, 4\).*in_features=5.*in_features=4\."),
            ([nn.Flatten(), nn.Linear(785, 3)], images, r"\(8, 1, 28, 28\).*in_features=784\."),
            ([nn.Linear(784, 3)], images, r"\(8, 1, 28, 28\).*nn\.Flatten\(\) before it\."),
            ([nn.Conv2d(3, 2, 3)], images, r"\(N, 3, height, width\).*in_channels=1\."),
            ([nn.Conv2d(1, 2, 3)], images.flatten(1), r"\(8, 784\).*Do not flatten"),
            ([nn.Conv2d(1, 2, 3), nn.Linear(9, 3)], images, r"Flatten\(\).*in_features=1352\."),
        ]:
            model = nn.Sequential(*layers)
            trainer = make_parts(model, batches=[(inputs, torch.zeros(8).long())])
            with pytest.raises(ValueError, match=words) as failed:
                trainer.fit(1)
            assert isinstance(failed.value.__cause__, RuntimeError)
            with pytest.raises(ValueError, match=words):
                predict_probabilities(model, inputs)


class TestTypes:
    def test_inputs_of_another_type_are_explained(self):
        for inputs, words in [
            (torch.randn(8, 4).double(), r"float64.*inputs\.float"),
            (torch.ones(8, 4).byte(), r"uint8.*inputs\.float"),
            (torch.ones(8, 4).half(), r"float16.*inputs\.float"),
        ]:
            for layers in ([], [nn.LayerNorm(4)], [nn.BatchNorm1d(4)]):
                model = nn.Sequential(*layers, nn.Linear(4, 3))
                trainer = make_parts(model, batches=[(inputs, torch.zeros(8).long())])
                with pytest.raises(ValueError, match=words):
                    trainer.fit(1)
        with pytest.raises(ValueError, match=r"float64.*model\.float"):
            make_parts(nn.Linear(4, 3).double()).fit(1)

    def test_inputs_are_not_blamed_for_targets_or_layers_of_another_type(self):
        class Converting(nn.Linear):
            def forward(self, inputs):
                return super().forward(inputs.float())

        def own_loss(outputs, targets):
            return nn.functional.cross_entropy(outputs, targets)

        words = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3))
        mixed = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3).double())
        indices, numbers = torch.zeros(8, 2).long(), torch.zeros(8)
        for model, inputs, targets in [
            (words, indices, numbers),
            (mixed, indices, numbers.long()),
            (words, indices.byte(), numbers.long()),
            (Converting(4, 3), torch.randn(8, 4).double(), numbers),
        ]:
            trainer = make_parts(
                model,
                loss_fn=own_loss,
                batches=[(inputs, targets)],
            )
            with pytest.raises(RuntimeError) as failed:
                trainer.fit(1)
            assert "inputs.float()" not in str(failed.value)

    def test_a_model_that_converts_its_inputs_is_no_fault(self):
        class Converting(nn.Linear):
            def forward(self, inputs):
                return super().forward(inputs.float())

        batches = [(torch.randn(8, 4).double(), torch.zeros(8).long())]
        assert make_parts(Converting(4, 3), batches=batches).fit(1).num_epochs == 1
        doubled = nn.Linear(4, 3).double()
        assert make_parts(doubled, batches=batches).fit(1).num_epochs == 1

    def test_a_changed_default_dtype_is_named(self, float64_by_default):
        trainer = make_parts(SimpleNet(28 * 28, 10), batches=TRAIN_SET.batches(32))
        with pytest.raises(ValueError, match=r"set_default_dtype.*make the model again"):
            trainer.fit(1)


class TestBatchNorm:
    def test_a_last_batch_of_one_image_is_refused_before_the_first(self):
        dataset = TensorDataset(torch.randn(9, 4), torch.zeros(9).long())
        one = (torch.randn(1, 4), torch.zeros(1).long())
        for batches in (
            DataLoader(dataset, batch_size=4),
            [dataset[:8], one],
            DataLoader(dataset, batch_size=1),
            DataLoader(dataset, batch_sampler=BatchSampler(RandomSampler(dataset), 4, False)),
        ):
            for norm in (nn.BatchNorm1d(4), nn.LazyBatchNorm1d(), nn.SyncBatchNorm(4)):
                trainer = make_parts(nn.Sequential(norm, nn.Linear(4, 3)), batches=batches)
                with pytest.raises(ValueError, match=r"single image.*drop_last=True"):
                    trainer.fit(1)
                assert trainer.history.batch_losses == []

    def test_batch_norm_of_images_of_one_pixel_is_refused_before_the_first_batch(self):
        for num_axes, convolution, norms in (
            (2, nn.Conv2d, (nn.BatchNorm2d(2), nn.LazyBatchNorm2d(), nn.SyncBatchNorm(2))),
            (3, nn.Conv3d, (nn.BatchNorm3d(2), nn.LazyBatchNorm3d(), nn.SyncBatchNorm(2))),
        ):
            dataset = TensorDataset(torch.randn(9, 1, *[3] * num_axes), torch.zeros(9).long())
            for norm in norms:
                model = nn.Sequential(convolution(1, 2, 3), norm, nn.Flatten(), nn.Linear(2, 3))
                trainer = make_parts(model, batches=DataLoader(dataset, batch_size=4))
                with pytest.raises(ValueError, match=r"single image.*drop_last=True"):
                    trainer.fit(1)
                assert trainer.history.batch_losses == []

    def test_what_batch_norm_can_do_is_not_refused(self):
        dataset = TensorDataset(torch.randn(9, 4), torch.zeros(9).long())

        class AlwaysFrozen(nn.BatchNorm1d):
            def train(self, mode=True):
                return super().train(False)

        for norm, batches in [
            (nn.BatchNorm1d(4), DataLoader(dataset, batch_size=4, drop_last=True)),
            (nn.BatchNorm1d(4), DataLoader(dataset, batch_size=9)),
            (AlwaysFrozen(4), DataLoader(dataset, batch_size=4)),
            (nn.Identity(), DataLoader(dataset, batch_size=4)),
        ]:
            model = nn.Sequential(norm, nn.Linear(4, 3))
            assert make_parts(model, batches=batches).fit(1).num_epochs == 1
        images = TensorDataset(torch.randn(5, 1, 6, 6), torch.zeros(5).long())
        rows = TensorDataset(torch.randn(5, 1, 36), torch.zeros(5).long())
        points = TensorDataset(torch.randn(5, 6, 4), torch.zeros(5).long())
        for dataset, layers in [
            (images, [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)]),
            (rows, [nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)]),
            (points, [nn.Flatten(0, 1), nn.BatchNorm1d(4), nn.Unflatten(0, (-1, 6))]),
        ]:
            model = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))
            trainer = make_parts(model, batches=DataLoader(dataset, batch_size=4))
            assert trainer.fit(1).num_epochs == 1

    def test_a_train_step_of_your_own_may_skip_a_batch_of_one_image(self):
        def step(model, batch, loss_fn, optimizer, device):
            return train_step(model, batch, loss_fn, optimizer, device) if len(batch[0]) > 1 else 0

        dataset = TensorDataset(torch.randn(9, 4), torch.zeros(9).long())
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
        trainer = make_parts(model, batches=DataLoader(dataset, batch_size=4), train_step=step)
        assert trainer.fit(1).num_epochs == 1

    def test_batch_norm_within_a_network_is_refused_before_the_first_update(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm, self.convolution = nn.BatchNorm1d(8), nn.Conv2d(1, 2, 3)
                self.last, self.first = nn.Linear(8, 3), nn.Linear(32, 8)

            def forward(self, images):
                features = self.convolution(images).flatten(1)
                return self.last(self.norm(self.first(features)).relu())

        dataset = TensorDataset(torch.randn(5, 1, 6, 6), torch.zeros(5).long())
        model = Net()
        trainer = make_parts(model, batches=DataLoader(dataset, batch_size=4))
        before = copy_state(model)
        before.pop("random")  # the loader draws its seed
        with pytest.raises(ValueError, match=r"single image.*drop_last=True"):
            trainer.fit(1)
        after = copy_state(model)
        after.pop("random")
        assert_equal(after, before)
        trainer.train_batches = DataLoader(dataset, batch_size=4, drop_last=True)
        assert trainer.fit(1).num_epochs == 1

    def test_a_first_batch_of_one_image_is_explained(self):
        model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
        one = (torch.randn(1, 4), torch.zeros(1).long())
        two = (torch.randn(2, 4), torch.zeros(2).long())
        with pytest.raises(ValueError, match=r"single image.*larger batches"):
            make_parts(model, batches=[one, two]).fit(1)


class TestRange:
    def make_trainer(self, inputs, evaluator):
        model = SimpleNet(28 * 28, 10, hidden_units=4)
        batches = DataLoader(TensorDataset(inputs, TRAIN_SET.labels[: len(inputs)]), batch_size=32)
        return make_parts(model, batches=batches, evaluator=evaluator)

    def test_inputs_without_an_order_are_trained(self):
        model = nn.Sequential(nn.Linear(4, 3))
        inputs = torch.eye(4).to_sparse()
        trainer = make_parts(model, batches=[(inputs, torch.arange(4) % 3)])
        trainer.train_step = lambda model, batch, *rest: train_step(
            model, (batch[0].to_dense(), batch[1]), *rest
        )
        assert trainer.fit(1).num_epochs == 1
        assert trainer.input_range is None

    def test_normalized_inputs_are_warned_of_where_images_are_shown_as_they_are(self):
        inputs = TRAIN_SET.images[:64].unsqueeze(1) / 255

        def normalize(inputs):
            return (inputs - 0.13) / 0.31

        normalized = normalize(inputs)
        shown = Evaluator(TEST_SET.batches(512))
        trainer = self.make_trainer(normalized, shown)
        with pytest.warns(UserWarning, match=r"-0\.419 to 2\.81.*\[0, 1\].*[Ii]f .*normalized"):
            trainer.fit(1)
        assert len(trainer.warnings) == 1
        same = DataLoader(TensorDataset(normalized, TRAIN_SET.labels[:64]), batch_size=32)
        for given, evaluator in [
            (inputs, shown),
            (normalized, None),
            (normalized, Evaluator(same)),
            (normalized, Evaluator(TEST_SET.batches(512, shuffle=True, transform=normalize))),
        ]:
            trainer = self.make_trainer(given, evaluator)
            trainer.fit(1)
            assert trainer.warnings == []


class TestDevice:
    def test_the_weights_of_a_loss_function_move(self):
        loss_fn = nn.CrossEntropyLoss(weight=torch.ones(3))
        meta, cpu = torch.device("meta"), torch.device("cpu")
        assert move_loss(loss_fn, meta) == cpu
        assert loss_fn.weight.device == device_of(loss_fn) == meta
        assert move_loss(nn.functional.cross_entropy, meta) == meta

    def test_the_weights_of_a_loss_function_are_where_the_model_trains_and_come_back(self):
        class Elsewhere(nn.CrossEntropyLoss):
            """Weights on the meta device, the one second device that every machine has."""

            def __init__(self):
                super().__init__(weight=torch.ones(3, device="meta"))

            def to(self, device):
                self.to_empty(device=device)
                if not self.weight.is_meta:
                    nn.init.ones_(self.weight)
                return self

        def fail(*_):
            raise ZeroDivisionError

        for loss_fn, evaluator_loss_fn in [(both := Elsewhere(), both), (Elsewhere(), Elsewhere())]:
            batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
            evaluator = Evaluator(batches, evaluator_loss_fn)
            trainer = make_parts(loss_fn=loss_fn, batches=batches, evaluator=evaluator)
            history = trainer.fit(1)
            assert history["train"][0] > 0
            assert history["test_loss"][0] > 0
            trainer.train_step = fail
            with pytest.raises(ZeroDivisionError):
                trainer.fit(1)
            assert loss_fn.weight.is_meta
            assert evaluator_loss_fn.weight.is_meta

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
    def test_the_weights_of_a_loss_function_train_with_the_model_and_come_back(self):
        for home in ("cpu", "cuda"):
            loss_fn = nn.CrossEntropyLoss(weight=torch.ones(3, device=home))
            trainer = make_parts(loss_fn=loss_fn)
            trainer.device = torch.device("cuda")
            trainer.fit(1)
            assert loss_fn.weight.device.type == home
            assert device_of(trainer.model).type == "cpu"


def test_a_refused_run_fails_the_session_with_the_sentence_and_leaves_it_usable():
    batches = [(torch.randn(8, 4), torch.arange(8) % 3)] * 2
    trainer = make_parts(nn.Linear(4, 2), batches=batches)
    session = TrainingSession(trainer)
    try:
        session.start(1)
        with pytest.raises(ValueError, match="target is 2"):
            session.join(TIMEOUT_S)
        assert session.state == "failed"
        trainer.train_batches = [(torch.randn(8, 4), torch.arange(8) % 2)] * 2
        session.start(1)
        session.join(TIMEOUT_S)
        assert session.state == "finished"
    finally:
        session.close()


def test_parts_of_another_kind_are_named_with_an_example(make_trainer, batches):
    model = nn.Linear(4, 3)
    scheduler = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(model.parameters(), lr=0.1), 1)
    for options, words in (
        ({"evaluator": batches}, r"evaluator is a list.*Evaluator\(test_set"),
        ({"evaluator": Evaluator}, "evaluator is the class Evaluator"),
        ({"callbacks": [ProgressBar]}, "callback is the class ProgressBar"),
        ({"callbacks": [scheduler]}, r"callback is a StepLR.*LearningRateScheduler\("),
    ):
        with pytest.raises(TypeError, match=words):
            make_trainer(**options)
    with pytest.raises(TypeError, match=r"optimizer is a str.*torch\.optim\.Adam\("):
        Trainer(model, nn.CrossEntropyLoss(), "adam", batches)
    with pytest.raises(TypeError, match=r"loss_fn is a str.*CrossEntropyLoss\("):
        Trainer(model, "cross-entropy", scheduler.optimizer, batches)


def test_a_data_set_in_place_of_batches_is_named(make_trainer):
    data_set = TensorDataset(torch.randn(8, 4), torch.randint(0, 3, (8,)))
    images = [(image, int(label)) for image, label in data_set]
    for given in (images, data_set):
        with pytest.raises(TypeError, match=r"is a data set.*DataLoader\(dataset"):
            make_trainer(train_batches=given).fit(1)


def test_parts_of_an_evaluator_that_do_not_fit_are_named_where_the_trainer_is_made(make_trainer):
    batches = [(torch.randn(8, 4), torch.arange(8) % 3)]
    data_set = TensorDataset(*batches[0])
    for evaluator, words in [
        (Evaluator(TEST_SET), r"data set.*batches\(512\)"),
        (Evaluator(data_set), r"data set.*DataLoader\(dataset"),
        (Evaluator(batches, train_batches=data_set), "data set"),
        (Evaluator(batches, nn.CrossEntropyLoss), "evaluator.loss_fn is the class CrossEntropy"),
        (Evaluator(batches, "cross-entropy"), "evaluator.loss_fn is a str"),
    ]:
        model, before = nn.Linear(4, 3), torch.get_rng_state()
        with pytest.raises(TypeError, match=words):
            make_parts(model, batches=batches, evaluator=evaluator)
        assert torch.get_rng_state().equal(before)
    for evaluator in (Evaluator(TEST_SET), Evaluator(DataLoader(data_set, batch_size=None))):
        with pytest.raises(TypeError, match="data set"):
            evaluator.evaluate(nn.Flatten(), "cpu")
    with pytest.raises(TypeError, match="data set"):
        make_trainer(evaluator=Evaluator(list(data_set))).fit(1)
