"""The README's Python runs as it stands there."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_ten_lines_run_as_in_a_notebook(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MNIST_WIDGETS_DATA", str(tmp_path))
    cells = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[:3]
    assert [cell.splitlines()[-1].split()[0] for cell in cells] == [
        "TrainingPanel(session)",
        "chart",
        "await",
    ]
    names = {"__name__": "__main__"}
    code = "".join(cells)
    cell = compile(code, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(cell, names))
    assert "bundled" in capsys.readouterr().out

    assert names["chart"].history is names["trainer"].history
    assert names["trainer"].history["train"][0] < 2.3
    names["session"].close()
