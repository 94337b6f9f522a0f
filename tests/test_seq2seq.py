"""Encoder-decoders: the data of translation, the search for the best sequence, a small model that learns to spell."""

from __future__ import annotations

import csv
import itertools
import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Model, Predictor
from minidl.callbacks.evaluate import evaluate
from minidl.cli.main import main
from minidl.data import Table, Translation
from minidl.data.sources.dates import FORMS, in_words, spoken_year
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.start_end import END, START
from minidl.experiment import read_experiment
from minidl.generate import translate
from minidl.generate.beam import Beam, Hypothesis
from minidl.optim import Adam
from minidl.storage.archive import write_archive
from minidl.system.errors import DataError, UsageError
from minidl.training import Trainer

END_ID, SYMBOLS, LONGEST = 0, 4, 4


class Chain:
    """A made-up model over few symbols, whose probabilities depend on the case and the last two symbols."""

    def __init__(self, seed: int) -> None:
        p = np.random.default_rng(seed).dirichlet(np.full(SYMBOLS, 0.7), size=(2, SYMBOLS + 1, SYMBOLS + 1))
        self.log_p = np.log(p)

    def __call__(self, prefixes: Any, cases: Any) -> Any:
        before = prefixes[-2] if len(prefixes) > 1 else np.full(prefixes.shape[1], SYMBOLS)
        return self.log_p[cases, before, prefixes[-1]]

    def of(self, case: int, ids: tuple[int, ...]) -> float:
        """log p of a sequence, its end included."""
        before = [SYMBOLS, SYMBOLS, *ids]
        return float(sum(self.log_p[case, before[i], before[i + 1], k] for i, k in enumerate((*ids, END_ID))))


def every(chain: Chain, case: int, beam: Beam) -> list[Hypothesis]:
    """All sequences that end within the longest, the best first."""
    found = []
    for length in range(LONGEST):
        for ids in itertools.product(range(1, SYMBOLS), repeat=length):
            log_p = chain.of(case, ids)
            found.append(Hypothesis(beam.score(log_p, length + 1), ids, log_p))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(8))
