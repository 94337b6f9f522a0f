"""How symbols are drawn: from the softmax, colder or warmer, from the likely ones alone, and one after the other."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.data import Vocabulary
from minidl.engine.dispatch import VARIABLE, implementation, kinds
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import generate, sample_text, sample_texts, until
from minidl.layers import LSTM, Dense, OneHot
from minidl.system.errors import ConfigError, NumericsError

LOGITS = np.log(np.array([0.1, 0.4, 0.05, 0.25, 0.2], np.float32))
DRAWS = 1000


class Even(np.random.Generator):
    """Numbers that lie evenly between 0 and 1, so that each symbol comes as often as it has to, and not about so."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64())
        self._numbers = iter((np.arange(DRAWS) + 0.5) / DRAWS)

    def random(self, *_: Any, **__: Any) -> Any:
        return next(self._numbers)


def shares(sampler: Sampler, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each symbol is drawn."""
    draw = implementation(Sampler, "draws", LOGITS.dtype)(sampler, LOGITS, rng)
    return np.bincount([draw() for _ in range(DRAWS)], minlength=len(LOGITS)) / DRAWS


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On both kernels."""
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (Sampler(), [0.1, 0.4, 0.05, 0.25, 0.2]),
        (Sampler(0.5), [0.01, 0.16, 0.0025, 0.0625, 0.04]),  # squares
        (Sampler(2.0), np.sqrt([0.1, 0.4, 0.05, 0.25, 0.2])),
        (Sampler(0.0), [0, 1, 0, 0, 0]),
        (Sampler(top_k=1), [0, 1, 0, 0, 0]),
        (Sampler(top_k=3), [0, 0.4, 0, 0.25, 0.2]),
        (Sampler(top_k=9), [0.1, 0.4, 0.05, 0.25, 0.2]),
        (Sampler(top_p=0.3), [0, 1, 0, 0, 0]),  # the fewest that hold this share, so at least one
        (Sampler(top_p=0.6), [0, 0.4, 0, 0.25, 0]),
        (Sampler(top_p=0.7), [0, 0.4, 0, 0.25, 0.2]),
        (Sampler(top_p=1.0), [0.1, 0.4, 0.05, 0.25, 0.2]),
        (Sampler(top_k=2, top_p=0.9), [0, 0.4, 0, 0.25, 0]),
        (Sampler(min_p=0.45), [0, 0.4, 0, 0.25, 0.2]),  # at least so many times as likely as the likeliest
        (Sampler(min_p=1.0), [0, 1, 0, 0, 0]),
        (Sampler(0.5, min_p=0.5), [0, 0.16, 0, 0, 0]),
        (Sampler(0.5, top_p=0.7), [0, 0.16, 0, 0.0625, 0]),  # the share is that of the colder distribution
    ],
    ids=repr,
)
def test_symbols_come_as_often_as_they_should(sampler: Sampler, expected: list[float], kind: None) -> None:
    p = np.asarray(expected) / np.sum(expected)
    found = shares(sampler, Even())
    assert (found[p == 0] == 0).all()
    assert (np.abs(found - p) <= 1.001 / DRAWS).all(), found


def test_symbols_come_by_chance(kind: None) -> None:
    p = np.exp(LOGITS)
    found = shares(Sampler(), np.random.default_rng(0))
    # Five standard deviations of a share of so many draws.
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / DRAWS)).all(), found
    assert not np.allclose(found, p, atol=1e-4)


@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    st.floats(0, 10),
    st.none() | st.integers(1, 50),
    st.none() | st.floats(0.01, 1),
)
@settings(deadline=None)
def test_any_finite_logits_give_a_symbol(
    logits: NDArray[np.float32], temperature: float, top_k: int | None, top_p: float | None
) -> None:
    with np.errstate(over="ignore"):
        drawn = Sampler(temperature, top_k, top_p).draw(logits, np.random.default_rng(1))
    assert 0 <= drawn < len(logits)


