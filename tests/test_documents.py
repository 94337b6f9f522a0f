"""Documents: texts that begin and end by themselves, measured, and told apart from what was learnt by heart."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from minidl import Model, Predictor
from minidl.cli.main import main
from minidl.data import Documents, Table
from minidl.generate import sample_text, sample_texts
from minidl.system.errors import DataError

NAMES = [first + last for first in ("an", "be", "ca", "do", "el") for last in ("na", "ra", "lo", "mi")] * 3
EXPERIMENT = """
name: names
data: {type: table, source: names.txt, task: {type: documents}, batch_size: 10}
model: {layers: [{type: OneHot}, {type: GRU, units: 16}, {type: Dense, units: "${data.vocab_size}"}]}
loss: {type: SoftmaxCE}
optimizer: {type: Adam, lr: 0.03}
train: {epochs: 12, sample_every: {epochs: 12}}
sample: {length: 20}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of names, and a run that has learnt to write such."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n\n")
    (folder / "names.yaml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "names.yaml", "log.tensorboard=false"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def test_each_line_begins_and_ends() -> None:
    dataset = Table("names.txt", Documents(), shuffle=False).load(Path())
    assert dataset.facts["train_sequences"] == 48
    assert dataset.vocabulary is not None
    start, end = (dataset.vocabulary.symbols.index(sign) for sign in "\x02\x03")
    inputs = dataset.train.batch(0).inputs
    assert (inputs["ids"][0] == start).all()
    assert (inputs["targets"][-1] == end).all()
    assert dataset.vocabulary.decode(inputs["ids"][1:, 0]) == NAMES[0]


def test_a_text_that_is_cut_has_no_end() -> None:
    dataset = Table("names.txt", Documents(), max_length=3).load(Path())
    assert dataset.vocabulary is not None
    end = dataset.vocabulary.symbols.index("\x03")
    assert not (dataset.train.batch(0).inputs["targets"] == end).any()


def test_samples_end_by_themselves_and_the_new_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "names", "--samples", "40"]) == 0
    out, err = capsys.readouterr()
    found = out.split()
    assert len(found) == 40
    assert np.mean([len(name) == 4 for name in found]) > 0.9
    learnt = set(NAMES)
    share = float(err.split("(")[1].split("%")[0]) / 100
    assert share >= np.mean([name not in learnt for name in found]) - 0.01
    records = [json.loads(line) for line in Path("runs/names/001/metrics.jsonl").read_text().splitlines()]
    assert all(0 <= record["sample/new_1"] <= 1 for record in records if "sample/new_1" in record)
    assert any("sample/new_1" in record for record in records)
    assert "samples are new" in Path("runs/names/001/samples.txt").read_text()


def test_a_prime_is_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "names", "--prime", "be", "--temperature", "0"]) == 0
    assert capsys.readouterr().out.strip() in NAMES


def test_texts_alone_and_side_by_side_are_the_same() -> None:
    model = Predictor.load("names").model
    assert isinstance(model, Model)
    alone = "".join(sample_text(model, length=20, seed=3))
    assert "\x03" not in alone
    assert all("\x02" not in text for text in sample_texts(model, 20, length=20))


def test_strange_documents_take_more_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.txt"
    path.write_text("anna\nnnnna\n")
    assert main(["predict", "names", "--data", str(path)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["text"] for row in rows] == ["anna", "nnnna"]
    assert float(rows[0]["prediction"]) < float(rows[1]["prediction"]) / 2


def test_what_predict_says_is_what_evaluate_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "names", "--data", "names.txt", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["data/bits_per_char"]
    bits = Predictor.load("names").predict(NAMES)
    assert np.average(bits, weights=[len(name) + 1 for name in NAMES]) == pytest.approx(measured, rel=1e-4)


def test_a_table_needs_the_name_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("name,n\nAda,1\nAlan,2\nEmmy,3\n")
    with pytest.raises(DataError, match="name the column"):
        Table("names.csv", Documents()).load(tmp_path)
    assert Table("names.csv", Documents("name"), split=(1, 0, 0)).load(tmp_path).facts["train_tokens"] == 14


def test_words_are_documents_too(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("disk is full\ndisk is ready\n" * 10)
    dataset = Table("log.txt", Documents(tokens="word")).load(tmp_path)
    assert dataset.unit == "word"
    assert dataset.vocabulary is not None
    assert set(dataset.vocabulary.symbols) == {"\x02", "\x03", "disk", "full", "is", "ready", "<unk>"}
