"""Files of drawings give back what was saved, and files that cannot be trusted are refused."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_widgets import DataError, Drawing, load_drawings, read_drawings, save_drawings
from mnist_widgets.data.handwriting import drawing_files
from mnist_widgets.data.handwriting.drawing import MOST_POINTS
from mnist_widgets.data.handwriting.drawing_files import parse_text, write_text

COORDINATES = st.floats(-1000, 1000, allow_nan=False)
DRAWINGS = st.lists(st.lists(st.tuples(COORDINATES, COORDINATES), max_size=9), max_size=3)
ONE = Drawing([[(0.5, 0.1), (0.5, 0.9)]])
SEVEN = Drawing([[(0.2, 0.1), (0.8, 0.1), (1 / 3, 0.9)]])
DEEP = "[" * 200_000


def make_text(**changes):
    """Return the text of a file with one drawing, with some of its entries changed."""
    content = json.loads(write_text([SEVEN], [7]))
    for name, value in changes.items():
        (content["drawings"][0] if name in ("label", "strokes") else content)[name] = value
    return json.dumps(content)


HOSTILE = {
    "nothing": "",
    "no JSON": "hello <b>there</b>",
    "cut off": make_text()[:-9],
    "a number": "7",
    "a list": "[]",
    "no format": "{}",
    "another format": make_text(format="<img src=x onerror=alert(1)>"),
    "a format that is a list": make_text(format=["mnist_widgets drawings"]),
    "no version": make_text(version=None),
    "version true": make_text(version=True),
    "version 0": make_text(version=0),
    "a newer version": make_text(version=2),
    "drawings that are a string": make_text(drawings="0123"),
    "a drawing that is a list": make_text(drawings=[[]]),
    "HTML in a label": make_text(label="<script>alert(1)</script>"),
    "a long label": make_text(label="7" * 100_000),
    "label 1000": make_text(label=1000),
    "label -1": make_text(label=-1),
    "label 7.0": make_text(label=7.0),
    "label true": make_text(label=True),
    "no label": make_text(label=None),
    "no strokes": make_text(strokes=None),
    "strokes that are an object": make_text(strokes={}),
    "a stroke that is an object": make_text(strokes=[{}]),
    "a stroke of points": make_text(strokes=[[[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]]]),
    "fewer y than x": make_text(strokes=[[[0.1, 0.2], [0.1]]]),
    "strings as coordinates": make_text(strokes=[[["0.1"], ["0.2"]]]),
    "booleans as coordinates": make_text(strokes=[[[True], [False]]]),
    "text as coordinates": make_text(strokes=[["12", "34"]]),
    "NaN": make_text(strokes=[[[float("nan")], [0.5]]]),
    "infinity": make_text(strokes=[[[float("inf")], [0.5]]]),
    "infinity as a number": make_text(strokes=[[[77], [0.5]]]).replace("77", "1e999"),
    "a huge integer": make_text(strokes=[[[10**400], [0.5]]]),
    "more digits than Python converts": make_text(label=77).replace("77", "7" * 10_000),
    "far away": make_text(strokes=[[[1001], [0.5]]]),
    "too many points": make_text(strokes=[[[0.5] * (MOST_POINTS + 1)] * 2]),
    "deep nesting": DEEP,
    "deep nesting in the strokes": make_text(strokes="deep").replace('"deep"', DEEP),
}


@given(st.lists(st.tuples(DRAWINGS, st.integers(0, 999)), max_size=4))
def test_text_gives_back_exactly_what_was_written(pairs):
    drawings = [Drawing(strokes) for strokes, _ in pairs]
    labels = [label for _, label in pairs]
    assert parse_text(write_text(drawings, labels), "a file") == [
        *zip(drawings, labels, strict=True)
    ]


def test_a_file_gives_back_exactly_what_was_saved(tmp_path):
    path = tmp_path / "mine.json"
    save_drawings(path, [ONE, SEVEN], torch.tensor([1, 7]))
    assert read_drawings(str(path)) == [(ONE, 1), (SEVEN, 7)]
    assert {*json.loads(path.read_text())["drawings"][0]} == {"label", "strokes"}


def test_the_files_of_a_class_become_one_set_in_their_order(tmp_path):
    save_drawings(tmp_path / "a.json", [ONE, SEVEN], [1, 7])
    save_drawings(tmp_path / "b.json", [SEVEN, ONE], [2, 3])
    digits = load_drawings(tmp_path / "a.json", str(tmp_path / "b.json"), pen=1.0, center=False)
    assert digits.labels.tolist() == [1, 7, 2, 3]
    assert digits.class_names == tuple("0123456789")
    for image, drawing in zip(digits.images, (ONE, SEVEN, SEVEN, ONE), strict=True):
        assert torch.equal(image, drawing.to_image(pen=1.0, center=False))
    assert load_drawings(tmp_path / "a.json").name == "a"


def test_a_drawing_that_is_in_several_files_counts_once_and_a_warning_says_how_many(tmp_path):
    mine, copy, later = (tmp_path / name for name in ("mine.json", "copy.json", "later.json"))
    save_drawings(mine, [ONE, ONE, SEVEN], [1, 1, 7])  # two equal ones, as with keys
    copy.write_bytes(mine.read_bytes())
    save_drawings(later, [ONE, ONE, SEVEN, SEVEN], [1, 1, 7, 2])
    assert load_drawings(mine).labels.tolist() == [1, 1, 7]  # without a warning
    for paths, labels, words in (
        ((mine, mine), [1, 1, 7], "3 of the 6"),
        ((mine, copy), [1, 1, 7], "3 of the 6"),
        ((mine, copy, later), [1, 1, 7, 2], "6 of the 10"),
    ):
        with pytest.warns(UserWarning, match=words):
            assert load_drawings(*paths).labels.tolist() == labels


def test_labels_are_checked_against_the_class_names(tmp_path):
    path, letters = tmp_path / "letters.json", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    save_drawings(path, [ONE, SEVEN], [8, 25])
    assert read_drawings(path) == [(ONE, 8), (SEVEN, 25)]
    loaded = load_drawings(path, class_names=letters)
    assert [loaded.class_names[label] for label in loaded.labels] == ["I", "Z"]
    with pytest.raises(DataError, match=r"drawing 2 .* label 25, but the labels here are 0 to 9"):
        load_drawings(path)
    with pytest.raises(ValueError, match=r"drawing 2 .* label 25"):
        parse_text(path.read_text(), "letters.json", letters[:25])


def test_a_file_of_other_classes_is_refused_even_if_its_labels_fit(tmp_path):
    path, letters = tmp_path / "letters.json", [*"ABCDEFGHIJ"]
    save_drawings(path, [ONE, SEVEN], [1, 7], letters)
    assert read_drawings(path) == [(ONE, 1), (SEVEN, 7)]
    assert load_drawings(path, class_names=letters).labels.tolist() == [1, 7]
    with pytest.raises(DataError, match=r"other classes .* are 0, 1, 2.*as class_names"):
        load_drawings(path)
    with pytest.raises(ValueError, match=r"Label 1,?100.*999"):
        save_drawings(path, [SEVEN], [1_100], range(1_200))
    with pytest.raises(ValueError, match="Label 25"):
        save_drawings(path, [SEVEN], [25], letters)
    assert read_drawings(path) == [(ONE, 1), (SEVEN, 7)]


def test_files_without_drawings_are_refused(tmp_path):
    save_drawings(tmp_path / "empty.json", [], [])
    assert read_drawings(tmp_path / "empty.json") == []
    for paths in ((), (tmp_path / "empty.json",)):
        with pytest.raises(DataError, match="no"):
            load_drawings(*paths)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_trusted_is_refused_in_short_words_that_repeat_nothing(case, tmp_path):
    with pytest.raises(ValueError, match=r"^my\.json [^<>\n]{10,160}\.$"):
        parse_text(HOSTILE[case], "my.json")
    (tmp_path / "my.json").write_text(HOSTILE[case])
    with pytest.raises(DataError) as refusal:
        read_drawings(tmp_path / "my.json")
    words = str(refusal.value).replace(str(tmp_path), "")
    assert len(words) < 250
    assert not {*"<>\n"} & {*words}


def test_a_newer_version_says_what_to_do():
    with pytest.raises(ValueError, match="update mnist_widgets"):
        parse_text(HOSTILE["a newer version"], "my.json")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\x00", bytes(50)])
def test_bytes_that_are_no_text_are_refused(content, tmp_path):
    (tmp_path / "my.json").write_bytes(content)
    with pytest.raises(DataError, match=r"my\.json"):
        read_drawings(tmp_path / "my.json")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_drawings(tmp_path / "missing.json")
    with pytest.raises(DataError, match="is a folder"):
        read_drawings(tmp_path)


def test_too_large_a_file_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    save_drawings(tmp_path / "my.json", [SEVEN], [7])
    monkeypatch.setattr(drawing_files, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="50 MB"):
        read_drawings(tmp_path / "my.json")
    with pytest.raises(ValueError, match="50 MB"):
        parse_text(make_text(), "my.json")
    with pytest.raises(ValueError, match="50 MB"):
        write_text([SEVEN], [7])


def test_a_file_has_a_limited_number_of_values_which_is_checked_before_it_is_parsed(monkeypatch):
    parsed = []
    monkeypatch.setattr(drawing_files, "MOST_VALUES", 1_000)
    monkeypatch.setattr(drawing_files.json, "loads", parsed.append)
    for text in (f"[{'[],' * 999}[]]", f"[{'1,' * 999}1]", f"[{'{},' * 999}1]", "[" * 1_000):
        with pytest.raises(ValueError, match="points"):
            parse_text(text, "my.json")
    assert not parsed
    with pytest.raises(ValueError, match="points"):
        write_text([Drawing([[(0.5, 0.5)] * 500])], [7])
    write_text([Drawing([[(0.5, 0.5)] * 480])], [7])


def test_the_limits_leave_room_for_a_million_points():
    drawing = Drawing([[(0.1, 0.1)] * 50] * 5)
    assert len(write_text([drawing] * 4_000, [7] * 4_000)) < drawing_files.MOST_BYTES


def test_a_long_file_name_is_shortened():
    with pytest.raises(ValueError, match=r"^aaa.*\.\.\..*\.json cannot be used") as refusal:
        parse_text("", "a" * 10_000 + "\n.json")
    assert len(str(refusal.value)) < 200


def test_a_file_has_a_limited_number_of_drawings(monkeypatch):
    monkeypatch.setattr(drawing_files, "MOST_DRAWINGS", 1)
    with pytest.raises(ValueError, match="at most"):
        write_text([SEVEN, SEVEN], [7, 7])
    content = json.loads(make_text())
    with pytest.raises(ValueError, match="more than"):
        parse_text(json.dumps({**content, "drawings": content["drawings"] * 2}), "my.json")


@pytest.mark.parametrize("labels", [[7], [7, 1000], [7, -1], [7, 0.5], [[7, 7]]])
def test_labels_that_do_not_fit_are_not_saved_and_the_earlier_file_remains(labels, tmp_path):
    path = tmp_path / "mine.json"
    save_drawings(path, [ONE], [1])
    with pytest.raises(ValueError, match=r"label"):
        save_drawings(path, [SEVEN, ONE], labels)
    assert read_drawings(path) == [(ONE, 1)]
    assert [each.name for each in tmp_path.iterdir()] == ["mine.json"]
