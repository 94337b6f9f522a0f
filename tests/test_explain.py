"""Explanations of one answer: attributions sum to the difference, gradients are right, commands say what they found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import write_experiment
from subjects import KINDS, forecaster, lstm, next_symbol, sequence, tagger, texts

from minidl.cli.main import main
from minidl.data import Vocabulary
from minidl.explain import by_lag, influence, integrated_gradients
from minidl.explain.answer import Answer, asked
from minidl.explain.embedded import Embedded
from minidl.explain.figures import plot_gates, plot_influence, plot_weights
from minidl.explain.states import read, traces
from minidl.graph.layer import Layer
from minidl.layers import LSTM, Cell, Dense, OneHot
from minidl.storage.archive import read_archive, write_archive
from minidl.system.errors import UsageError

GRADIENT_STEP = 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_attributions_sum_to_the_difference(kind: str) -> None:
    subject = KINDS[kind]()
    embedded = Embedded.of(subject)
    for text in texts(subject, 5):
        found = integrated_gradients(embedded, sequence(subject, text))
        assert found.parts.sum() == pytest.approx(found.value - found.empty, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_part_behind_lookups_is_the_same_network(kind: str) -> None:
    subject = KINDS[kind]()
    ids = sequence(subject, texts(subject, 1)[0])
    subject.model.reset_state()
    expected = subject.model.forward(**subject.feeds(ids))[subject.output]
    embedded = Embedded.of(subject)
    found = embedded.forward({name: x[:, None] for name, x in embedded.rows(ids).items()})
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "classifier", "labels", "forecaster"])
def test_influence_is_the_slope_along_the_input(kind: str) -> None:
    subject = KINDS[kind]()
    embedded = Embedded.of(subject)
    ids = sequence(subject, texts(subject, 1)[0])
    rows = {name: x[:, None] for name, x in embedded.rows(ids).items()}
    answer = asked(subject, ids, embedded.forward(rows).copy(), -1)
    found = influence(embedded, ids, [answer])[:, 0]
    for t in range(len(ids)):
        values = []
        for scale in (1 + GRADIENT_STEP, 1 - GRADIENT_STEP):
            scaled = {name: x.copy() for name, x in rows.items()}
            for x in scaled.values():
                x[t] *= scale
            values.append(answer.value(embedded.forward(scaled), subject.kind)[0])
        assert found[t] == pytest.approx((values[0] - values[1]) / (2 * GRADIENT_STEP), abs=1e-6)


def test_influence_by_lag_is_a_mean_over_answers() -> None:
    subject = lstm()
    embedded = Embedded.of(subject)
    ids = sequence(subject, texts(subject, 1)[0])[:3]
    answers = [Answer(1, int(ids[2])), asked(subject, ids, embedded.forward(
        {name: x[:, None] for name, x in embedded.rows(ids).items()}).copy(), 2)]  # fmt: skip
    found = np.abs(influence(embedded, ids, answers))
    expected = [(found[1, 0] + found[2, 1]) / 2, (found[0, 0] + found[1, 1]) / 2]
    np.testing.assert_allclose(by_lag(embedded, ids), expected)


def test_states_are_in_the_order_of_the_sequence() -> None:
    subject = tagger()
    ids = sequence(subject, texts(subject, 1)[0])
    read(subject, ids)
    back = traces(subject.model, "bidirectional_backward")
    arrays = subject.model.arrays["bidirectional_backward/h"][1:, 0]
    np.testing.assert_array_equal(back["h"], arrays[::-1])
    assert list(back) == ["r", "z", "n", "h"]


def test_a_step_that_is_not_there_is_refused() -> None:
    subject = lstm()
    ids = sequence(subject, "ab")
    with pytest.raises(UsageError, match="there is no step 2: the sequence has steps 0 to 1"):
        integrated_gradients(Embedded.of(subject), ids, 2)


def test_figures() -> None:
    pytest.importorskip("matplotlib")
    for subject in (lstm(), forecaster()):
        ids = sequence(subject, texts(subject, 1)[0])
        assert [axes.get_ylabel() for axes in plot_gates(subject, ids).axes[:1]] in (["i"], ["r"])
        assert len(plot_influence(subject, ids).axes) == 2
        assert plot_weights(subject).axes[0].get_ylabel() == "Wx"
    with pytest.raises(UsageError, match="there is no recurrent layer 'lst'; did you mean 'lstm'"):
        plot_gates(lstm(), np.array([1]), "lst")


@pytest.mark.parametrize("kind", [*(kind for kind in Layer.types().values() if issubclass(kind, Cell)), "projected"])
def test_figures_of_every_cell(kind: Any) -> None:
    pytest.importorskip("matplotlib")
    cell = LSTM(5, projection=3) if kind == "projected" else kind(5)
    subject = next_symbol(lambda ids, V: Dense(V)(cell(OneHot()(ids))), Vocabulary.from_text("abc"))
    gates = plot_gates(subject, sequence(subject, "abca"))
    names = [*(() if cell.gates == cell.states else cell.gates), *(["c"] if "c" in cell.states else []), "h"]
    assert [axes.get_ylabel() for axes in gates.axes[: len(names)]] == names
    assert plot_weights(subject).axes[0].get_ylabel() == "Wx"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    assert main(["run", str(write_experiment(folder, train__steps=2)), "--runs", str(folder / "runs")]) == 0
    return folder / "runs"


def test_the_run_says_how_to_see_it(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_experiment(runs.parent, train__steps=1)
    assert main(["run", str(path), "name=seen", "--runs", str(runs)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"see it think: minidl view seen --runs {runs}"


def test_explain_on_a_terminal_and_as_json(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (name,) = [folder.name for folder in runs.iterdir() if folder.name != "seen"]
    words = ["explain", name, "--runs", str(runs), "--text", "the the"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r".+ after step \d+: p = 0\.\d+; reading nothing: p = 0\.\d+; parts sum to", lines[0])
    assert main([*words, "--json", "--step", "1", "--out", str(tmp_path / "e.svg")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["step"] == 1
    whole = sum(step["attribution"] for step in found["steps"])
    assert whole == pytest.approx(found["value"] - found["reading_nothing"], abs=1e-4)
    assert (tmp_path / "e.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say what is read: --text TEXT, or --data FILE --row N"),
        (["--text", "the", "--answer", "zz"], "there is no answer 'zz'"),
        (["--text", "the", "--step", "30"], "there is no step 30"),
        (["--text", "中"], "nothing of this text is in the vocabulary"),
        (["--text", "the", "--out", "e.doc"], "the name of a picture ends in .png, .svg, .pdf"),
        (["--data", "rows.txt", "--row", "9"], "rows.txt has lines 1 to 2, and none of number 9"),
    ],
)
def test_what_cannot_be_explained(
    words: list[str], message: str, runs: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("rows.txt").write_text("the\ncat")
    (name,) = [folder.name for folder in runs.iterdir() if folder.name != "seen"]
    assert main(["explain", name, "--runs", str(runs), *words]) in (2, 3)
    assert message in capsys.readouterr().err


CLASSIFIER = """
name: classes
data: {type: table, source: t.csv, task: {type: classification, text: text, label: kind}, batch_size: 8}
model:
  layers:
    - {type: Embedding, name: symbols, units: 4, inputs: [ids]}
    - {type: GRU, name: gru, units: 5, inputs: [symbols, lengths]}
    - {type: Last, inputs: [gru, lengths]}
    - {type: Dense, units: 2}
