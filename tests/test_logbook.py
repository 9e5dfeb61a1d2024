"""What a trainer notes down of itself, so that a check need not believe what can be typed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mnist_widgets.history import History
from mnist_widgets.logbook import Logbook


def test_it_counts_what_was_trained(make_trainer, batches):
    trainer = make_trainer()
    assert trainer.logbook.num_batches == 0
    trainer.fit(2)
    trainer.fit(1)
    logbook = trainer.logbook
    assert (logbook.num_batches, logbook.num_inputs, logbook.num_epochs) == (15, 120, 3)
    assert logbook.sources == [batches]


def test_it_keeps_the_weights_of_the_beginning_and_of_the_end(make_trainer):
    trainer = make_trainer()
    before = trainer.model.weight.detach().clone()
    assert trainer.logbook.first_weights is None
    trainer.fit(1)
    middle = trainer.model.weight.detach().clone()
    assert torch.equal(trainer.logbook.last_weights["weight"], middle)
    trainer.fit(1)
    assert torch.equal(trainer.logbook.first_weights["weight"], before)
    assert torch.equal(trainer.logbook.last_weights["weight"], trainer.model.weight)
    assert not torch.equal(before, middle)


def test_what_is_typed_into_the_history_does_not_reach_it(make_trainer):
    trainer = make_trainer()
    trainer.fit(1)
    trainer.history = History()
    assert trainer.logbook.num_batches == 5
    with pytest.raises(AttributeError):
        trainer.logbook = None


def test_it_names_every_source_even_if_it_was_exchanged(make_trainer, batches):
    trainer, others = make_trainer(), batches[:2]
    trainer.fit(1)
    trainer.train_batches = others
    trainer.fit(2)
    trainer.train_batches = batches
    first, second = trainer.logbook.sources
    assert first is batches
    assert second is others
    assert trainer.logbook.num_batches == 5 + 4


def test_a_restored_beginning_begins_a_new_one(make_trainer):
    trainer = make_trainer()
    beginning = trainer.snapshot()
    trainer.fit(1)
    trainer.restore(beginning)
    assert trainer.logbook.num_batches == 0
    assert trainer.logbook.first_weights is None


def test_a_run_that_fails_still_ends_in_it(make_trainer):
    def fail(*_):
        raise ZeroDivisionError

    trainer = make_trainer(train_step=fail)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(1)
    assert trainer.logbook.num_batches == 0
    assert torch.equal(trainer.logbook.last_weights["weight"], trainer.model.weight)


def test_parameters_without_a_shape_are_left_out(make_trainer):
    model = nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(3))
    trainer = make_trainer(model=model)
    trainer.logbook.begin_run(model)
    assert set(trainer.logbook.first_weights) == {"0.weight", "0.bias"}


@pytest.mark.parametrize(
    "inputs",
    [
        torch.rand(2, 3, dtype=torch.bfloat16, requires_grad=True),
        torch.rand(2, 3).to_sparse(),
        torch.empty(2, 3, device="meta"),
        torch.empty(0, 3),
        torch.randint(0, 5, (2,)),
    ],
)
def test_odd_inputs_are_counted_as_well(inputs):
    logbook = Logbook()
    logbook.begin_run(nn.Linear(3, 2, dtype=torch.bfloat16))
    logbook.begin_batch()
    logbook.add_batch("somewhere", inputs)
    assert (logbook.num_batches, logbook.num_inputs) == (1, len(inputs))


def test_training_alone_changes_nothing_between_batches(make_trainer):
    trainer = make_trainer()
    trainer.fit(2)
    trainer.fit(1)
    assert trainer.logbook.num_foreign_changes == 0


def test_a_network_of_another_precision_is_another_one(make_trainer):
    trainer = make_trainer()
    trainer.fit(1)
    trainer.model.double()
    with pytest.raises(ValueError, match="float64"):  # its inputs are still floats
        trainer.fit(1)
    assert trainer.logbook.num_foreign_changes == 1


def test_a_batch_that_failed_on_its_way_is_no_change_from_outside(make_trainer):
    def fail(model, *_):
        with torch.no_grad():
            model.weight += 1
            model.bias += 1
        raise ZeroDivisionError

    trainer = make_trainer(train_step=fail)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(1)
    assert trainer.logbook.num_foreign_changes == 0
