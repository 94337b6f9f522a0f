"""Baselines against slow and obvious counting, and on texts whose answer is known."""

import math
import random
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import Text, baselines, from_arrays
from minidl.data.ngrams import NGrams
from minidl.system.errors import DataError


def by_witten_bell(train, token, context, depth):
    """p(token | context) by counting in loops; `context` may be longer than what was seen."""
    if context is None:
        return 1 / depth
    followers = [
        after
        for i, after in enumerate(train)
        if i >= len(context) and tuple(train[i - len(context) : i]) == tuple(context)
    ]
    lower = by_witten_bell(train, token, context[1:] if context else None, depth)
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
    fast = NGrams(np.array(train, np.int32), np.array(validation, np.int32), depth, 5).witten_bell()
    for order, probabilities in enumerate(fast, start=1):
        slow = [
            by_witten_bell(train, text[i], tuple(text[i - order + 1 : i]), depth)
            for i in range(len(train) + 1, len(text))
        ]
        assert probabilities == pytest.approx(slow, rel=1e-12)


class KneserNey:
    """Modified Kneser-Ney as its authors write it, by counting in loops; the first tokens stand after a symbol "<"."""

    def __init__(self, train, depth, order):
        self.depth = depth
        padded = ["<"] * order + train
        self.counts = [Counter(tuple(padded[i - order + 1 : i + 1]) for i in range(order, len(padded)))]
        for shorter in range(order - 1, 0, -1):
            longer = {tuple(padded[i - shorter : i + 1]) for i in range(order, len(padded))}
            self.counts.insert(0, Counter(gram[1:] for gram in longer))
        self.discounts = [self._discounts(list(counts.values())) for counts in self.counts]

    @staticmethod
    def _discounts(counts):
        n1, n2, n3, n4 = (counts.count(k) for k in (1, 2, 3, 4))
        if n1 and n2 and n3 and n4:
            y = n1 / (n1 + 2 * n2)
            found = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
            if all(0 < d <= k for k, d in enumerate(found) if k):
                return found
        return [0, 0.5, 1.0, 1.5]

    def probability(self, token, context):
        lower = 1 / self.depth if not context else self.probability(token, context[1:])
        if context is None:
            return lower
        counts, discounts = self.counts[len(context)], self.discounts[len(context)]
        followers = {gram: c for gram, c in counts.items() if gram[:-1] == context}
        if not followers:
            return lower
        c = followers.get((*context, token), 0)
        gamma = sum(discounts[min(n, 3)] for n in followers.values())
        return (c - discounts[min(c, 3)] + gamma * lower) / sum(followers.values())


@pytest.mark.parametrize(("seed", "depth", "order"), [(0, 2, 1), (1, 3, 2), (2, 5, 3), (3, 30, 3), (4, 8, 5)])
def test_kneser_ney_agrees_with_the_textbook(seed, depth, order):
    draw = random.Random(seed)
    train = draw.choices(range(depth), weights=[1 / (k + 1) ** 2 for k in range(depth)], k=200)
    validation = [draw.randrange(depth) for _ in range(30)]
    text, slow = train + validation, KneserNey(train, depth, order)
    assert any(discounts != [0, 0.5, 1.0, 1.5] for discounts in slow.discounts) == (depth >= 5)
    fast = NGrams(np.array(train, np.int32), np.array(validation, np.int32), depth, order + 1).kneser_ney(order)
    expected = [
        slow.probability(text[i], tuple(text[i - order + 1 : i] if order > 1 else ()))
        for i in range(len(train) + 1, len(text))
    ]
    assert fast == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(0, 4), st.integers(1, 6))
def test_the_probabilities_of_all_tokens_are_one_together(train, context, order):
    after = [NGrams(np.array(train), np.array([context, token]), 5, order).kneser_ney(order)[0] for token in range(5)]
    assert min(after) > 0
    assert sum(after) == pytest.approx(1)


def test_ngrams_of_the_shortest_text():
    train, validation = np.array([0, 1]), np.array([1, 0])
    grams = NGrams(train, validation, 2, 5)
    unigram, *others = grams.witten_bell()
    assert len(others) == 4
    assert unigram == grams.kneser_ney(1) == pytest.approx(0.5)


def test_a_text_that_repeats_itself_is_learnt(tmp_path):
    (tmp_path / "song.txt").write_text("abcdef" * 2000)
    losses = baselines(Text("song.txt", batch_size=1, seq_len=10).load(tmp_path))
    assert list(losses) == ["uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram", "kneser-ney", "xz"]
    assert losses["uniform"] == pytest.approx(math.log(6))
    assert losses["unigram"] == pytest.approx(math.log(6), abs=0.01)
    assert losses["kneser-ney"] < losses["bigram"] < 0.01
    assert 0 <= losses["xz"] < 0.1


def test_noise_is_not_learnt(tmp_path):
    symbols = "abcdefghijklmnop"
    (tmp_path / "noise.txt").write_text("".join(random.Random(0).choices(symbols, k=30_000)))
    losses = baselines(Text("noise.txt", batch_size=4, seq_len=10).load(tmp_path))
    assert all(loss > math.log(16) - 0.01 for loss in losses.values())


def test_a_python_without_xz(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)
    (tmp_path / "song.txt").write_text("abcdef" * 200)
    assert list(baselines(Text("song.txt", batch_size=1, seq_len=10).load(tmp_path)))[-1] == "kneser-ney"


def test_words_have_no_xz_and_lose_to_longer_contexts():
    losses = baselines(Text("pydoc_topics", tokens="word").load(Path()))
    assert "xz" not in losses
    assert losses["uniform"] > losses["unigram"] > losses["bigram"] > losses["trigram"] > losses["kneser-ney"]


def test_the_built_in_text_in_a_moment():
    dataset = Text("pydoc_topics").load(Path())
    started = time.perf_counter()
    losses = baselines(dataset)
    assert time.perf_counter() - started < 5  # about 0.5 s; loops over tokens take much longer than this
    assert losses["kneser-ney"] < losses["5-gram"] < losses["trigram"] < losses["unigram"] < losses["uniform"]
    assert losses["xz"] < losses["trigram"]


def test_where_there_is_nothing_to_compare_with(tmp_path):
    (tmp_path / "song.txt").write_text("abcdef" * 200)
    alone = Text("song.txt", split=(1.0, 0.0, 0.0), batch_size=1, seq_len=10).load(tmp_path)
    for dataset in (alone, from_arrays({"x": np.zeros((3, 20, 2)), "targets": np.zeros(20, int)})):
        with pytest.raises(DataError, match="baselines are for a text with a validation part"):
            baselines(dataset)
