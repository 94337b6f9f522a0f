"""Readers: new rows are read as those of training were, without the data and without the experiment's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl.data import Classification, Dataset, Forecasting, Reader, Table, Tagging, Task
from minidl.data.sources.csv_file import read_rows
from minidl.system.errors import CheckpointError, DataError

TEXTS = "text,kind\n" + "".join(f"word w{i % 5} again,{'ab'[i % 2]}\n" for i in range(40))
TAGS = "text,tags\n" + "the cat runs,DET NOUN VERB\nit sees,PRO VERB\n" * 10
SERIES = "t,x,y\n" + "".join(f"{i},{np.sin(i):.9f},{5 + i % 7}\n" for i in range(80))
TASKS: dict[str, tuple[str, Task]] = {
    "classification": (TEXTS, Classification("text", label="kind", tokens="word")),
    "tagging": (TAGS, Tagging("text", tags="tags", tokens="word")),
    "forecasting": (SERIES, Forecasting(("t", "x"), window=4, horizon=2, predict=("y", "x"))),
}


def trained(folder: Path, name: str, **options: Any) -> Dataset:
    text, task = TASKS[name]
    (folder / "table.csv").write_text(text)
    return Table("table.csv", task, **options).load(folder)


def saved(dataset: Dataset) -> Reader:
    """The reader as a checkpoint keeps it."""
    return Reader.load(json.loads(json.dumps(dataset.metadata)), dataset.vocabulary)


@pytest.mark.parametrize("name", TASKS)
def test_a_saved_reader_reads_as_training_did(name: str, tmp_path: Path) -> None:
    dataset = trained(tmp_path, name, split=(1.0, 0.0, 0.0), shuffle=False, batch_size=1000)
    reader, rows = saved(dataset), read_rows(TASKS[name][0], "new.csv")
    assert reader == dataset.reader
    expected = dataset.train.batch(0).inputs
    found = reader.read(rows, targets=True, batch_size=1000)
    for array, values in found.batch(0).inputs.items():
        np.testing.assert_array_equal(values, expected[array])
    without = read_rows(TASKS[name][0], "new.csv")
    for column in set(reader.targets) - set(reader.columns):
        del without.columns[column]
    blind = reader.read(without)
    inputs = blind.take(np.arange(found.count))
    assert set(inputs) == set(expected) - {"targets"}
    for array, values in inputs.items():
        np.testing.assert_array_equal(values, expected[array])


def test_classes_are_told_by_name(tmp_path: Path) -> None:
    reader = saved(trained(tmp_path, "classification"))
    examples = reader.read(read_rows("text\nw1\nnever seen\n", "new.csv"))
    answers = reader.decode(np.array([[0.0, 2.0], [np.log(3.0), 0.0]]), examples, np.array([0, 1]))
    assert answers["prediction"] == ["b", "a"]
    assert answers["probability"][1] == answers["probability:a"][1] == pytest.approx(0.75)
    assert reader.unseen == {"never": 1, "seen": 1}


def test_tags_are_joined_as_they_came(tmp_path: Path) -> None:
    reader = saved(trained(tmp_path, "tagging"))
    assert isinstance(reader.columns, tuple)
    examples = reader.read(read_rows("text\nthe cat runs\nit\n", "new.csv"))
    outputs = np.zeros((3, 2, 4))
    outputs[[0, 1, 2], 0, [0, 1, 3]] = outputs[0, 1, 2] = 9
    answers = reader.decode(outputs, examples, np.array([0, 1]))
    assert answers["prediction"] == ["DET NOUN VERB", "PRO"]
    assert reader.decode(outputs.argmax(axis=-1), examples, np.array([0, 1])) == {"prediction": answers["prediction"]}


def test_numbers_are_in_the_units_of_the_file(tmp_path: Path) -> None:
    reader = saved(trained(tmp_path, "forecasting"))
    examples = reader.read(read_rows(SERIES, "new.csv"))
    assert examples.rows.tolist() == list(range(3, 80))
    with_targets = reader.read(read_rows(SERIES, "new.csv"), targets=True)
    scaled = with_targets.take(np.array([0, 10]))["targets"]
    answers = reader.decode(scaled, examples, np.array([0, 10]))
    assert list(answers) == ["prediction:y", "prediction:x"]
    assert answers["prediction:y"] == pytest.approx([5 + 5 % 7, 5 + 15 % 7])
    assert answers["prediction:x"] == pytest.approx([np.sin(5), np.sin(15)])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    reader = saved(trained(tmp_path, "classification"))
    with pytest.raises(DataError, match=r"new\.csv:1: there is no column 'text'; did you mean 'texts'\?"):
        reader.read(read_rows("texts\na\n", "new.csv"))
    with pytest.raises(DataError, match=r"new\.csv:3: class 'c' is in no row of the training part"):
        reader.read(read_rows("text,kind\na,a\nb,c\n", "new.csv"), targets=True)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"reader": 3},
        {"reader": {"type": "class_reader"}},
        {"reader": {"type": "forecast_reader", "inputs": {"columns": ["x"], "mean": [0.0], "deviation": [0.0]}}},
        {"reader": {"type": "nothing"}},
    ],
)
def test_what_is_no_reader(metadata: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="how rows are read"):
        Reader.load(metadata, None)
