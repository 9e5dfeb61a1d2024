"""The rules that keep the package simple: who may import whom, what loads when, clean notebooks."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import mnist_widgets
import mnist_widgets.exercises
import mnist_widgets.widgets

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mnist_widgets"
SOURCES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# A sub-package may import the rows above its own; `__init__` stands for the public names.
LAYERS = [
    {"system"},
    {"data"},
    {"training"},
    {"session", "runs"},
    {"rendering"},
    {"exercises", "widgets"},
    {"diagnosis"},
    {"lessons"},
    {"__init__"},
    {"cli"},
]
CORE = ("system", "data", "training", "session", "runs", "rendering")
CORE_MODULES = [module for module in SOURCES if module.startswith(tuple(f"{p}." for p in CORE))]
MAX_LINES = 300
MODULES_PER_FOLDER = range(2, 13)

# What the core may import from elsewhere: at the top of any module, ...
EVERYWHERE = {"numpy", "torch", "tqdm"}
# ... at the top of one module, ...
AT_THE_TOP_OF = {"data.loaders": {"platformdirs"}}
# ... in the functions of any module, because it takes seconds to load, and in those of one module
IN_FUNCTIONS = {"torchvision"}
IN_FUNCTIONS_OF = {
    "training.history": {"pandas"},
    "rendering.chart_data": {"pandas"},
    "rendering.curves.series": {"pandas"},
    "data.images": {"PIL"},
    "data.handwriting.pictures": {"PIL"},
    "rendering.png_canvas": {"PIL"},
    "system.hosts": {"psutil", "IPython"},  # ipykernel brings both
}


class Import(NamedTuple):
    name: str
    is_in_function: bool
    is_for_types: bool


def find_imports(path: Path) -> list[Import]:
    """List what a source file imports, `from a import b` as `a.b`."""
    found = []

    def visit(node: ast.AST, is_in_function: bool, is_for_types: bool) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found.extend(Import(name, is_in_function, is_for_types) for name in names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.extend(Import(name, is_in_function, is_for_types) for name in names)
        is_in_function |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.body:
                visit(child, is_in_function, True)
            for child in node.orelse:
                visit(child, is_in_function, is_for_types)
        else:
            for child in ast.iter_child_nodes(node):
                visit(child, is_in_function, is_for_types)

    visit(ast.parse(path.read_text(encoding="utf-8")), False, False)
    return found


def find_own_imports(module: str) -> set[str]:
    """List the package's modules that `module` imports, for types too; `__init__` is the root."""
    found = set()
    for entry in find_imports(SOURCES[module]):
        package, *parts = entry.name.split(".")
        if package == "mnist_widgets":
            while parts and not {".".join(parts), ".".join([*parts, "__init__"])} & set(SOURCES):
                parts.pop()  # the name of a class or a function
            found.add(".".join(parts) or "__init__")
    return found


def find_foreign_imports(module: str, *, in_functions: bool) -> set[str]:
    """List the packages from elsewhere that `module` imports when it runs."""
    packages = {
        entry.name.partition(".")[0]
        for entry in find_imports(SOURCES[module])
        if entry.is_in_function == in_functions and not entry.is_for_types
    }
    return packages - sys.stdlib_module_names - {"mnist_widgets"}


def layer_of(module: str) -> int:
    package = module.partition(".")[0]
    return next((index for index, layer in enumerate(LAYERS) if package in layer), -1)


def find_training_folder(module: str) -> str:
    """Return the folder of `training/` that holds a module; empty if none does."""
    match module.split("."):
        case ["training", folder, _]:
            return folder
    return ""


def find_panels() -> list[str]:
    """List the modules that define a panel; the dashboard, which composes them, is none."""
    panels = []
    for module, path in SOURCES.items():
        classes = [
            node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if hasattr(node, "bases")
        ]
        bases = {ast.unparse(base) for node in classes for base in node.bases}
        if bases & {"Panel", "ChartPanel", "SessionPanel"}:
            panels.append(module)
    return [panel for panel in panels if panel.startswith("widgets.panels.")]


def test_the_top_of_the_package_has_nine_sub_packages_and_two_modules():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    packages = set().union(*LAYERS) - {"__init__", "lessons", "cli"}
    assert len(packages) == 9
    assert entries == {*packages, "__init__.py", "py.typed", "cli.py", "lessons.py"}


