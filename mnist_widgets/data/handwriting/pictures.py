"""Load pictures of handwritten digits, such as photos from a phone, as a digit set."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mnist_widgets.data.digit_set import DIGIT_NAMES, DigitSet
from mnist_widgets.data.downloads import DataError
from mnist_widgets.data.handwriting.ink import WORKING_PX, RefusedPictureError, find_digit
from mnist_widgets.system.short_text import shorten
from mnist_widgets.system.user_warnings import warn_user

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
"""In a picture, as many as a phone's camera has. They take up to 400 MB while they are decoded; a
small, hostile file can unfold to far more."""

FEWEST_PIXELS_A_SIDE = 16
"""In a picture; MNIST's own images have 28."""

_LOADED = {".png", ".jpg", ".jpeg"}
_CONVERT = "open it and save or export it as JPEG"
_REFUSED = {
    ".heic": "on an iPhone choose Settings, Camera, Formats, Most Compatible before you take the "
    f"picture; to convert this one, {_CONVERT}",
    **dict.fromkeys((".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".dng"), _CONVERT),
}
_REFUSED[".heif"] = _REFUSED[".heic"]


def load_pictures(folder: str | Path) -> DigitSet:
    """Load photos or scans of digits on paper, one digit in each PNG or JPEG file.

    Each picture becomes an image like MNIST's: white on black, cropped to the ink, its longer side
    scaled to 20 pixels, its center of mass on pixel (14, 14), thin strokes thickened. The paper may
    be white or dark, lit unevenly, or squared.

    The label of a picture is the name of the folder that it lies in, if that is a digit, as in
    `7/anna.jpg`. Otherwise the file's name begins with it, as in `7.png`, `7_anna.jpg` or
    `7 (2).jpg`, but not `7.1.jpg`. Other numbers in a name do not count: phones and programs put
    them there. If folder and file name different digits, the folder counts, and a warning says so.

    Pictures that cannot be used are left out, and one warning names them and the reasons.

    Example:
        >>> my_digits = load_pictures("pictures")
        >>> Evaluator(my_digits.batches(512)).evaluate(model, "cpu")

    Args:
        folder: The folder; folders in it are searched, too. Other files are ignored.

    Returns:
        The images and labels in the order of the file names.

    Raises:
        DataError: The folder does not exist, or holds no picture that can be used.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", "Check its name, and where it lies.")
    images, labels, refused, ambiguous = [], [], {}, []
    for path in _find_pictures(folder):
        name = path.relative_to(folder).as_posix()
        try:
            label = find_label(path)
            images.append(_load_picture(path))
        except RefusedPictureError as error:
            refused[name] = str(error)
            continue
        labels.append(label)
        if _find_digit_in_name(path) not in (label, None):
            ambiguous.append(name)
    listed = "\n".join(f"- {name}: {reason}." for name, reason in refused.items())
    if not refused and not images:
        raise DataError(
            f"{folder} holds no PNG or JPEG picture",
            "Put pictures of one digit each into it, named 7.png, 7_anna.jpg or the like.",
        )
    if not images:
        raise DataError(
            f"none of the {len(refused):,} pictures in {folder} can be used",
            f"The reasons:\n{listed}",
        )
    if refused:
        num_pictures = len(images) + len(refused)
        warn_user(
            f"{len(refused):,} of the {num_pictures:,} pictures in {folder} are left out:\n{listed}"
        )
    if ambiguous:
        warn_user(
            f"{len(ambiguous):,} of the {len(images):,} pictures in {folder} have a name that "
            f"begins with another digit than their folder's, such as {ambiguous[0]}. Their labels "
            "are the names of their folders."
        )
    return DigitSet(torch.stack(images), labels, DIGIT_NAMES, folder.name)


def find_label(path: Path) -> int:
    """Return the label of a picture by the name of its folder or of its file.

    Raises:
        RefusedPictureError: Neither says which digit it is.
    """
    folder = path.parent.name
    if folder in DIGIT_NAMES:
        return int(folder)
    label = _find_digit_in_name(path)
    if label is None:
        raise RefusedPictureError(
            "its name does not begin with one digit, the one that it shows; name it 7_anna.jpg or "
            "the like, or put it into a folder named 7"
        )
    return label


def _find_digit_in_name(path: Path) -> int | None:
    found = re.match(r"[0-9](?![^\W_]|\.\d)", path.stem)
    return int(found[0]) if found else None


def _find_pictures(folder: Path) -> Iterator[Path]:
    """Yield the files that are pictures by their endings, sorted by name."""
    for path in sorted(folder.rglob("*")):
        is_picture = path.suffix.lower() in _LOADED | set(_REFUSED)
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_picture and not is_hidden and path.is_file():
            yield path


def _load_picture(path: Path) -> Tensor:
    """Return the digit in a picture, uint8 (28, 28), white on black.

    Raises:
        RefusedPictureError: The file cannot be read, or the picture has no digit that can be used.
    """
    if advice := _REFUSED.get(path.suffix.lower()):
        raise RefusedPictureError(f"only PNG and JPEG are read; {advice}")
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, on size and on damaged metadata
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                _check_size(*image.size)
                pixels = _read_pixels(image)
    except RefusedPictureError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except UnidentifiedImageError as error:
        raise RefusedPictureError(
            "it is not a PNG or JPEG picture, whatever its name says"
        ) from error
    except Exception as error:  # Pillow raises many types: OSError, SyntaxError, ValueError, ...
        reason = shorten(str(error))
        raise RefusedPictureError(f"it is damaged or cannot be read ({reason})") from error
    return find_digit(pixels)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _too_large()
    if min(width, height) < FEWEST_PIXELS_A_SIDE:
        raise RefusedPictureError(
            f"it has only {width} x {height} pixels; each side needs {FEWEST_PIXELS_A_SIDE}"
        )


def _too_large() -> RefusedPictureError:
    return RefusedPictureError(
        f"it has more than {MOST_PIXELS // 1_000_000} million pixels; save it in a smaller size"
    )


def _read_pixels(image: Image) -> Tensor:
    """Return a picture upright and on a plain ground: float32 (3, H, W), the longer side 640."""
    from PIL import Image, ImageOps

    image.draft("RGB", (2 * WORKING_PX, 2 * WORKING_PX))  # decodes a large JPEG at a lower size
    if image.mode.startswith("I"):  # 16 bits; convert() would cut them off at 255
        levels = np.asarray(image, dtype=np.float32) / 257
        image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    has_alpha = image.has_transparency_data
    upright = ImageOps.exif_transpose(image.convert("RGBA" if has_alpha else "RGB"))
    scale = WORKING_PX / max(upright.size)
    size = [max(1, round(side * scale)) for side in upright.size]
    upright = upright.resize((size[0], size[1]), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(upright)).permute(2, 0, 1) / 255
    if not has_alpha:
        return pixels
    colors, opacity = pixels[:3], pixels[3:]
    ink_brightness = (colors * opacity).sum() / (3 * opacity.sum()).clamp(min=1e-6)
    ground = float(ink_brightness < 0.5)  # white below dark ink, black below bright ink
    return colors * opacity + ground * (1 - opacity)
