"""For each shipped experiment `predict` on the validation rows is as good as `evaluate` says.

Three more are in test_predict.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import with_fewer_data

from minidl.cli.main import main
from minidl.data.sources.table_file import read_table
from minidl.experiment import read_experiment

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
ALWAYS = ["train.epochs=null", "train.steps=5", "log.tensorboard=false", "train.sample_every=null", "optimizer.lr=0.02"]
Row = dict[str, str]


def accuracy(label: str, divide: Callable[[str], Any] = lambda cell: [cell]) -> Callable[[list[Row], Any], float]:
    """The share of answers that are right, of all that a cell is divided into."""

    def measured(rows: list[Row], reader: Any) -> float:
        pairs = [(a, b) for r in rows for a, b in zip(divide(r["prediction"]), divide(r[label]), strict=True)]
        return float(np.mean([a == b for a, b in pairs]))

    return measured


def error(column: str, answer: str = "prediction") -> Callable[[list[Row], Any], float]:
    """The mean absolute error in deviations of the training part, where both numbers are there."""

    def measured(rows: list[Row], reader: Any) -> float:
        pairs = [(float(r[answer]), float(r[column])) for r in rows if r[answer] and r[column]]
        return float(np.mean(np.abs(np.subtract(*np.array(pairs).T)))) / float(reader.outputs.deviation[0])

    return measured


def bits(rows: list[Row], reader: Any) -> float:
    """Bits a symbol, each text by its symbols and its end."""
    return float(np.average([float(r["prediction"]) for r in rows], weights=[len(r["name"]) + 1 for r in rows]))


def one_each(rows: list[Row]) -> list[Row]:
    """The first row of each recording, all of whose rows have its answer."""
    return list({row["recording"]: row for row in rows}.values())


SMALL = ["model.units=6"]
CASES: dict[str, tuple[list[str], str, Callable[[list[Row], Any], float]]] = {
    "classify_messages": (SMALL, "accuracy", accuracy("kind")),
    "classify_sensors": ([], "accuracy", lambda rows, reader: accuracy("activity")(one_each(rows), reader)),
    "forecast_demand": (
        ["model.units=6", "data.task.path=1", "data.task.window=6"],
        "mean_absolute_error",
        error("demand", "prediction:demand:0.5"),
    ),
    "names_documents": (SMALL, "bits_per_char", bits),
    "seq2seq_dates": (SMALL, "exact", accuracy("iso")),
    "series_lorenz": ([], "mean_absolute_error", error("z")),
    "tag_crf": (SMALL, "accuracy", accuracy("tags", list)),
    "tag_entities": (SMALL, "accuracy", accuracy("tags", str.split)),
}


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_as_good_as_evaluate_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few, tag, measured = CASES[name]
    monkeypatch.chdir(tmp_path)
    file = EXPERIMENTS / f"{name}.yaml"
    changes = [*few, *ALWAYS, *with_fewer_data(file, tmp_path)]
    assert main(["run", str(file), *changes, "--json"]) == 0
    experiment = read_experiment(file, changes)
    _write(tmp_path / "part.csv", experiment)
    assert main(["predict", name, "--data", "part.csv", "--out", "answers.csv"]) == 0
    capsys.readouterr()
    assert main(["evaluate", name, "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)[f"val/{tag}"]
    with open("answers.csv", newline="") as answers:
        found = measured(list(csv.DictReader(answers)), experiment.dataset.reader)
    assert found == pytest.approx(expected, rel=2e-5, abs=1e-9)


def _write(path: Path, experiment: Any) -> None:
    """The rows of the validation part: of series those between the cuts, of groups all rows of each."""
    rows, data, part = read_table(experiment.data.source, Path()), experiment.data, experiment.dataset.validation
    group = getattr(data, "group", None)
    if data.type_name() == "series":
        chosen = list(range(4800, 5400))
    elif group is not None and data.task.type_name() == "forecasting":
        names = rows.column(group)
        blocks = {name: [i for i in range(len(rows)) if names[i] == name] for name in dict.fromkeys(names)}
        chosen = [i for block in blocks.values() for i in block[len(block) * 8 // 10 : len(block) * 9 // 10]]
    elif group is not None:
        names = rows.column(group)
        held = {names[i] for i in part.rows.tolist()}
        chosen = [i for i in range(len(rows)) if names[i] in held]
    else:
        chosen = part.rows.tolist()
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.columns)
        writer.writerows([rows.columns[name][i] for name in rows.columns] for i in chosen)
