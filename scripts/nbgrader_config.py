"""Settings of nbgrader for a course with these exercises: copy this file into the course's folder.

A student who copies a cell copies nbgrader's metadata in it too. nbgrader 0.9.6 then grades neither
that notebook nor any after it, and reports an old format. Here all but the last of cells with the
same id become ordinary cells, which run as they are.
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
    """Keep nbgrader's metadata in the last of several cells with the same id."""

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


c = get_config()  # noqa: F821 - nbgrader runs this file, and gives it this function
c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    UnmarkCopies,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
