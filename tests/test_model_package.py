"""Model files import one another, the same for every command; a run keeps all of them and works from its own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from minidl.cli.main import main
from minidl.experiment import read_experiment
from minidl.system.errors import ExperimentError, UsageError

CELL = """
from dataclasses import dataclass
from minidl.graph.operations import tanh
from minidl.layers import Cell

@dataclass(frozen=True)
class Plain(Cell):
    gates = ("h",)

    def step(self, a):
        h = tanh(a)
        return (h,), (h,)

    def step_back(self, h, dh):
        return (dh * (1 - h**2),), (None,)
"""
NET = """
from minidl.layers import OneHot
from models.plain import Plain

def build(ids, vocab_size, units: int = 5):
    from .head import head
    return head(vocab_size)(Plain(units)(OneHot()(ids)))
"""
HEAD = """
from minidl.layers import Dense

def head(size):
    return Dense(size)
"""
EXPERIMENT = """
name: imports
threads: 1
data: {type: text, source: book.txt, batch_size: 2, seq_len: 8}
model: {type: net}
loss: {type: SoftmaxCE}
train: {steps: 2}
log: {tensorboard: false}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    for name, text in {"plain": CELL, "net": NET, "head": HEAD}.items():
        (tmp_path / f"models/{name}.py").write_text(text)
    (tmp_path / "book.txt").write_text("a small book that says the same again. " * 40)
    (tmp_path / "imports.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_keeps_all_that_its_model_file_imports_and_works_without_the_rest(folder: Path) -> None:
    assert main(["run", "imports.yaml"]) == 0
    kept = {path.name for path in (folder / "runs/imports/001/models").glob("*.py")}
    assert kept == {"net.py", "plain.py", "head.py"}
    assert main(["run", "imports.yaml", "train.steps=4", "--resume"]) == 0
    (folder / "models").rename(folder / "elsewhere")
    assert main(["sample", "imports", "--length", "5"]) == 0
    assert main(["evaluate", "imports"]) == 0


def test_check_proves_the_layers_of_imported_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "imports.yaml"]) == 0
    (folder / "models/plain.py").write_text(CELL.replace("dh * (1 - h**2)", "dh"))
    assert main(["check", "imports.yaml"]) == 5
    error = capsys.readouterr().err
    assert "'plain' (Plain" in error
    assert "models/plain.py:" in error
    assert "is not the derivative" in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise SystemExit(3)", "it ends the program"),
        ("1 / 0", "ZeroDivisionError"),
        ("def head(:", "head.py:1"),
        ("from models.nothing import x", "models.nothing"),
    ],
)
def test_what_goes_wrong_in_an_imported_file_is_told_with_its_line(folder: Path, text: str, words: str) -> None:
    (folder / "models/head.py").write_text(text + "\n")
    with pytest.raises(ExperimentError, match=r"head\.py:1") as caught:
        read_experiment(folder / "imports.yaml")
    assert words in str(caught.value)


def test_a_misspelt_initializer_is_told_with_its_line(folder: Path) -> None:
    (folder / "models/head.py").write_text(HEAD.replace("Dense(size)", 'Dense(size, init={"W": "oness"})'))
    with pytest.raises(ExperimentError, match=r"(?s)did you mean 'ones'.*net.py:7") as caught:
        read_experiment(folder / "imports.yaml")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ('"glorot_2"', r"b: glorot_2 is for 2 axes.*net.py:7"),
        ('"orthogonal"', r"b: orthogonal is for 2 axes, and \(\d+,\) has 1"),
        ("3", "b: an initializer is a name, or a function"),
        ("lambda shape: 1", r"b: the initializer <lambda> takes \(shape\); it is called with \(out, rng\)"),
    ],
)
def test_an_initializer_that_does_not_fit_is_told_with_its_line(folder: Path, init: str, words: str) -> None:
    given = f"""
from dataclasses import dataclass
from minidl.graph.arrays import Param
from minidl.layers import Dense

@dataclass(frozen=True)
class Head(Dense):
    def arrays(self, x):
        return super().arrays(x) | {{"b": Param((self.units,), {init})}}

def head(size):
    return Head(size)
"""
    (folder / "models/head.py").write_text(given)
    with pytest.raises(ExperimentError, match=rf"(?s){words}"):
        read_experiment(folder / "imports.yaml")
    (folder / "models/head.py").write_text(given.replace(init, "lambda out, rng: out + 1"))
    with pytest.raises(UsageError, match=r"(?s)leaves \d+ of \d+ numbers unfilled.*head.py:9"):
        _ = read_experiment(folder / "imports.yaml").model.parameters


def test_a_layer_that_fails_in_a_run_shows_the_lines_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "models/plain.py").write_text(CELL.replace("return (dh", "1 / 0\n        return (dh"))
    assert main(["run", "imports.yaml"]) == 1
    error = capsys.readouterr().err
    assert "the model's own code fails\nTraceback" in error
    assert 'models/plain.py", line 15, in step_back\n    1 / 0' in error
    assert "minidl/" not in error
