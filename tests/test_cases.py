"""Small inputs on which minidl once failed: each stands for a kind of file that people have."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl.cli.main import main
from minidl.data import Classification, Dataset, Forecasting, Split, Table, Task, Text, split_words
from minidl.data.sources.csv_file import find_delimiter, read_rows
from minidl.system.errors import ConfigError, DataError

TEXTS = [("fine quick kind", "good"), ("late wet dark", "bad")]
WORDS = Classification("text", label="label", tokens="word")
TEMPERATURE = Forecasting(("temp",), window=4)


def load(tmp_path: Path, content: str | bytes, task: Task, name: str = "data.csv", **options: Any) -> Dataset:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return Table(name, task, **options).load(tmp_path)


def texts(delimiter: str = ",", count: int = 40, head: str = "text{}label", tail: str = "") -> str:
    rows = [f"{TEXTS[i % 2][0]}{delimiter}{TEXTS[i % 2][1]}{tail}" for i in range(count)]
    return "\n".join([head.format(delimiter) + tail, *rows]) + "\n"


def waves(count: int = 80) -> list[str]:
    return [f"{20 + 5 * np.sin(i / 3):.2f}" for i in range(count)]


# Columns that do not vary, and numbers too large


@pytest.mark.parametrize("constant", ["0.1", "1", "1013.25", "0.30000000000000004", "-7e-9"])
def test_a_column_that_does_not_vary_is_refused_by_name(tmp_path: Path, constant: str) -> None:
    content = "temp,valve\n" + "".join(f"{x},{constant}\n" for x in waves())
    with pytest.raises(DataError, match="column 'valve' is the same in all rows of the training part"):
        load(tmp_path, content, Forecasting(("temp", "valve"), window=4))


@pytest.mark.parametrize("cell", ["1e200", "1e308", "-1e308", "1e-320"])
@pytest.mark.parametrize("row", [3, 75])
def test_a_number_that_no_scale_holds_is_refused_by_name(tmp_path: Path, cell: str, row: int) -> None:
    cells = waves()
    cells[row] = cell
    with pytest.raises(DataError, match=rf"data\.csv:{row + 2}: column 'temp' has {cell}, too (large|small)"):
        load(tmp_path, "temp\n" + "\n".join(cells), TEMPERATURE)


# Cells and rows of any length


def test_a_cell_may_be_longer_than_a_page(tmp_path: Path) -> None:
    content = texts() + " ".join(["fine"] * 40_000) + ",good\n"
    assert load(tmp_path, content, WORDS).facts["vocab_size"] == 7


def test_max_length_cuts_and_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "minidl")
    dataset = load(tmp_path, texts() + "dark " * 500 + ",bad\n", WORDS, max_length=10, shuffle=False, split=(1, 0, 0))
    assert int(dataset.train.batch(1).inputs["lengths"].max()) == 10
    assert "1 sequences are longer than max_length 10 and are cut" in caplog.text


def test_the_estimate_is_of_the_longest_batch(tmp_path: Path) -> None:
    dataset = load(tmp_path, texts() + "dark" + " dark" * 4999 + ",bad\n", WORDS, shuffle=False, split=(1, 0, 0))
    assert dataset.train.batch(0).inputs["ids"].shape[0] == 3
    assert dataset.train.longest()["ids"].shape[0] == 5000
    assert dataset.places is not None
    assert dataset.places[1][40] == 42


# Words of every script


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी में लिखना आसान है", 5),
        ("தமிழ் மொழி", 2),
        ("ภาษาไทยง่าย", 1),
        ("שָׁלוֹם עולם", 2),
        ("مُحَمَّد كتب", 2),
        ("tie\u0302\u0301ng Vie\u0323\u0302t cafe\u0301", 3),
        ("می\u200cخواهم رفت", 2),
    ],
)
def test_combining_marks_belong_to_their_letter(text: str, words: int) -> None:
    found = split_words(text)
    assert found == text.split()
    assert len(found) == words


def test_normalised_texts_have_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cafe\u0301 " * 200 + "caf\u00e9 " * 200)
    options: Any = {"tokens": "word", "batch_size": 2, "seq_len": 4}
    assert Text("a.txt", **options).load(tmp_path).facts["vocab_size"] == 3
    assert Text("a.txt", normalise="NFC", **options).load(tmp_path).facts["vocab_size"] == 2
    assert "caf\u00e9" in Text("a.txt", normalise="NFC", **options).load(tmp_path).vocabulary.symbols  # type: ignore[union-attr]


# Rare classes


@pytest.mark.parametrize("seed", range(20))
def test_every_part_has_its_share_of_a_rare_class(tmp_path: Path, seed: int) -> None:
    content = "text,label\n" + "fine,good\n" * 190 + "dark,bad\n" * 10
    dataset = load(tmp_path, content, WORDS, seed=seed, batch_size=500)
    parts = [dataset.train, dataset.validation, dataset.test]
    counts = [np.bincount(part.batch(0).inputs["targets"]).tolist() for part in parts if part is not None]
    assert counts == [[8, 152], [1, 19], [1, 19]]


def test_a_class_too_rare_for_all_parts_is_told_and_learnt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "minidl")
    dataset = load(tmp_path, texts() + "odd,strange\n", WORDS)
    assert dataset.metadata["class_counts"][2] == 1
    assert "in the training part alone, and are not measured: 'strange' (1 row)" in caplog.text


# Series: paths, groups, time, gaps


def test_a_path_has_all_steps(tmp_path: Path) -> None:
    dataset = load(
        tmp_path, "temp\n" + "\n".join(waves()), Forecasting(("temp",), window=8, path=4), split=(0.6, 0.2, 0.2)
    )
    inputs = dataset.train.batch(0).inputs
    assert inputs["targets"].shape == (32, 4)
    assert dataset.reader.headings() == [f"prediction:+{step}" for step in range(1, 5)]
    with pytest.raises(ConfigError, match="either horizon"):
        Forecasting(("temp",), window=8, path=4, horizon=2)
    with pytest.raises(ConfigError, match="all rows up to it are path: 4, got"):
        Forecasting(("temp",), window=8, horizon=[1, 2, 3, 4])  # type: ignore[arg-type]


def test_quantiles_are_told_by_column_and_share(tmp_path: Path) -> None:
    task = Forecasting(("temp",), window=8, quantiles=(0.1, 0.5, 0.9))
    dataset = load(tmp_path, "temp\n" + "\n".join(waves(150)), task)
    assert dataset.facts["outputs"] == 3
    answers = dataset.reader.decode(np.array([[-1.0, 0.0, 1.0]]), dataset.train, np.array([0]))
    assert list(answers) == ["prediction:temp:0.1", "prediction:temp:0.5", "prediction:temp:0.9"]
    scale = dataset.reader.outputs
    assert answers["prediction:temp:0.9"] == pytest.approx([scale.mean[0] + scale.deviation[0]])


def two_shops(mixed: bool = False) -> str:
    rows = [(shop, day, base + day % 7) for shop, base in (("A", 10), ("B", 900)) for day in range(60)]
    order = sorted(rows, key=lambda row: (row[1], row[0])) if mixed else rows
    return "shop,day,temp\n" + "".join(f"{shop},{day},{value}\n" for shop, day, value in order)


@pytest.mark.parametrize("mixed", [False, True])
def test_no_window_crosses_two_groups(tmp_path: Path, mixed: bool) -> None:
    task = Forecasting(("temp",), window=4)
    dataset = load(tmp_path, two_shops(mixed), task, group="shop", split=(0.6, 0.2, 0.2), batch_size=500)
    for part in (dataset.train, dataset.validation, dataset.test):
        assert part is not None
        inputs = part.batch(0).inputs
        values = np.concatenate([inputs["x"][..., 0], inputs["targets"].T])
        assert (np.ptp(values, axis=0) < 0.1).all()
        assert values.min() < 0 < values.max()  # each part has both shops


def test_whole_groups_are_held_out(tmp_path: Path) -> None:
    content = "shop,temp\n" + "".join(f"{shop},{10 * k + i % 7}\n" for k, shop in enumerate("ABCDE") for i in range(20))
    task = Forecasting(("temp",), window=4)
    dataset = load(tmp_path, content, task, group="shop", split=Split("group", (0.6, 0.2, 0.2)))
    rows = [set((part.rows // 20).tolist()) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sorted(map(len, rows)) == [1, 1, 3]
    assert set.union(*rows) == set(range(5))


def test_rows_are_put_in_the_order_of_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "minidl")
    days = [f"2020-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(112) if i != 50]
    rows = [f"{day},{i}" for i, day in enumerate(days)]
    rows[3], rows[4] = rows[4], rows[3]
    dataset = load(tmp_path, "day,temp\n" + "\n".join([*rows, rows[-1]]), TEMPERATURE, time="day", shuffle=False)
    x = dataset.train.batch(0).inputs["x"][..., 0]
    assert (np.diff(x, axis=0) > 0).all()
    assert "2 rows were not in the order of 'day', and were sorted" in caplog.text
    assert "1 rows stand for the same 'day'" in caplog.text
    assert "gaps in 'day', the first after line" in caplog.text


def gaps(empty: str) -> str:
    cells = waves(120)
    cells[20] = cells[21] = cells[90] = empty
    return "t,temp\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))


@pytest.mark.parametrize("empty", ["", "NA", "NaN", "null"])
def test_empty_cells_are_an_error_unless_something_is_said(tmp_path: Path, empty: str) -> None:
    with pytest.raises(DataError, match=r"data\.csv:22: column 'temp' has '.*say with missing \(drop, fill or mask\)"):
        load(tmp_path, gaps(empty), TEMPERATURE)
    for missing in ("drop", "fill", "mask"):
        dataset = load(tmp_path, gaps(empty), TEMPERATURE, missing=missing, batch_size=500, shuffle=False)
        inputs = dataset.train.batch(0).inputs
        assert np.isfinite(inputs["x"]).all()
        assert np.isfinite(inputs["targets"]).all()
        assert inputs["x"].shape[-1] == (2 if missing == "mask" else 1)


def test_a_mask_says_where_a_cell_was_empty(tmp_path: Path) -> None:
    dataset = load(tmp_path, gaps(""), TEMPERATURE, missing="mask", batch_size=500, shuffle=False)
    x = dataset.train.batch(0).inputs["x"]
    assert (x[x[..., 1] == 0] == 0).all()
    assert (x[..., 1] == 0).sum() == 11  # in four windows each, but for the one whose target is empty


# Dialects of CSV


def test_a_decimal_comma_is_found(tmp_path: Path) -> None:
    content = "Datum;temp\n" + "".join(
        f"2019-06-{1 + i // 24:02d};{x.replace('.', ',')}\n" for i, x in enumerate(waves())
    )
    scale = load(tmp_path, content, TEMPERATURE).reader.inputs
    assert 19 < scale.mean[0] < 21
    assert load(tmp_path, content, TEMPERATURE, decimal=",", delimiter=";").reader.inputs == scale
    with pytest.raises(DataError, match=r"data\.csv:82: column 'temp' has '', .* say with missing"):
        load(tmp_path, content + "2019-06-30;\n", TEMPERATURE)


@pytest.mark.parametrize("other", ["-0,250", "12,5", ",75"])
def test_a_column_that_may_be_of_thousands_is_read_as_the_others_are(tmp_path: Path, other: str) -> None:
    """20,125 is a fraction where another column has fractions with a comma; alone both ways are told."""
    content = "t;temp\n" + "".join(f"{other};20,{i:03d}\n" for i in range(100, 180))
    assert load(tmp_path, content, TEMPERATURE).reader.inputs.mean[0] < 21
    with pytest.raises(DataError, match=r"'20,100', which may be a fraction, as decimal: ',' would say, or thousands"):
        load(tmp_path, content.replace(other, "7"), TEMPERATURE)
    with pytest.raises(DataError, match="which is no finite number"):
        load(tmp_path, content.replace("20,150", "20.5"), TEMPERATURE)


def test_signs_between_thousands_are_told(tmp_path: Path) -> None:
    content = "t,temp\n" + "".join(f'{i},"20,{i:03d}.00"\n' for i in range(80))
    with pytest.raises(DataError, match=r"column 'temp' has '20,000\.00'.* write it without signs"):
        load(tmp_path, content, TEMPERATURE)


@pytest.mark.parametrize("head", [",text{}label,", "text{}label,score,score"])
def test_headers_that_nobody_asks_for_do_not_matter(tmp_path: Path, head: str) -> None:
    cells = [f"{i},{TEXTS[i % 2][0]},{TEXTS[i % 2][1]}," for i in range(40)]
    twin = [f"{TEXTS[i % 2][0]},{TEXTS[i % 2][1]},1,2" for i in range(40)]
    rows = cells if head.startswith(",") else twin
    assert load(tmp_path, "\n".join([head.format(","), *rows]), WORDS).facts["classes"] == 2
    with pytest.raises(DataError, match=r"two columns are named 'a'"):
        read_rows("a,a\n1,2\n", "x.csv", wanted=["a"])


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_lists_in_columns_that_nobody_asks_for_do_not_matter(tmp_path: Path, ending: str) -> None:
    rows = [{"text": text, "label": label, "more": [{"é": 1}]} for text, label in TEXTS * 20]
    if ending == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data.parquet")
    else:
        (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = Table(f"data{ending}", WORDS)
    assert table.load(tmp_path).facts["classes"] == 2
    assert json.loads(table.rows(table.source, tmp_path).column("more")[3]) == [{"é": 1}]
    with pytest.raises(DataError, match=r"'more' holds .*: a cell is a text"):
        Table(f"data{ending}", Classification("more", label="label")).load(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    assert find_delimiter(texts(delimiter)) == delimiter
    assert load(tmp_path, texts(delimiter), WORDS).facts["classes"] == 2
    assert load(tmp_path, f"sep={delimiter}\n{texts(delimiter)}", WORDS).facts["classes"] == 2


def test_a_tab_may_be_written_in_several_ways(tmp_path: Path) -> None:
    for written in ("\t", "\\t", "tab"):
        assert load(tmp_path, texts("\t"), WORDS, delimiter=written).facts["classes"] == 2
    with pytest.raises(DataError, match="is ';' the delimiter"):
        load(tmp_path, texts(";"), WORDS, delimiter=",")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_that_are_noticed(tmp_path: Path, encoding: str) -> None:
    assert load(tmp_path, texts().encode(encoding), WORDS).facts["classes"] == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_outranks_the_encoding_that_is_named(tmp_path: Path, encoding: str) -> None:
    """A model that was trained on a table in latin-1 is asked about one that says that it is in UTF-16."""
    assert load(tmp_path, texts().encode(encoding), WORDS, encoding="latin-1").facts["classes"] == 2


def test_an_encoding_that_is_named(tmp_path: Path) -> None:
    content = texts().replace("fine", "f\u00efne").encode("latin-1")
    vocabulary = load(tmp_path, content, WORDS, encoding="latin-1").vocabulary
    assert vocabulary is not None
    assert "f\u00efne" in vocabulary.symbols
    with pytest.raises(DataError, match=r"line 2: byte 0xef .* encoding: latin-1"):
        load(tmp_path, content, WORDS)


# Experiment files


def test_a_merge_key_is_no_yaml_1_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text("name: m\ndata: &d {type: text, source: pydoc_topics}\nmodel: {<<: *d}\n")
    assert main(["run", str(tmp_path / "m.yaml"), "--dry-run"]) == 2
    assert "'<<' is not YAML 1.2: use extends or ${...}" in capsys.readouterr().err


def test_a_network_too_large_is_refused_before_its_weights_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minidl.engine.memory_limit.available_memory", lambda: 1 << 28)
    (tmp_path / "big.yaml").write_text(
        "data: {type: text, source: pydoc_topics}\nmodel: {layers: [{type: OneHot}, {type: GRU, units: 2000}, "
        '{type: Dense, units: "${data.vocab_size}"}]}\nloss: {type: SoftmaxCE}\ntrain: {steps: 1}\n'
    )
    assert main(["run", str(tmp_path / "big.yaml"), "--runs", str(tmp_path / "runs")]) == 2
    assert "the arrays of this model take" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
