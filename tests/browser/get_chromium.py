"""Finds a Chromium for the browser tests, and gets one when there is none.

As a program it installs what is missing: Debian's package when run as root on Debian, else
Playwright's build. Without success it says so and ends with status 0, since the browser tests are
then skipped, or with status 1 when `MNIST_WIDGETS_REQUIRE_BROWSER=1` demands them.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

COMMANDS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None.

    `$MNIST_WIDGETS_CHROMIUM` comes first, then the commands on the `PATH`, then Playwright's own.
    """
    named = os.environ.get("MNIST_WIDGETS_CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, COMMANDS)), None) or _playwright_chromium()


def install_chromium() -> str | None:
    """Try each way to install a Chromium; return the path of what is there then, or None."""
    for command in _install_commands():
        print("+", " ".join(command), flush=True)
        if subprocess.run(command, check=False).returncode != 0:
            continue
        if chromium := find_chromium():
            return chromium
    return None


def is_required() -> bool:
    """Whether the browser tests must run, rather than be skipped for want of a browser."""
    return os.environ.get("MNIST_WIDGETS_REQUIRE_BROWSER") == "1"


def main() -> int:
    """Find or install a Chromium; return the exit status."""
    chromium = find_chromium() or install_chromium()
    if chromium:
        print(f"Chromium: {chromium}")
        return 0
    consequence = "are required" if is_required() else "will be SKIPPED"
    print(
        "!" * 80,
        f"No Chromium here, and none could be installed. The browser tests {consequence}.",
        "Install Chromium or Chrome, or name one in MNIST_WIDGETS_CHROMIUM.",
        "!" * 80,
        sep="\n",
        file=sys.stderr,
    )
    return int(is_required())


def _playwright_chromium() -> str | None:
    """Return the path of the Chromium that Playwright has downloaded, if it has."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


def _install_commands() -> list[list[str]]:
    playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    if not _is_root_on_debian():
        return [playwright]
    apt = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y chromium"
    return [["sh", "-c", apt], playwright]


def _is_root_on_debian() -> bool:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not Path("/etc/os-release").exists():
        return False
    # Ubuntu's package of this name is a stub that asks for a snap
    return platform.freedesktop_os_release()["ID"] == "debian"


if __name__ == "__main__":
    sys.exit(main())
