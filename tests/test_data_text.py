"""Text data sets: contiguous parts, the right vocabulary, facts that an experiment can refer to."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import UNKNOWN, ArraySpec, Streams, Text
from minidl.data.batches import split_slices
from minidl.system.errors import DataError, UsageError


def dataset_of(text, folder, **settings):
    (folder / "book.txt").write_text(text, encoding="utf-8", newline="")
    return Text("book.txt", **settings).load(folder)


def read_back(dataset, part):
    return dataset.vocabulary.decode(part.ids())


@given(
    st.integers(1, 5000),
    st.sampled_from([(0.9, 0.05, 0.05), (0.7, 0.3, 0.0), (1.0, 0.0, 0.0), (0.6, 0.3, 0.1), (0.5, 0.0, 0.5)]),
)
@settings(deadline=None)
def test_parts_are_contiguous_and_leave_nothing_out(count, split):
    try:
        parts = split_slices(count, split, least=1, what="items")
    except DataError:
        assert count * min(share for share in split if share) < 1
        return
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    for part, share in zip(parts, split, strict=True):
        assert abs(part.stop - part.start - count * share) <= 1
        assert (part.stop == part.start) == (share == 0)


@pytest.mark.parametrize(
    "split", [(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (1.2, -0.2, 0.0), (float("nan"), 0.5, 0.5), (0.9, 0.1)]
)
def test_shares_that_are_none(split):
    with pytest.raises(UsageError, match="three shares"):
        split_slices(100, split, least=1, what="items")


def test_characters(tmp_path):
    text = "".join(chr(97 + i % 26) for i in range(2000))
    dataset = dataset_of(text, tmp_path, split=(0.8, 0.1, 0.1), batch_size=1, seq_len=10)
    assert read_back(dataset, dataset.train) == text[:1600]
    assert read_back(dataset, dataset.validation) == text[1600:1800]
    assert read_back(dataset, dataset.test) == text[1800:]
    assert dataset.inputs == {"ids": ArraySpec("int", 26, ("T", "B")), "targets": ArraySpec("int", 26, ("T", "B"))}
    assert list(dataset.inputs)[-1] == "targets"
    assert dataset.unit == "char"
    assert dataset.digest == hashlib.sha256(text.encode()).hexdigest()
    assert dataset.facts == {
        "vocab_size": 26,
        "characters": 2000,
        "train_tokens": 1600,
        "validation_tokens": 200,
        "test_tokens": 200,
    }


def test_a_character_of_the_test_part_alone_is_known(tmp_path):
    dataset = dataset_of("ab" * 100 + "z", tmp_path, batch_size=1, seq_len=5)
    assert dataset.vocabulary.symbols == ("a", "b", "z")
    assert dataset.vocabulary.unknown is None


def test_a_word_of_the_test_part_alone_is_unknown(tmp_path):
    text = "the cat sat. " * 100 + "the dog sat."
    dataset = dataset_of(text, tmp_path, tokens="word", batch_size=2, seq_len=5)
    assert dataset.vocabulary.symbols == (". ", "cat", "sat", "the", UNKNOWN)
    assert read_back(dataset, dataset.test).endswith("cat sat. the <unk> sat <unk>")  # the last is ".", elsewhere ". "
    assert dataset.unit == "word"
    assert dataset.facts["vocab_size"] == 5


def test_max_vocab_counts_the_unknown_symbol(tmp_path):
    for tokens in ("word", "char"):
        text = "one two two three three three " * 20
        dataset = dataset_of(text, tmp_path, tokens=tokens, max_vocab=3, batch_size=1, seq_len=5)
        assert dataset.facts["vocab_size"] == 3
        assert dataset.vocabulary.symbols[-1] == UNKNOWN
    with pytest.raises(UsageError, match="'max_vocab' should be 2 or more"):
        dataset_of("text", tmp_path, max_vocab=1)


def test_parts_of_no_share_are_none(tmp_path):
    dataset = dataset_of("abcd" * 50, tmp_path, split=(1.0, 0.0, 0.0), batch_size=2, seq_len=4)
    assert dataset.validation is None
    assert dataset.test is None


def test_short_evaluation_parts_are_read_in_fewer_streams(tmp_path):
    dataset = dataset_of("abcd" * 1000, tmp_path, batch_size=32, seq_len=20)
    assert dataset.train.batch(0).inputs["ids"].shape == (20, 32)
    assert isinstance(dataset.validation, Streams)
    assert dataset.validation.batch(0).inputs["ids"].shape == (20, 1)
    assert sum(dataset.validation.batch(i).inputs["targets"].size for i in range(10)) == 199


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abc " * 20, "training text: 72 ids are too few for 32 streams with a window of 64 each, which take 2049"),
        ("abab", "the validation part, 0.05 of 4 chars, has 0 and needs 2 or more"),
        ("a", "the training part, 0.9 of 1 chars, has 1 and needs 2 or more"),
    ],
)
def test_texts_that_are_too_short(tmp_path, text, said):
    with pytest.raises(DataError) as caught:
        dataset_of(text, tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_the_built_in_text(tokens):
    dataset = Text("pydoc_topics", tokens=tokens).load(Path())
    again = Text("pydoc_topics", tokens=tokens).load(Path())
    assert dataset.vocabulary == again.vocabulary
    assert dataset.digest == again.digest
    assert dataset.train.batch(0).inputs["ids"].shape == (64, 32)
    assert dataset.train.batch(0).inputs["ids"].dtype == np.int32
    assert "statement" in read_back(dataset, dataset.train)
