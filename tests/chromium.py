"""A headless Chromium for tests of pages; without one they are skipped, and say what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@contextmanager
def chromium(folder: Path, **settings: Any) -> Iterator[Any]:
    """A browser context with a profile of its own in a folder."""
    api = pytest.importorskip("playwright.sync_api", reason="pages are tested by playwright: pip install playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("pages are tested in Chromium, and none is installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=found, args=list(ARGUMENTS), **settings
        )
        try:
            yield context
        finally:
            context.close()


def opened(context: Any, path: Path) -> tuple[Any, list[str]]:
    """A page in a new tab, and what its console complains of, now and later."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, complaints
