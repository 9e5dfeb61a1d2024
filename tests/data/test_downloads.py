"""Downloads are real: tiny data sets, through torchvision, from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import pickle
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import torch
import torchvision
from timeouts import TIMEOUT_S
from torchvision.datasets import MNIST

from mnist_widgets import RunConfig, load_digits, load_fashion_mnist, load_kmnist
from mnist_widgets.data.downloads import DataError, ensure_raw_files, find_answering_mirror
from mnist_widgets.data.loaders import load_from_torchvision
from mnist_widgets.data.raw_files import find_faults, find_raw_files


def encode_idx(array: torch.Tensor) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.to(torch.uint8).numpy().tobytes()


RAW_FILES = {
    "train-images-idx3-ubyte": encode_idx(torch.arange(6 * 784).reshape(6, 28, 28) % 256),
    "train-labels-idx1-ubyte": encode_idx(torch.arange(6)),
    "t10k-images-idx3-ubyte": encode_idx(torch.arange(3 * 784).reshape(3, 28, 28) % 251),
    "t10k-labels-idx1-ubyte": encode_idx(torch.tensor([9, 8, 7])),
}
TRAIN_LABELS = "train-labels-idx1-ubyte"
ARCHIVES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in RAW_FILES.items()}


@dataclass
class Mirror:
    """A server of the archives in `folder`, on this machine; a test may change them."""

    folder: Path
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def serve(self, handler_class: type[http.server.SimpleHTTPRequestHandler]):
        handler = partial(handler_class, directory=str(self.folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{server.server_address[1]}/"
        return server


@pytest.fixture
def mirror(tmp_path):
    mirror = Mirror(tmp_path / "mirror")
    mirror.folder.mkdir()
    for name, content in ARCHIVES.items():
        (mirror.folder / name).write_bytes(content)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            mirror.requests.append(f"{self.command} {self.path}")

    with mirror.serve(Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def silent_address():
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def dead_address():
    """An address without a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def make_dataset_class(*mirrors: str) -> type[MNIST]:
    class TinyMNIST(MNIST):
        resources = [  # noqa: RUF012 - so in the class it stands for
            (name, hashlib.md5(content).hexdigest()) for name, content in ARCHIVES.items()
        ]

    TinyMNIST.mirrors = list(mirrors)
    return TinyMNIST


def list_files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def raw_folder(root):
    """A folder with all four files, intact."""
    folder = root / "TinyMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in RAW_FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_complete_download_is_loaded(mirror, root):
    dataset_class = make_dataset_class(mirror.address)
    train_set, test_set = load_from_torchvision(dataset_class, "tiny", root)
    assert train_set.images.shape == (6, 28, 28)
    assert train_set.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert test_set.labels.tolist() == [9, 8, 7]
    assert torch.equal(test_set.images.flatten(), torch.arange(3 * 784) % 251)
    assert list_files(root) == RAW_FILES
    assert [path.name for path in (root / "TinyMNIST").iterdir()] == ["raw"]


def test_intact_files_are_neither_downloaded_nor_written(mirror, root, raw_folder):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    ensure_raw_files(make_dataset_class(mirror.address), root)
    assert mirror.requests == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_files_are_found_in_each_form_and_folder(tmp_path):
    forms = {
        "as torchvision has them": lambda name: (name, RAW_FILES[name]),
        "compressed": lambda name: (f"{name}.gz", ARCHIVES[f"{name}.gz"]),
        "dotted": lambda name: (name.replace("-idx", ".idx"), RAW_FILES[name]),
        "dotted and compressed": lambda name: (
            f"{name.replace('-idx', '.idx')}.gz",
            ARCHIVES[f"{name}.gz"],
        ),
    }
    places = {  # where the files lie below the root
        "data": "TinyMNIST/raw",
        "other/data": "TinyMNIST",
        "third/TinyMNIST": "raw",
        "fourth/TinyMNIST": ".",
        "fifth/TinyMNIST/raw": ".",
    }
    for form, store in forms.items():
        for place, below in places.items():
            root = tmp_path / form / place
            (root / below).mkdir(parents=True)
            for filename in RAW_FILES:
                stored_name, content = store(filename)
                (root / below / stored_name).write_bytes(content)
            before = list_files(tmp_path / form)
            sets = load_from_torchvision(make_dataset_class(), "tiny", root, False)
            labels = [digit_set.labels.tolist() for digit_set in sets]
            assert labels == [[0, 1, 2, 3, 4, 5], [9, 8, 7]], (form, place)
            assert list_files(tmp_path / form) == before, (form, place)


@pytest.mark.parametrize(
    ("load", "name"), [(load_fashion_mnist, "FashionMNIST"), (load_kmnist, "KMNIST")]
)
def test_the_code_of_a_run_names_the_loader_of_its_data(tmp_path, load, name):
    folder = tmp_path / name / "raw"
    folder.mkdir(parents=True)
    for filename, content in RAW_FILES.items():
        (folder / filename).write_bytes(content)
    code = RunConfig().to_code(data=load(tmp_path, download=False))
    assert f"train_set, test_set = {load.__name__}()\n" in code
    assert f"import Evaluator, SimpleNet, Trainer, {load.__name__}\n" in code