def test_folders_and_modules_have_a_size_that_a_reader_can_grasp():
    folders = {path.parent for path in SOURCES.values()} - {PACKAGE}
    for folder in folders:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) in MODULES_PER_FOLDER or not modules, folder.name
        assert (folder / "__init__.py").read_text(encoding="utf-8").startswith('"""'), folder.name
    too_long = {
        module: num_lines
        for module, path in SOURCES.items()
        if (num_lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not too_long


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_one_way(module):
    for imported in find_own_imports(module):
        is_inside = module.partition(".")[0] == imported.partition(".")[0]
        is_report = (module, imported) == ("session.session", "rendering.report_page")
        is_lower = layer_of(imported) < layer_of(module)
        assert is_lower or is_inside or is_report, f"{module} imports {imported}"


def test_the_folders_of_the_training_import_each_other_one_way():
    folders: dict[str, set[str]] = {}  # each with those that it imports
    for module in SOURCES:
        if folder := find_training_folder(module):
            imported = {find_training_folder(name) for name in find_own_imports(module)}
            folders.setdefault(folder, set()).update(imported - {folder, ""})
    assert {"evaluation", "preflight"} <= set(folders)
    TopologicalSorter(folders).prepare()  # raises an error that names a circle


@pytest.mark.parametrize("module", CORE_MODULES)
def test_the_core_imports_little_from_elsewhere(module):
    at_the_top = find_foreign_imports(module, in_functions=False)
    in_functions = find_foreign_imports(module, in_functions=True)
    assert at_the_top <= EVERYWHERE | AT_THE_TOP_OF.get(module, set())
    assert in_functions <= EVERYWHERE | IN_FUNCTIONS | IN_FUNCTIONS_OF.get(module, set())


def test_the_session_imports_torch_alone():
    modules = [module for module in SOURCES if module.startswith("session.")]
    assert "session.session" in modules
    for module in modules:
        for in_functions in (True, False):
            assert find_foreign_imports(module, in_functions=in_functions) <= {"torch"}, module


def test_threads_can_be_prepared_before_torch_loads():
    assert not find_foreign_imports("system.threads", in_functions=False)
    assert not find_own_imports("system.threads")


def test_panels_do_not_import_each_other():
    panels = find_panels()
    assert {"widgets.panels.loss_chart", "widgets.panels.training_panel"} <= set(panels)
    for panel in panels:
        others = {*panels, "widgets", "widgets.dashboard"} - {panel}
        assert not find_own_imports(panel) & others, panel


def test_importing_the_package_loads_no_front_end_and_nothing_slow():
    code = "import sys, mnist_widgets; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-W", "error", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    unwanted = {"ipywidgets", "bqplot", "anywidget", "IPython", "torchvision", "pandas"}
    assert {"torch", "mnist_widgets"} <= set(loaded.split())
    assert not unwanted & set(loaded.split())


def test_the_exercises_load_only_when_they_are_used_and_without_a_front_end():
    code = (
        "import sys, mnist_widgets; before = set(sys.modules); import mnist_widgets.exercises; "
        "print(*{name.partition('.')[0] for name in sys.modules}, *before)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "mnist_widgets.exercises" not in loaded.split()
    assert not {"ipywidgets", "bqplot", "IPython", "torchvision"} & set(loaded.split())


# The contract with lessons and checks: these names stay.
PUBLIC_NAMES = [
    "BatchReport",
    "Callback",
    "DigitSet",
    "EpochReport",
    "Evaluator",
    "SimpleNet",
    "Trainer",
    "TrainingSession",
    "accuracy",
    "confusion_matrix",
    "load_bundled_digits",
    "load_digits",
    "load_mnist",
    "predict_probabilities",
    "train_step",
    "trainer",
]
PUBLIC_EXERCISES = [
    "Verdict",
    "check_callback",
    "check_clinic",
    "check_confident_mistakes",
    "check_confusion_matrix",
    "check_loss_choice",
    "check_network",
    "check_predict_probabilities",
    "check_run",
    "check_scores",
    "check_train_step",
    "check_trainer",
    "start_over",
]
PUBLIC_WIDGETS = [
    "ConfusionChart",
    "ImageGallery",
    "LossChart",
    "ProbabilityChart",
    "TrainingPanel",
    "clinic",
    "dashboard",
]


@pytest.mark.parametrize(
    ("package", "promised"),
    [
        (mnist_widgets, PUBLIC_NAMES),
        (mnist_widgets.exercises, PUBLIC_EXERCISES),
        (mnist_widgets.widgets, PUBLIC_WIDGETS),
    ],
    ids=["mnist_widgets", "exercises", "widgets"],
)
def test_all_lists_the_promised_and_every_other_public_name(package, promised):
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith("mnist_widgets.")
    }
    assert set(promised) <= public
    assert set(package.__all__) >= public
    assert package.__all__ == sorted(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_documentation_lists_all_public_names():
    listed = (ROOT / "docs" / "library.md").read_text(encoding="utf-8").partition("## All names")[2]
    for package in (mnist_widgets, mnist_widgets.exercises, mnist_widgets.widgets):
        names = [name for name in package.__all__ if not name.startswith("__")]
        assert [name for name in names if f"`{name}`" not in listed] == [], package.__name__


NOTEBOOKS = {
    path.relative_to(ROOT).as_posix(): path
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb"))
    if ".ipynb_checkpoints" not in path.parts
}
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def read_notebook(name: str) -> dict:
    return json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))


def read_cells(name: str, cell_type: str) -> list[str]:
    cells = read_notebook(name)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == cell_type]


