"""Answers about new rows: those that training has measured, in the order, names and units of the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Predictor
from minidl.cli.main import main
from minidl.data.sources import read_table
from minidl.data.sources.rows import Rows
from minidl.experiment import Experiment, read_experiment
from minidl.generate.apply import STEPS, batches
from minidl.system.errors import CheckpointError, DataError, UsageError

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SMALL = {
    "classify_names": ["model.units=6", "model.features=4", "data.batch_size=256", "data.split=[0.96, 0.02, 0.02]"],
    "tag_python": ["model.units=6", "model.features=4", "data.batch_size=128", "data.split=[0.98, 0.01, 0.01]"],
    "forecast_lorenz": ["model.units=6", "data.task.window=4", "data.task.horizon=2", "data.batch_size=256"],
}
ALWAYS = ["train.steps=6", "log.tensorboard=false", "optimizer.lr=0.02"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a short run of each experiment on a table."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, changes in SMALL.items():
            assert main(["run", str(EXPERIMENTS / f"{name}.yaml"), *changes, *ALWAYS, "--json"]) == 0
        yield folder


def experiment(name: str) -> Experiment:
    return read_experiment(EXPERIMENTS / f"{name}.yaml", [*SMALL[name], *ALWAYS])


def table(name: str) -> Rows:
    return read_table(name, Path())


def write_rows(path: Path, rows: Rows, chosen: Any, columns: list[str] | None = None) -> Path:
    names = columns or list(rows.columns)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([rows.columns[name][i] for name in names] for i in chosen)
    return path


def predict(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[dict[str, str]], str]:
    capsys.readouterr()
    assert main(["predict", *words]) == 0
    said = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(said.out))), said.err


def evaluated(capsys: pytest.CaptureFixture[str], name: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", name, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_classes_of_validation_rows_are_as_good_as_evaluate_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part: Any = experiment("classify_names").dataset.validation
    file = write_rows(home / "names.csv", table("unicode_names"), part.rows)
    answers, _ = predict(capsys, "classify_names", "--data", str(file))
    assert list(answers[0]) == ["name", "category", "prediction", "probability"]
    right = np.mean([row["prediction"] == row["category"] for row in answers])
    assert right == pytest.approx(evaluated(capsys, "classify_names")["val/accuracy"], abs=1e-9)


def test_tags_of_validation_rows_are_as_good_as_evaluate_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part: Any = experiment("tag_python").dataset.validation
    file = write_rows(home / "lines.csv", table("python_tokens"), part.rows)
    answers, _ = predict(capsys, "tag_python", "--data", str(file))
    assert all(len(row["prediction"]) == len(row["line"]) for row in answers)
    pairs = [(a, b) for row in answers for a, b in zip(row["prediction"], row["tags"], strict=True)]
    right = np.mean([a == b for a, b in pairs])
    assert right == pytest.approx(evaluated(capsys, "tag_python")["val/accuracy"], abs=1e-9)


def test_forecasts_of_validation_rows_are_as_good_as_evaluate_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("lorenz")
    file = write_rows(home / "series.csv", rows, range(4800, 5400))
    answers, _ = predict(capsys, "forecast_lorenz", "--data", str(file))
    assert [row["prediction:x"] == "" for row in answers] == [True] * 5 + [False] * 595
    deviation = {name: np.std([float(cell) for cell in rows.columns[name][:4800]]) for name in "xyz"}
    errors = [abs(float(r[f"prediction:{n}"]) - float(r[n])) / deviation[n] for r in answers[5:] for n in "xyz"]
    assert np.mean(errors) == pytest.approx(evaluated(capsys, "forecast_lorenz")["val/mean_absolute_error"], rel=1e-5)


def test_rows_come_in_their_order_whatever_their_length(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sorted by length and padded or each alone, a text has the same answer; the target column is not needed."""
    rows = table("unicode_names")
    file = write_rows(home / "names.csv", rows, range(0, 900, 3), columns=["name"])
    answers, _ = predict(capsys, "classify_names", "--data", str(file), "--proba")
    predictor = Predictor.load("classify_names")
    for row in answers[::29]:
        alone = predictor.predict_proba([row["name"]])[0]
        named = [float(row[f"probability:{name}"]) for name in predictor.classes]
        assert named == pytest.approx(alone.tolist(), abs=1e-6)
        assert row["prediction"] == predictor.classes[int(alone.argmax())]
        assert float(row["probability"]) == pytest.approx(alone.max(), abs=1e-6)
        assert sum(named) == pytest.approx(1)


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_read_in_pieces(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packed: bool
) -> None:
    """The answers are those of the whole file; the first come when no more than a piece was read."""
    file = write_rows(home / "pieces.csv", table("unicode_names"), range(50))
    whole, _ = predict(capsys, "classify_names", "--data", str(file))
    if packed:
        raw, file = file.read_bytes(), home / "pieces.csv.gz"
        file.write_bytes(gzip.compress(raw))
    monkeypatch.setattr("minidl.predictor.predictor.CELLS", 140)
    in_pieces, _ = predict(capsys, "classify_names", "--data", str(file))
    assert [row["prediction"] for row in in_pieces] == [row["prediction"] for row in whole]
    assert [row["name"] for row in in_pieces] == [row["name"] for row in whole]
    pieces = Predictor.load("classify_names").file(str(file))
    assert len(next(pieces).rows) == 7
    pieces.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".txt"])
