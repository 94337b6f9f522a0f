"""Measures of answers: each against its definition or the library that people know; of the best weights, in units."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Input, Model
from minidl.callbacks import EarlyStop, Evaluate
from minidl.cli.main import main
from minidl.data import from_arrays
from minidl.layers import MSE, Dense, SoftmaxCE
from minidl.optim import SGD
from minidl.storage.archive import read_archive
from minidl.system.errors import UsageError
from minidl.training.class_measures import class_report, confusion, count_classes, weighted_f1
from minidl.training.entities import EntityCounts, is_of_entities, spans
from minidl.training.error_measures import ErrorSums
from minidl.training.metrics import MetricAccumulator
from minidl.training.trainer import Trainer

CLASSES = ["a", "b", "c", "d"]
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@given(pairs)
@settings(deadline=None)
def test_classes_are_measured_as_scikit_learn_does(found: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    predicted, asked = np.array(found).T
    counts = count_classes(predicted, asked, 4)
    expected = metrics.classification_report(
        asked, predicted, labels=range(4), target_names=CLASSES, output_dict=True, zero_division=0
    )
    report = class_report(counts, CLASSES)
    for name in CLASSES:
        theirs = {"f1" if key == "f1-score" else key: value for key, value in expected[name].items()}
        assert report[name] == pytest.approx(theirs)
    assert weighted_f1(counts) == pytest.approx(expected["weighted avg"]["f1-score"])
    np.testing.assert_array_equal(
        confusion(predicted, asked, 4), metrics.confusion_matrix(asked, predicted, labels=range(4))
    )


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 4), min_size=2, max_size=20))
@settings(deadline=None)
def test_numbers_are_measured_as_scikit_learn_does(rows: list[tuple[float, ...]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    table = np.array(rows)
    predicted, asked = table[:, :2], table[:, 2:]
    if (asked.std(axis=0) < 1e-3).any():
        return
    sums = ErrorSums()
    for part in (slice(1), slice(1, None)):
        sums.add(predicted[part], asked[part])
    assert sums.mean_absolute() == pytest.approx(metrics.mean_absolute_error(asked, predicted))
    assert sums.root_mean_squared() == pytest.approx(metrics.mean_squared_error(asked, predicted) ** 0.5)
    assert sums.r2() == pytest.approx(metrics.r2_score(asked, predicted), rel=1e-6, abs=1e-6)


def test_numbers_that_do_not_vary_have_no_r2() -> None:
    sums = ErrorSums()
    sums.add(np.zeros((3, 1)), np.full((3, 1), 0.1))
    assert np.isnan(sums.r2())


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-A I-A O B-B", [("A", 0, 2), ("B", 3, 4)]),
        ("B-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("I-A I-A I-B", [("A", 0, 2), ("B", 2, 3)]),  # IOB1, as the files of CoNLL-2003 have it
        ("B-A I-B I-A", [("A", 0, 1), ("B", 1, 2), ("A", 2, 3)]),
        ("S-A B-A I-A E-A S-B", [("A", 0, 1), ("A", 1, 4), ("B", 4, 5)]),
        ("B-A E-A I-A", [("A", 0, 2), ("A", 2, 3)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities_are_exact_spans(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert spans(tags.split()) == expected


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=12))
@settings(deadline=None)
def test_entities_are_those_of_the_conll_evaluation(tags: list[str]) -> None:
    """Against `conlleval`, rule by rule: where an entity begins, and where one ends."""
    begun, found = None, []
    for i, tag in enumerate([*tags, "O"]):
        before = tags[i - 1] if i else "O"
        ends = before != "O" and (tag == "O" or tag[0] == "B" or before[2:] != tag[2:])
        starts = tag != "O" and (before == "O" or tag[0] == "B" or before[2:] != tag[2:])
        if ends:
            assert begun is not None
            found.append((before[2:], begun, i))
        if starts:
            begun = i
    assert spans(tags) == found


def test_entities_are_counted_by_type() -> None:
    counts = EntityCounts()
    counts.add(["B-A", "I-A", "O", "B-B"], ["B-A", "O", "O", "B-B"])
    counts.add(["O", "O"], ["B-A", "I-A"])
    assert counts.report() == {
        "A": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2},
        "B": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
    }
    assert counts.f1 == pytest.approx(2 / 5)
    assert not is_of_entities(["O"])
    assert not is_of_entities(["B-A", "verb"])


def test_entities_of_padded_batches(rng: np.random.Generator) -> None:
    """Steps past the end of a sequence, and those that do not count, are in no entity."""
    names = ["O", "B-A", "I-A"]
    model = Model(SoftmaxCE()(Dense(3, name="y")(Input("x", depth=3)), Input("targets", dtype="int", depth=3)))
    model.parameters["y/W"][...] = np.eye(3)
    predicted, asked = np.array([[1, 1], [2, 0], [2, 2]]), np.array([[1, 1], [2, 0], [-1, -1]])
    found = MetricAccumulator(names)
    found.add(model, model.forward(x=np.eye(3)[predicted], targets=asked)["loss"], {"targets": asked})
    assert found.details()["entities"]["A"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2}
    assert found.result("val", "step")["val/entity_f1"] == 1.0


def spam(folder: Path, rows: int = 120) -> Path:
    """Texts with a rare class that one word tells, and an experiment on them."""
    rng = np.random.default_rng(0)
    words = ["meet", "lunch", "report", "at", "ten", "please"]
    lines = []
    for i in range(rows):
        text = " ".join(rng.choice(words, size=5))
        label = "spam" if (i % 4 == 0) != (i % 7 == 0) else "mail"  # one in seven is mistaken, and learnt by heart
        lines.append(f"{text} win,{label}" if i % 4 == 0 else f"{text},{label}")
    (folder / "mails.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    (folder / "spam.yaml").write_text(
        "data:\n  type: table\n  source: mails.csv\n  split: [0.5, 0.25, 0.25]\n"
        "  task: {type: classification, text: text, label: label, tokens: word}\n"
        "model:\n  layers:\n    - {type: Embedding, units: 4}\n"
        "    - {type: GRU, units: 8, inputs: [embedding, lengths]}\n"
        '    - {type: Last, inputs: [gru, lengths]}\n    - {type: Dense, units: "${data.classes}"}\n'
        "loss: {type: SoftmaxCE}\noptimizer: {type: Adam, lr: 0.3}\ntrain: {epochs: 12}\nlog: {tensorboard: false}\n"
    )
    return folder / "spam.yaml"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(spam(tmp_path)), "--json"]) == 0
    capsys.readouterr()
    return tmp_path


def test_evaluate_says_what_is_confused_with_what(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report of a file is that of the predictions for it, by scikit-learn."""
    assert main(["evaluate", "spam", "--data", "mails.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["predict", "spam", "--data", "mails.csv"]) == 0
    answers = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    pairs = [(row["label"], row["prediction"]) for row in answers]
    assert found["data/accuracy"] == pytest.approx(np.mean([a == b for a, b in pairs]))
    names = ["mail", "spam"]
    assert found["data/confusion"] == [[pairs.count((asked, said)) for said in names] for asked in names]
    assert list(found["data/classes"]) == names
    assert found["data/classes"]["spam"]["support"] == sum(row["label"] == "spam" for row in answers)
    assert {"data/loss", "data/macro_f1", "data/weighted_f1"} < set(found)
    assert main(["evaluate", "spam"]) == 0
    shown = capsys.readouterr().out
    assert "val/confusion (rows: what it is, columns: what it was taken for)" in shown
    assert "precision" in shown


def test_tests_are_of_the_best_weights(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the run says of the test part is what evaluate says, which takes the best checkpoint as predict does."""
    run = trained / "runs" / "spam" / "001"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["val/loss"] for line in lines if "val/loss" in line}
    best = min(losses, key=lambda step: losses[step])
    assert read_archive(run / "checkpoints" / "best").meta["progress"]["step"] == best
    assert best < max(losses)  # or this shows nothing
    told = next(line for line in lines if "test/loss" in line)
    assert main(["evaluate", "spam", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert {tag: told[tag] for tag in told if tag.startswith("test/")} == pytest.approx(
        {tag: value for tag, value in measured.items() if tag in told and tag.startswith("test/")}
    )
    assert main(["evaluate", str(run / "checkpoints" / "last"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test/loss"] != pytest.approx(told["test/loss"], rel=1e-6)
    assert main(["runs", "spam", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["test_loss"], row["at_step"]) == (told["test/loss"], best)


def test_a_run_is_found_where_a_folder_has_its_name(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "spam").mkdir()
    (trained / "spam" / "spam.yaml").write_text("name: spam\n")
    assert main(["evaluate", "spam", "--json"]) == 0
    assert "test/loss" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "text,label\nlunch,male\n",
            "mails2.csv:2: class 'male' is in no row of the training part; did you mean 'mail'",
        ),
        ("text\nlunch\n", "mails2.csv:1: there is no column 'label'"),
    ],
)
def test_other_data_that_cannot_be_measured_are_told(
    trained: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (trained / "mails2.csv").write_text(text)
    assert main(["evaluate", "spam", "--data", "mails2.csv"]) == 3
    assert message in capsys.readouterr().err


def test_forecasts_are_measured_in_units_beside_the_naive_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    values = [100 + 20 * np.sin(0.3 * i) + 0.1 * i for i in range(300)]
    (tmp_path / "wave.csv").write_text("t\n" + "".join(f"{value:.6f}\n" for value in values))
    (tmp_path / "wave.yaml").write_text(
        "data:\n  type: table\n  source: wave.csv\n  split: [0.6, 0.2, 0.2]\n"
        "  task: {type: forecasting, columns: [t], window: 6, horizon: 2}\n"
        'model: {layers: [{type: RNN, units: 4}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: MSE}\ntrain: {epochs: 2}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "wave.yaml", "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "wave", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    naive = np.array([abs(values[i + 2] - values[i]) for i in range(298)])
    part, unit = naive[180 + 5 : 240 - 2].mean(), naive[5 : 180 - 2].mean()
    report = found["val/numbers"]["t"]
    assert report["naive"] == pytest.approx({"mae": part, "mase": part / unit}, rel=1e-4)
    assert report["mase"] == pytest.approx(report["mae"] / unit, rel=1e-4)
    (tmp_path / "part.csv").write_text("t\n" + "".join(f"{value:.6f}\n" for value in values[180:240]))
    assert main(["predict", "wave", "--data", "part.csv"]) == 0
    answers = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    errors = [float(row["prediction"]) - float(row["t"]) for row in answers if row["prediction"]]
    assert len(errors) == 60 - 7
    assert report["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-4)
    assert report["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-4)
    asked = np.array(values[187:240])
    assert report["r2"] == pytest.approx(1 - np.mean(np.square(errors)) / asked.var(), rel=1e-3)
    assert main(["evaluate", "wave", "--data", "part.csv", "--json"]) == 0
    on_file = json.loads(capsys.readouterr().out)["data/numbers"]["t"]
    assert (on_file["mae"], on_file["mase"]) == pytest.approx((report["mae"], report["mase"]), rel=1e-5)
    assert on_file["naive"] == pytest.approx(report["naive"], rel=1e-5)


def test_a_loss_that_is_nan_is_no_progress(caplog: pytest.LogCaptureFixture) -> None:
    """A validation part that overflows: told once, and an early stop ends the run."""
    x = np.concatenate([np.linspace(-1, 1, 32), np.full(8, 3e38)]).reshape(1, 40, 1)
    data = from_arrays({"x": x, "targets": np.clip(x, -1, 1)}, split=(0.8, 0.2, 0.0), batch_size=8)
    model = Model(MSE()(Dense(1)(Dense(4)(Input("x", depth=1))), Input("targets", depth=1)))
    callbacks = [Evaluate(), EarlyStop(patience=2)]
    trainer = Trainer(model, data, SGD(lr=0.1), epochs=9, non_finite="skip", callbacks=callbacks)
    with np.errstate(all="ignore"):
        trainer.run()
    assert trainer.stop_reason == "early stop"
    assert trainer.progress.step == 3
    assert trainer.progress.best is None
    assert sum("counts as no progress" in record.message for record in caplog.records) == 1


def test_confusion_is_a_picture(trained: Path) -> None:
    """Rows of shares, one picture for each evaluation of a part."""
    pytest.importorskip("matplotlib")
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert main(["run", "spam.yaml", "log.tensorboard=true", "train.epochs=2", "--json"]) == 0
    events = event_accumulator.EventAccumulator(str(trained / "runs" / "spam" / "002"), {"images": 0}).Reload()
    assert len(events.Images("val/confusion")) == 2
    assert len(events.Images("test/confusion")) == 1
    assert events.Images("test/confusion")[0].encoded_image_string.startswith(b"\x89PNG")


def test_quantiles_cover_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shares of targets below and between quantiles are those of the predictions, in the units of the file."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).normal(50, 10, size=400)
    (tmp_path / "noise.csv").write_text("t\n" + "".join(f"{value:.4f}\n" for value in noise))
    (tmp_path / "noise.yaml").write_text(
        "data:\n  type: table\n  source: noise.csv\n"
        "  task: {type: forecasting, columns: [t], window: 3, quantiles: [0.1, 0.5, 0.9]}\n"
        'model: {layers: [{type: RNN, units: 4}, {type: Last}, {type: Dense, units: "${data.outputs}"}]}\n'
        "loss: {type: Quantile, quantiles: [0.1, 0.5, 0.9]}\noptimizer: {type: Adam, lr: 0.03}\n"
        "train: {epochs: 12}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "noise.yaml", "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "noise", "--data", "noise.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["predict", "noise", "--data", "noise.csv", "--ahead", "2"]) == 0
    answers = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    headings = ["prediction:t:0.1", "prediction:t:0.5", "prediction:t:0.9"]
    assert list(answers[0]) == ["t", *headings]
    assert all(answers[-1][name] for name in headings)
    rows = np.array([[float(row[name]) for name in ("t", *headings)] for row in answers[3:-2]])
    low, median, high = (np.mean(rows[:, 0] <= rows[:, k]) for k in (1, 2, 3))
    assert found["data/coverage"]["0.1"]["below"] == pytest.approx(low)
    assert found["data/coverage"]["0.1 to 0.9"]["between"] == pytest.approx(high - low)
    assert (low, median, high) == pytest.approx((0.1, 0.5, 0.9), abs=0.1)
    assert found["data/numbers"]["t"]["mae"] == pytest.approx(np.abs(rows[:, 2] - rows[:, 0]).mean(), rel=1e-4)


def test_a_crf_answers_with_whole_sequences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tags of the highest score, by Viterbi: evaluate and predict agree, and entities are counted."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(80):
        words = [str(rng.choice(["ann", "lee", "saw", "him"])) for _ in range(int(rng.integers(2, 6)))]
        tags = ["B-PER" if w == "ann" else "O" for w in words]
        tags = [
            "I-PER" if w == "lee" and i and tags[i - 1] == "B-PER" else t
            for i, (w, t) in enumerate(zip(words, tags, strict=True))
        ]
        lines.append(f"{' '.join(words)},{' '.join(tags)}")
    (tmp_path / "names.csv").write_text("words,tags\n" + "\n".join(lines) + "\n")
    (tmp_path / "names.yaml").write_text(
        "data:\n  type: table\n  source: names.csv\n  split: [0.5, 0.25, 0.25]\n"
        "  task: {type: tagging, text: words, tags: tags, tokens: word}\n"
        "model:\n  layers:\n    - {type: Embedding, units: 6}\n"
        "    - {type: GRU, units: 6, inputs: [embedding, lengths]}\n"
        '    - {type: Dense, units: "${data.classes}"}\n'
        "loss: {type: CRF}\noptimizer: {type: Adam, lr: 0.05}\ntrain: {epochs: 12}\nlog: {tensorboard: false}\n"
    )
    assert main(["run", "names.yaml", "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "names", "--data", "names.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["predict", "names", "--data", "names.csv"]) == 0
    answers = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    pairs = [(row["prediction"].split(), row["tags"].split()) for row in answers]
    steps = [a == b for said, asked in pairs for a, b in zip(said, asked, strict=True)]
    assert found["data/accuracy"] == pytest.approx(np.mean(steps))
    assert found["data/accuracy"] > 0.95
    hits = sum(len(set(spans(said)) & set(spans(asked))) for said, asked in pairs)
    total = sum(len(spans(said)) + len(spans(asked)) for said, asked in pairs)
    assert found["data/entity_f1"] == pytest.approx(2 * hits / total)
    assert list(found["data/entities"]) == ["PER"]


def test_a_run_as_a_table_and_as_curves(trained: Path) -> None:
    from minidl.experiment.run.history import Run
    from minidl.notebook import run, runs

    found = run("spam")
    assert isinstance(found, Run)
    assert found.summary == runs().rows[0]
    steps = [record["step"] for record in found.records() if "val/loss" in record]
    assert len(steps) == 12
    with pytest.raises(UsageError, match="has no val/los"):
        found.plot(["val/los"])
    matplotlib = pytest.importorskip("matplotlib")
    assert matplotlib is not None
    figure = found.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "macro_f1", "weighted_f1"]
    (val,) = (line for line in figure.axes[0].lines if line.get_label() == "val/loss")
    assert val.get_xdata().tolist() == steps
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["val/loss"].count() == 12
    assert runs().to_pandas()["test_loss"][0] == found.summary["test_loss"]
