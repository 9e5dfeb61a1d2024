"""A digit set is a `Dataset`, and its batches contain every image once."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_widgets.data.digit_set import DigitSet, check_same_classes, to_inputs

DIGITS = "0123456789"
MNIST_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture
def digit_set():
    images = torch.randint(0, 256, (25, 28, 28), dtype=torch.uint8)
    return DigitSet(images, torch.arange(25) % 10, DIGITS, "noise")


def collect(batches) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, labels = zip(*batches, strict=True)
    return torch.cat(inputs), torch.cat(labels)


def test_inputs_equal_torchvisions_bit_for_bit():
    images = torch.arange(256, dtype=torch.uint8).repeat(49).reshape(16, 28, 28)
    inputs = to_inputs(images)
    assert torch.equal(inputs[:, 0], v2.ToDtype(torch.float32, scale=True)(images))
    assert inputs.shape == (16, 1, 28, 28)
    assert (inputs.min(), inputs.max()) == (0, 1)


def test_inputs_do_not_change_the_images(digit_set):
    before = digit_set.images.clone()
    to_inputs(digit_set.images)
    assert torch.equal(digit_set.images, before)


def test_a_single_image_becomes_a_batch_of_one(digit_set):
    assert torch.equal(to_inputs(digit_set.images[3]), to_inputs(digit_set.images)[3:4])


@pytest.mark.parametrize(
    "images", [torch.zeros(5, 28, 28), torch.zeros(5, 1, 28, 28, dtype=torch.uint8), torch.zeros(3)]
)
def test_only_uint8_images_become_inputs(images):
    with pytest.raises(ValueError, match=r"torch\.uint8 of shape \(N, 28, 28\)"):
        to_inputs(images)


def test_images_of_another_type_are_refused_with_the_code_that_converts_them(digit_set):
    pixels = digit_set.images
    for images in [
        pixels / 255,
        pixels.float(),
        pixels.unsqueeze(1),
        pixels.unsqueeze(1) / 255,
        pixels.long(),
        pixels.numpy() / 255,
    ]:
        with pytest.raises(ValueError, match=r"Convert them with .*\.") as refused:
            DigitSet(images, digit_set.labels, digit_set.class_names, "converted")
        code = str(refused.value).partition("Convert them with ")[2].removesuffix(".")
        converted = eval(code, {"torch": torch, "images": images})
        assert torch.equal(converted, pixels)
    for images, words in [
        ((pixels / 255 - 0.13) / 0.31, "Scale their values to 0 to 255"),
        (torch.zeros(25, 784), r"uint8 of shape \(N, 28, 28\)\.$"),
    ]:
        with pytest.raises(ValueError, match=words):
            DigitSet(images, digit_set.labels, digit_set.class_names, "refused")


def test_an_item_is_an_input_and_its_label(digit_set):
    inputs, label = digit_set[13]
    assert torch.equal(inputs, to_inputs(digit_set.images)[13])
    assert inputs.shape == (1, 28, 28)
    assert label == 3
    assert isinstance(label, int)


def test_a_negative_index_counts_from_the_end(digit_set):
    assert torch.equal(digit_set[-1][0], digit_set[24][0])
    assert digit_set[-25][1] == 0


@pytest.mark.parametrize("index", [25, -26])
def test_an_index_beyond_the_end_is_named(digit_set, index):
    with pytest.raises(IndexError, match=rf"no image {index} in <DigitSet noise: 25 images"):
        digit_set[index]


def test_it_can_be_iterated(digit_set):
    assert [label for _, label in digit_set] == digit_set.labels.tolist()


def test_a_data_loader_gives_what_batches_gives(digit_set):
    loaded = list(DataLoader(digit_set, batch_size=10))
    batches = list(digit_set.batches(10))
    assert len(loaded) == len(batches) == 3
    for (loaded_inputs, loaded_labels), (inputs, labels) in zip(loaded, batches, strict=True):
        assert torch.equal(inputs, loaded_inputs)
        assert torch.equal(labels, loaded_labels)
        assert (inputs.dtype, labels.dtype) == (torch.float32, torch.int64)


def test_batches_report_their_numbers(digit_set):
    batches = digit_set.batches(10, shuffle=True)
    assert (len(batches), batches.num_images, batches.batch_size) == (3, 25, 10)
    assert [len(labels) for _, labels in batches] == [10, 10, 5]
    assert [len(labels) for _, labels in digit_set.batches(25)] == [25]
    assert [len(labels) for _, labels in digit_set.batches(100)] == [25]


def test_batches_are_made_in_the_thread_that_iterates(digit_set, monkeypatch):
    def refuse(thread):
        raise AssertionError(f"{thread} was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert len(list(digit_set.batches(10, shuffle=True))) == 3


def test_shuffled_batches_hold_every_image_once_with_its_label(digit_set):
    inputs, labels = collect(digit_set.batches(4, shuffle=True))
    label_of = {image.numpy().tobytes(): label for image, label in digit_set}
    shuffled = [image.numpy().tobytes() for image in inputs]
    assert set(shuffled) == set(label_of)
    assert [label_of[image] for image in shuffled] == labels.tolist()


def test_each_epoch_is_shuffled_anew_and_a_seed_repeats_it(digit_set):
    def list_epochs():
        torch.manual_seed(1)
        batches = digit_set.batches(4, shuffle=True)
        return [collect(batches)[1].tolist() for _ in range(2)]

    first, second = list_epochs()
    assert first != second
    assert list_epochs() == [first, second]


def test_a_given_generator_does_not_change_the_global_one(digit_set):
    state = torch.get_rng_state()
    epochs = [
        collect(digit_set.batches(4, shuffle=True, generator=torch.Generator().manual_seed(7)))[1]
        for _ in range(2)
    ]
    assert torch.equal(*epochs)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_in_order_draw_no_random_numbers(digit_set):
    state = torch.get_rng_state()
    assert torch.equal(collect(digit_set.batches(4))[1], digit_set.labels)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("batch_size", [0, -5])
def test_a_batch_size_below_one_is_named(digit_set, batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be .* at least 1, not {batch_size}"):
        digit_set.batches(batch_size)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 28, 28), [0, 1], r"images are torch\.float32"),
        (torch.zeros(2, 27, 28, dtype=torch.uint8), [0, 1], r"\(2, 27, 28\)"),
        (torch.zeros(28, 28, dtype=torch.uint8), [0], r"\(28, 28\)"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [0, 1, 2], "2 images but 3 labels"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [0.0, 1.0], r"labels are torch\.float32"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [[0], [1]], r"labels are .* \(2, 1\)"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [0, 10], "Label 10 at position 1 .* 0 to 9"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), [-1, 0], "Label -1 at position 0 .* 0 to 9"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_named(images, labels, message):
    with pytest.raises(ValueError, match=message):
        DigitSet(images, torch.tensor(labels), DIGITS, "wrong")


def test_a_set_without_images_is_refused():
    images, labels = torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="at least one"):
        DigitSet(images, labels, DIGITS, "empty")


def test_the_representations_say_what_it_is(digit_set):
    assert repr(digit_set) == "<DigitSet noise: 25 images, 10 classes>"
    assert repr(digit_set.batches(10)) == f"<3 batches of 10 from {digit_set!r}, in order>"


def test_arrays_and_lists_make_the_same_set_as_tensors(digit_set):
    images, labels = digit_set.images, digit_set.labels
    for name, same_images, same_labels in (
        ("arrays", images.numpy(), labels.numpy()),
        ("lists", images.tolist(), labels.tolist()),
        ("lists of arrays", list(images.numpy()), list(labels.numpy())),
        ("lists of tensors", list(images), tuple(labels)),
        ("narrow labels", images, labels.to(torch.uint8)),
        ("labels of another byte order", images, labels.numpy().astype(">i4")),
    ):
        same = DigitSet(same_images, same_labels, DIGITS, "the same")
        assert torch.equal(same.images, images), name
        assert torch.equal(same.labels, labels), name
        assert (same.images.dtype, same.labels.dtype) == (torch.uint8, torch.int64), name
    assert DigitSet(images, labels > 4, ["small", "large"], "sizes").labels.sum() == 10
    assert torch.equal(to_inputs(images.numpy()), to_inputs(images))


def test_arrays_and_tensors_are_shared_not_copied(digit_set):
    array = digit_set.images.numpy()
    shared = DigitSet(array, digit_set.labels, DIGITS, "shared")
    assert shared.images.data_ptr() == digit_set.images.data_ptr()
    assert shared.labels is digit_set.labels


def test_values_that_are_no_images_or_labels_are_named(digit_set):
    images, labels = digit_set.images, digit_set.labels
    for wrong_images, wrong_labels, words in (
        (
            images.numpy().astype("float64"),
            labels,
            r"images are torch.float64.*\(25, 28, 28\).*tensor",
        ),
        ((images.int() - 1).tolist(), labels, r"images are torch.int64.*\(25, 28, 28\).*tensor"),
        ("images.npy", labels, "images must be a tensor.*str"),
        (images, [str(label) for label in labels.tolist()], "labels must be a tensor.*list"),
        (images, labels.numpy().astype("float32"), r"labels are torch.float32.*\(25,\).*tensor"),
        (images, labels.unsqueeze(1).numpy(), r"labels are torch.int64.*\(25, 1\).*tensor"),
    ):
        with pytest.raises(ValueError, match=words):
            DigitSet(wrong_images, wrong_labels, DIGITS, "wrong")


def test_class_names_are_converted_by_str(digit_set):
    for names in (range(10), list(range(10)), np.arange(10), torch.arange(10), np.array([*DIGITS])):
        made = DigitSet(digit_set.images, digit_set.labels, names, "digits")
        assert made.class_names == tuple(DIGITS)
        assert all(type(name) is str for name in made.class_names)


def test_class_names_without_an_order_or_twice_are_refused(digit_set):
    for names, words in (({*DIGITS}, "in the order"), ("0123456788", "'8' twice"), (10, "list")):
        with pytest.raises(ValueError, match=f"class_names.*{words}"):
            DigitSet(digit_set.images, digit_set.labels, names, "wrong")


def test_two_sets_must_have_the_same_classes_in_the_same_order(digit_set):
    def named(names):
        return DigitSet(digit_set.images, digit_set.labels, names, "named")

    swapped, more = named("1023456789"), named("0123456789A")
    for other, words in ((swapped, "'0' where the test set has '1'"), (more, "10 .* 11 classes")):
        for batches in (other, other.batches(5), DataLoader(Subset(other, range(5)), batch_size=5)):
            with pytest.raises(ValueError, match=f"same classes in the same order.*{words}"):
                check_same_classes(digit_set.batches(5), batches)
    check_same_classes(digit_set.batches(5), named(range(10)).batches(3))
    nameless = TensorDataset(torch.zeros(5, 4), torch.zeros(5))
    check_same_classes(digit_set, DataLoader(ConcatDataset([nameless])))
    check_same_classes([(torch.zeros(5, 4), torch.zeros(5))], swapped.batches(5))


class LikeTorchvision(TensorDataset):
    """A data set that names its classes as torchvision's do."""

    def __init__(self, classes):
        super().__init__(torch.zeros(5, 1, 28, 28), torch.arange(5))
        self.classes = classes


