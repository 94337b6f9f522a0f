"""Vectors of words from files of GloVe, word2vec and fastText as the first rows of an Embedding."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from minidl import Model
from minidl.cli.main import main
from minidl.data.sources.vectors import read_vectors
from minidl.experiment import read_experiment
from minidl.system.errors import DataError, ExperimentError

GLOVE = "the 1 2 3\n, 4 5 6\n. . . 7 8 9\nhello -1e-3 0 1\n"
SYMBOLS = ["the", ", ", ". . .", "Hello", "world", " ", "<unk>"]
FILE = """\
name: words
data: {type: text, source: text.txt, tokens: word, batch_size: 2, seq_len: 5}
model:
  layers: [{type: Embedding, units: 3}, {type: LSTM, units: 4}, {type: Dense, units: "${data.vocab_size}"}]
loss: {type: SoftmaxCE}
train: {steps: 2, sample_every: null}
log: {tensorboard: false}
"""


@pytest.mark.parametrize("header", ["", "4 3\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_symbols_are_found_by_name(header: str, packed: bool, tmp_path: Path) -> None:
    """With spaces in words, in small letters, with and without the line that says how many there are."""
    raw = (header + GLOVE).encode()
    name = "vectors.vec.gz" if packed else "vectors.vec"
    (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    found = read_vectors(name, tmp_path, SYMBOLS, 3)
    expected = {"the": [1, 2, 3], ", ": [4, 5, 6], ". . .": [7, 8, 9], "Hello": [-0.001, 0, 1]}
    assert {symbol: vector.tolist() for symbol, vector in found.items()} == expected


def test_its_own_spelling_comes_first(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("us 1 1\nUS 2 2\n")
    assert read_vectors("v.txt", tmp_path, ["US", "us"], 2)["US"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GLOVE.replace("3\n", "3 4\n", 1), "vectors of 4 numbers, and rows of 3 are to be filled: set units: 4"),
        ("4 300\n" + GLOVE, "vectors of 300 numbers"),
        ("the 1 2\n", "vectors of 2 numbers"),
        (GLOVE.replace("-1e-3", "x"), ":4: 'hello' should be followed by 3 numbers"),
        (GLOVE.replace("-1e-3", "nan"), ":4: 'hello' should be followed by 3 numbers"),
        ("other 1 2 3\n", "a vector for none of the 7 symbols"),
        ("\n", "is no file of vectors"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_vectors("v.txt", tmp_path, SYMBOLS, 3)


def experiment(folder: Path, more: str) -> Path:
    (folder / "text.txt").write_text("Hello world, the hello. " * 60)
    (folder / "glove.txt").write_text(GLOVE)
    (folder / "words.yaml").write_text(FILE + more)
    return folder / "words.yaml"


def test_a_run_begins_with_vectors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = experiment(tmp_path, "init_from: {vectors: {embedding: glove.txt}, freeze: ['embedding/*']}\n")
    assert main(["run", str(path), "--runs", str(tmp_path / "runs")]) == 0
    assert "embedding begins with the vectors of 4 of 7 symbols" in caplog.text
    model = Model.load(tmp_path / "runs/words/001/checkpoints/last")
    assert model.vocabulary is not None
    rows = {symbol: model.parameters["embedding/table"][i] for i, symbol in enumerate(model.vocabulary.symbols)}
    np.testing.assert_array_equal(rows["the"], [1, 2, 3])
    np.testing.assert_array_equal(rows["Hello"], rows["hello"])
    first = read_experiment(path).model.parameters["embedding/table"]
    np.testing.assert_array_equal(rows["world"], first[model.vocabulary.symbols.index("world")])
    assert main(["run", str(path), "--runs", str(tmp_path / "runs"), "--resume", "train.steps=3"]) == 0


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ("init_from: {vectors: {embeding: glove.txt}}", 2, "did you mean 'embedding'"),
        ("init_from: {vectors: {lstm: glove.txt}}", 2, "'lstm' is no Embedding of symbols"),
        ("init_from: {vectors: {embedding: glve.txt}}", 3, "glve.txt"),
    ],
)
def test_wrong_names(more: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = experiment(tmp_path, more)
    assert main(["run", str(path), "--runs", str(tmp_path / "runs")]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs" / "words").exists()


def test_a_section_that_names_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="init_from needs a run"):
        read_experiment(experiment(tmp_path, "init_from: {take: ['lstm/*']}"))
