"""An error while a file is written leaves the earlier file as it was."""

from __future__ import annotations

import pytest

from mnist_widgets.system.whole_files import write_whole


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path):
    path = tmp_path / "file"
    path.write_text("earlier")
    with write_whole(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "earlier"
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path]


def test_after_an_error_the_earlier_file_remains_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("earlier")

    def write_part():
        with write_whole(path) as temporary:
            temporary.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_part()
    assert path.read_text() == "earlier"
    assert [*tmp_path.iterdir()] == [path]
