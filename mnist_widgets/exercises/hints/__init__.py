"""The hints: one Markdown file for each check.

A heading is the code of a mistake. Of the numbered hints below it, the first says what the check
found and what that means, the second where to look, the third what to write. The check that
recognizes the mistake fills in the names in curly brackets.
"""

from __future__ import annotations

import re
from pathlib import Path


def read_hints(name: str) -> dict[str, list[str]]:
    """Return the hints of one check, by mistake.

    Args:
        name: a file in this folder, without `.md`.
    """
    content = (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")
    hints = {}
    for section in re.split(r"^## ", content, flags=re.MULTILINE)[1:]:
        mistake, _, text = section.partition("\n")
        numbered = re.split(r"^\d\. ", text, flags=re.MULTILINE)[1:]
        hints[mistake.strip()] = [" ".join(hint.split()) for hint in numbered]
    return hints