def test_what_is_written_is_as_the_name_ends(home: Path, ending: str) -> None:
    """What minidl reads back by the same name; CSV where the name says nothing."""
    file, out = write_rows(home / "few.csv", table("unicode_names"), range(3)), home / f"as_named{ending}"
    assert main(["predict", "classify_names", "--data", str(file), "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    if ending == ".jsonl":
        found = [json.loads(line)["prediction"] for line in lines]
    else:
        found = [row["prediction"] for row in csv.DictReader(lines, delimiter="\t" if ending == ".tsv" else ",")]
    assert len(found) == 3
    assert all(found)


def test_answers_are_not_written_as_csv_under_another_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_rows(home / "few.csv", table("unicode_names"), range(3))
    assert main(["predict", "classify_names", "--data", str(file), "--out", "answers.parquet"]) == 2
    assert "let the name end in .csv, .tsv or .jsonl" in capsys.readouterr().err
    assert not Path("answers.parquet").exists()


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".arrow"])
def test_other_files_are_read_in_pieces(home: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Each piece has all columns, those too that come late; integers are what they were."""
    names, file = list(table("unicode_names").columns["name"][:20]), home / f"pieces{ending}"
    last = [""] * 15 + [str((1 << 60) + i) for i in range(5)]
    if ending == ".jsonl":
        rows = [{"name": name} | ({"id": int(cell)} if cell else {}) for name, cell in zip(names, last, strict=True)]
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        frame = pyarrow.table({"name": names, "id": [int(cell) if cell else None for cell in last]})
        from pyarrow import feather, parquet

        (parquet.write_table if ending == ".parquet" else feather.write_feather)(frame, str(file))
    monkeypatch.setattr("minidl.predictor.predictor.CELLS", 140)
    pieces = list(Predictor.load("classify_names").file(str(file)))
    assert [len(piece.rows) for piece in pieces] == [7, 7, 6]
    assert [cell for piece in pieces for cell in piece.rows.column("id")] == last


def test_series_go_on_beyond_their_end_by_what_was_predicted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seven rows ahead of a model that looks two ahead: each from a window that ends two rows before it."""
    rows = table("lorenz")
    file = write_rows(home / "series.csv", rows, range(300, 330))
    answers, _ = predict(capsys, "forecast_lorenz", "--data", str(file), "--ahead", "7")
    assert len(answers) == 37
    assert [row["x"] for row in answers[30:]] == [""] * 7
    predictor = Predictor.load("forecast_lorenz")
    series = np.array([[float(row[name]) for name in "xyz"] for row in answers[:30]])
    ahead = np.array([[float(row[f"prediction:{name}"]) for name in "xyz"] for row in answers[30:]])
    np.testing.assert_allclose(predictor.forecast(series, 7), ahead, rtol=1e-6)
    for known in range(7):  # as if so many had been there
        np.testing.assert_allclose(
            predictor.forecast(np.vstack([series, ahead[:known]]), 1)[0], ahead[known], rtol=1e-4
        )


def test_rows_of_python_in_every_form(home: Path) -> None:
    predictor = Predictor.load("classify_names")
    texts = ["DIGIT ONE", "LATIN SMALL LETTER Q", "X"]
    expected = predictor.predict(texts).tolist()
    assert set(expected) <= set(predictor.classes)
    assert predictor.predict(np.array(texts)).tolist() == expected
    assert predictor.predict([{"name": text, "other": 1} for text in texts]).tolist() == expected
    assert predictor.predict({"name": texts}).tolist() == expected
    predictor.save(home / "model.npz")
    assert Predictor.load(home / "model.npz").predict(texts).tolist() == expected
    series = np.random.default_rng(0).normal(size=(9, 3))
    forecaster = Predictor.load(home / "runs" / "forecast_lorenz" / "001")
    found = forecaster.predict(series)
    assert np.isnan(found[:5]).all()
    assert np.isfinite(found[5:]).all()
    np.testing.assert_array_equal(forecaster.predict(dict(zip("xyz", series.T, strict=True)))[5:], found[5:])
    (tags,) = Predictor.load("tag_python").predict(["if x:"])
    assert len(tags) == 5
    (shares,) = Predictor.load("tag_python").predict_proba(["if x:"])
    assert shares.shape == (5, 7)


def test_data_frames_are_rows(home: Path) -> None:
    pandas = pytest.importorskip("pandas")
    predictor = Predictor.load("classify_names")
    frame = pandas.DataFrame({"name": ["DIGIT ONE", "X"]}, index=[7, 3])
    assert predictor.predict(frame).tolist() == predictor.predict(["DIGIT ONE", "X"]).tolist()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "there are no rows"),
        ("text", "rows are a list of texts"),
        ({"nam": ["a"]}, "no column 'name'; did you mean 'nam'"),
        ([{"name": "A"}, {"nam": "B"}], "row 2 has no 'name'"),
        ({"name": ["A"], "b": [1, 2]}, "columns of several lengths: name 1, b 2"),
        (["A", ""], "the rows given:2: column 'name' is empty"),
    ],
)
def test_what_is_no_row_is_refused(home: Path, wrong: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Predictor.load("classify_names").predict(wrong)


def test_what_training_has_not_seen_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "strange.csv").write_text("name,id\nDIGIT \u2603ONE,1\n\u2603\u2603,2\n")
    answers, said = predict(capsys, "classify_names", "--data", "strange.csv")
    assert "characters not seen in training, left out: 3 ('\u2603')" in said
    assert answers[0]["prediction"]
    assert (answers[1]["prediction"], answers[1]["probability"]) == ("", "")


