"""Python in the README and the docs runs as it stands, block after block of a page."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# By page, what is not installed with minidl. It runs apart: other tests fork this process, which ends its threads.
NEEDS = {"export.md": ("onnx", "onnxruntime", "safetensors", "torch")}
LINK = re.compile(r"\]\(([^)#:]+)\)")


def pages_with_python() -> list[Path]:
    return [page for page in PAGES if PYTHON.search(page.read_text()) and page.name not in NEEDS]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name in NEEDS], ids=lambda page: page.name)
def test_python_of_a_page_runs_with_what_it_needs(page: Path, tmp_path: Path) -> None:
    for module in NEEDS[page.name]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'minidl[export,test,torch]'")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", "\n".join(PYTHON.findall(page.read_text()))]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.name)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = {"x": rng.integers(0, 56, (25, 4)), "y": rng.integers(0, 56, (25, 4)), "__name__": page.stem}
    for block in PYTHON.findall(page.read_text()):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_reference_is_that_of_the_declarations() -> None:
    code = "import build_reference as b; print(b.reference(), end='')"  # in a process without the layers of other tests
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'docs'}", "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    ).stdout.decode()
    assert found == (ROOT / "docs" / "reference.md").read_text(), "run python docs/build_reference.py"
