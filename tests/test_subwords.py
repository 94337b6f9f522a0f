"""Subwords: learnt of the training part, the same in every process, read back, and used by every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import Model
from minidl.cli.main import main
from minidl.data import UNKNOWN, Text, Vocabulary
from minidl.data.subwords import learn_subwords, split_pieces
from minidl.explain.subject import Subject
from minidl.system.errors import DataError, UsageError

pytest.importorskip("tokenizers")

SENTENCE = "the lowest, the lower and the newest of them.\n"
LEARNT = Vocabulary.from_text(SENTENCE * 3, "bpe", 40)
EXPERIMENT = """
name: sub
data: {type: text, source: text.txt, tokens: bpe, max_vocab: 40, batch_size: 2, seq_len: 8, split: [0.8, 0.1, 0.1]}
model:
  layers: [{type: Embedding, units: 6}, {type: GRU, units: 8}, {type: Dense, units: "${data.vocab_size}"}]
loss: {type: SoftmaxCE}
optimizer: {type: Adam, lr: 0.01}
sample: {length: 5}
train: {steps: 6, checkpoint_every: {steps: 3}}
log: {tensorboard: false}
"""


@given(st.text(st.sampled_from(" \n\t\u00a0aZ_9.,(é\u0301\u2028\U0001f600"), max_size=20))
@settings(deadline=None)
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(split_pieces(text)) == text


@given(st.text(st.sampled_from("thelowrn \n,.é\udc80"), max_size=40))
@settings(deadline=None)
def test_subwords_join_to_the_text(text: str) -> None:
    """But for what was not seen in training, which is one unknown symbol a character."""
    expected = "".join(c if c in SENTENCE else UNKNOWN for c in text)
    assert LEARNT.decode(LEARNT.encode(text)) == expected
    assert LEARNT.unlisted(text) == list(dict.fromkeys(c for c in text if c not in SENTENCE))


def test_the_first_merges_are_the_most_frequent_pairs() -> None:
    """By hand, of aab aab aab ab: a b stands side by side 4 times, and then a ab 3 times."""
    symbols, merges = learn_subwords(["aab", "aab", "aab", "ab"], 5)
    assert symbols == (UNKNOWN, "a", "b", "ab", "aab")
    assert merges == (("a", "b"), ("a", "ab"))


def test_pairs_are_joined_in_the_order_in_which_they_were_learnt() -> None:
    early = Vocabulary((UNKNOWN, "a", "b", "c", "ab", "bc"), "bpe", 0, (("b", "c"), ("a", "b")))
    late = Vocabulary((UNKNOWN, "a", "b", "c", "ab", "bc"), "bpe", 0, (("a", "b"), ("b", "c")))
    assert early.subwords("abc") == ["a", "bc"]
    assert late.subwords("abc") == ["ab", "c"]


def test_another_process_learns_the_same() -> None:
    learn = f"learn_subwords(split_pieces({SENTENCE!r} * 3), 40)"
    code = f"from minidl.data.subwords import learn_subwords, split_pieces; print({learn})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == repr((LEARNT.symbols, LEARNT.merges))


@pytest.mark.parametrize(
    ("merges", "message"),
    [([["a"]], "a pair of symbols"), ([["a", "x"]], "a pair of symbols"), ([1], "a pair"), ("ab", "a list")],
)
def test_spoiled_merges_are_refused(merges: object, message: str) -> None:
    told = {"kind": "bpe", "unknown": 0, "symbols": [UNKNOWN, "a", "b"], "merges": merges}
    with pytest.raises(DataError, match=message):
        Vocabulary.from_json(json.dumps(told))
    with pytest.raises(DataError, match="only a vocabulary of subwords"):
        Vocabulary(("a", "b"), merges=(("a", "b"),))


def test_only_the_training_part_is_learnt(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ab " * 300 + "cd " * 40)
    dataset = Text("text.txt", "bpe", batch_size=1, seq_len=4, max_vocab=9, split=(0.8, 0.1, 0.1)).load(tmp_path)
    assert dataset.vocabulary is not None
    assert set(dataset.vocabulary.symbols) == {UNKNOWN, "a", "b", " ", "ab", " ab"}
    assert dataset.facts["train_tokens"] == 273  # a first ab, 271 with the space before, and the last space
    assert dataset.facts["vocab_size"] == 6


def test_every_command_reads_a_model_of_subwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(SENTENCE * 60)
    (tmp_path / "other.txt").write_text(SENTENCE * 20 + "§")
    (tmp_path / "sub.yaml").write_text(EXPERIMENT)
    assert main(["run", "sub.yaml"]) == 0
    assert main(["run", "sub.yaml", "--resume", "train.steps=9"]) == 0
    assert main(["run", "sub.yaml", "train.steps=9"]) == 0
    models = [Model.load(tmp_path / f"runs/sub/00{n}/checkpoints/step-00000009.npz") for n in (1, 2)]
    assert models[0].weights.flat.tobytes() == models[1].weights.flat.tobytes()
    capfd.readouterr()

    assert main(["sample", "sub", "--prime", "the low", "--length", "9"]) == 0
    assert capfd.readouterr().out.startswith("the low")
    assert main(["evaluate", "sub", "--data", "other.txt", "--json"]) == 0
    told = capfd.readouterr()
    assert "data/perplexity" in json.loads(told.out)
    assert "not in the vocabulary and read as <unk>: '§'" in told.err
    assert main(["export", "sub", "--format", "html"]) == 2
    assert "cannot divide a text into subwords" in capfd.readouterr().err
    assert main(["export", "sub", "--format", "safetensors", "--out", "m.safetensors"]) == 0
    header = (tmp_path / "m.safetensors").read_bytes()
    assert b"merges" in header[: int.from_bytes(header[:8], "little") + 8]
    subject = Subject.of(models[0])
    assert "".join(subject.symbols("the low")) == "the low"
    assert len(subject.symbols("the low")) < len("the low")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match="pip install 'minidl\\[subwords\\]'"):
        Vocabulary.from_text("ab ab", "bpe")


def test_planted_bug_a_learnt_pair_that_is_forgotten_changes_what_is_read() -> None:
    fewer = Vocabulary(LEARNT.symbols, "bpe", LEARNT.unknown, LEARNT.merges[1:])
    assert not np.array_equal(fewer.encode(SENTENCE), LEARNT.encode(SENTENCE))
