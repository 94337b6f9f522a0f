"""Baselines against slow and obvious counting, and on texts whose answer is known."""

import math
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minidl.data import Text, baselines, from_arrays
from minidl.data.baselines import ngram_losses
from minidl.system.errors import DataError


def witten_bell(train, token, context, depth):
    """p(token | context) by counting in loops; `context` may be longer than what was seen."""
    if context is None:
        return 1 / depth
    followers = [
        after
        for i, after in enumerate(train)
        if i >= len(context) and tuple(train[i - len(context) : i]) == tuple(context)
    ]
    lower = witten_bell(train, token, context[1:] if context else None, depth)
    if not followers:
        return lower
    kinds = len(set(followers))
    return (followers.count(token) + kinds * lower) / (len(followers) + kinds)


@pytest.mark.parametrize(("seed", "depth"), [(0, 2), (1, 4), (2, 30)])
def test_ngrams_agree_with_counting_in_loops(seed, depth):
    draw = random.Random(seed)
    train = [draw.randrange(depth) for _ in range(150)]
    validation = [draw.randrange(depth) for _ in range(40)]
    text = train + validation
    fast = ngram_losses(np.array(train, np.int32), np.array(validation, np.int32), depth)
    for order, loss in enumerate(fast, start=1):
        slow = [
            -math.log(witten_bell(train, text[i], tuple(text[i - order + 1 : i]), depth))
            for i in range(len(train) + 1, len(text))
        ]
        assert loss == pytest.approx(sum(slow) / len(slow), rel=1e-12)


def test_ngrams_of_the_shortest_text():
    losses = ngram_losses(np.array([0, 1]), np.array([1, 0]), 2)
    assert len(losses) == 5
    assert losses[0] == pytest.approx(math.log(2))


def test_a_text_that_repeats_itself_is_learnt(tmp_path):
    (tmp_path / "song.txt").write_text("abcdef" * 2000)
    losses = baselines(Text("song.txt", batch_size=1, seq_len=10).load(tmp_path))
    assert list(losses) == ["uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram", "xz"]
    assert losses["uniform"] == pytest.approx(math.log(6))
    assert losses["unigram"] == pytest.approx(math.log(6), abs=0.01)
    assert losses["bigram"] < 0.01
    assert 0 <= losses["xz"] < 0.1


def test_noise_is_not_learnt(tmp_path):
    symbols = "abcdefghijklmnop"
    (tmp_path / "noise.txt").write_text("".join(random.Random(0).choices(symbols, k=30_000)))
    losses = baselines(Text("noise.txt", batch_size=4, seq_len=10).load(tmp_path))
    assert all(loss > math.log(16) - 0.01 for loss in losses.values())


def test_a_python_without_xz(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)
    (tmp_path / "song.txt").write_text("abcdef" * 200)
    assert list(baselines(Text("song.txt", batch_size=1, seq_len=10).load(tmp_path)))[-1] == "5-gram"


def test_words_have_no_xz_and_lose_to_longer_contexts():
    losses = baselines(Text("pydoc_topics", tokens="word").load(Path()))
    assert "xz" not in losses
    assert losses["uniform"] > losses["unigram"] > losses["bigram"] > losses["trigram"]


def test_the_built_in_text_in_a_moment():
    dataset = Text("pydoc_topics").load(Path())
    started = time.perf_counter()
    losses = baselines(dataset)
    assert time.perf_counter() - started < 5  # about 0.5 s; loops over tokens take much longer than this
    assert losses["5-gram"] < losses["trigram"] < losses["unigram"] < losses["uniform"]
    assert losses["xz"] < losses["trigram"]


def test_where_there_is_nothing_to_compare_with(tmp_path):
    (tmp_path / "song.txt").write_text("abcdef" * 200)
    alone = Text("song.txt", split=(1.0, 0.0, 0.0), batch_size=1, seq_len=10).load(tmp_path)
    for dataset in (alone, from_arrays({"x": np.zeros((3, 20, 2)), "targets": np.zeros(20, int)})):
        with pytest.raises(DataError, match="baselines are for a text with a validation part"):
            baselines(dataset)