def test_settings_out_of_range() -> None:
    for wrong in ({"temperature": -1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        (name,) = wrong
        with pytest.raises(ConfigError, match=name):
            Sampler(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad: float, kind: None) -> None:
    for place in range(3):
        logits = np.array([0.0, 0.5, 1.0], np.float32)
        logits[place] = bad
        with pytest.raises(NumericsError, match="the model has diverged"):
            implementation(Sampler, "draws", logits.dtype)(Sampler(), logits, np.random.default_rng(0))()


def test_each_symbol_is_drawn_after_all_before_it(kind: None) -> None:
    """As a model that is given the whole text anew for each symbol draws it."""
    depth = 7
    model = Model(outputs={"logits": Dense(depth)(LSTM(9)(OneHot()(Input("ids", dtype="int", depth=depth))))}, seed=1)
    model.weights.flat[...] = np.random.default_rng(2).uniform(-2, 2, model.weights.flat.shape)
    drawn = list(islice(generate(model.replica(), [3, 1], Sampler(), np.random.default_rng(5)), 20))
    text, rng = [3, 1], np.random.default_rng(5)
    for _ in range(20):
        again = model.replica()
        text.append(Sampler().draw(again.forward(ids=np.array(text)[:, None])["logits"][-1, 0], rng))
    assert drawn == text[2:]
    assert len(set(drawn)) > 3


def test_the_model_that_writes_is_left_alone() -> None:
    model = Model(outputs={"logits": Dense(3)(LSTM(4)(OneHot()(Input("ids", dtype="int", depth=3))))})
    model.vocabulary = Vocabulary(("a", "b", "c"))
    model.forward(ids=np.array([[0], [2]]))
    before = model.state["lstm/h"].copy()
    assert len("".join(sample_text(model, prime="ab", length=9))) == 9
    np.testing.assert_array_equal(model.state["lstm/h"], before)


def writer() -> Model:
    ids = Input("ids", dtype="int", depth=4)
    model = Model(outputs={"logits": Dense(4)(LSTM(5)(OneHot()(ids)))})
    model.vocabulary = Vocabulary(("\n", "a", "b", "c"))
    return model


@given(st.lists(st.text("ab", max_size=3), max_size=8), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
@example(["b", "a", "a"], ["a", "baa"])
def test_a_text_ends_before_the_first_stop_string(pieces: list[str], stop: list[str]) -> None:
    """Whatever pieces it comes in: the first is the one that is complete first, and the longest of those."""
    whole = "".join(pieces)
    ends = [(whole.find(string) + len(string), whole.find(string)) for string in stop if string in whole]
    assert "".join(until(stop, pieces)) == whole[: min(ends, default=(0, len(whole)))[1]]


def test_stop_strings_end_what_is_written() -> None:
    model = writer()
    whole = "".join(sample_text(model, length=60))
    assert "cb" in whole
    assert (
        "".join(sample_text(model, length=60, stop=["cb", "cc"]))
        == whole[: min(place for place in (whole.find("cb"), whole.find("cc")) if place >= 0)]
    )


def test_what_was_written_becomes_less_likely() -> None:
    sampler, written = Sampler(repetition_penalty=2.0), np.array([True, False, True, False])
    logits = np.array([2.0, 2.0, -1.0, -1.0])
    assert sampler.penalised(logits, written).tolist() == [1.0, 2.0, -2.0, -1.0]
    assert Sampler().penalised(logits, written) is logits
    texts = ["".join(sample_text(writer(), length=4, sampler=Sampler(0, repetition_penalty=x))) for x in (1.0, 1e9)]
    assert len(set(texts[1])) > len(set(texts[0]))


def test_several_texts_are_drawn_side_by_side_and_each_is_another() -> None:
    model = writer()
    texts = sample_texts(model, 5, length=30, seed=1)
    assert len(set(texts)) == 5
    assert texts == sample_texts(model, 5, length=30, seed=1)
    greedy = sample_texts(model, 3, length=10, sampler=Sampler(0))
    assert greedy == ["".join(sample_text(model, length=10, sampler=Sampler(0)))] * 3
    assert all("b" not in text for text in sample_texts(model, 5, length=30, stop=["b"]))


def test_limits_of_the_new_options() -> None:
    for options in ({"min_p": 0.0}, {"min_p": 1.5}, {"repetition_penalty": 0.5}):
        with pytest.raises(ConfigError):
            Sampler(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2])
def test_outputs_beyond_the_vocabulary_are_never_drawn(count: int) -> None:
    """They would be fed back as ids that there are not."""
    model = Model(outputs={"logits": Dense(9)(OneHot()(Input("ids", dtype="int", depth=3)))})
    model.parameters["dense/b"][3:] = 99
    model.vocabulary = Vocabulary(("a", "b", "c"))
    texts = sample_texts(model, 2, prime="a", length=20) if count == 2 else [*sample_text(model, prime="a", length=20)]
    assert set("".join(texts)) <= set("abc")
