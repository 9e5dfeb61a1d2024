"""Photos of digits on paper become a digit set, and what cannot be used is named with a reason."""

from __future__ import annotations

import io
import random
import shutil
import zlib

import numpy as np
import pytest
import torch
from phone_pictures import BLUE, PENCIL, RED, STROKES, draw_photo
from PIL import Image, ImageDraw

from mnist_widgets import DataError, load_pictures
from mnist_widgets.data.handwriting import pictures
from mnist_widgets.data.handwriting.ink import RefusedPictureError, find_digit

UPSIDE_DOWN, LYING = 3, 6  # EXIF's orientations: turn by 180 degrees, by 90 degrees clockwise
ORIENTATION = 0x0112


def load_one(folder, photo, name="7.png", **options):
    """Return the image of a photo that is alone in a folder."""
    folder.mkdir(exist_ok=True)
    photo.save(folder / name, **options)
    digits = load_pictures(folder)
    (folder / name).unlink()
    assert len(digits) == 1
    return digits.images[0].float() / 255


def correlate(image, other):
    """Return how alike two images are, moved by a pixel at most: 1 is equal, 0 unrelated."""
    shifts = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    moved = [image.roll(shift, (0, 1)).flatten() for shift in shifts]
    return max(float(torch.corrcoef(torch.stack([each, other.flatten()]))[0, 1]) for each in moved)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Each digit as it comes from a photo without any difficulty."""
    folder = tmp_path_factory.mktemp("clean")
    for digit, strokes in STROKES.items():
        photo = draw_photo(strokes, size=(600, 800), height=0.5, place=(0.1, 0.2), noise=0)
        photo.save(folder / f"{digit}.png")
    return load_pictures(folder)


def test_a_folder_becomes_a_digit_set_that_looks_like_mnist(clean):
    assert clean.labels.tolist() == list(range(10))
    assert clean.class_names == tuple("0123456789")
    assert (clean.images.shape, clean.images.dtype) == ((10, 28, 28), torch.uint8)
    for image in clean.images.float():
        rows, columns = (image > 60).any(1).sum(), (image > 60).any(0).sum()
        assert max(rows, columns) in (19, 20, 21)
        indices, mass = torch.arange(28.0), image.sum()
        assert float(image.sum(1) @ indices / mass) == pytest.approx(14, abs=0.51)
        assert float(image.sum(0) @ indices / mass) == pytest.approx(14, abs=0.51)
        assert 0.05 < image.mean() / 255 < 0.2  # MNIST: 0.133
    one, zero = (clean.images[digit] > 60 for digit in (1, 0))
    assert one.any(0).sum() < 12
    assert zero.any(0).sum() > 12


@pytest.mark.parametrize(
    "difficulty",
    [
        {"shadow": 0.6},
        {"ink": BLUE, "squares": (170, 190, 225)},
        {"ink": BLUE, "squares": (120, 140, 195)},
        {"ink": RED},
        {"ink": PENCIL, "pen": 0.016},
        {"ink": PENCIL, "pen": 0.02, "shadow": 0.5, "noise": 7},
        {"height": 0.08},
        {"height": 0.7, "place": (0.05, 0.1)},
        {"ink": (225, 228, 220), "paper": (45, 65, 55), "shadow": 0.5},
        {"size": (1600, 900), "shadow": 0.3},
        {"ink": (20, 20, 25), "paper": (110, 100, 90)},
    ],
    ids=", ".join,
)
def test_light_paper_and_pen_make_little_difference(difficulty, clean, tmp_path):
    for digit in (2, 4, 7):
        photo = draw_photo(STROKES[digit], seed=digit, **difficulty)
        image = load_one(tmp_path, photo, f"{digit}.jpg", quality=60)
        assert correlate(image, clean.images[digit] / 255) > 0.8, digit


def test_a_pen_at_the_border_and_specks_are_left_out(clean, tmp_path):
    photo = draw_photo(STROKES[3], size=(900, 1200))
    draw = ImageDraw.Draw(photo)
    draw.line([(900, 700), (780, 1100), (840, 1200)], (30, 40, 90), 60)
    places = random.Random(0)
    for _ in range(6):
        x, y = places.randrange(50, 700), places.randrange(50, 250)
        draw.ellipse([x, y, x + 7, y + 7], (60, 50, 40))
    assert correlate(load_one(tmp_path, photo), clean.images[3] / 255) > 0.9


def test_paper_on_a_dark_table_is_paper(clean, tmp_path):
    for margin in (60, 200):
        table = Image.new("RGB", (1000 + 2 * margin, 1200 + 2 * margin), (70, 45, 30))
        table.paste(draw_photo(STROKES[4], size=(1000, 1200)), (margin, margin))
        assert correlate(load_one(tmp_path, table), clean.images[4] / 255) > 0.9, margin


def test_strokes_that_do_not_touch_are_one_digit(clean, tmp_path):
    bar, rest = STROKES[5][1], STROKES[5][0]
    apart = [[(x, y - 0.1) for x, y in bar], rest]
    assert correlate(load_one(tmp_path, draw_photo(apart)), clean.images[5] / 255) > 0.6


def test_the_orientation_that_a_phone_notes_is_applied(clean, tmp_path):
    photo = draw_photo(STROKES[7])
    for orientation, turn in [
        (UPSIDE_DOWN, Image.Transpose.ROTATE_180),
        (LYING, Image.Transpose.ROTATE_90),
    ]:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        for name in ("7.jpg", "7.png"):
            image = load_one(tmp_path, photo.transpose(turn), name, exif=exif)
            assert correlate(image, clean.images[7] / 255) > 0.95, (name, orientation)


def test_every_kind_of_png_is_read(clean, tmp_path):
    photo = draw_photo(STROKES[2], noise=0)
    gray = photo.convert("L")
    darkness = gray.point(lambda level: 255 - level)
    opacity = darkness.point(lambda level: min(255, max(0, level - 30) * 2))
    pen = Image.new("RGBA", photo.size, (20, 20, 40, 0))
    pen.putalpha(opacity)
    chalk = Image.new("RGBA", photo.size, (250, 250, 250, 0))
    chalk.putalpha(opacity)
    deep = Image.fromarray(np.asarray(gray, dtype=np.uint16) * 257)
    for kind, picture in {
        "gray": gray,
        "inverted": darkness,
        "black and white": gray.convert("1"),
        "palette": photo.quantize(16),
        "dark ink on nothing": pen,
        "bright ink on nothing": chalk,
        "gray and alpha": pen.convert("LA"),
        "16 bits": deep,
    }.items():
        image = load_one(tmp_path, picture)
        assert correlate(image, clean.images[2] / 255) > 0.9, kind
    assert (
        correlate(load_one(tmp_path, photo.convert("CMYK"), "2.jpg"), clean.images[2] / 255) > 0.9
    )


def test_an_image_of_mnists_size_is_read(clean, tmp_path):
    small = Image.fromarray(clean.images[4].numpy())
    assert correlate(load_one(tmp_path, small), clean.images[4] / 255) > 0.9


def test_labels_come_from_the_folder_or_the_file(tmp_path):
    photo = draw_photo(STROKES[7], size=(300, 400), height=0.5)
    for name, label in [
        ("7.png", 7),
        ("7_anna.jpg", 7),
        ("7-03.JPEG", 7),
        ("7 (2).jpg", 7),
        ("7_1.jpg", 7),
        ("class/3/IMG_0001.jpg", 3),
        ("3/3_anna.png", 3),
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(tmp_path / name)
        assert load_pictures(tmp_path).labels.tolist() == [label], name
        assert load_pictures((tmp_path / name).parent).labels.tolist() == [label], name
        (tmp_path / name).unlink()


def test_a_folder_of_another_digit_than_the_name_of_the_file_counts_with_a_warning(tmp_path):
    photo = draw_photo(STROKES[7], size=(300, 400), height=0.5)
    for name in ("3/9.png", "3/7_anna.jpg", "3/IMG_0001.jpg", "5.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photo.save(tmp_path / name)
    with pytest.warns(UserWarning, match=r"2 of the 4 .* such as 3/7_anna\.jpg") as caught:
        assert load_pictures(tmp_path).labels.tolist() == [3, 3, 3, 5]
    assert len(caught) == 1


def test_names_without_one_label_are_refused(tmp_path):
    photo = draw_photo(STROKES[7], size=(300, 400), height=0.5)
    for name, reason in [
        ("IMG_3.jpg", "does not begin"),
        ("Screenshot 4.png", "does not begin"),
        ("20231105_101112_1.jpg", "does not begin"),
        ("seven.png", "does not begin"),
        ("7th.png", "does not begin"),
        ("3.14.png", "does not begin"),
        ("12/a.png", "does not begin"),
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(tmp_path / name)
        with pytest.raises(
            DataError, match=rf"(?s)none of the 1 pictures.*{name}: .*{reason}"
        ) as caught:
            load_pictures(tmp_path)
        assert "7" in caught.value.remedy
        (tmp_path / name).unlink()


def spread_digits(num_digits):
    strokes = []
    for position in range(num_digits):
        strokes += [[(x + 1.1 * position, y) for x, y in stroke] for stroke in STROKES[3]]
    return strokes


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (draw_photo([]), "no ink"),
        (Image.new("L", (300, 400)), "no ink"),
        (draw_photo([], shadow=0.6), "no ink"),
        (draw_photo([], noise=8), "no ink"),
        (draw_photo(spread_digits(2), height=0.25, place=(0.1, 0.3)), "more than one digit"),
        (draw_photo(spread_digits(7), height=0.1, place=(0.02, 0.3)), "separate pieces"),
        (draw_photo(STROKES[1], height=0.03, pen=0.06), "too small"),
        (draw_photo(STROKES[8], place=(0.8, 0.3)), "touches the edge"),
        (draw_photo(STROKES[8], size=(12, 60), height=0.2), "12 x 60 pixels"),
    ],
    ids=[
        "blank",
        "black",
        "shadow",
        "grain",
        "two digits",
        "seven digits",
        "small",
        "edge",
        "few pixels",
    ],
)
def test_photos_that_do_not_hold_one_digit_are_refused(photo, reason, tmp_path):
    with pytest.raises(DataError, match=rf"7\.png: .*{reason}"):
        load_one(tmp_path, photo)


def test_noise_all_over_is_refused():
    for seed in range(5):
        noise = torch.rand(1, 640, 480, generator=torch.Generator().manual_seed(seed))
        with pytest.raises(RefusedPictureError):
            find_digit(noise.expand(3, -1, -1))


def write_bomb(path, width, height):
    """Write a PNG whose header promises far more pixels than the file holds."""
    content = io.BytesIO()
    Image.new("L", (1, 1)).save(content, "PNG")
    header = bytearray(content.getvalue())
    header[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    path.write_bytes(header)


def test_one_warning_names_each_picture_that_is_left_out_and_why(tmp_path):
    good = draw_photo(STROKES[7], size=(300, 400), height=0.5)
    good.save(tmp_path / "7.png")
    good.save(tmp_path / "0 (00).jpg")
    whole = (tmp_path / "7.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2.jpg").write_bytes(b"")
    (tmp_path / "3.jpg").write_text("<html>not found</html>")
    write_bomb(tmp_path / "4.png", 12_000, 12_000)
    write_bomb(tmp_path / "5.png", 60_000, 60_000)
    (tmp_path / "6.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "8.webp").write_bytes(b"RIFF")
    (tmp_path / "9").mkdir()
    draw_photo([], size=(300, 400)).save(tmp_path / "9" / "blank.png")
    (tmp_path / "notes.txt").write_text("ignored")
    (tmp_path / "._7.png").write_bytes(b"what a Mac leaves on a stick")
    (tmp_path / ".Trash").mkdir()
    good.save(tmp_path / ".Trash" / "7.png")
    with pytest.warns(UserWarning, match="left out") as caught:
        digits = load_pictures(tmp_path)
    assert digits.labels.tolist() == [0, 7]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    head, *lines = str(caught[0].message).splitlines()
    assert "8 of the 10 pictures" in head
    reasons = dict(line.removeprefix("- ").split(": ", 1) for line in lines)
    for name, words in {
        "1.png": "damaged",
        "2.jpg": "not a PNG or JPEG",
        "3.jpg": "not a PNG or JPEG",
        "4.png": "million pixels",
        "5.png": "million pixels",
        "6.heic": "Most Compatible",
        "8.webp": "JPEG",
        "9/blank.png": "no ink",
    }.items():
        assert words in reasons.pop(name), name
    assert not reasons


def test_a_large_photo_is_read(clean, tmp_path):
    photo = draw_photo(STROKES[6], size=(900, 1200)).resize((3_000, 4_000))
    image = load_one(tmp_path, photo, "6.jpg", quality=80)
    assert correlate(image, clean.images[6] / 255) > 0.9


def test_a_picture_with_another_ending_is_read_by_its_content(clean, tmp_path):
    draw_photo(STROKES[6]).save(tmp_path / "a.png")
    shutil.move(tmp_path / "a.png", tmp_path / "6.jpg")
    assert correlate(load_pictures(tmp_path).images[0] / 255, clean.images[6] / 255) > 0.9


def test_a_folder_without_pictures_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"no PNG or JPEG picture.*7\.png"):
        load_pictures(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        load_pictures(tmp_path / "missing")
    (tmp_path / "7.png").write_text("a file")
    with pytest.raises(DataError, match="there is no folder"):
        load_pictures(tmp_path / "7.png")


def test_the_limit_counts_pixels(tmp_path, monkeypatch):
    photo = draw_photo(STROKES[7], size=(300, 400), height=0.5)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 119_999)
    with pytest.raises(DataError, match="million pixels"):
        load_one(tmp_path, photo)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 120_000)
    load_one(tmp_path, photo)
