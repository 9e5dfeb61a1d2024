"""Run the doctor with folders, variables, packages and networks that are really broken."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
from importlib.metadata import version

import pytest
import torch
from jupyter_client.manager import start_new_kernel
from jupyter_core.paths import jupyter_path

import mnist_widgets
from mnist_widgets.diagnosis import doctor as doctor_module
from mnist_widgets.diagnosis.doctor import CheckResult, Diagnosis, doctor
from mnist_widgets.diagnosis.front_end_parts import (
    FRONT_END_PARTS,
    FrontEndPart,
    find_front_end_part,
    find_misfit,
)
from mnist_widgets.system.hosts import find_front_end, find_hosts
from mnist_widgets.training import devices

TOPICS = ["versions", "imports", "lab", "page", "host", "threads", "device", "data", "network"]
RUN_DOCTOR = "from mnist_widgets.cli import main; raise SystemExit(main(['doctor']))"


@pytest.fixture(autouse=True)
def no_parts_of_the_user(tmp_path_factory, monkeypatch):
    """Search the page's parts in this environment alone, not among the user's own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path_factory.mktemp("user")))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)


def run_doctor(**environ: object) -> subprocess.CompletedProcess[str]:
    """Run `mnist-widgets doctor` in a subprocess."""
    return run_python(RUN_DOCTOR, **environ)


def run_python(code: str, **environ: object) -> subprocess.CompletedProcess[str]:
    names = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "CPU_LIMIT"}
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    given = {name: str(value) for name, value in environ.items()}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**inherited, **given}, capture_output=True, text=True, check=False
    )


def add_package(folder, name, installed, requires=()):
    """Write the metadata of a package where Python finds it first."""
    metadata = folder / f"{name}-{installed}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {installed}", *(f"Requires-Dist: {r}" for r in requires)]
    metadata.write_text("\n".join(["Metadata-Version: 2.1", *lines]))


class TestAll:
    def test_here_everything_is_ok(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path))
        found = mnist_widgets.doctor()
        assert list(found.findings) == TOPICS
        assert found.verdict == "Everything is OK: the lessons will run.", found
        assert not [finding.advice for finding in found.findings.values() if finding.advice]

    def test_each_of_several_faults_gets_its_line_and_its_advice(self, tmp_path):
        add_package(tmp_path, "bqplot", "0.11.0")
        (tmp_path / "torchvision.py").write_text("raise RuntimeError('no such operator: nms')")
        (tmp_path / "psutil.py").write_text("nonsense!")
        answer = run_doctor(PYTHONPATH=_first(tmp_path), CPU_LIMIT="1", OMP_NUM_THREADS="8")
        lines = answer.stdout.splitlines()
        wrong = [line.split()[1] for line in lines if line.startswith("!!")]
        assert answer.returncode == 1
        assert "Traceback" not in answer.stderr
        assert wrong == ["versions", "imports", "threads", "data", "network"]
        assert lines[-1] == f"Fix this first: {', '.join(wrong)}."
        assert sum(line.strip().startswith("->") for line in lines) == len(wrong)
        assert re.search(r"torch threads: [2-9], available CPUs: 1,", answer.stdout)
        assert "torchvision: RuntimeError: no such operator: nms" in answer.stdout
        assert "--force-reinstall torch torchvision," in answer.stdout

    @pytest.mark.parametrize("name", ["torch", "numpy", "tqdm", "platformdirs"])
    def test_it_reports_a_broken_dependency(self, name, tmp_path):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a library is missing')")
        answer = run_doctor(PYTHONPATH=_first(tmp_path))
        assert answer.returncode == 1
        assert "Traceback" not in answer.stdout + answer.stderr
        assert "ImportError: a library is missing" in answer.stdout
        assert answer.stdout.splitlines()[-1].startswith("Fix this first: ")

    def test_importing_a_name_from_a_broken_package_points_to_the_doctor(self, tmp_path):
        (tmp_path / "torch.py").write_text("raise OSError('no libtorch')")
        answer = run_python("from mnist_widgets import Trainer", PYTHONPATH=_first(tmp_path))
        assert "ImportError: mnist_widgets cannot be loaded (OSError: no libtorch)" in answer.stderr
        assert "mnist_widgets.doctor()" in answer.stderr
        code = "from mnist_widgets.cli import main; raise SystemExit(main(['train']))"
        answer = run_python(code, PYTHONPATH=_first(tmp_path))
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "mnist-widgets doctor" in answer.stderr

    def test_an_import_that_ends_the_program_is_a_finding(self, tmp_path):
        (tmp_path / "bqplot.py").write_text("raise SystemExit('no display')")
        answer = run_doctor(PYTHONPATH=_first(tmp_path))
        assert "bqplot: SystemExit: no display" in answer.stdout

    def test_in_a_notebook_it_is_a_table_with_escaped_text(self):
        found = Diagnosis({"data": CheckResult("<script>", "a < b"), "page": CheckResult("")})
        page = found._repr_html_()
        assert "&lt;script&gt;" in page
        assert "<strong>a &lt; b</strong>" in page
        assert found.verdict == "Fix this first: data."
        assert repr(found) == str(found)