def test_columns_are_the_same_where_nothing_can_be_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "nothing.csv").write_text("name\n\u2603\n")
    answers, _ = predict(capsys, "classify_names", "--data", "nothing.csv", "--proba")
    asked = Predictor.load("classify_names").reader.headings()
    assert answers == [dict.fromkeys(("name", *asked), "") | {"name": "\u2603"}]
    assert len(asked) > 3


def test_a_character_that_was_never_seen_has_a_tag(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "lines2.csv").write_text("line,tags\nx = \u0436\u2603,n.o.nn\n")
    answers, said = predict(capsys, "tag_python", "--data", "lines2.csv")
    assert len(answers[0]["prediction"]) == 6
    assert "characters not seen in training, read as others of their kind: 2" in said
    assert main(["evaluate", "tag_python", "--data", "lines2.csv", "--json"]) == 0


def test_a_file_is_written_whole_and_replaces_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = write_rows(home / "some.csv", table("unicode_names"), range(9)), home / "out.csv"
    words = ["predict", "classify_names", "--data", str(file), "--out", str(out)]
    assert main(words) == 0
    first = out.read_bytes()
    assert len(list(csv.DictReader(io.StringIO(first.decode())))) == 9
    assert main(words) == 2
    assert f"{out} exists" in capsys.readouterr().err
    assert main([*words, "--json", "--force"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert list(rows[0]) == ["name", "category", "prediction", "probability"]
    (home / "bad.csv").write_text('name\nA\n""\n')
    before = set(home.iterdir())
    assert main(["predict", "classify_names", "--data", "bad.csv", "--out", "none.csv"]) == 3
    assert "bad.csv:3: column 'name' is empty" in capsys.readouterr().err
    assert set(home.iterdir()) == before


@pytest.mark.parametrize(
    ("run", "text", "words", "code", "message"),
    [
        ("classify_names", "nam\nA\n", [], 3, "data.csv:1: there is no column 'name'; did you mean 'nam'"),
        ("classify_names", "name,prediction\nA,b\n", [], 3, "a column is named 'prediction' already"),
        ("classify_names", "name\nA\n", ["--ahead", "2"], 2, "only forecasts reach beyond the end"),
        ("classify_names", "name\nA\n", ["--ahead", "-1"], 2, "--ahead should be 0 or more"),
        ("forecast_lorenz", "x,y,z\n1,2,3\n", ["--proba"], 2, "predicts numbers"),
        ("forecast_lorenz", "x,y,z\n1,2,3\n", [], 3, "1 rows are too few: a row is predicted from 5 before it"),
        ("forecast_lorenz", "x,y,z\n1,2,a\n", [], 3, "data.csv:2: column 'z' has 'a'"),
        ("nothing", "name\nA\n", [], 4, "'nothing' is no model file"),
    ],
)
def test_mistakes_are_told_with_their_place(
    home: Path, capsys: pytest.CaptureFixture[str], run: str, text: str, words: list[str], code: int, message: str
) -> None:
    (home / "data.csv").write_text(text)
    assert main(["predict", run, "--data", "data.csv", *words]) == code
    assert message in capsys.readouterr().err


def test_a_model_that_reads_more_than_it_predicts_ends_at_its_horizon(home: Path) -> None:
    words = [*SMALL["forecast_lorenz"], *ALWAYS, "data.task.predict=[z]", "name=one"]
    assert main(["run", str(EXPERIMENTS / "forecast_lorenz.yaml"), *words, "--json"]) == 0
    predictor, series = Predictor.load("one"), np.random.default_rng(0).normal(size=(9, 3))
    assert predictor.forecast(series, 2).shape == (2,)
    with pytest.raises(UsageError, match="reads x, y, which it does not predict: it can look 2 rows ahead"):
        predictor.forecast(series, 3)


def test_a_model_that_says_nothing_of_its_data_predicts_nothing(home: Path, char_model: Any) -> None:
    with pytest.raises(CheckpointError, match="not trained on a table"):
        Predictor(char_model)


@given(st.lists(st.integers(0, 3 * STEPS), max_size=40))
@settings(deadline=None)
def test_every_sequence_with_a_step_is_in_one_batch(lengths: list[int]) -> None:
    found = [batch.tolist() for batch in batches(np.array(lengths, dtype=np.int64))]
    assert sorted(i for batch in found for i in batch) == [i for i, length in enumerate(lengths) if length]
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= STEPS for batch in found)


def shops(path: Path) -> None:
    """Two series in one table, day by day, in turn; the sales of a shop follow one another."""
    rows = []
    for i in range(80):
        day = np.datetime64("2024-01-01") + i
        rows += [f"{day},north,{10 + i % 7}", f"{day},south,{100 - 3 * (i % 5)}"]
    path.write_text("day,shop,sales\n" + "\n".join(rows) + "\n")


def test_each_series_has_its_own_path_beyond_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path of three steps: beside a row the nearest prediction, after the end of each series all steps, then more."""
    monkeypatch.chdir(tmp_path)
    shops(tmp_path / "shops.csv")
    (tmp_path / "shops.yaml").write_text(
        "data:\n  type: table\n  source: shops.csv\n  group: shop\n  time: day\n"
        "  task: {type: forecasting, columns: [sales], window: 4, path: 3}\n"
        'model: {layers: [{type: RNN, units: 4}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: MSE}\ntrain: {steps: 3}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "shops.yaml", "--json"]) == 0
    answers, _ = predict(capsys, "shops", "--data", "shops.csv", "--ahead", "5")
    assert list(answers[0]) == ["day", "shop", "sales", "prediction"]
    assert [row["prediction"] == "" for row in answers[:10]] == [True] * 8 + [False] * 2  # four of each shop
    ahead = answers[160:]
    assert [(row["day"], row["shop"], row["sales"]) for row in ahead] == [
        (f"2024-03-{day}", shop, "") for shop in ("north", "south") for day in range(21, 26)
    ]
    predictor = Predictor.load("shops")
    for shop, rows in (("north", ahead[:5]), ("south", ahead[5:])):
        alone = [row for row in answers[:160] if row["shop"] == shop]
        frame = {name: [row[name] for row in alone] for name in ("day", "shop", "sales")}
        found = predictor.forecast(frame, 5)
        np.testing.assert_allclose([float(row["prediction"]) for row in rows], found, rtol=1e-6)
        shorter = {name: cells[:-2] for name, cells in frame.items()}
        last = [float(row["prediction"]) for row in alone[-2:]]  # of which one step ahead is the nearest
        np.testing.assert_allclose(predictor.forecast(shorter, 1), last[:1], rtol=1e-6)
        again = {
            name: [*cells, cell] for (name, cells), cell in zip(frame.items(), ("2024-03-21", shop, "1"), strict=True)
        }
        assert predictor.forecast(again, 1)[0] != pytest.approx(found[1])


def test_all_rows_of_a_group_have_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = []
    for g in range(40):
        kind = "walk" if g % 2 else "sit"
        lines += [f"g{g},{x:.3f},{kind}" for x in rng.normal(5 * (g % 2), 1, size=int(rng.integers(2, 6)))]
    (tmp_path / "moves.csv").write_text("who,x,kind\n" + "\n".join(lines) + "\n")
    (tmp_path / "moves.yaml").write_text(
        "data:\n  type: table\n  source: moves.csv\n  group: who\n  split: [0.5, 0.25, 0.25]\n"
        "  task: {type: classification, columns: [x], label: kind}\n"
        "model:\n  layers:\n    - {type: GRU, units: 4, inputs: [x, lengths]}\n"
        '    - {type: Last, inputs: [gru, lengths]}\n    - {type: Dense, units: "${data.classes}"}\n'
        "loss: {type: SoftmaxCE}\noptimizer: {type: Adam, lr: 0.1}\ntrain: {epochs: 9}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "moves.yaml", "--json"]) == 0
    answers, _ = predict(capsys, "moves", "--data", "moves.csv")
    said = {(row["who"], row["prediction"]) for row in answers}
    assert len(said) == 40
    truth = {row["who"]: row["kind"] for row in answers}
    right = np.mean([truth[who] == kind for who, kind in said])
    assert main(["evaluate", "moves", "--data", "moves.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data/accuracy"] == pytest.approx(right)
    assert right > 0.9
