"""Pages to learn from: every number is computed, lines that they quote are lines of minidl, pictures are new."""

from __future__ import annotations

import doctest
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXAMPLE = re.compile(r"^```pycon\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_number_of_the_page_is_what_minidl_computes() -> None:
    examples = "\n".join(EXAMPLE.findall((DOCS / "lstm.md").read_text(encoding="utf-8")))
    page = doctest.DocTestParser().get_doctest(examples, {}, "lstm.md", "lstm.md", 0)
    assert len(page.examples) > 60
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page, out=said.append)
    assert said == []


def test_both_languages_have_the_same_examples() -> None:
    english, spanish = ((DOCS / page).read_text(encoding="utf-8") for page in ("lstm.md", "es/lstm.md"))
    for blocks in (EXAMPLE, QUOTED, re.compile(r"^\$\$.*\$\$$", re.MULTILINE)):
        assert blocks.findall(english) == blocks.findall(spanish)
    assert re.findall(r"\]\(\.\./(pictures.*?)\)", spanish) == re.findall(r"\]\((pictures.*?)\)", english)


def test_quoted_lines_are_lines_of_the_layer() -> None:
    layer = {line.strip() for line in (ROOT / "minidl/layers/lstm.py").read_text(encoding="utf-8").splitlines()}
    quoted = [
        line for block in QUOTED.findall((DOCS / "lstm.md").read_text(encoding="utf-8")) for line in block.splitlines()
    ]
    assert len(quoted) == 8
    assert [line for line in quoted if line not in layer] == []


def test_pictures_are_those_that_the_script_draws() -> None:
    for file, drawing in script("draw_cells").cells().items():
        assert (DOCS / "pictures" / file).read_text(encoding="utf-8") == drawing, "run python docs/draw_cells.py"


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebooks_are_those_that_the_script_writes_and_have_the_same_code() -> None:
    builder = script("build_notebooks")
    for language, file in builder.LANGUAGES.items():
        written = (DOCS / "notebooks" / file).read_text(encoding="utf-8")
        assert written == builder.written(language), "run python docs/build_notebooks.py"
    english, spanish = (code_of(builder.notebook(language)) for language in builder.LANGUAGES)
    assert english == spanish


def test_the_code_of_the_notebooks_runs(tmp_path: Path) -> None:
    """As it is handed out: the check fails where the cell is broken, and only there."""
    nbformat = pytest.importorskip("nbformat", reason="notebooks are run by nbclient: pip install 'minidl[docs]'")
    pytest.importorskip("nbclient", reason="notebooks are run by nbclient: pip install 'minidl[docs]'")
    pytest.importorskip("ipykernel", reason="notebooks are run by ipykernel: pip install 'minidl[docs]'")
    pytest.importorskip("matplotlib", reason="notebooks need matplotlib: pip install 'minidl[view]'")
    path = DOCS / "notebooks/recurrent_cell.ipynb"
    command = (
        "import sys, nbformat, nbclient; nb = nbformat.read(sys.argv[1], 4); nbclient.execute(nb); "
        "nbformat.write(nb, sys.argv[2])"
    )
    done = tmp_path / "done.ipynb"
    subprocess.run([sys.executable, "-W", "ignore", "-c", command, str(path), str(done)], cwd=tmp_path, check=True)
    code = code_of(nbformat.read(done, 4))
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in code]
    assert "WRONG" not in said[2]
    assert said[4].count("WRONG") >= 2
    assert "WRONG" not in said[5]
    shown = [kind for cell in code[-3:] for output in cell.outputs for kind in output.get("data", ())]
    assert shown.count("image/png") == 2
    assert "text/html" in shown


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the site is built by mkdocs: pip install 'minidl[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site/lstm/index.html").is_file()
    assert (tmp_path / "site/es/lstm/index.html").is_file()
