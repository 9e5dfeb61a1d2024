"""Open the lessons, train, download data, check the installation.

The help of the `mnist-widgets` command begins with the line above. This module parses the options
and prints the results.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mnist_widgets
from mnist_widgets.lessons import copy_lessons, open_lab, require_jupyterlab, split_folder
from mnist_widgets.system.interrupts import interrupts_wait

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_widgets.data.digit_set import DigitSet

LESSONS_FOLDER = "~/mnist_widgets_lessons"
LOADERS = {  # names of functions in mnist_widgets
    "auto": "load_digits",
    "mnist": "load_mnist",
    "fashion-mnist": "load_fashion_mnist",
    "kmnist": "load_kmnist",
    "bundled": "load_bundled_digits",
}
SETTINGS_OF_TRAIN = {  # by their names in RunConfig: the option, and its help
    "learning_rate": ("--lr", "learning rate of Adam (default: 0.001)"),
    "batch_size": (
        "--batch-size",
        "images per update (default: 512, or 32 with the bundled digits)",
    ),
    "seed": ("--seed", "the same seed gives the same run (default: 0)"),
}
INTERRUPTED = 130  # a shell's exit status for a program that Ctrl-C ended
BROKEN_PIPE = 141  # and for one whose reader, such as `head`, has ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, by default `sys.argv[1:]`, and return the exit status."""
    if sys.stdout is None:
        return _fail("there is no place for the results: the standard output is closed.")
    if sys.stderr is None:  # progress bars write to it
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # here, because an error while Python exits cannot be caught
    except BrokenPipeError:
        status = BROKEN_PIPE
    except OSError as error:
        if error.strerror is None or error.filename is not None:  # not that of a `print`
            raise
        status = _fail(f"the results cannot be written: {error.strerror}")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discard the rest
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser = _build_parser()
    try:
        options, further = parser.parse_known_args(arguments)
        if further and options.command != "lab":
            parser.error(f"unrecognized arguments: {' '.join(further)}")
        return options.run(options, further) or 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except ImportError as error:
        return _fail(str(error))


def _open_lab(_: argparse.Namespace, arguments: list[str]) -> int:
    """Copy the lessons and open JupyterLab; all arguments but a leading folder go to JupyterLab."""
    try:
        folder, further = split_folder(arguments, LESSONS_FOLDER)
    except ValueError as error:
        return _fail(str(error))
    require_jupyterlab()  # before anything is copied
    try:
        copied, kept = copy_lessons(folder)
    except OSError as error:
        return _fail(f"the lessons cannot be copied to {folder}: {error.strerror}")
    print(f"Lessons: {folder}")
    for verb, files in ("copied", copied), ("kept as they are", kept):
        if files:
            print(f"  {verb}: {', '.join(map(str, files))}")
    return open_lab(folder, further)


def _train(options: argparse.Namespace, _: list[str]) -> None:
    """Train as the lab does and print the results, also after Ctrl-C.

    Raises:
        KeyboardInterrupt: at the end, after Ctrl-C.
    """
    train_set, test_set = _load(options.dataset)
    from mnist_widgets.runs.settings import default_batch_size

    given = {name: value for name, value in vars(options).items() if name in SETTINGS_OF_TRAIN}
    config = mnist_widgets.RunConfig(**{"batch_size": default_batch_size(len(train_set))} | given)
    monitor = mnist_widgets.HealthMonitor()
    trainer = config.build(train_set, test_set, [mnist_widgets.ProgressBar(), monitor])
    with interrupts_wait():  # a second Ctrl-C must not cut off the results
        try:
            trainer.fit(options.epochs)
        except KeyboardInterrupt:
            print(f"Interrupted after {len(trainer.history.batch_losses)} batches.")
        if trainer.history.num_epochs:
            print("\nLoss and metrics of each epoch")
            print(trainer.history.to_dataframe().to_string(float_format="{:.4f}".format))
        for finding in monitor.findings:
            print(f"\n{finding.title}: {finding.evidence} {finding.advice}")
        probabilities = mnist_widgets.predict_probabilities(trainer.model, test_set.images)
        counts = mnist_widgets.confusion_matrix(test_set.labels, probabilities.argmax(dim=1))
        print(f"\nAccuracy: {100 * mnist_widgets.accuracy(counts):.2f} %")
        _print_counts(counts, test_set.class_names)


