"""Word tokens: nothing is lost, and what a model makes up joins to natural text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import UNKNOWN, join_words, split_words

pieces = st.one_of(
    st.sampled_from([UNKNOWN, " ", "  ", "\n", "\n\t", "\r", "a", "b1", "_", "'", "’", ".", "..", "<", ">", "unk"]),
    st.characters(),
)
texts = st.lists(pieces, max_size=30).map("".join)


@given(texts)
@settings(deadline=None, max_examples=200)
def test_splitting_and_joining_loses_nothing(text):
    assert join_words(split_words(text)) == text


@given(texts)
@settings(deadline=None)
def test_the_one_space_between_words_is_never_a_token(text):
    tokens = split_words(text)
    assert all(tokens)
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        assert not (token == " " and before[-1].isalnum() and after[0].isalnum())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("the cat  sat", ["the", "cat", "  ", "sat"]),
        ("It's: yes, (no)...", ["It's", ": ", "yes", ", ", "(", "no", ")", "..."]),
        ("x = f(y)\n\n    return", ["x", " = ", "f", "(", "y", ")", "\n", "\n    ", "return"]),
        ("the <unk> of <unk> , and", ["the", UNKNOWN, "of", UNKNOWN, " , ", "and"]),
        ("a<unk> b", ["a", "<", "unk", "> ", "b"]),
        ("naïve 日本 \ud800\x00", ["naïve", "日本", " \ud800", "\x00"]),
        ("", []),
    ],
)
def test_tokens(text, tokens):
    assert split_words(text) == tokens


def test_made_up_sequences_have_their_words_apart():
    assert join_words(["a", UNKNOWN, "b", ", ", "c", "\n", "d", "e"]) == "a <unk> b, c\nd e"
