"""Photographs the page of a trained model for the README, in headless Chromium.

    python docs/page_pictures.py RUN [--runs DIR]

Needs pip install -e '.[dev]', and a Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minidl.cli.arguments import add_run
from minidl.experiment.run.looking import Looking
from minidl.storage.run_folder import model_file

PICTURES = Path(__file__).parent / "pictures"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
TEXT = 'The argument "width" is a string (see int(x))\nif the value of the "format()" method is None.\n'


def photographs(page: Any) -> Iterator[tuple[str, bytes]]:
    """Pictures by name."""
    page.click("#tab-cells")
    page.click("#cells-list button >> nth=0")
    page.click("#tab-read")
    page.evaluate("app.choose(17)")
    yield "page_read.png", page.screenshot()
    page.click("#tab-one")
    for _ in range(2):
        page.click("#one-on")
    yield "page_step.png", page.screenshot(clip={"x": 0, "y": 0, "width": 1000, "height": 790})
    page.click("#tab-influence")
    yield "page_influence.png", page.screenshot(clip={"x": 0, "y": 0, "width": 1000, "height": 790})


def main() -> None:
    """Write the page of a run, and photograph it."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    add_run(parser)
    arguments = parser.parse_args()
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        Looking(model_file(arguments.run, arguments.runs)).write(path, TEXT)
        context = playwright.chromium.launch_persistent_context(
            f"{folder}/profile", executable_path=program, args=list(ARGUMENTS), locale="en-US",
            viewport={"width": 1000, "height": 900},
        )  # fmt: skip
        page = context.new_page()
        page.goto(path.as_uri())
        for name, picture in photographs(page):
            (PICTURES / name).write_bytes(picture)
        context.close()


if __name__ == "__main__":
    main()
