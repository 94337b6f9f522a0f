"""From a file to answers with three commands, for tasks that no shipped experiment has."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl.cli.main import main

MODEL = """
    - {type: Embedding, units: 6}
    - {type: GRU, units: 8, inputs: {x: embedding, lengths: lengths}}
    - {type: Last, inputs: {x: gru, lengths: lengths}}
    - {type: Dense, units: "${data.%s}"}
"""
TEXTS = ["a" * (1 + i % 3) + "b" * (i % 2) for i in range(120)]


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["predict", *words]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def measured(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def write(path: Path, headings: str, rows: list[tuple[Any, ...]]) -> None:
    path.write_text("\n".join([headings, *(",".join(map(str, row)) for row in rows)]) + "\n")


def train(folder: Path, name: str, data: str, loss: str, facts: str, *changes: str) -> None:
    (folder / f"{name}.yaml").write_text(
        f"name: {name}\ndata: {data}\nmodel:\n  layers:{MODEL % facts}loss: {{type: {loss}}}\n"
        "optimizer: {type: Adam, lr: 0.03}\ntrain: {epochs: 12}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", f"{name}.yaml", *changes]) == 0


def test_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = [";".join(["long"] * (len(t) > 2) + ["b"] * t.endswith("b")) for t in TEXTS]
    write(tmp_path / "t.csv", "text,kinds", list(zip(TEXTS, kinds, strict=True)))
    data = "{type: table, source: t.csv, batch_size: 8, task: {type: labels, text: text, labels: kinds}}"
    train(tmp_path, "labels", data, "SigmoidCE", "classes")
    rows = answers(capsys, "labels", "--data", "t.csv", "--proba")
    assert list(rows[0]) == ["text", "kinds", "prediction", "probability", "probability:b", "probability:long"]
    right = [set(r["prediction"].split(";")) ^ set(r["kinds"].split(";")) == set() for r in rows]
    assert np.mean(right) > 0.95
    report = measured(capsys, "labels", "--data", "t.csv")
    assert report["data/accuracy"] > 0.95
    assert report["data/classes"]["long"]["support"] == sum("long" in kind for kind in kinds)


def test_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "t.csv", "text,price,mass", [(t, 1000 + 50 * len(t), 2.5 * t.count("b")) for t in TEXTS])
    data = "{type: table, source: t.csv, batch_size: 8, task: {type: regression, text: text, predict: [price, mass]}}"
    train(tmp_path, "prices", data, "MSE", "outputs")
    rows = answers(capsys, "prices", "--data", "t.csv")
    assert list(rows[0]) == ["text", "price", "mass", "prediction:price", "prediction:mass"]
    errors = [abs(float(r["prediction:price"]) - float(r["price"])) for r in rows]
    report = measured(capsys, "prices", "--data", "t.csv")
    assert np.mean(errors) == pytest.approx(report["data/numbers"]["price"]["mae"], rel=1e-4)
    assert np.mean(errors) < 15


def test_a_weight_of_0_is_not_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every third row says the contrary and weighs nothing; the loss names no weights."""
    monkeypatch.chdir(tmp_path)
    rows = [(t, "yes" if t.endswith("b") != (i % 3 == 0) else "no", int(i % 3 > 0)) for i, t in enumerate(TEXTS)]
    write(tmp_path / "t.csv", "text,kind,w", rows)
    task = "task: {type: classification, text: text, label: kind}"
    train(tmp_path, "w", f"{{type: table, source: t.csv, weight: w, batch_size: 8, {task}}}", "SoftmaxCE", "classes")
    found = answers(capsys, "w", "--data", "t.csv")
    assert np.mean([(r["prediction"] == "yes") == r["text"].endswith("b") for r in found]) > 0.95


def test_paths_of_groups_go_on_beyond_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two waves at two levels, mixed in the file: each goes on as itself, in its own units, for twice the path."""
    monkeypatch.chdir(tmp_path)
    level = {"low": 0.0, "high": 100.0}
    value = {(g, t): level[g] + 10 * np.sin(2 * np.pi * t / 8) for g in level for t in range(120)}
    write(
        tmp_path / "t.csv", "g,t,v", [(g, t, round(v, 6)) for (g, t), v in sorted(value.items(), key=lambda i: i[0][1])]
    )
    (tmp_path / "waves.yaml").write_text(
        "data: {type: table, source: t.csv, group: g, time: t, batch_size: 16,\n"
        "  task: {type: forecasting, columns: [v], window: 8, path: 4}}\n"
        'model: {layers: [{type: GRU, units: 16}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: MSE}\noptimizer: {type: Adam, lr: 0.02}\ntrain: {epochs: 30}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "waves.yaml"]) == 0
    rows = answers(capsys, "waves", "--data", "t.csv", "--ahead", "8")[-16:]
    assert [(r["g"], r["t"]) for r in rows] == [(g, str(t)) for g in ("low", "high") for t in range(120, 128)]
    errors = [abs(float(r["prediction"]) - level[r["g"]] - 10 * np.sin(2 * np.pi * int(r["t"]) / 8)) for r in rows]
    assert max(errors) < 5


def test_what_must_be_known_ahead_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(t, 20 * (t % 4 == 0) + t % 2, int(t % 4 == 0)) for t in range(100)]
    write(tmp_path / "t.csv", "t,v,holiday", rows)
    (tmp_path / "k.yaml").write_text(
        "data: {type: table, source: t.csv, time: t,\n"
        "  task: {type: forecasting, columns: [v], known: [holiday], window: 4, horizon: 2}}\n"
        'model: {layers: [{type: GRU, units: 8}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: MSE}\ntrain: {epochs: 1}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "k.yaml"]) == 0
    assert main(["predict", "k", "--data", "t.csv", "--ahead", "2"]) == 3
    assert "has to know holiday: add rows with these" in capsys.readouterr().err
    write(tmp_path / "more.csv", "t,v,holiday", [*rows, (100, "", 1), (101, "", 0)])
    assert all(row["prediction"] for row in answers(capsys, "k", "--data", "more.csv")[-2:])
