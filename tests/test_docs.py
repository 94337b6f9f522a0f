"""Python in the README and the docs runs as it stands, block after block of a page."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from pydoc_data.topics import topics
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from minidl import layers, optim
from minidl.cli.main import main
from minidl.config.declared import snake_case
from minidl.experiment import read_experiment
from minidl.system.errors import ExperimentError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MISTAKE = re.compile(r"^(    experiments/char_lstm\.yaml:\d+:\d+: .*\n(?:    .*\n)*)", re.MULTILINE)
OF_OTHER_RUNS = ("train/perplexity", "train/skipped")  # of words, and with steps left out
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run of the first experiment, cut short; the texts that come with Python are few meanwhile."""
    folder = tmp_path_factory.mktemp("trained")
    short = ["train.steps=2", "data.batch_size=4", "data.seq_len=8", "sample.length=5", "model.layers.1.units=4"]
    short += ["train.epochs=null", "log={every: {steps: 1}, histograms_every: {steps: 1}}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pydoc_data.topics.topics", dict(islice(topics.items(), 25)))
        assert main(["run", str(ROOT / "experiments/char_lstm.yaml"), *short, "--runs", str(folder / "runs")]) == 0
        yield folder


@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.name)
def test_python_of_a_page_runs(page: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    rng = np.random.default_rng(0)
    names = {"x": rng.integers(0, 56, (25, 4)), "y": rng.integers(0, 56, (25, 4)), "__name__": page.stem}
    for block in PYTHON.findall(page.read_text()):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_has_its_place() -> None:
    """In the table of contents; those to be read in order lead from one to the next."""
    contents = (ROOT / "docs/README.md").read_text()
    ordered = re.findall(r"^\d\. .*?\]\(([^)]+)\)", contents, re.MULTILINE)
    assert {page.name for page in PAGES[1:]} == {"README.md", *LINK.findall(contents)}
    for page, following in pairwise(ordered):
        assert LINK.findall((ROOT / "docs" / page).read_text().splitlines()[-1]) == [following]


def quoted_mistakes() -> list[Any]:
    """Messages on a misspelt experiment, with the lines below them that show the place."""
    found = [(page, quote) for page in PAGES for quote in MISTAKE.findall(page.read_text())]
    return [pytest.param(quote, id=page.name) for page, quote in found]


@pytest.mark.parametrize("quote", quoted_mistakes())
def test_a_mistake_is_answered_as_a_page_says(quote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sound = (ROOT / "experiments/char_lstm.yaml").read_text()
    Path("experiments").mkdir()
    Path("experiments/char_lstm.yaml").write_text(sound.replace("LSTM, units", "LSTM, unit"))
    with pytest.raises(ExperimentError) as caught:
        read_experiment("experiments/char_lstm.yaml")
    assert dedent(quote).strip() in str(caught.value)


def test_mistakes_are_quoted() -> None:
    assert len(quoted_mistakes()) == 2


def test_every_tag_of_a_page_is_written(trained: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = event_accumulator.EventAccumulator(str(trained / "runs/char_lstm/001"))
    reader.Reload()
    written = {tag for tags in reader.Tags().values() if isinstance(tags, list) for tag in tags}
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/tensorboard.md").read_text(), re.MULTILINE)
    named = [tag for row in rows for tag in re.findall(r"`([^`]+)`", row) if "/" in tag and "…" not in tag]
    assert len(named) > 12
    for tag in named:
        concrete = tag.replace("MEASURE/NAME", "bits_per_char/xz").replace("NODE", "lstm").replace("ARRAY", "Wx")
        drawn = not tag.endswith("picture") or find_spec("matplotlib")
        assert concrete in written or tag in OF_OTHER_RUNS or not drawn, tag


def test_the_readme_names_every_layer_optimizer_and_schedule() -> None:
    bases = {"Layer", "Loss", "Cell", "Optimizer", "Schedule", "Clock"}
    names = {name for name in layers.__all__ if name not in bases}
    names |= {
        snake_case(name) if issubclass(getattr(optim, name), optim.Schedule) else name
        for name in optim.__all__
        if name not in bases
    }
    _, told = PAGES[0].read_text().split("\nLayers: ")
    assert names <= set(re.findall(r"\w+", told.split("\n## ")[0]))


def test_the_reference_is_that_of_the_declarations() -> None:
    code = "import build_reference as b; print(b.reference(), end='')"  # in a process without the layers of other tests
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'docs'}", "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    ).stdout.decode()
    assert found == (ROOT / "docs" / "reference.md").read_text(), "run python docs/build_reference.py"
