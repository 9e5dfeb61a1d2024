"""Run the real `mnist-widgets` command on small data."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from timeouts import TIMEOUT_S

from mnist_widgets import RunConfig, load_bundled_digits
from mnist_widgets.cli import main

ROOT = Path(__file__).parents[1]
COMMAND = Path(sysconfig.get_path("scripts")) / "mnist-widgets"


@pytest.fixture
def no_jupyterlab(monkeypatch):
    """Make the import of JupyterLab fail, as if it were not installed."""
    monkeypatch.setitem(sys.modules, "jupyterlab", None)


def test_the_installed_command_prints_its_version():
    answer = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"mnist_widgets {version('mnist_widgets')}\n"


def test_without_arguments_the_help_is_printed(capsys):
    assert main([]) == 0
    help_text = capsys.readouterr().out
    assert all(command in help_text for command in ("lab", "train", "data", "doctor"))
    assert "Open the lessons" in help_text
    assert "`" not in help_text


def test_ctrl_c_while_torch_loads_ends_with_status_130_and_without_a_traceback(tmp_path):
    (tmp_path / "torch.py").write_text(
        "import signal\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except BaseException:\n"  # as in some modules
        "    print('swallowed')\n"
    )
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    module = re.search(r'^mnist-widgets = "(.+):main"$', project, re.MULTILINE)[1]
    code = f"import sys; from {module} import main; sys.exit(main())"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = subprocess.run(
        [sys.executable, "-c", code, "train"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert (process.returncode, process.stdout) == (130, "")
    assert process.stderr == "Interrupted.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is always full")
def test_an_output_that_cannot_be_written_is_named_without_a_traceback():
    train = "train --dataset bundled --epochs 1"
    for arguments, redirection, unbuffered, message in (
        ("--version", ">&-", "", "the standard output is closed"),
        ("--version", ">/dev/full", "", "the results cannot be written: No space left on device"),
        (train, ">/dev/full", "1", "the results cannot be written: No space left on device"),
    ):
        process = subprocess.run(
            ["sh", "-c", f'"{COMMAND}" {arguments} {redirection}'],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
        assert process.returncode == 1, (arguments, redirection)
        *_progress, last_line = process.stderr.splitlines()
        assert message in last_line
        assert "Traceback" not in process.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes it")
def test_training_needs_no_standard_error():
    shell = ["sh", "-c", f'"{COMMAND}" train --dataset bundled --epochs 1 2>&-']
    process = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert "Accuracy: " in process.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --epochs 0", "--epochs: must be a whole number of at least 1, not 0"),
        ("train --epochs many", "--epochs: must be a whole number of at least 1, not many"),
        ("train --epochs ²", "--epochs: must be a whole number of at least 1, not ²"),
        ("train --batch-size 1.5", "--batch-size: Batch size must be a whole number from 1 to"),
        ("train --lr -1", "--lr: Learning rate must be a number from 0.00001 to 10, not -1"),
        ("train --lr nan", "--lr: Learning rate must be a number from 0.00001 to 10, not 'nan'"),
        ("train --seed -1", "--seed: Seed must be a whole number from 0 to 2,147,483,647, not -1"),
        (f"train --seed {10**22}", f"from 0 to 2,147,483,647, not {10**22}"),
        (f"train --lr {10**60}", "--lr: Learning rate must be a number from 0.00001 to 10"),
        ("train --dataset cats", "--dataset: invalid choice: 'cats'"),
        ("train --epoch-number 3", "unrecognized arguments: --epoch-number 3"),
        ("data --dataset bundled", "--dataset: invalid choice: 'bundled'"),
        ("tarin", "invalid choice: 'tarin'"),
    ],
)
def test_a_bad_argument_is_named_and_ends_with_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as ending:
        main(arguments.split())
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


class TestTrain:
    def test_reports_losses_accuracy_and_every_test_image(self, capsys):
        assert main(["train", "--dataset", "bundled", "--epochs", "3", "--batch-size", "64"]) == 0
        losses, rest = capsys.readouterr().out.split("Accuracy: ")
        accuracy, table = rest.split(" %", maxsplit=1)
        rows = [line.split() for line in table.splitlines()[-10:]]
        counts = [[int(count) for count in row[1:]] for row in rows]
        num_right = sum(row[digit] for digit, row in enumerate(counts))

        assert [row.split()[0] for row in losses.splitlines() if row[:1].isdigit()] == list("123")
        assert [row[0] for row in rows] == list("0123456789")
        assert sum(map(sum, counts)) == 359
        assert float(accuracy) == pytest.approx(100 * num_right / 359, abs=0.005)
        assert float(accuracy) > 80

    def test_the_same_seed_gives_the_same_report(self, capsys):
        command = ["train", "--dataset", "bundled", "--epochs", "1", "--seed", "7"]
        reports = [(main(command), capsys.readouterr().out) for _ in range(2)]
        assert reports[0] == reports[1]

    def test_the_bundled_digits_are_trained_in_batches_of_32_unless_you_choose(self, capsys):
        command = ["train", "--dataset", "bundled", "--epochs", "1"]
        reports = []
        for batch_size in ([], ["--batch-size", "32"], ["--batch-size", "512"]):
            assert main([*command, *batch_size]) == 0
            reports.append(capsys.readouterr().out)
        assert reports[0] == reports[1]
        assert reports[0] != reports[2]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has another error for it")
    def test_it_ends_quietly_when_its_reader_ends(self):
        train = ["train", "--dataset", "bundled", "--epochs", "1"]
        for arguments, unbuffered in ((train, "1"), (train, ""), (["--help"], "")):
            process = subprocess.Popen(
                [COMMAND, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            )
            process.stdout.close()
            errors = process.stderr.read()
            process.stderr.close()
            assert process.wait(TIMEOUT_S) == 141
            assert "Traceback" not in errors
            assert "BrokenPipeError" not in errors

    def test_it_trains_as_the_lab_does_with_the_same_settings(self, capsys):
        options = ["--epochs", "2", "--lr", "0,002", "--batch-size", "64", "--seed", "5"]
        assert main(["train", "--dataset", "bundled", *options]) == 0
        config = RunConfig(learning_rate=0.002, batch_size=64, seed=5)
        history = config.build(*load_bundled_digits()).fit(2)
        table = history.to_dataframe().to_string(float_format="{:.4f}".format)
        assert table in capsys.readouterr().out

    def test_what_the_health_monitor_finds_is_printed_with_advice(self, capsys):
        assert main(["train", "--dataset", "bundled", "--epochs", "2", "--lr", "10"]) == 0
        report = capsys.readouterr().out
        assert "Rate too high: " in report
        assert "learning rate that is ten times smaller" in report

    @pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process alone")
    @pytest.mark.parametrize("num_interrupts", [1, 2])
    def test_ctrl_c_ends_the_training_and_prints_the_results(self, start_training, num_interrupts):
        process = start_training()
        while "Epoch  3/" not in process.stderr.readline():
            assert process.poll() is None
        for _ in range(num_interrupts):
            process.send_signal(signal.SIGINT)
        report, errors = process.communicate(timeout=TIMEOUT_S)

        assert process.returncode == 130
        assert "Interrupted after" in report
        assert "Accuracy: " in report
        assert "Traceback" not in errors

    @pytest.fixture
    def start_training(self):
        """Return a function that starts an endless training, which is killed after the test."""
        running = []

        def start() -> subprocess.Popen:
            command = [COMMAND, "train", "--dataset", "bundled", "--epochs", "100000"]
            running.append(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            return running[-1]

        yield start
        for process in running:
            process.kill()
            process.communicate()


class TestData:
    def test_without_network_one_sentence_names_the_folder(self, tmp_path, no_network, capsys):
        with pytest.raises(SystemExit) as ending:
            main(["data", "--root", str(tmp_path)])
        assert ending.value.code == 1
        assert str(tmp_path) in capsys.readouterr().err

    @pytest.mark.skipif("MNIST_WIDGETS_DATA" not in os.environ, reason="needs the real MNIST")
    def test_the_real_data_are_complete(self, capsys):
        assert main(["data"]) == 0
        assert "60,000 training and 10,000 test images" in capsys.readouterr().out


class TestLab:
    def test_existing_files_are_kept_and_listed(self, tmp_path):
        """Run it with `--version`, which JupyterLab prints before it ends."""
        command = [COMMAND, "lab", tmp_path, "--version"]
        reports = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
        lesson = next(tmp_path.glob("01_*.ipynb"))
        assert lesson.name in reports[0].partition("copied: ")[2]
        assert lesson.name in reports[1].partition("kept as they are: ")[2]
        assert reports[1].splitlines()[-1] == version("jupyterlab")

    def test_without_jupyterlab_it_says_how_to_get_it_and_copies_nothing(
        self, tmp_path, no_jupyterlab, capsys
    ):
        folder = tmp_path / "lessons"
        assert main(["lab", str(folder)]) == 1
        assert 'pip install "mnist_widgets[lab]"' in capsys.readouterr().err
        assert not folder.exists()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [([""], "is empty"), ([" "], "is empty"), (["a", "b", "--port", "9"], "two: a and b")],
    )
    def test_an_empty_and_a_second_folder_are_refused_before_anything_is_copied(
        self, tmp_path, monkeypatch, capsys, arguments, words
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("mnist_widgets.cli.open_lab", lambda *_: 0)
        assert main(["lab", *arguments]) == 1
        assert words in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_a_file_is_named(self, tmp_path, capsys):
        folder = tmp_path / "file"
        folder.touch()
        assert main(["lab", str(folder)]) == 1
        assert f"cannot be copied to {folder}" in capsys.readouterr().err

    @pytest.mark.skipif(os.name == "nt", reason="there the server outlives its parent")
    def test_a_real_server_opens_on_the_first_lesson(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
        environment |= {
            "HOME": str(tmp_path),
            "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
            "JUPYTER_DATA_DIR": str(tmp_path / "data"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
            "JUPYTER_TOKEN": "secret",
        }
        # the port number after --ServerApp.port is not the name of a folder
        arguments = ["lab", "--no-browser", "--port-retries=0", "--ServerApp.port", str(port)]
        with (tmp_path / "log").open("w") as log:
            server = subprocess.Popen(
                [COMMAND, *arguments], env=environment, stdout=log, stderr=log, cwd=tmp_path
            )
        try:
            page = get_when_up(f"http://127.0.0.1:{port}/?token=secret", server)
            files = get_when_up(f"http://127.0.0.1:{port}/api/contents?token=secret", server)
        finally:
            server.terminate()
            server.wait(timeout=TIMEOUT_S)

        assert "/lab/tree/01_" in page.url
        assert page.url.partition("?")[0].rpartition("/")[2] in [
            file["name"] for file in json.load(files)["content"]
        ]


def get_when_up(url: str, server: subprocess.Popen):
    """Open `url` as soon as the server answers; fail if it ends before that."""
    direct = build_opener(ProxyHandler({}))  # without a proxy
    while server.poll() is None:
        try:
            return direct.open(url)
        except HTTPError:
            raise
        except URLError:
            time.sleep(0.1)
    pytest.fail("JupyterLab ended before it answered")