def test_the_lessons_are_among_the_notebooks():
    lessons = [
        "01_training_a_neural_network",
        "02_experiments",
        "03_inside_one_step",
        "04_your_own_handwriting",
        "05_overfitting",
    ]
    assert {f"notebooks/{lesson}.ipynb" for lesson in lessons} <= set(NOTEBOOKS)


@each_notebook
def test_notebooks_are_kept_without_what_running_them_leaves(name):
    notebook = read_notebook(name)
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not {"execution", "ExecuteTime"} & set(cell["metadata"])


@each_notebook
def test_cells_are_short(name):
    for source in read_cells(name, "code"):
        assert source.strip(), "an empty cell"
        num_markers = len(re.findall(r"### (?:BEGIN|END) SOLUTION", source))  # for nbgrader alone
        assert len(source.splitlines()) - num_markers <= 12, source


@each_notebook
def test_the_number_of_epochs_stands_alone_in_its_cell(name):
    cells = read_cells(name, "code")
    setting = [source for source in cells if re.search(r"^\s*num_epochs\s*=", source, re.MULTILINE)]
    is_needed = any(re.search(r"\bnum_epochs\b", source) for source in cells)
    assert len(setting) == is_needed
    assert all(re.fullmatch(r"num_epochs = \d+", source) for source in setting)


@each_notebook
def test_notebooks_neither_install_nor_bend_the_path(name):
    code = "\n".join(read_cells(name, "code"))
    assert not re.search(r"sys\.path|^\s*[!%]+\s*pip\b|\bpip install\b", code, re.MULTILINE)


@each_notebook
def test_notebooks_import_the_kit_before_torch(name):
    imports = re.findall(
        r"^(?:import|from) (\w+)", "\n".join(read_cells(name, "code")), re.MULTILINE
    )
    before_the_kit = imports[: imports.index("mnist_widgets")]
    assert not {"torch", "torchvision"} & set(before_the_kit), "torch loads before its settings"


@each_notebook
def test_notebooks_begin_with_their_one_title(name):
    assert read_notebook(name)["cells"][0]["cell_type"] == "markdown"
    cells = read_cells(name, "markdown")
    prose = [re.sub(r"^```.*?^```", "", cell, flags=re.DOTALL | re.MULTILINE) for cell in cells]
    titles = [re.findall(r"^# .+", cell, re.MULTILINE) for cell in prose]
    assert len(titles[0]) == 1
    assert not any(titles[1:])


@each_notebook
def test_prose_comes_before_code(name):
    kinds = "".join(cell["cell_type"][0] for cell in read_notebook(name)["cells"])
    assert "cccc" not in kinds, "four code cells on end: say what they are for"