loss: {type: SoftmaxCE}
optimizer: {type: Adam, lr: 1e-2}
train: {steps: 2}
"""
FORECASTER = """
name: series
data:
  type: table
  source: s.csv
  task: {type: forecasting, columns: [a, b], window: 6, predict: [a]}
  batch_size: 8
  split: [0.6, 0.2, 0.2]
model:
  layers:
    - {type: GRU, units: 5}
    - {type: Last}
    - {type: Dense, units: 1}
loss: {type: MSE}
optimizer: {type: Adam, lr: 1e-2}
train: {steps: 2}
"""


def test_rows_of_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f"{'ab'[i % 2]}{'xy'[i // 2 % 2]}a,{('ex', 'why')[i // 2 % 2]}" for i in range(60)]
    Path("t.csv").write_text("\n".join(["text,kind", *texts]))
    Path("s.csv").write_text("\n".join(["a,b", *(f"{i % 7},{i * 3 % 11}" for i in range(80))]))
    for name, content in (("t.yaml", CLASSIFIER), ("s.yaml", FORECASTER)):
        Path(name).write_text(content)
        assert main(["run", name]) == 0
    capsys.readouterr()
    assert main(["explain", "classes", "--data", "t.csv", "--row", "2", "--answer", "ex", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answer"], [step["symbol"] for step in found["steps"]]) == ("ex", ["b", "x", "a"])
    assert main(["explain", "series", "--data", "s.csv", "--row", "30", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["symbol"] for step in found["steps"]] == [f"{i % 7}, {i * 3 % 11}" for i in range(24, 30)]
    assert main(["explain", "classes", "--data", "t.csv", "--row", "99"]) == 3
    assert "t.csv has rows 1 to 60, and none of number 99" in capsys.readouterr().err
    assert main(["cells", "series"]) == 0
    assert "column a" in capsys.readouterr().out
    assert main(["view", "series", "--no-open", "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["file"]).read_text(encoding="utf-8")
    assert '"names": ["a"]' in page
    assert '"horizon": 1' in page
    archive = read_archive(max(Path("runs/classes/001/checkpoints").glob("*.npz")))
    write_archive("old.npz", archive.arrays, {key: value for key, value in archive.meta.items() if key != "metadata"})
    for spoil, names in ((False, ["ex", "why"]), (True, ["0", "1"])):  # a file of the first release: from the data
        if spoil:
            Path("t.csv").unlink()
        assert main(["view", "old.npz", "--no-open", "--json"]) == 0
        page = Path(json.loads(capsys.readouterr().out)["file"]).read_text(encoding="utf-8")
        assert f'"names": {json.dumps(names)}, "unnamed": {json.dumps(spoil)}' in page