def _fetch(options: argparse.Namespace, _: list[str]) -> None:
    """Download and verify one dataset, and print its folder."""
    train_set, test_set = _load(options.dataset, root=options.root)
    from mnist_widgets.data.loaders import data_root

    print(
        f"{train_set.name}: {len(train_set):,} training and {len(test_set):,} test images, "
        f"complete, in {data_root(options.root)}"
    )


def _examine(*_: object) -> int:
    """Print what the doctor found; fail if something is wrong."""
    diagnosis = mnist_widgets.doctor()
    print(diagnosis)
    return 0 if all(finding.is_ok for finding in diagnosis.findings.values()) else 1


def _load(dataset: str, **where: Any) -> tuple[DigitSet, DigitSet]:  # noqa: ANN401 - handed on
    load = getattr(mnist_widgets, LOADERS[dataset])
    with interrupts_wait():  # modules that load may catch a KeyboardInterrupt
        import torchvision.datasets  # noqa: F401 - the loaders use it
    try:
        train_set, test_set = load(**where)
    except mnist_widgets.DataError as error:
        sys.exit(_fail(str(error)))
    return train_set, test_set


def _print_counts(counts: Tensor, class_names: Sequence[str]) -> None:
    """Print a confusion matrix; its columns have numbers, because ten names are too wide."""
    import pandas as pd

    digits = list(map(str, range(len(class_names))))
    names = [
        digit if name == digit else f"{digit} {name}"
        for digit, name in zip(digits, class_names, strict=True)
    ]
    print("\nConfusion counts (rows: true, columns: predicted)")
    print(pd.DataFrame(counts.numpy(), index=names, columns=digits).to_string())


def _fail(message: str) -> int:
    print(f"mnist-widgets: {message}", file=sys.stderr)
    return 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mnist-widgets", description=__doc__.splitlines()[0])
    version = f"mnist_widgets {mnist_widgets.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(run=lambda *_: parser.print_help())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    lab = commands.add_parser(
        "lab",
        help="copy the lessons to a folder and open the first one in JupyterLab",
        usage="mnist-widgets lab [-h] [FOLDER] [JUPYTERLAB ARGUMENTS]",
        description=f"Copies the lessons to FOLDER (default: {LESSONS_FOLDER}) and opens the first "
        "one in JupyterLab. Existing files are never overwritten. Further arguments, such as "
        "--no-browser or --port 9999, go to JupyterLab.",
    )
    lab.set_defaults(run=_open_lab)

    defaults = argparse.ArgumentDefaultsHelpFormatter
    help_text = "train the network in this terminal"
    train = commands.add_parser("train", help=help_text, formatter_class=defaults)
    train.add_argument("--epochs", type=_read_epochs, default=10, help="passes through the data")
    help_text = "auto: MNIST if it is available, otherwise the bundled digits"
    train.add_argument("--dataset", choices=LOADERS, default="auto", help=help_text)
    for name, (option, help_text) in SETTINGS_OF_TRAIN.items():
        read = partial(_read_setting, name)
        train.add_argument(
            option, dest=name, type=read, default=argparse.SUPPRESS, help=help_text, metavar="N"
        )
    train.set_defaults(run=_train)

    data = commands.add_parser("data", help="download a dataset and verify it")
    data.add_argument("--dataset", choices=["mnist", "fashion-mnist", "kmnist"], default="mnist")
    help_text = "folder (default: $MNIST_WIDGETS_DATA, else the user's cache)"
    data.add_argument("--root", type=Path, help=help_text)
    data.set_defaults(run=_fetch)

    examine = commands.add_parser("doctor", help="check the installation and say what to do")
    examine.set_defaults(run=_examine)
    return parser


def _read_epochs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def _read_setting(name: str, text: str) -> Any:  # noqa: ANN401 - values are of several types
    """Return the value of a run's setting that an option's text stands for."""
    from mnist_widgets import RunConfig  # noqa: F401 - its error says why torch does not load
    from mnist_widgets.runs.settings import SETTINGS

    setting = next(setting for setting in SETTINGS if setting.name == name)
    try:
        return setting.check(setting.read(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
