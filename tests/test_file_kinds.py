"""One table in files of every kind, and .gz of each, and in data frames: the same data set."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl.data import Classification, Dataset, Forecasting, Regression, Table, from_rows

TEXTS = [f"word{'é' * (i % 3)} {i % 5}" for i in range(30)]
PRICES = [1.5 * i + (i % 4) for i in range(30)]
KINDS = ["ham" if i % 3 else "spam" for i in range(30)]


def as_csv(delimiter: str = ",") -> bytes:
    rows = zip(TEXTS, PRICES, KINDS, strict=True)
    return "\n".join(["text,price,kind", *(f"{t},{p},{k}" for t, p, k in rows)]).replace(",", delimiter).encode()


def as_json_lines() -> bytes:
    rows = zip(TEXTS, PRICES, KINDS, strict=True)
    return "\n".join(json.dumps({"text": t, "price": p, "kind": k}) for t, p, k in rows).encode()


def columns() -> dict[str, list[Any]]:
    return {"text": TEXTS, "price": PRICES, "kind": KINDS}


def as_parquet() -> bytes:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(pa.table(columns()), file)
    return file.getvalue()


def as_arrow() -> bytes:
    pa, feather = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.feather")
    file = io.BytesIO()
    feather.write_feather(pa.table(columns()), file)
    return file.getvalue()


WRITTEN: dict[str, Callable[[], bytes]] = {
    "t.csv": as_csv,
    "semicolons.csv": lambda: as_csv(";"),
    "t.tsv": lambda: as_csv("\t"),
    "t.jsonl": as_json_lines,
    "t.parquet": as_parquet,
    "t.arrow": as_arrow,
}


def expected(tmp_path: Path, task: Any) -> Dataset:
    (tmp_path / "as.csv").write_bytes(as_csv())
    return Table("as.csv", task, batch_size=8).load(tmp_path)


def same(found: Dataset, wanted: Dataset) -> None:
    assert found.facts == wanted.facts
    for step in range(3):
        for name, array in wanted.train.batch(step).inputs.items():
            np.testing.assert_array_equal(found.train.batch(step).inputs[name], array)


TASKS = [Classification("text", label="kind"), Regression("text", predict=("price",)), Forecasting(("price",), 2)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", WRITTEN)
def test_files(tmp_path: Path, name: str, packed: bool) -> None:
    raw = WRITTEN[name]()
    (tmp_path / (name + packed * ".gz")).write_bytes(gzip.compress(raw) if packed else raw)
    for task in TASKS[:2]:
        same(Table(name + packed * ".gz", task, batch_size=8).load(tmp_path), expected(tmp_path, task))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.type_name())
@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "pyarrow", "columns", "mappings"])
def test_frames(tmp_path: Path, kind: str, task: Any) -> None:
    wanted = expected(tmp_path, task) if not isinstance(task, Forecasting) else None
    given: Any = columns()
    if kind == "pandas":
        given = pytest.importorskip("pandas").DataFrame(given)
    elif kind in ("polars", "lazy"):
        pytest.importorskip("narwhals")
        given = pytest.importorskip("polars").DataFrame(given)
        given = given.lazy() if kind == "lazy" else given
    elif kind == "pyarrow":
        given = pytest.importorskip("pyarrow").table(given)
    elif kind == "mappings":
        given = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    if wanted is None:
        assert from_rows(given, task, split=(0.6, 0.2, 0.2)).facts["features"] == 1
    else:
        same(from_rows(given, task, batch_size=8), wanted)


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("x.ts", "@classLabel true a b\n@data\n1,2,3:a\n4,5,6:b\n", 6),
        ("x.arff", "@attribute a numeric\n@data\n1,2,b\n3,4,c\n", 4),
        ("x.conll", "Ada B-PER\nsleeps O\n\nRain O\n", 2),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_texts(tmp_path: Path, name: str, text: str, count: int, packed: bool) -> None:
    from minidl.data.sources.table_file import read_table

    raw = text.encode()
    (tmp_path / (name + packed * ".gz")).write_bytes(gzip.compress(raw) if packed else raw)
    assert len(read_table(name + packed * ".gz", tmp_path)) == count


def test_cells_that_say_nothing() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"v": pandas.array([1, None, 3, 4, 5, 6] * 4, dtype="Int64")})
    dataset = from_rows(frame, Forecasting(("v",), 2), split=(0.6, 0.2, 0.2), missing="mask")
    assert dataset.facts["features"] == 2
