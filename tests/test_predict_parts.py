"""Answers about a file in parts are those about the file as a whole, and nothing more than a part is in memory."""

from __future__ import annotations

import io
import itertools
import logging
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidl import Predictor
from minidl.experiment import read_experiment
from minidl.predictor.writing import write
from minidl.system.errors import DataError

CLASSIFIER = """
    - {type: GRU, units: 3, inputs: [x, lengths]}
    - {type: Last, inputs: [gru, lengths]}
    - {type: Dense, units: "${data.classes}"}
loss: {type: SoftmaxCE}"""
FORECASTER = """
    - {type: GRU, units: 3}
    - {type: Last}
    - {type: Dense, units: "${data.outputs}"}
loss: {type: MSE}"""
KINDS = {
    "groups": (
        "type: table, group: shop, task: {type: classification, columns: [sales, price], label: kind}",
        CLASSIFIER,
    ),
    "groups in time": (
        "type: table, group: shop, time: t, task: {type: classification, columns: [sales], label: kind}",
        CLASSIFIER,
    ),
    "path": (
        "type: table, group: shop, time: t, task: {type: forecasting, columns: [sales, price], window: 3, path: 2}",
        FORECASTER,
    ),
    "known": (
        "type: table, group: shop, task: {type: forecasting, columns: [sales], known: [price], window: 2, horizon: 3}",
        FORECASTER,
    ),
    "one series": ("type: table, time: t, task: {type: forecasting, columns: [sales], window: 4}", FORECASTER),
    "stream": (
        "type: series, columns: [sales], predict: [price], horizon: 2, batch_size: 2, seq_len: 5",
        """
    - {type: GRU, units: 3}
    - {type: Dense, units: "${data.outputs}"}
loss: {type: MSE}""",
    ),
}
for way in ("drop", "fill", "mask"):
    data, network = KINDS["path"]
    KINDS[f"path, {way}"] = (data.replace("time: t,", f"time: t, missing: {way},"), network)


def table(lengths: list[int], gaps: set[int] = frozenset(), seed: int = 0) -> str:  # type: ignore[assignment]
    """Shops one after the other; sales are empty in some rows."""
    rng, rows = np.random.default_rng(seed), ["shop,t,sales,price,kind"]
    for shop, length in enumerate(lengths):
        for t in range(length):
            sales = "" if len(rows) in gaps else f"{rng.normal():.3f}"
            rows.append(f"s{shop},{t},{sales},{rng.normal():.3f},{'ab'[shop % 2]}")
    return "\n".join(rows) + "\n"


def predictor(folder: Path, kind: str) -> Predictor:
    """Of an untrained model, which answers as well as any."""
    section, layers = KINDS[kind]
    (folder / "train.csv").write_text(table([60] * 12, seed=1))
    (folder / "e.yaml").write_text(
        f"data: {{source: train.csv, {section}}}\nmodel:\n  layers:{layers}\ntrain: {{steps: 1}}\n"
    )
    found = read_experiment(folder / "e.yaml")
    found.model.metadata = {**found.dataset.metadata, "data": found.resolved()["data"]}
    return Predictor(found.model)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Predictor]:
    found: dict[str, Predictor] = {}

    def ask(kind: str) -> Predictor:
        if kind not in found:
            found[kind] = predictor(tmp_path_factory.mktemp("run"), kind)
        return found[kind]

    return ask


def answers(model: Predictor, file: Path, rows: int, ahead: int = 0) -> list[list[Any]]:
    """What `minidl predict` writes, when so many rows are read at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidl.predictor.predictor.CELLS", 20 * rows)
        out = io.StringIO()
        try:
            write(model.file(str(file), ahead=ahead), out, as_json=False)
        except DataError:  # gaps, and no window between them
            return [["too few"]]
    return [[_number(cell) for cell in line.split(",")] for line in out.getvalue().splitlines()]


def _number(cell: str) -> Any:
    try:
        return pytest.approx(float(cell), rel=1e-4, abs=1e-5)
    except ValueError:
        return cell


def _plain(found: list[list[Any]]) -> list[list[Any]]:
    return [[getattr(cell, "expected", cell) for cell in row] for row in found]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6).filter(lambda found: max(found) > 7),
    gaps=st.sets(st.integers(1, 40), max_size=8),
    rows=st.integers(1, 9),
    mixed=st.booleans(),
)
def test_parts_are_answered_as_the_whole_file(
    asked: Callable[[str], Predictor],
    tmp_path: Path,
    kind: str,
    lengths: list[int],
    gaps: set[int],
    rows: int,
    mixed: bool,
) -> None:
    model, file = asked(kind), tmp_path / "new.csv"
    head, *lines = table(lengths, gaps if "," in kind else set()).splitlines()
    if mixed:
        lines.sort(key=lambda line: int(line.split(",")[1]))
    file.write_text("\n".join([head, *lines]) + "\n")
    ahead = 2 if kind in ("path", "stream") or (kind == "one series" and len(lengths) == 1) else 0
    whole = answers(model, file, 1000, ahead)
    assert _plain(answers(model, file, rows, ahead)) == whole


def test_rows_that_are_not_together_are_told_and_answered_as_a_whole(
    asked: Callable[[str], Predictor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "minidl")
    head, *rows = table([9, 9]).splitlines()
    file = tmp_path / "new.csv"
    file.write_text("\n".join([head, *itertools.chain(*zip(rows[:9], rows[9:], strict=True))]) + "\n")
    whole = answers(asked("groups"), file, 1000)
    assert "do not follow one another" not in caplog.text
    assert _plain(answers(asked("groups"), file, 4)) == whole
    assert "new.csv:4: rows of a series do not follow one another here" in caplog.text


def test_rows_out_of_the_order_of_time_are_told(
    asked: Callable[[str], Predictor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "minidl")
    head, *rows = table([9, 9]).splitlines()
    (tmp_path / "new.csv").write_text("\n".join([head, *rows[:7], rows[8], rows[7], *rows[9:]]) + "\n")
    whole = answers(asked("path"), tmp_path / "new.csv", 1000)
    assert _plain(answers(asked("path"), tmp_path / "new.csv", 4)) == whole
    assert "new.csv:10: rows of a series do not follow one another here" in caplog.text


@pytest.mark.parametrize("kind", ["path", "groups"])
def test_a_longer_file_takes_no_more_memory(
    asked: Callable[[str], Predictor], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minidl.predictor.predictor.CELLS", 20 * 50)
    peaks = []
    for shops in (2, 2, 5):  # the first time much is imported
        wide = [line + "," + "n" * 300 for line in table([150] * shops).splitlines()]
        (tmp_path / "new.csv").write_text("\n".join(wide))
        tracemalloc.start()
        for _ in asked(kind).file(str(tmp_path / "new.csv")):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


def test_a_predictor_says_what_it_is(asked: Callable[[str], Predictor]) -> None:
    shown = repr(asked(next(iter(KINDS))))
    assert re.fullmatch(r"<Predictor: \w+Reader( of \d+ classes)?, <Model .*>>", shown)
