"""The bundled digits are always available; a message says if they replace MNIST."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_widgets import DataError
from mnist_widgets.data import loaders

needs_mnist = pytest.mark.skipif(
    not os.environ.get("MNIST_WIDGETS_DATA"),
    reason="MNIST_WIDGETS_DATA does not say where MNIST is",
)
BUNDLED_LINE = "Data: the 1,797 bundled UCI digits (1,438 for training, 359 for testing), because "


@pytest.fixture(scope="module")
def bundled():
    return loaders.load_bundled_digits()


def test_the_root_is_the_argument_else_the_variable_else_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path / "set"))
    assert loaders.data_root(tmp_path) == tmp_path
    assert loaders.data_root(str(tmp_path)) == tmp_path
    assert loaders.data_root() == tmp_path / "set"
    monkeypatch.setenv("MNIST_WIDGETS_DATA", f"  {tmp_path / 'my set'}\n")
    assert loaders.data_root() == tmp_path / "my set"
    for quotes in ('"{}"', "'{}'", ' "{}" ', '" {}"'):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", quotes.format(tmp_path / "my set"))
        assert loaders.data_root() == tmp_path / "my set", quotes
    for empty in (" ", '""'):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", empty)
        assert loaders.data_root().name == "mnist_widgets"
    monkeypatch.delenv("MNIST_WIDGETS_DATA")
    assert loaders.data_root().is_absolute()


def test_a_relative_root_starts_at_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_WIDGETS_DATA", "data")
    assert loaders.data_root() == Path.cwd() / "data"
    assert loaders.data_root("~/data") == Path.home() / "data"


def test_the_bundled_digits_are_1438_and_359(bundled):
    train_set, test_set = bundled
    assert (len(train_set), len(test_set)) == (1438, 359)
    assert train_set.name == test_set.name == "UCI digits"
    assert train_set.class_names == tuple("0123456789")


def test_the_bundled_digits_are_split_in_proportion(bundled):
    train_counts, test_counts = (digit_set.labels.bincount() for digit_set in bundled)
    shares = test_counts / (train_counts + test_counts)
    assert torch.all((shares - 359 / 1797).abs() < 0.003)


def test_the_bundled_digits_are_framed_like_mnist(bundled):
    for digit_set in bundled:
        inside = torch.zeros(28, 28, dtype=torch.bool)
        inside[4:24, 4:24] = True
        assert not digit_set.images[:, ~inside].any()
        assert digit_set.images.amax() == 255
        assert digit_set.images.amax(dim=(1, 2)).min() > 150


def test_a_bright_pixel_stays_where_it_was_and_never_overflows():
    images = torch.zeros(1, 8, 8, dtype=torch.uint8)
    images[0, 2:5, 6] = 16
    framed = loaders._resize_and_pad(images)[0]
    assert framed.dtype == torch.uint8
    row, column = divmod(int(framed.argmax()), 28)
    assert (row - 4) // 2.5 in (2, 3, 4)
    assert (column - 4) // 2.5 == 6
    assert framed[:, :16].amax() == 0


def test_the_script_makes_the_bundled_file():
    pytest.importorskip("sklearn")
    script = Path(__file__).parents[2] / "scripts" / "make_bundled_digits.py"
    expected = runpy.run_path(str(script))["split_digits"]()
    with np.load(loaders.BUNDLED_FILE) as arrays:
        assert set(arrays) == set(expected)
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, expected[name])
            assert array.dtype == np.uint8


def test_without_mnist_one_line_says_that_the_bundled_digits_are_used(tmp_path, capsys, bundled):
    train_set, test_set = loaders.load_digits(tmp_path, download=False)
    assert torch.equal(train_set.images, bundled[0].images)
    assert torch.equal(test_set.labels, bundled[1].labels)
    assert capsys.readouterr().out == (
        f"{BUNDLED_LINE}MNIST is not on this computer and downloading is switched off. "
        "To download MNIST later, run: mnist-widgets data\n"
    )


def test_without_a_network_one_line_says_so(tmp_path):
    nowhere = "http://127.0.0.1:9"  # the discard port: no server uses it
    environ = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environ |= {"http_proxy": nowhere, "https_proxy": nowhere, "MNIST_WIDGETS_DATA": str(tmp_path)}
    code = "from mnist_widgets import load_digits; load_digits()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"{BUNDLED_LINE}MNIST is not on this computer and there is no network. "
        "To download MNIST later, run: mnist-widgets data\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (loaders.load_mnist, "MNIST"),
        (loaders.load_fashion_mnist, "FashionMNIST"),
        (loaders.load_kmnist, "KMNIST"),
    ],
)
def test_a_missing_set_is_named_with_its_folder(tmp_path, load, name):
    with pytest.raises(DataError, match=f"{name} is not on this computer") as caught:
        load(tmp_path, download=False)
    assert str(tmp_path / name / "raw") in str(caught.value)


@needs_mnist
def test_mnist_is_complete(capsys):
    train_set, test_set = loaders.load_digits(download=False)
    assert capsys.readouterr().out == "Data: MNIST, 60,000 training and 10,000 test images.\n"
    assert (train_set.images.shape, test_set.images.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert train_set.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test_set.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert train_set.class_names == tuple("0123456789")


@needs_mnist
def test_mnist_is_found_if_the_variable_names_its_own_folder(monkeypatch):
    root = loaders.data_root()
    for folder in (root / "MNIST", root / "MNIST" / "raw"):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", f" {folder} ")
        train_set, _ = loaders.load_mnist(download=False)
        assert len(train_set) == 60_000, folder


@needs_mnist
def test_a_mnist_file_with_a_single_wrong_byte_is_named(tmp_path):
    source = loaders.data_root() / "MNIST" / "raw"
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    labels = (source / "t10k-labels-idx1-ubyte").read_bytes()
    (folder / "t10k-labels-idx1-ubyte").unlink()
    (folder / "t10k-labels-idx1-ubyte").write_bytes(labels[:-1] + b"\0")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is damaged: its md5 is"):
        loaders.load_mnist(tmp_path, download=False)