def test_an_intact_compressed_file_replaces_a_damaged_one(root, raw_folder):
    (raw_folder / TRAIN_LABELS).write_bytes(b"damaged")
    (raw_folder / f"{TRAIN_LABELS}.gz").write_bytes(ARCHIVES[f"{TRAIN_LABELS}.gz"])
    ensure_raw_files(make_dataset_class(), root, download=False)


def test_a_damaged_compressed_file_is_named(root, raw_folder):
    (raw_folder / TRAIN_LABELS).unlink()
    (raw_folder / f"{TRAIN_LABELS}.gz").write_bytes(ARCHIVES[f"{TRAIN_LABELS}.gz"][:-9])
    with pytest.raises(DataError, match=f"is damaged: .*found as .*{TRAIN_LABELS}.gz"):
        ensure_raw_files(make_dataset_class(), root, download=False)


def test_files_of_another_set_with_the_same_names_are_not_used(tmp_path, raw_folder):
    class OtherMNIST(make_dataset_class()):
        pass

    for root in (raw_folder, raw_folder.parent, raw_folder.parent.parent):
        with pytest.raises(DataError, match="OtherMNIST is not on this computer"):
            ensure_raw_files(OtherMNIST, root, download=False)


def test_the_error_lists_what_the_folder_holds_instead(tmp_path):
    (tmp_path / "mnist.npz").touch()
    with pytest.raises(DataError, match=r"TinyMNIST is not .* \(.* holds mnist.npz\)"):
        ensure_raw_files(make_dataset_class(), tmp_path, download=False)


def test_the_error_lists_what_the_deepest_folder_holds(tmp_path):
    folder = tmp_path / "TinyMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "TRAIN-LABELS.IDX1-UBYTE").touch()
    for root in (tmp_path, tmp_path / "TinyMNIST", folder):
        with pytest.raises(DataError) as caught:
            ensure_raw_files(make_dataset_class(), root, download=False)
        assert f"({folder} holds TRAIN-LABELS.IDX1-UBYTE)" in caught.value.reason, root


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may list every folder
    with pytest.raises(DataError, match=r"TinyMNIST is not .* \(.* read: Permission denied\)"):
        ensure_raw_files(make_dataset_class(), tmp_path, download=False)
    train_set, _ = load_digits(tmp_path, download=False)
    assert train_set.name == "UCI digits"


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="neither Windows nor root heeds a folder's mode"
)
def test_a_read_only_root_with_intact_files_works(root, raw_folder, dead_address):
    for folder in (root, raw_folder.parent, raw_folder):
        folder.chmod(0o555)
    try:
        load_from_torchvision(make_dataset_class(dead_address), "tiny", root)
    finally:
        for folder in (root, raw_folder.parent, raw_folder):
            folder.chmod(0o755)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "is missing"),
        (b"", "header of an idx file"),
        (b"\0\0\x08", "header of an idx file"),
        (b"<html>a page of the hotel's network</html>", "header of an idx file"),
        (RAW_FILES[TRAIN_LABELS][:-1], "has 13 bytes, not 14"),
        (RAW_FILES[TRAIN_LABELS] + b"x", "has 15 bytes, not 14"),
    ],
)
def test_only_the_damaged_file_is_downloaded_again(mirror, root, raw_folder, content, fault):
    bad_file = raw_folder / TRAIN_LABELS
    bad_file.unlink()
    if content is not None:
        bad_file.write_bytes(content)
    dataset_class = make_dataset_class(mirror.address)
    with pytest.raises(DataError, match=f"{TRAIN_LABELS} .*{fault}.* switched off"):
        ensure_raw_files(dataset_class, root, download=False)
    ensure_raw_files(dataset_class, root)
    assert list_files(root) == RAW_FILES
    assert {request.split()[1] for request in mirror.requests} == {f"/{TRAIN_LABELS}.gz"}


def test_a_file_with_the_right_length_and_a_wrong_checksum_is_damaged(tmp_path):
    for name, content in RAW_FILES.items():
        (tmp_path / name).write_bytes(content)
    faults = find_faults(find_raw_files(MNIST, tmp_path))
    assert set(faults) == set(RAW_FILES)
    assert all("md5" in fault for fault in faults.values())


def test_a_folder_with_the_name_of_a_file_is_named(root, raw_folder, mirror):
    (raw_folder / TRAIN_LABELS).unlink()
    (raw_folder / TRAIN_LABELS).mkdir()
    with pytest.raises(DataError, match=f"{TRAIN_LABELS} cannot be read"):
        ensure_raw_files(make_dataset_class(mirror.address), root, download=False)


