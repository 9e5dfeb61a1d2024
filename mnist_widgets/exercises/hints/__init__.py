"""The words of the hints: one file for each check, and how it is read.

A heading names a mistake. Of the numbered hints below it the first says what was seen and what it
means, the next where to look, the last what to write. Names in curly brackets are filled in by the
check that recognized the mistake.
"""

from __future__ import annotations

import re
from pathlib import Path


def read_hints(name: str) -> dict[str, list[str]]:
    """Read the hints of one check, for each mistake from the first to the last.

    Args:
        name: of a file in this folder, without its `.md`.
    """
    text = (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8")
    hints = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        mistake, _, ladder = section.partition("\n")
        numbered = re.split(r"^\d\. ", ladder, flags=re.MULTILINE)[1:]
        hints[mistake.strip()] = [" ".join(hint.split()) for hint in numbered]
    return hints
