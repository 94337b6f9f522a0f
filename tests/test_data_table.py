"""Tables: a CSV file read with the place of every fault, and its rows as padded sequences or windows in time."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import ArraySpec, Classification, Data, Dataset, Forecasting, Table, Tagging, Task
from minidl.data.independent import Independent
from minidl.data.padded import PaddedBatches
from minidl.data.sources.columns import TextColumn
from minidl.data.sources.csv_file import read_rows
from minidl.data.sources.examples import lorenz, python_tokens, tag_lines, unicode_names
from minidl.data.tasks.windows import Windows
from minidl.system.errors import ConfigError, DataError, UsageError

FIRST_TEXTS = ["an apple", "a pear", "plum", "two figs", "kiwi", "grapes", "one nut", "a bean"]


def table(tmp_path: Path, text: str, task: Task, **options: Any) -> Dataset:
    (tmp_path / "table.csv").write_text(text)
    return Table("table.csv", task, **options).load(tmp_path)


def fruit(count: int = 40, delimiter: str = ",") -> str:
    lines = [f"{FIRST_TEXTS[i % 8]}{'!' * (i % 3)}{delimiter}{'nuts' if i % 8 > 5 else 'fruit'}" for i in range(count)]
    return "\n".join([f"text{delimiter}kind", *lines])


def epoch_of(batches: Any, epoch: int = 0) -> Iterator[dict[str, Any]]:
    first = epoch * batches.steps_per_epoch
    return (batches.batch(step).inputs for step in range(first, first + batches.steps_per_epoch))


# Rows

cells = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    header = draw(st.lists(cells, min_size=1, max_size=4, unique=True))
    rows = draw(st.lists(st.lists(cells, min_size=len(header), max_size=len(header)), min_size=1, max_size=6))
    return header, rows


@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
def test_what_csv_writes_is_read_back(content: tuple[list[str], list[list[str]]], delimiter: str, end: str) -> None:
    header, rows = content
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    lines = []
    for row in rows:
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    found = read_rows(text.getvalue(), "x.csv", delimiter)
    assert list(found.columns) == header
    assert [list(row) for row in zip(*found.columns.values(), strict=True)] == rows
    assert list(found.lines) == lines


@given(st.text(st.sampled_from('ab",\n\r; '), max_size=30))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_table_or_a_data_error(text: str) -> None:
    try:
        rows = read_rows(text, "x.csv")
    except DataError:
        return
    assert len(rows) > 0
    assert {len(column) for column in rows.columns.values()} <= {len(rows)}
    assert list(rows.lines) == sorted(set(rows.lines))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
@settings(deadline=None)
def test_numbers_are_read_to_the_bit(values: list[float]) -> None:
    rows = read_rows("a,b\n" + "".join(f"{value!r}, {value:g}\n" for value in values), "x.csv")
    assert rows.numbers(["a"])[:, 0].tolist() == values
    assert rows.numbers(["b", "a"]).shape == (len(values), 2)


@pytest.mark.parametrize("cell", ["one", "1,5,0", "-inf", "1e999", "1_000", "0x1", "1 2"])
def test_a_cell_that_is_no_number(cell: str) -> None:
    rows = read_rows(f'x;y\n1;2\n\n3;"{cell}"\n', "series.csv", ";")
    with pytest.raises(DataError) as caught:
        rows.numbers(["x", "y"])
    assert str(caught.value) == f"series.csv:4: column 'y' has {cell!r}, which is no finite number"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "^x.csv is empty"),
        ("a,b\n\n\n", r"^x.csv has no rows below its header \(a, b\)"),
        ("a,b\n1,2\n3\n", r"^x.csv:3: cells in this row: 1, columns in the first: 2 \(a, b\); is ',' the delimiter"),
        ("a,b\n1,2,3\n", "^x.csv:2: cells in this row: 3"),
        ('a,b\n1,2\n"3,4\n5,6\n', "^x.csv:3: unexpected end of data in the row that begins here"),
        ('a,b\n"1"x,2\n', "^x.csv:2: .* expected after"),
    ],
)
def test_what_is_no_table(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_rows(text, "x.csv")


def test_a_row_is_found_where_it_begins() -> None:
    rows = read_rows('a,b\n"1\n2",3\n\n4,5\n', "x.csv")
    assert list(rows.lines) == [2, 5]
    assert str(rows.error(1, "no")) == "x.csv:5: no"


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"table\.csv:1: there is no column 'txt'; did you mean 'text'\? \(columns: tex"
    ):
        table(tmp_path, fruit(), Classification("txt", label="kind"))
    with pytest.raises(DataError, match=r"there is no column 'kin'; did you mean 'kind'"):
        table(tmp_path, fruit(), Classification("text", label="kin"))


# Padded batches


def sequences(count: int) -> list[Any]:
    """Sequence i holds the number i, 1 to 5 times."""
    return [np.full(1 + i * 7 % 5, i) for i in range(count)]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 3), st.booleans(), st.integers(0, 2))
@settings(deadline=None)
def test_every_sequence_once_an_epoch(count: int, batch_size: int, seed: int, shuffle: bool, epoch: int) -> None:
    texts = sequences(count)
    tagged = PaddedBatches(texts, [text % 3 for text in texts], batch_size, seed, shuffle)
    classed = PaddedBatches(texts, np.arange(count) % 3, batch_size, seed, shuffle)
    seen = []
    for tags, classes in zip(epoch_of(tagged, epoch), epoch_of(classed, epoch), strict=True):
        ids, lengths = tags["ids"], tags["lengths"]
        assert ids.shape == tags["targets"].shape == (lengths.max(), len(lengths))
        inside = np.arange(len(ids))[:, None] < lengths
        assert np.all(ids[inside] % 3 == tags["targets"][inside])
        assert np.all(tags["targets"][~inside] == -1)
        assert np.all(ids[~inside] == 0)
        assert np.array_equal(classes["ids"], ids)
        assert np.array_equal(classes["targets"], ids[0] % 3)
        seen += ids[0].tolist()
    assert sorted(seen) == list(range(count))
    assert shuffle or seen == sorted(seen)


def test_a_batch_has_sequences_of_about_one_length() -> None:
    texts = [np.zeros(length, int) for length in range(1, 200)]
    batches = PaddedBatches(texts, np.zeros(199, int), batch_size=10)
    padded = sum(inputs["ids"].size for inputs in epoch_of(batches))
    assert padded < 1.2 * batches.lengths.sum()
    lengths = [inputs["lengths"].mean() for inputs in epoch_of(batches)]
    assert lengths != sorted(lengths)


def test_orders_of_epochs_are_found_by_step_alone() -> None:
    walked, jumped = (PaddedBatches(sequences(50), np.arange(50), 7, seed=3) for _ in range(2))
    steps = [walked.batch(step).inputs["targets"] for step in range(24)]
    for step in (23, 0, 9, 8):
        assert np.array_equal(jumped.batch(step).inputs["targets"], steps[step])
    assert not np.array_equal(steps[0], steps[8])
    assert all(batch.reset_state for batch in map(walked.batch, range(3)))


def test_speed_is_told_in_symbols() -> None:
    batches = PaddedBatches([np.zeros(4, int), np.zeros(8, int)] * 10, np.zeros(20, int), batch_size=5)
    assert batches.tokens_per_step == 30


def test_batches_have_a_size() -> None:
    with pytest.raises(UsageError, match="batch_size should be 1 or more, got 0"):
        PaddedBatches(sequences(3), np.arange(3), batch_size=0)


# Texts and their classes


def test_classification(tmp_path: Path) -> None:
    dataset = table(tmp_path, fruit(), Classification("text", label="kind"), batch_size=8)
    assert list(dataset.inputs) == ["ids", "lengths", "targets"]
    assert dataset.inputs["targets"] == ArraySpec("int", 2, ("B",))
    assert dataset.inputs["lengths"] == ArraySpec("int", None, ("B",))
    assert dataset.metadata["class_names"] == ["fruit", "nuts"]
    assert sum(dataset.metadata["class_counts"]) == 32
    assert dataset.facts["classes"] == 2
    assert dataset.facts["train_sequences"] == 32
    assert (dataset.unit, set(dataset.facts) <= set(Table.facts)) == ("step", True)
    vocabulary = dataset.vocabulary
    assert vocabulary is not None
    assert dataset.facts["vocab_size"] == len(vocabulary) == len(set("".join(FIRST_TEXTS)) | {"!"})
    expected = {line.split(",")[0]: line.split(",")[1] for line in fruit().splitlines()[1:]}
    rows = []
    for batches in (dataset.train, dataset.validation, dataset.test):
        for inputs in epoch_of(batches):
            for b, length in enumerate(inputs["lengths"]):
                text = vocabulary.decode(inputs["ids"][:length, b])
                assert dataset.metadata["class_names"][inputs["targets"][b]] == expected[text]
                rows.append(text)
    assert sorted(rows) == sorted(line.split(",")[0] for line in fruit().splitlines()[1:])


def test_words_beyond_those_of_training_are_unknown(tmp_path: Path) -> None:
    text = "text,kind\n" + "".join(f"the word w{i} again,{'ab'[i % 2]}\n" for i in range(20))
    task = Classification("text", label="kind", tokens="word", max_vocab=4)
    dataset = table(tmp_path, text, task, shuffle=False, batch_size=100)
    vocabulary = dataset.vocabulary
    assert vocabulary is not None
    assert vocabulary.symbols == ("again", "the", "word", "<unk>")
    assert dataset.validation is not None
    assert np.all(dataset.validation.batch(0).inputs["ids"] == np.array([[1], [2], [3], [0]]))
    every = table(tmp_path, text, Classification("text", label="kind", tokens="word"), shuffle=False)
    assert every.facts["vocab_size"] == 3 + 16 + 1  # those of the validation part are not known


def test_tagging_by_characters(tmp_path: Path) -> None:
    text = "word,tags\n" + "".join(f"{'ab' * (i % 4 + 1)},{'xy' * (i % 4 + 1)}\n" for i in range(20))
    dataset = table(tmp_path, text, Tagging("word", tags="tags"), batch_size=4)
    assert dataset.inputs["targets"] == ArraySpec("int", 2, ("T", "B"))
    for inputs in epoch_of(dataset.train):
        inside = inputs["targets"] >= 0
        assert np.array_equal(inputs["targets"][inside], inputs["ids"][inside])
        assert np.array_equal(inside.sum(axis=0), inputs["lengths"])
    assert dataset.train.tokens_per_step == round(dataset.facts["train_tokens"] / 16 * 4)


def test_tagging_by_words(tmp_path: Path) -> None:
    text = "s,t\n" + "the  cat's (tail),DET NOUN NOUN\nit runs,PRO VERB\n" * 5
    dataset = table(tmp_path, text, Tagging("s", tags="t", tokens="word"), shuffle=False, batch_size=2)
    assert dataset.metadata["class_names"] == ["DET", "NOUN", "PRO", "VERB"]
    vocabulary = dataset.vocabulary
    assert vocabulary is not None
    inputs = dataset.train.batch(0).inputs
    assert [vocabulary.symbols[i] for i in inputs["ids"][:, 0]] == ["the", "cat's", "(tail)"]
    assert inputs["targets"].tolist() == [[0, 2], [1, 3], [1, -1]]


def test_rows_are_drawn_for_the_parts_or_taken_in_order(tmp_path: Path) -> None:
    text = "text,kind\n" + "".join(f"{'x' * (i + 1)},{'ab'[i % 2]}\n" for i in range(20))
    task = Classification("text", label="kind")

    def lengths(**options: Any) -> list[list[int]]:
        dataset = table(tmp_path, text, task, split=(0.5, 0.25, 0.25), batch_size=20, **options)
        parts = (dataset.train, dataset.validation, dataset.test)
        return [part.batch(0).inputs["lengths"].tolist() for part in parts if part is not None]

    assert lengths(shuffle=False) == [list(range(1, 11)), list(range(11, 16)), list(range(16, 21))]
    drawn = lengths()
    assert sorted(chain.from_iterable(drawn)) == list(range(1, 21))
    assert drawn != lengths(shuffle=False)
    assert drawn == lengths()
    assert drawn != lengths(seed=1)
    assert drawn[1] == sorted(drawn[1])  # those for evaluation lie in the order of length


def test_parts_may_be_left_out(tmp_path: Path) -> None:
    dataset = table(tmp_path, fruit(), Classification("text", label="kind"), split=(1.0, 0.0, 0.0))
    assert (dataset.validation, dataset.test, dataset.baselines) == (None, None, {})
    with pytest.raises(DataError, match=r"the test part, 0\.1 of 4 rows, has 0 and needs 1 or more"):
        table(tmp_path, fruit(4), Classification("text", label="kind"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text,kind\na,x\n,y\n", r"table\.csv:3: column 'text' is empty: fill it, or leave the row out"),
        ("text,kind\na,x\nb,\n", r"table\.csv:3: column 'kind' is empty"),
        ("text,kind\n" + "a,x\n" * 20, r"table\.csv: all rows are of class 'x': there is nothing to tell apart"),
        (
            "text,kind\n" + "a,noun\nb,verb\n" * 10 + "c,nuon\n",
            r"table\.csv:22: class 'nuon' is in no row of the training part; did you mean 'noun'\?; correct it, leave",
        ),
        ("", r"table\.csv is empty"),
        ("text,kind\n", r"table\.csv has no rows below its header"),
    ],
)
def test_unfit_classification(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        table(tmp_path, text, Classification("text", label="kind"), shuffle=False)


def test_unfit_tagging(tmp_path: Path) -> None:
    text = "text,tags\n" + "ab,xy\n" * 3 + "abc,xy\n"
    with pytest.raises(DataError, match=r"table\.csv:5: characters in column 'text': 3, tags in column 'tags': 2"):
        table(tmp_path, text, Tagging("text", tags="tags"))
    with pytest.raises(DataError, match=r"table\.csv:2: words in column 'text': 1, tags in column 'tags': 2"):
        table(tmp_path, "text,tags\none,A B\n", Tagging("text", tags="tags", tokens="word"))
    with pytest.raises(DataError, match=r"table\.csv:2: column 'text' is empty"):
        table(tmp_path, 'text,tags\n" ",A\n', Tagging("text", tags="tags", tokens="word"))


# Series


def series(count: int = 60) -> str:
    return "t,x,y\n" + "".join(f"{i},{np.sin(i):.9f},{5 + i % 7}\n" for i in range(count))


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10), st.integers(1, 8), st.booleans())
@settings(deadline=None)
def test_every_window_once_an_epoch(window: int, horizon: int, more: int, batch_size: int, shuffle: bool) -> None:
    rows = np.arange(window + horizon + more, dtype=float)[:, None]
    windows = Windows(rows, -rows, window, horizon, batch_size, shuffle=shuffle)
    firsts = []
    for inputs in epoch_of(windows, epoch=1):
        x, targets = inputs["x"], inputs["targets"]
        assert x.shape == (window, len(targets), 1)
        assert np.all(np.diff(x, axis=0) == 1)
        assert np.all(-targets == x[-1] + horizon)
        firsts += x[0, :, 0].tolist()
    assert sorted(firsts) == list(range(more + 1))
    assert shuffle or firsts == sorted(firsts)


def test_forecasting(tmp_path: Path) -> None:
    task = Forecasting(("x", "t"), window=5, horizon=2, predict=("y",))
    dataset = table(tmp_path, series(), task, split=(0.5, 0.25, 0.25), batch_size=100, shuffle=False)
    assert dataset.inputs == {"x": ArraySpec("float", 2, ("T", "B", 2)), "targets": ArraySpec("float", 1, ("B", 1))}
    assert dataset.facts == {"features": 2, "outputs": 1, "train_sequences": 24, "train_tokens": 30}
    assert (dataset.vocabulary, dataset.unit) == (None, "step")
    t = np.arange(30)
    inputs, outputs = dataset.reader.inputs, dataset.reader.outputs
    assert (inputs.columns, outputs.columns) == (("x", "t"), ("y",))
    assert (inputs.mean[1], inputs.deviation[1]) == (pytest.approx(t.mean()), pytest.approx(t.std()))
    for batches, first in ((dataset.train, 0), (dataset.validation, 30), (dataset.test, 45)):
        assert isinstance(batches, Independent)
        batch = batches.batch(0).inputs
        begins = first + np.arange(batches.count)
        assert np.allclose(inputs.undo(batch["x"])[:, :, 1], begins + np.arange(5)[:, None])
        assert np.allclose(outputs.undo(batch["targets"])[:, 0], 5 + (begins + 6) % 7)
        assert begins[-1] + 6 < first + 30  # a window does not look into the part that follows


def test_the_columns_that_are_read_are_predicted_unless_others_are_named(tmp_path: Path) -> None:
    dataset = table(tmp_path, series(), Forecasting(("x", "y"), window=3))
    assert dataset.reader.targets == ("x", "y")
    assert dataset.facts["outputs"] == 2
    inputs = dataset.train.batch(0).inputs
    assert inputs["targets"].shape == (32, 2)


def test_only_the_training_part_decides_about_the_scale(tmp_path: Path) -> None:
    text = "x\n" + "1\n3\n" * 10 + "1000\n" * 10
    dataset = table(tmp_path, text, Forecasting(("x",), window=2), split=(0.6667, 0.3333, 0.0))
    assert (dataset.reader.inputs.mean, dataset.reader.inputs.deviation) == ((2.0,), (1.0,))
    assert dataset.validation is not None
    assert np.all(dataset.validation.batch(0).inputs["targets"] == 998)


def test_unfit_series(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"table\.csv: column 'x' is the same in all rows of the training part"):
        table(tmp_path, "x,y\n" + "1,2\n1,3\n" * 20, Forecasting(("x", "y"), window=2))
    with pytest.raises(DataError, match=r"the validation part, 0\.1 of 60 rows, has 6 and needs 25 or more"):
        table(tmp_path, series(), Forecasting(("x",), window=20, horizon=5))
    with pytest.raises(DataError, match=r"table\.csv:3: column 'y' has 'six', which is no finite number"):
        table(tmp_path, "x,y\n1,5\n1,six\n" + "1,7\n" * 60, Forecasting(("x", "y"), window=1))


# Baselines


def test_baselines_of_classes(tmp_path: Path) -> None:
    text = "text,kind\n" + "a,x\na,x\na,y\na,z\n" * 2 + "a,x\na,y\na,y\na,x\n"
    found = table(tmp_path, text, Classification("text", label="kind"), split=(8 / 12, 4 / 12, 0), shuffle=False)
    f1_of_x = 2 * 2 / (4 + 2)  # hits 2, named 4 times, asked for 2 times; y has none, z does not occur
    assert found.baselines == {
        "accuracy/majority": 0.5,
        "macro_f1/majority": pytest.approx(f1_of_x / 2),
        "loss/frequencies": pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2),
    }


def test_baselines_of_tags_count_symbols(tmp_path: Path) -> None:
    text = "w,t\n" + "aab,xxy\n" * 8 + "ab,xy\nb,y\n"
    found = table(tmp_path, text, Tagging("w", tags="t"), split=(0.8, 0.2, 0.0), shuffle=False)
    assert found.baselines["accuracy/majority"] == pytest.approx(1 / 3)
    assert found.baselines["loss/frequencies"] == pytest.approx(-(np.log(2 / 3) + 2 * np.log(1 / 3)) / 3)


def test_baselines_of_a_series_are_the_last_rows_of_its_windows(tmp_path: Path) -> None:
    task = Forecasting(("x", "y"), window=4, horizon=3, predict=("y", "x"))
    dataset = table(tmp_path, series(), task, split=(0.5, 0.5, 0.0), batch_size=1000)
    assert dataset.validation is not None
    inputs = dataset.validation.batch(0).inputs
    error = inputs["x"][-1][:, ::-1] - inputs["targets"]
    assert {name: value for name, value in dataset.baselines.items() if "seasonal" not in name} == {
        "mean_absolute_error/last_value": pytest.approx(np.abs(error).mean()),
        "loss/last_value": pytest.approx(np.square(error).mean()),
    }


# The declaration


def test_a_table_as_plain_data() -> None:
    config = {
        "type": "table",
        "source": "a.csv",
        "task": {"type": "forecasting", "columns": ["x"], "window": 8},
        "delimiter": "\t",
    }
    built = Data.from_config(config)
    assert built == Table("a.csv", Forecasting(("x",), window=8), delimiter="\t")
    assert built.config() == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"delimiter": "::"}, "'delimiter' should be ',', ';', '\\t', '|', 'tab' or '\\\\t', got '::'"),
        ({"batch_size": 0}, "'batch_size' should be greater than 0, got 0"),
        ({"task": {"type": "forecast"}}, "there is no task of type 'forecast'; did you mean 'forecasting'?"),
        ({"task": {"type": "tagging", "text": "a", "tag": "b"}}, "unknown name 'task.tag'; did you mean 'tags'?"),
        ({"task": {"type": "classification", "text": "a"}}, "'task.label' is missing"),
        ({"task": {"type": "forecasting", "columns": [], "window": 4}}, "'task.columns' should"),
        ({"task": {"type": "forecasting", "columns": ["x"], "window": 0}}, "'task.window' should be greater than 0"),
    ],
)
def test_mistakes_of_a_declaration(change: dict[str, Any], said: str) -> None:
    config = {"type": "table", "source": "a.csv", "task": {"type": "tagging", "text": "a", "tags": "b"}}
    with pytest.raises(ConfigError) as caught:
        Data.from_config(config | change)
    assert said.replace("task.", "") in str(caught.value).replace("task.", "")


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    task = Classification("text", label="kind")
    digests = {table(tmp_path, text, task).digest for text in (fruit(), fruit(), fruit(41))}
    assert len(digests) == 2


# Examples that come with Python


def test_unicode_names() -> None:
    rows = read_rows(unicode_names(), "unicode_names")
    categories = dict(zip(rows.column("name"), rows.column("category"), strict=True))
    assert len(rows) > 15_000
    assert categories["LATIN CAPITAL LETTER A"] == "Lu"
    assert categories["EURO SIGN"] == "Sc"
    assert not [name for name in categories if name.startswith(("CJK UNIFIED", "HANGUL SYLLABLE"))]
    assert min(rows.column("category").count(kind) for kind in set(categories.values())) >= 50


def test_python_tokens() -> None:
    rows = read_rows(python_tokens(), "python_tokens")
    assert len(rows) > 5_000
    assert set("".join(rows.column("tags"))) == set("kndsco.")
    assert all(line.strip() for line in rows.column("line"))


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        (
            'def f(x=1.5):  # é\n    return "a" + \\\n        x\n',
            ["kkk.nonodddoo..ccc", "....kkkkkk.sss.o..", "........n"],
        ),
        ('x = """one\n\n  two"""\n', ["n.o.ssssss", "ssssssss"]),
        ("x = 10\n\n\n", ["n.o.dd"]),
    ],
)
def test_what_characters_belong_to(source: str, tags: list[str]) -> None:
    lines = [line for line in source.splitlines() if line.strip()]
    assert tag_lines(source) == list(zip(lines, tags, strict=True))


def test_a_python_without_its_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="without the source of argparse: name a CSV file instead of python_tokens"):
        python_tokens()


def test_lorenz_follows_its_equations() -> None:
    series = read_rows(lorenz(), "lorenz").numbers(["x", "y", "z"])
    assert series.shape == (6000, 3)
    assert 20 < series[:, 2].mean() < 27
    assert np.all(np.ptp(series, axis=0) > [30, 40, 35])
    assert np.all(np.abs(series) < 60)
    x, y, z = series[1:-1].T
    velocity = np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=-1)
    measured = (series[2:] - series[:-2]) / 0.1
    assert np.corrcoef(velocity.ravel(), measured.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ("unicode_names", Classification("name", label="category")),
        ("python_tokens", Tagging("line", tags="tags")),
        ("lorenz", Forecasting(("x", "y", "z"), window=20, horizon=10)),
    ],
)
def test_examples_load_by_name(source: str, task: Task) -> None:
    dataset = Table(source, task).load(Path("/nowhere"))
    assert dataset.train.steps_per_epoch > 50
    assert [value > 1 for name, value in dataset.baselines.items() if name.startswith("loss/")] == [True]


@settings(max_examples=30, deadline=None)
@given(cells=st.lists(st.text(st.characters(), max_size=6), max_size=40), large=st.integers(1, 200))
def test_cells_in_one_buffer_are_what_they_were(cells: list[str], large: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidl.data.sources.columns.PIECE", 7)
        patch.setattr("minidl.data.sources.columns.LARGE", large)
        column = TextColumn(cells[:5])
        column.extend(cells[5:])
        assert list(column) == [column[i] for i in range(len(column))] == cells
        assert column[-3:] == cells[-3:]
        third = len(cells) // 3
        assert list(column.between(third, 2 * third)) == cells[third : 2 * third]


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_a_larger_table_of_texts_takes_less_than_three_times_what_is_added(tmp_path: Path, tokens: Any) -> None:
    peaks, sizes = [], []
    for count in (200, 4000, 12_000):
        lines = [f"{'some words of a text ' * 3}{i % 100},{i % 2}" for i in range(count)]
        sizes.append((tmp_path / "t.csv").write_text("\n".join(["text,kind", *lines])))
        tracemalloc.start()
        Table("t.csv", Classification("text", label="kind", tokens=tokens)).load(tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 3 * (sizes[2] - sizes[1])


def test_numbers_that_nothing_could_be_drawn_or_counted_with():
    task = {"type": "forecasting", "columns": ["x"], "window": 2}
    for mistake in ({"seed": -1}, {"task": task | {"season": 10**20}}):
        with pytest.raises(ConfigError, match=r"should be (0 or more|1e[+]09 or less)"):
            Data.from_config({"type": "table", "source": "x.csv", "task": task} | mistake)
    with pytest.raises(ConfigError, match="should be 0 or more"):
        Data.from_config({"type": "arrays", "source": "x.npz", "seed": -1})