def test_a_truncated_download_leaves_nothing_behind(mirror, root):
    name = "t10k-images-idx3-ubyte.gz"
    (mirror.folder / name).write_bytes(ARCHIVES[name][:-20])
    with pytest.raises(DataError, match=f"the download failed .*{name}"):
        ensure_raw_files(make_dataset_class(mirror.address), root)
    assert set(list_files(root)) == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    assert [path.name for path in (root / "TinyMNIST").iterdir()] == ["raw"]
    (mirror.folder / name).write_bytes(ARCHIVES[name])
    ensure_raw_files(make_dataset_class(mirror.address), root)
    assert list_files(root) == RAW_FILES


def test_a_file_that_one_mirror_lacks_comes_from_the_next(mirror, root):
    dataset_class = make_dataset_class(f"{mirror.address}empty/", mirror.address)
    ensure_raw_files(dataset_class, root)
    assert list_files(root) == RAW_FILES


def test_without_a_network_the_error_names_what_to_do(root, dead_address):
    with pytest.raises(DataError) as caught:
        ensure_raw_files(make_dataset_class(dead_address), root)
    assert caught.value.reason == "TinyMNIST is not on this computer and there is no network"
    assert str(root / "TinyMNIST" / "raw") in str(caught.value)
    assert "mnist-widgets data" in str(caught.value)
    assert "MNIST_WIDGETS_DATA" in str(caught.value)
    assert not root.exists()


@pytest.mark.parametrize(
    ("dataset", "options"),
    [("MNIST", ""), ("FashionMNIST", " --dataset fashion-mnist"), ("KMNIST", " --dataset kmnist")],
)
def test_the_error_names_the_command_that_downloads_the_data_set(root, dataset, options):
    with pytest.raises(DataError, match=rf"\(mnist-widgets data{options}\)"):
        ensure_raw_files(getattr(torchvision.datasets, dataset), root, download=False)


def test_without_a_network_a_damaged_file_is_named_and_kept(root, raw_folder, dead_address):
    (raw_folder / TRAIN_LABELS).write_bytes(b"damaged")
    with pytest.raises(DataError, match=f"{TRAIN_LABELS} is damaged.* there is no network"):
        ensure_raw_files(make_dataset_class(dead_address), root)
    assert (raw_folder / TRAIN_LABELS).read_bytes() == b"damaged"


def test_with_download_off_no_mirror_gets_a_request(mirror, root):
    with pytest.raises(DataError, match="downloading is switched off"):
        ensure_raw_files(make_dataset_class(mirror.address), root, download=False)
    assert mirror.requests == []
    assert not root.exists()


def test_a_file_in_place_of_a_folder_is_named_before_a_download(mirror, root):
    root.write_text("a file")
    for given in (root, root / "TinyMNIST", root / "TinyMNIST" / "raw"):
        for download in (True, False):
            with pytest.raises(DataError) as caught:
                ensure_raw_files(make_dataset_class(mirror.address), given, download)
            assert f"{root} is a file, not a folder" in caught.value.reason
            assert "TinyMNIST/raw" in caught.value.remedy
            assert "The files belong in" not in caught.value.remedy
    assert mirror.requests == []


def test_concurrent_downloads_do_not_disturb_each_other(mirror, root):
    dataset_class = make_dataset_class(mirror.address)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ensure_raw_files, dataset_class, root) for _ in range(4)]:
            done.result()
    assert list_files(root) == RAW_FILES
    assert [path.name for path in (root / "TinyMNIST").iterdir()] == ["raw"]


# If the function waits too long in the next two tests, pytest's timeout ends them.
def test_a_silent_mirror_is_abandoned_in_time(silent_address):
    assert find_answering_mirror([silent_address], "file.gz", timeout_s=0.2) is None


def test_without_a_network_the_answer_comes_before_the_timeout(dead_address):
    assert find_answering_mirror([dead_address], "file.gz", timeout_s=3600.0) is None


def test_a_mirror_that_stops_sending_is_abandoned(mirror, root, monkeypatch):
    monkeypatch.setattr("mnist_widgets.data.downloads.LONGEST_SILENCE_S", 0.2)
    is_over = threading.Event()

    class Stalling(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            is_over.wait(TIMEOUT_S)

    with mirror.serve(Stalling) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with pytest.raises(DataError, match="timed out"):
                load_from_torchvision(make_dataset_class(mirror.address), "tiny", root)
        finally:
            is_over.set()
            server.shutdown()
    assert list_files(root) == {}


def test_the_mirror_that_answers_is_used(mirror, silent_address, dead_address):
    mirrors = [silent_address, dead_address, mirror.address]
    assert find_answering_mirror(mirrors, "train-labels-idx1-ubyte.gz") == mirror.address


def test_an_error_status_is_an_answer(mirror):
    assert find_answering_mirror([mirror.address], "no-such-file.gz") == mirror.address
    assert mirror.requests[-1] == "HEAD /no-such-file.gz"


def test_a_data_error_survives_pickling():
    error = pickle.loads(pickle.dumps(DataError("it is gone", "Look elsewhere.")))
    assert (str(error), error.reason) == ("it is gone. Look elsewhere.", "it is gone")
