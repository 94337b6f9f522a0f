"""Vocabularies: fixed order, clean Unicode, clear refusals."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import UNKNOWN, Vocabulary
from minidl.system.errors import DataError

any_text = st.text(st.characters(), min_size=1)  # st.characters() includes NUL and lone surrogates


@given(any_text)
@settings(deadline=None, max_examples=300)
def test_characters_survive_the_round_trip(text):
    vocabulary = Vocabulary.from_text(text)
    assert list(vocabulary.symbols) == sorted(set(text))
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(any_text)
@settings(deadline=None, max_examples=300)
def test_words_survive_the_round_trip(text):
    vocabulary = Vocabulary.from_text(text, "word")
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(any_text, st.sampled_from(["char", "word"]), st.none() | st.integers(2, 5))
@settings(deadline=None)
def test_a_saved_vocabulary_is_the_same_vocabulary(text, kind, max_vocab):
    vocabulary = Vocabulary.from_text(text, kind, max_vocab)
    saved = vocabulary.to_json()
    assert saved.isascii()
    assert Vocabulary.from_json(saved) == vocabulary
    assert max_vocab is None or len(vocabulary) <= max_vocab


@given(any_text, any_text, st.sampled_from(["char", "word"]))
@settings(deadline=None)
def test_every_text_is_encoded_or_refused(text, other, kind):
    vocabulary = Vocabulary.from_text(text, kind)
    ids = vocabulary.encode(other, unknown="skip")
    assert ids.size == 0 or (ids.min() >= 0 and ids.max() < len(vocabulary))
    if kind == "char":
        assert vocabulary.decode(ids) == "".join(symbol for symbol in other if symbol in text)


def test_hard_characters():
    text = "a\x00\ud800\udc00\U0010ffff\r\n"
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_words_by_frequency_then_text():
    vocabulary = Vocabulary.from_words(["d", "b", "a", "b", "c", "c", UNKNOWN], max_vocab=4)
    assert vocabulary.symbols == ("b", "c", "a", UNKNOWN)
    assert vocabulary.unknown == 3
    assert vocabulary.encode("c d <unk> a").tolist() == [1, 3, 3, 2]


def test_rare_characters_become_unknown():
    vocabulary = Vocabulary.from_text("bbbaaacd", max_vocab=3)
    assert vocabulary == Vocabulary(("a", "b", UNKNOWN), "char", 2)
    assert vocabulary.encode("cab\U0010ffff").tolist() == [2, 0, 1, 2]
    assert vocabulary.decode([0, 2]) == "a<unk>"


def test_unseen_characters_are_named_with_their_place():
    vocabulary = Vocabulary.from_text("abc\n")
    with pytest.raises(DataError) as caught:
        vocabulary.encode("ab\nçaéç")
    message = str(caught.value)
    assert "'ç', 'é' not among the 4 characters" in message
    assert "character 4, line 2" in message
    assert "take them out, skip what is unknown, or train on text that has them" in message
    assert vocabulary.encode("ab\nçaéç", unknown="skip").tolist() == [1, 2, 0, 1]


def test_many_unseen_symbols_are_counted():
    with pytest.raises(DataError, match=r"'b', 'c', 'd', 'e', 'f' and 2 more"):
        Vocabulary.from_text("a").encode("abcdefgh")


def test_unseen_words_without_an_unknown_word():
    vocabulary = Vocabulary(("the", "cat", "\n"), "word")
    with pytest.raises(DataError, match=r"'dog' not among the 3 words.*word 4, line 2.*take it out"):
        vocabulary.encode("the cat\ndog")
    assert vocabulary.encode("the dog cat", unknown="skip").tolist() == [0, 1]


@pytest.mark.parametrize("ids", [[-1], [3], [0.5], [np.nan], [[0]]])
def test_ids_that_nobody_has(ids):
    with pytest.raises(DataError, match="ids"):
        Vocabulary(("a", "b", "c")).decode(ids)


def test_no_ids_are_no_text():
    assert Vocabulary(("a",)).decode([]) == ""
    assert Vocabulary(("a",)).encode("").shape == (0,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "kind, unknown and symbols"),
        ({"kind": "char", "symbols": ["a"]}, "kind, unknown and symbols"),
        ({"kind": "char", "unknown": None, "symbols": "ab"}, "a list"),
        ({"kind": "byte", "unknown": None, "symbols": ["a"]}, "'byte'"),
        ({"kind": [], "unknown": None, "symbols": ["a"]}, "not \\[\\]"),
        ({"kind": "char", "unknown": None, "symbols": []}, "needs symbols"),
        ({"kind": "char", "unknown": None, "symbols": ["a", 1]}, "needs symbols"),
        ({"kind": "char", "unknown": None, "symbols": ["a", [1]]}, "needs symbols"),
        ({"kind": "char", "unknown": None, "symbols": ["a", ""]}, "needs symbols"),
        ({"kind": "char", "unknown": None, "symbols": ["a", "b", "a"]}, "'a' twice"),
        ({"kind": "char", "unknown": None, "symbols": ["a", "bc"]}, "symbol 1 .* 'bc'"),
        ({"kind": "word", "unknown": 0, "symbols": ["a", "<unk>"]}, "unknown"),
        ({"kind": "word", "unknown": -1, "symbols": ["a", "<unk>"]}, "unknown"),
        ({"kind": "word", "unknown": True, "symbols": ["a", "<unk>"]}, "unknown"),
        ({"kind": "word", "unknown": 7, "symbols": ["a", "<unk>"]}, "unknown"),
    ],
)
def test_spoiled_vocabularies_are_refused(content, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.from_json(content if isinstance(content, str) else json.dumps(content))


def test_a_megabyte_is_encoded_at_once():
    text = "To be, or not to be, that is the question:\n" * 25_000
    vocabulary = Vocabulary.from_text(text)
    started = time.perf_counter()
    ids = vocabulary.encode(text)
    assert time.perf_counter() - started < 1.0  # about 0.01 s; a Python loop over characters takes longer than this
    assert ids.dtype == np.int32
    assert ids.shape == (len(text),)
