"""An error while a file is written leaves the earlier file as it was."""

from __future__ import annotations

import os

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


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make symbolic links")
def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    link, path = tmp_path / "link", tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("earlier")
    link.symlink_to(path)
    with write_whole(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert [*path.parent.iterdir()] == [path]