class Relabelled(Dataset):
    """The images of another data set with labels of its own."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, index):
        image, label = self.dataset[index]
        return image, int(label > 4)


def test_torchvisions_names_of_the_digits_are_those_of_the_kit(digit_set):
    mnist = LikeTorchvision([f"{digit} - {word}" for digit, word in enumerate(MNIST_WORDS)])
    sources = [mnist]
    if root := os.environ.get("MNIST_WIDGETS_DATA", "").strip():
        sources.append(MNIST(root, download=False))
    for source in sources:
        loader = DataLoader(source, batch_size=5)
        check_same_classes(loader, digit_set.batches(5))
        check_same_classes(digit_set, source)
        named = DigitSet(digit_set.images, digit_set.labels, source.classes, "named")
        check_same_classes(named, digit_set)


def test_torchvisions_names_of_other_classes_are_refused(digit_set):
    swapped = ["1 - one", "0 - zero", *(f"{digit} - digit" for digit in range(2, 10))]
    for names in (swapped, [*"abcdefghij"], ["a - b"] * 10):
        with pytest.raises(ValueError, match="same classes in the same order"):
            check_same_classes(DataLoader(LikeTorchvision(names)), digit_set.batches(5))
    apples, pears = ["apple - red", "apple - green"], ["apple - green", "apple - red"]
    with pytest.raises(ValueError, match="same classes in the same order"):
        check_same_classes(LikeTorchvision(apples), LikeTorchvision(pears))


def test_only_names_of_the_labels_in_use_are_compared(digit_set):
    sizes = DigitSet(digit_set.images, digit_set.labels > 4, ["small", "large"], "sizes")
    for source in (Relabelled(digit_set), LikeTorchvision([3, 8]), LikeTorchvision("small, large")):
        check_same_classes(DataLoader(source), sizes.batches(5))