class TestVersions:
    def test_packages_that_are_missing_or_too_old_are_named(self, tmp_path, monkeypatch):
        wanted = ["no-such-charts>=1", "bqplot<0.13", "torch>=2.4", "other; extra == 'lab'"]
        add_package(tmp_path, "mnist_widgets", "9.9", wanted)
        add_package(tmp_path, "bqplot", "0.14.1")
        monkeypatch.syspath_prepend(tmp_path)
        finding = doctor_module.check_versions()
        assert finding.message == "no-such-charts is missing; bqplot 0.14.1 is not <0.13"
        assert "pip install" in finding.advice

    def test_a_package_that_cannot_be_imported_is_named_with_its_error(self, tmp_path, monkeypatch):
        (tmp_path / "anywidget.py").write_text("raise ImportError('two\\nlines')")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "anywidget", raising=False)
        finding = doctor_module.check_imports()
        assert finding.message == "anywidget: ImportError: two"
        assert "--force-reinstall anywidget," in finding.advice


class TestLab:
    def test_jupyterlab_of_this_environment_is_named(self):
        assert f"JupyterLab {version('jupyterlab')} is in" in doctor_module.check_lab().message

    def test_no_jupyterlab_is_said_but_is_no_fault(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jupyterlab", None)
        finding = doctor_module.check_lab()
        assert "JupyterLab is not in this environment" in finding.message
        assert finding.is_ok


class TestPage:
    @pytest.fixture
    def user_folder(self, tmp_path, monkeypatch):
        """A folder that Jupyter searches before the environment's own."""
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        return tmp_path / "labextensions"

    def add_part(self, folder, name, part_version):
        (folder / name).mkdir(parents=True)
        manifest = json.dumps({"name": name, "version": part_version})
        (folder / name / "package.json").write_text(manifest)

    def test_an_older_copy_that_shadows_the_right_one_is_found(self, user_folder):
        assert doctor_module.check_page().is_ok
        self.add_part(user_folder, "bqplot", "0.4.2")
        self.add_part(user_folder, "anywidget", "0.1.0")
        finding = doctor_module.check_page()
        assert not finding.is_ok
        assert f"bqplot 0.4.2 in {user_folder / 'bqplot'} does not match" in finding.message
        assert f"anywidget 0.1.0 in {user_folder / 'anywidget'} does not match" in finding.message
        assert "bqscales" not in finding.message
        assert "reload the page" in finding.advice

    def test_the_manager_of_another_ipywidgets_is_named(self, user_folder):
        name = "@jupyter-widgets/jupyterlab-manager"
        self.add_part(user_folder, name, "3.1.1")
        assert f"{name} 3.1.1" in doctor_module.check_page().message

    def test_a_missing_part_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
        finding = doctor_module.check_page()
        assert finding.message.count(" is missing") == len(FRONT_END_PARTS)
        assert not finding.is_ok

    def test_a_broken_manifest_is_a_finding(self, user_folder):
        self.add_part(user_folder, "bqplot", "0")
        (user_folder / "bqplot" / "package.json").write_text("{")
        page = doctor().findings["page"]
        assert not page.is_ok
        assert page.message.startswith("could not be checked: JSONDecodeError")

    def test_each_part_of_this_environment_matches_its_package(self):
        for name in FRONT_END_PARTS:
            part = find_front_end_part(name, jupyter_path("labextensions"))
            assert not find_misfit(part)
            major, minor, _ = part.version.split(".")
            wrong = [f"{major}.{int(minor) + 1}.0", f"{int(major) + 1}.0.0"]
            kept = [FrontEndPart(name, number, part.folder) for number in wrong]
            assert find_misfit(kept[1])
            assert bool(find_misfit(kept[0])) == (name != "@jupyter-widgets/jupyterlab-manager")


SIGNS = """
import json, sys
from mnist_widgets.diagnosis.doctor import check_host
from mnist_widgets.system.hosts import find_front_end
seen = [find_front_end({}), find_front_end({"VSCODE_PID": "1"})]
seen.append(find_front_end({"VOILA_REQUEST_URL": "http://127.0.0.1/"}))
__vsc_ipynb_file__ = "lesson.ipynb"
seen.append(find_front_end({}))
sys.modules["google.colab"] = sys
print(json.dumps([*seen, check_host().message]))
"""


class TestHost:
    def test_a_kernel_recognizes_its_front_end(self):
        manager, client = start_new_kernel(kernel_name="python3", extra_arguments=[])
        printed = []
        try:
            reply = client.execute_interactive(SIGNS, output_hook=printed.append, timeout=60)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        assert reply["content"]["status"] == "ok", reply["content"]
        text = "".join(message["content"].get("text", "") for message in printed)
        *seen, words = json.loads(text)
        assert seen == ["a Jupyter kernel", "VS Code", "Voila", "VS Code"]
        assert words == "Google Colab, a request returns when its training has ended"

    def test_without_a_kernel_the_front_end_is_a_terminal(self):
        assert find_front_end({"VSCODE_PID": "1"}) == "terminal"

    def test_hosts_are_recognized_by_their_variables(self):
        environ = {"JUPYTERHUB_USER": "ada", "BINDER_SERVICE_HOST": "10.0.0.1", "CODESPACES": ""}
        assert find_hosts(environ) == ["Binder", "JupyterHub"]


class TestThreads:
    def test_more_threads_than_the_quota_are_too_many(self, monkeypatch):
        monkeypatch.setenv("CPU_LIMIT", "0.5")
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            finding = doctor_module.check_threads()
            torch.set_num_threads(1)
            assert doctor_module.check_threads().is_ok
        finally:
            torch.set_num_threads(before)
        assert not finding.is_ok
        assert finding.message.startswith("torch threads: 2, available CPUs: 0.5,")
        assert "OMP_NUM_THREADS" in finding.advice


class TestDevice:
    def test_the_device_is_named(self):
        finding = doctor_module.check_device()
        assert finding.is_ok
        assert str(devices.pick_device()) in finding.message

    def test_a_device_that_cannot_compute_is_named_with_what_works(self, monkeypatch):
        meta = torch.device("meta")  # every machine has it; it holds no numbers
        monkeypatch.setattr(devices, "pick_device", lambda: meta)
        finding = doctor_module.check_device()
        assert not finding.is_ok
        assert "meta cannot compute" in finding.message
        assert 'device="cpu"' in finding.advice


class TestData:
    @pytest.fixture
    def raw(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path))
        return tmp_path / "MNIST" / "raw"

    def test_missing_data_are_ok_because_of_the_bundled_digits(self, raw):
        finding = doctor_module.check_data()
        assert finding.is_ok
        assert "1,797 bundled digits are complete" in finding.message

    def test_files_that_are_damaged_or_missing_are_named(self, raw):
        raw.mkdir(parents=True)
        (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x09only")
        finding = doctor_module.check_data()
        assert not finding.is_ok
        assert "train-images-idx3-ubyte is damaged: it has 12 bytes, not 17" in finding.message
        assert "t10k-labels-idx1-ubyte is missing" in finding.message
        assert "mnist-widgets data" in finding.advice

    def test_a_variable_that_names_no_folder_is_reported(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path / "mnits"))
        finding = doctor_module.check_data()
        assert not finding.is_ok
        assert str(tmp_path / "mnits") in finding.message

    @pytest.mark.skipif("MNIST_WIDGETS_DATA" not in os.environ, reason="needs the real MNIST")
    def test_the_real_data_are_complete(self):
        assert doctor_module.check_data().message.startswith("MNIST is complete, in ")