def test_a_wide_beam_finds_the_best_of_all_sequences(seed: int, length_penalty: float) -> None:
    chain, beam = Chain(seed), Beam(SYMBOLS**LONGEST, length_penalty, LONGEST)
    for case, found in enumerate(beam.search(chain, 2, SYMBOLS, END_ID)):
        expected = every(chain, case, beam)
        for hypothesis, best in zip(found[:5], expected, strict=False):
            assert hypothesis.ids == best.ids
            assert hypothesis.score == pytest.approx(best.score, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    chain = Chain(seed)
    for case, found in enumerate(Beam(1, longest=LONGEST).search(chain, 2, SYMBOLS, END_ID)):
        prefix = [SYMBOLS]
        while len(prefix) < LONGEST:
            best = int(chain(np.array(prefix)[:, None], np.array([case])).argmax())
            if best == END_ID:
                break
            prefix.append(best)
        assert [hypothesis.ids for hypothesis in found] == [tuple(prefix[1:])]


@pytest.mark.parametrize("seed", range(4))
def test_wider_beams_find_no_worse(seed: int) -> None:
    chain = Chain(seed)
    scores = [Beam(width, longest=LONGEST).search(chain, 1, SYMBOLS, END_ID)[0][0].score for width in (1, 3, 64)]
    assert scores[2] >= max(scores) - 1e-12


def test_pairs_are_shifted_by_a_start_and_an_end(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n" + "xy,Z\ny,WW\n" * 10)
    table = Table("pairs.csv", Translation("a", "b"), split=(0.8, 0.1, 0.1), batch_size=2, shuffle=False)
    dataset = table.load(tmp_path)
    assert dataset.vocabulary is not None
    symbols = dataset.vocabulary.symbols
    assert symbols == (START, END, "W", "Z", "x", "y")
    batch = dataset.train.batch(0).inputs
    names = {name: np.where(array < 0, "-", np.array(symbols)[array]) for name, array in batch.items()}
    assert ["".join(column) for column in names["source"].T] == ["xy", f"y{START}"]
    assert ["".join(column) for column in names["ids"].T] == [f"{START}Z{START}", f"{START}WW"]
    assert ["".join(column) for column in names["targets"].T] == [f"Z{END}-", f"WW{END}"]
    assert Reader.load(dataset.metadata, dataset.vocabulary) == dataset.reader


def test_an_empty_cell_is_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n" + "xy,Z\ny,\n" * 10)
    with pytest.raises(DataError, match=r"pairs\.csv:3: column 'b' is empty"):
        Table("pairs.csv", Translation("a", "b")).load(tmp_path)


def test_words_that_are_rare_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n" + "one two,eins zwei\n" * 19 + "rare,selten\n")
    dataset = Table("pairs.csv", Translation("a", "b", tokens="word", max_vocab=7)).load(tmp_path)
    assert dataset.vocabulary is not None
    assert len(dataset.vocabulary) <= 7
    assert dataset.vocabulary.unknown is not None


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    """A model that turns words round, trained for a moment."""
    folder = tmp_path_factory.mktemp("speller")
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcd"), size=rng.integers(1, 5))) for _ in range(600)]
    (folder / "words.csv").write_text("word,turned\n" + "".join(f"{word},{word[::-1]}\n" for word in words))
    root = Path(__file__).parent.parent
    (folder / "e.yaml").write_text(
        """
name: speller
data: {type: table, source: words.csv, task: {type: translation, source: word, target: turned}, batch_size: 32}
model: {type: seq2seq, features: 8, units: 32, score: additive}
loss: {type: SoftmaxCE}
train: {epochs: 12}
"""
    )
    (folder / "models").mkdir()
    (folder / "models/seq2seq.py").write_text((root / "models/seq2seq.py").read_text())
    experiment = read_experiment(folder / "e.yaml")
    Trainer(experiment.model, experiment.dataset, Adam(lr=1e-2, clip_norm=1.0), epochs=12).run()
    return experiment.dataset, experiment.model


def test_it_learns_and_the_measure_is_that_of_greedy_translations(speller: tuple[Any, Model]) -> None:
    dataset, model = speller
    measured = evaluate(model.replica(), dataset.validation, "val", "step")
    assert measured["val/exact"] > 0.9
    batch = dataset.validation.longest()
    texts, expected = ([text_of(dataset, column) for column in batch[name].T] for name in ("source", "targets"))
    lengths = batch["lengths"].tolist()
    words = [text[:length] for text, length in zip(texts, lengths, strict=True)]
    found = [best[0].text for best in translate(model, words)]
    right = [text == wanted for text, wanted in zip(found, expected, strict=True)]
    whole = evaluate(model.replica(), One(batch), "val", "step")["val/exact"]
    assert whole == pytest.approx(np.mean(right))


class One:
    """One batch as data."""

    steps_per_epoch = 1

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs, self.reset_state = inputs, True

    def batch(self, step: int) -> One:
        return self


def text_of(dataset: Any, ids: Any) -> str:
    ends = dataset.reader.ends
    text: str = dataset.vocabulary.decode([i for i in ids if i >= 0 and i not in ends])
    return text


def test_n_best_come_in_order_and_a_saved_model_translates(speller: tuple[Any, Model], tmp_path: Path) -> None:
    _, model = speller
    best = translate(model, ["abcd", "a"], beam=4, n_best=3, length_penalty=0.6)
    assert [len(found) for found in best] == [3, 3]
    assert all(a.score >= b.score for found in best for a, b in itertools.pairwise(found))
    model.save(tmp_path / "model.npz")
    again = Predictor.load(tmp_path / "model.npz")
    assert list(again.predict(["abcd", "a"])) == [found[0].text for found in translate(model, ["abcd", "a"])]


def test_the_verb_predicts_by_beam(
    speller: tuple[Any, Model], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `translate` finds, in columns beside the text."""
    dataset, model = speller
    (tmp_path / "new.csv").write_text(f"{dataset.reader.columns[0]}\nabcd\na\n")
    model.save(tmp_path / "model.npz")
    words = [str(tmp_path / "model.npz"), "--data", str(tmp_path / "new.csv")]
    assert main(["predict", *words, "--beam", "4", "--n-best", "2", "--length-penalty", "0.6"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    best = translate(model, ["abcd", "a"], beam=4, n_best=2, length_penalty=0.6)
    assert rows[0][1:] == ["prediction", "prediction:2"]
    assert [row[1:] for row in rows[1:]] == [[each.text for each in found] for found in best]
    assert main(["predict", *words, "--n-best", "3"]) == 0  # the beam is as wide as that needs
    assert main(["predict", *words, "--beam", "2", "--n-best", "3"]) == 2
    assert "n_best should be from 1 to the width of the beam, 2, got 3" in capsys.readouterr().err
    assert main(["predict", *words, "--beam", "0"]) == 2
    assert main(["predict", *words, "--beam", "2", "--length-penalty", "-1"]) == 2


def test_evaluate_reports_by_symbol(
    speller: tuple[Any, Model], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, model = speller
    task = {"type": "translation", "source": "word", "target": "turned"}
    about = {"model": model.config(), "experiment": {"data": {"type": "table", "source": "new.csv", "task": task}}}
    weights = {f"parameters/{name}": array for name, array in model.parameters.items()}
    write_archive(tmp_path / "model.npz", weights, about)
    (tmp_path / "new.csv").write_text("word,turned\nabcd,dcba\na,a\n")
    assert main(["evaluate", str(tmp_path / "model.npz"), "--data", str(tmp_path / "new.csv"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["data/classes"]
    assert {name: row["support"] for name, row in report.items()} == {
        "U+2": 0,
        "U+3": 2,
        "a": 2,
        "b": 1,
        "c": 1,
        "d": 1,
    }


def test_what_cannot_be_translated_is_told(speller: tuple[Any, Model]) -> None:
    _, model = speller
    with pytest.raises(UsageError, match="n_best should be from 1 to the width of the beam, 2, got 3"):
        translate(model, ["a"], beam=2, n_best=3)


def test_written_dates() -> None:
    import datetime

    date = datetime.date(2007, 12, 30)
    assert [in_words(date, form) for form in FORMS] == [
        "thirtieth of December, two thousand and seven",
        "the thirtieth of December two thousand and seven",
        "December the thirtieth, two thousand and seven",
        "December 30, two thousand and seven",
        "30 December two thousand and seven",
        "Sunday, 30 Dec 2007",
    ]
    assert spoken_year(1900) == "nineteen hundred"
    assert spoken_year(2010) == "twenty ten"


def test_what_the_decoder_looks_at_is_drawn(speller: tuple[Any, Model]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from minidl.callbacks.tensorboard.attention_pictures import AttentionPictures

    dataset, model = speller
    pictures = AttentionPictures()
    first, second = (dict(pictures.draw(model, dataset)) for _ in range(2))
    assert list(first) == ["values/attention/picture"]
    assert first["values/attention/picture"].ndim == 3
    np.testing.assert_array_equal(first["values/attention/picture"], second["values/attention/picture"])


def test_gates_are_looked_at_within_the_lengths_of_what_is_read(speller: tuple[Any, Model]) -> None:
    """The decoder has other steps than the encoder, whose lengths say nothing of it."""
    from minidl.callbacks.reach_metrics import saturation
    from minidl.explain.values import SHOWN, within_lengths

    dataset, model = speller
    inputs = dataset.train.batch(0).inputs
    model.forward(**inputs)
    expected = np.arange(len(inputs["source"]))[:, None] < inputs["lengths"][:SHOWN]
    within, nodes = within_lengths(model), model.graph.nodes
    np.testing.assert_array_equal(within[nodes["encoder_forward"].shape[:1]], expected)
    assert nodes["decoder"].shape[:1] not in within
    assert {tag.split("/")[2] for tag, _ in saturation(model)} == {"encoder_forward", "encoder_backward", "decoder"}


def test_pairs_that_a_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    for file in (root / "examples" / "spellings").glob("*.*"):
        shutil.copy(file, tmp_path)
    made = runpy.run_path(str(tmp_path / "numbers_in_words.py"))
    assert made["in_words"](413_036) == "four hundred and thirteen thousand and thirty-six"
    assert made["in_words"](100) == "one hundred"
    monkeypatch.setitem(made["main"].__globals__, "PAIRS", 400)
    made["main"]()
    monkeypatch.chdir(root)
    experiment = read_experiment(tmp_path / "spellings.yaml")
    assert set("0123456789") < set(experiment.dataset.vocabulary.symbols)
