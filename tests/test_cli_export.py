"""`minidl export`: which file it writes, what it says of it, and what it answers where it cannot."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import write_experiment

from minidl import Model
from minidl.cli.main import main

MODEL = """
import dataclasses

import numpy as np

from minidl.layers import LSTM, Dense, OneHot


@dataclasses.dataclass(frozen=True)
class Doubled(Dense):
    def forward(self, x, W, b, y):
        super().forward(x, W, y, b)
        y *= 2

    def backward(self, x, W, dy, dW, db, dx):
        super().backward(x, W, 2 * dy, dW, db, dx)


def build(ids, vocab_size):
    return Doubled(vocab_size, name="mine")(LSTM(4)(OneHot()(ids)))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, and one of a model with a layer of a user's own."""
    folder = tmp_path_factory.mktemp("project")
    path = write_experiment(folder, train__steps=2)
    (folder / "models").mkdir()
    (folder / "models" / "own.py").write_text(MODEL)
    where = ["--runs", str(folder / "runs")]
    assert main(["run", str(path), *where]) == 0
    assert main(["run", str(path), "name=owned", "model={type: own}", *where]) == 0
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with `runs` beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(trained / "runs")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["tiny"], "tiny-001.onnx"),
        (["runs/tiny/001/checkpoints/last"], "tiny-001.onnx"),
        (["tiny", "--format", "safetensors"], "tiny-001.safetensors"),
        (["tiny", "--layout", "keras"], "tiny-001.safetensors"),
        (["tiny", "--out", "mine.onnx"], "mine.onnx"),
        (["tiny", "--out=mine.safetensors"], "mine.safetensors"),
        (["tiny", "--out", "weights", "--format", "safetensors"], "weights"),
        (["owned", "--format", "safetensors"], "owned-001.safetensors"),
    ],
)
def test_the_file(words: list[str], file: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minidl[export]'")
    pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
    assert main(["export", *words]) == 0, capsys.readouterr().err
    assert {path.name for path in project.iterdir()} == {"runs", file}
    assert capsys.readouterr().out.startswith(f"wrote {file}\n")


def test_what_is_said_of_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minidl[export]'")
    assert main(["export", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[2].split(), lines[3].split()] == [
        "wrote tiny-001.onnx",
        ["ids", "(T,", "B)"],
        ["lstm/h", "(B,", "8)"],
    ]
    assert main(["export", "tiny", "--layout", "torch", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["format"]) == ("tiny-001.safetensors", "safetensors")
    assert said["arrays"]["lstm.weight_hh_l0"] == [32, 8]


def test_a_model_file_goes_by_its_own_name(project: Path) -> None:
    safetensors = pytest.importorskip(
        "safetensors.numpy", reason="safetensors is missing: pip install 'minidl[export]'"
    )
    model = Model.load(Path("runs/tiny/001/checkpoints/best"))
    model.save("kept.npz")
    assert main(["export", "kept.npz", "--format", "safetensors"]) == 0
    arrays = safetensors.load_file("kept.safetensors")
    assert all((arrays[name] == array).all() for name, array in model.parameters.items())
    assert np.any(arrays["lstm/Wx"])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["tiny", "--format", "onxx"], 2, "there is no format 'onxx'; did you mean 'onnx'? (known: onnx, "),
        (["tiny", "--format", "torch"], 2, "there is no format 'torch'; did you mean --layout torch?"),
        (["tiny", "--layout", "kears"], 2, "there is no layout 'kears'; did you mean 'keras'?"),
        (["tiny", "--layout", "torch", "--out", "model.onnx"], 2, "ONNX has a layout of its own"),
        (["tiny", "--out", "model.pt"], 2, "model.pt: say in which format, with --format onnx or safetensors"),
        (["tiny", "--fromat", "onnx"], 2, "no option '--fromat'; did you mean '--format'?"),
        (["tiny", "--out", "no/model.onnx"], 74, "no/model.onnx: cannot be written (No such file or directory)"),
        (["owned"], 2, "node 'mine': ONNX has no operators for Doubled"),
        (["owned", "--layout", "torch"], 2, "node 'mine': torch has no layout for Doubled"),
        (["tinny"], 4, "did you mean 'tiny'?"),
    ],
)
def test_what_cannot_be_done(
    words: list[str], code: int, says: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minidl[export]'")
    pytest.importorskip("safetensors", reason="safetensors is missing: pip install 'minidl[export]'")
    assert main(["export", *words]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert [path.name for path in project.iterdir()] == ["runs"]


@pytest.mark.parametrize(("kind", "needs"), [("onnx", "onnx"), ("safetensors", "safetensors.numpy")])
def test_without_the_extra(
    kind: str, needs: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, needs, None)  # importing it fails as where it is not installed
    assert main(["export", "tiny", "--format", kind]) == 2
    assert f"needs {kind}: pip install 'minidl[export]'\n" in capsys.readouterr().err
