"""Measure the peak memory of reading a file of drawings and of making its images.

Each file is read in a process of its own, which has drawn one drawing before: so the memory of the
interpreter and of torch does not count. The files are as large as the limits of `drawing_files.py`
allow, or larger: points in strokes of 60, strokes of a single point, and text that is made to take
as much memory as possible (empty lists). It needs Linux.

    python benchmarks/drawing_memory.py

Measured in November 2026 with Python 3.11:

100,000 points     4.0 MB: read    20 MB, with images    37 MB
1,000,000 points  40.5 MB: read   203 MB, with images   203 MB
490,000 dots      22.5 MB: read   256 MB, with images   310 MB
1,300,000 points  52.6 MB: read    98 MB, refused: larger than 50 MB
16,000,000 lists  48.0 MB: read    94 MB, refused: too many values

Before there was a limit of values, the last file took 1,224 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from mnist_widgets import DataError, Drawing, load_drawings, read_drawings

_BEGIN, _END = '{"format":"mnist_widgets drawings","version":1,"drawings":[', "]}"


def write_strokes(num_points: int, points_a_stroke: int, points_a_drawing: int) -> str:
    """Return the text of a file whose numbers have 17 digits, as many as any has."""
    xs = [f"0.{index * 7919 % 10**4:04}1234567890123" for index in range(points_a_stroke)]
    numbers = ",".join(xs)
    stroke = f"[[{numbers}],[{numbers}]]"
    strokes = ",".join([stroke] * (points_a_drawing // points_a_stroke))
    drawing = f'{{"label":1,"strokes":[{strokes}]}}'
    return _BEGIN + ",".join([drawing] * (num_points // points_a_drawing)) + _END


def read_file(path: str) -> None:
    """Read a file, make its images, and print the growth of this process."""
    Drawing([[(0.1, 0.1), (0.5, 0.5)]]).to_image()
    begin = _peak_mb()
    try:
        result = f"{len(read_drawings(path)):,} drawings"
        read = _peak_mb()
        load_drawings(path)
    except DataError as error:
        read, result = _peak_mb(), "refused: " + error.reason.partition(": ")[2]
    print(f"read {read - begin:5.0f} MB, with images {_peak_mb() - begin:5.0f} MB, {result}")


def _peak_mb() -> float:
    # `ru_maxrss` would begin with the peak of the process that started this one
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1_000 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Write the files and read each in a process of its own."""
    texts = {
        "100,000 points": write_strokes(100_000, 60, 60),
        "1,000,000 points": write_strokes(1_000_000, 60, 60),
        "490,000 dots": write_strokes(490_000, 1, 10_000),
        "1,300,000 points": write_strokes(1_300_000, 60, 60),
        "16,000,000 lists": _BEGIN + ",".join(["[]"] * 16_000_000) + _END,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder) / "drawings.json"
            path.write_text(text)
            print(f"{name:17} {len(text) / 1e6:5.1f} MB: ", end="", flush=True)
            subprocess.run([sys.executable, __file__, str(path)], check=True)  # noqa: S603


if __name__ == "__main__":
    read_file(sys.argv[1]) if len(sys.argv) > 1 else main()