class TestNetwork:
    def test_a_missing_network_is_ok_and_the_servers_are_named(self):
        finding = doctor_module.check_network()
        assert finding.is_ok
        assert "asked ossci-datasets.s3.amazonaws.com and yann.lecun.com" in finding.message
        assert "no answer" in finding.message

    def test_the_network_check_ends_after_its_timeout(self, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            _lead_out_through(monkeypatch, silent.getsockname()[1])
            monkeypatch.setattr(doctor_module, "NETWORK_TIMEOUT_S", 0.3)
            assert "no answer within 0.3 s" in doctor_module.check_network().message

    def test_the_network_check_sends_one_head_request(self, monkeypatch):
        requests = []

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                requests.append((self.path, self.headers.get("Content-Length")))
                self.send_response(200)
                self.end_headers()

            def do_CONNECT(self):
                self.send_error(403)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
            thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
            thread.start()
            _lead_out_through(monkeypatch, proxy.server_address[1])
            finding = doctor_module.check_network()
            proxy.shutdown()
            thread.join()
        assert finding.message.endswith("yann.lecun.com answers")
        assert requests == [("http://yann.lecun.com/exdb/mnist/train-images-idx3-ubyte.gz", None)]


def test_the_versions_name_this_package_and_python():
    message = doctor_module.check_versions().message
    assert f"mnist_widgets {version('mnist_widgets')}, Python {sys.version_info.major}." in message


def _first(folder) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def _lead_out_through(monkeypatch, port: int) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
