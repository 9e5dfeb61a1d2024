"""Settings of nbgrader for a course with these exercises: copy this file into the course folder.

If a student copies a cell, nbgrader's metadata is copied too. nbgrader 0.9.6 then grades neither
this notebook nor any later one, and reports an old format. With these settings, only the last cell
with an id keeps its metadata; the others become ordinary cells and run unchanged.
"""

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
)


class UnmarkCopies(NbGraderPreprocessor):
    """Keep nbgrader's metadata only in the last of several cells with the same id."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook without the metadata of its copied cells."""
        seen = set()
        for cell in reversed(nb.cells):
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in seen:
                del cell.metadata["nbgrader"]
            elif grade_id is not None:
                seen.add(grade_id)
        return nb, resources


c = get_config()  # noqa: F821 - nbgrader defines it when it runs this file
c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    UnmarkCopies,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
