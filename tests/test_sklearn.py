"""Estimators of scikit-learn: their contract, sequences of all kinds, searches, pipelines and pickles."""

from __future__ import annotations

import pickle
import pickletools
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="estimators need scikit-learn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from minidl.engine.dispatch import VARIABLE, kinds
from minidl.sklearn import Forecaster, SequenceClassifier, SequenceRegressor, SequenceTagger
from minidl.storage.archive import read_archive

Array = np.ndarray[Any, Any]
TEXTS, CLASSES = ["ab", "abab", "ba", "baba", "ababab", "ba"] * 6, ["up", "up", "down", "down", "up", "down"] * 6
SMALL: dict[str, Any] = {"units": 8, "random_state": 0}
# A forecast of a row depends on those before it, a series may be of one axis, and its rows have no order to shuffle.
ORDERED = ("check_regressors_train", "check_methods_sample_order_invariance", "check_methods_subset_invariance")
ONE_AXIS = ("check_fit1d", "check_fit2d_predict1d")
OF_SERIES = dict.fromkeys(ORDERED, "rows depend on each other") | dict.fromkeys(ONE_AXIS, "a series may have one axis")


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (SequenceClassifier(epochs=8, learning_rate=0.05, **SMALL), {}),
        (SequenceRegressor(epochs=25, learning_rate=0.02, **SMALL), {}),
        (Forecaster(epochs=2, window=4, **SMALL), OF_SERIES),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_checks_of_scikit_learn(estimator: Any, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, but for what a series is not, with the kernels that a person has.

    Where there is a compiler these are compiled, and a row has the same bits among any others. The products of NumPy
    have not, on some processors: there the order of rows changes the seventh digit, where the checks look at nine.
    """
    monkeypatch.delenv(VARIABLE, raising=False)
    if "c" not in kinds():
        expected = expected | dict.fromkeys(ORDERED[1:], "products of NumPy depend on the rows beside")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.simplefilter("ignore")  # of checks that feed what is odd
        results = check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
    assert sum(result["status"] == "passed" for result in results) > 40


def sequences(count: int = 40) -> tuple[list[Array], Array]:
    """Walks of unequal lengths in two dimensions, and whether the first dimension rises."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], size=count)
    return [np.cumsum(rng.normal([0.8 * sign, 0], 0.5, (int(rng.integers(3, 9)), 2)), axis=0) for sign in signs], signs


def test_sequences_of_unequal_lengths() -> None:
    X, y = sequences()
    model = SequenceClassifier(epochs=20, **SMALL).fit(X, y)
    assert model.score(X, y) > 0.95
    assert model.classes_.tolist() == [-1, 1]
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], model.predict(X))
    alone = np.array([model.predict_proba([x])[0] for x in X[:5]])
    np.testing.assert_allclose(alone, shares[:5], atol=1e-5)


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        [list(text) for text in TEXTS],
        [[[float(char == "a")] for char in text] for text in TEXTS],
        [[float(char == "a") for char in text] for text in TEXTS],
        np.array([[[float(char == "a"), 1.0] for char in (text * 3)[:6]] for text in TEXTS]),
        np.array([[float(char == "a") for char in (text * 3)[:6]] for text in TEXTS]),
    ],
    ids=["texts", "array of texts", "objects", "lists of words", "(T, F)", "(T,)", "(N, T, F)", "(N, T)"],
)
def test_sequences_in_every_form(X: Any) -> None:
    model = SequenceClassifier(epochs=20, embedding=4, **SMALL).fit(X, CLASSES)
    assert model.score(X, CLASSES) == 1.0


def test_texts_of_pandas_by_words() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"text": ["good day", "bad day", "very good", "so bad"] * 8, "y": [1.0, -1.0, 1.5, -1.5] * 8}
    )
    model = SequenceRegressor(tokens="word", epochs=40, bidirectional=True, **SMALL).fit(frame["text"], frame["y"])
    assert model.score(frame["text"], frame["y"]) > 0.9
    assert np.isfinite(model.predict(["unheard of"])).all()


def test_several_numbers_at_once() -> None:
    X, signs = sequences()
    y = np.stack([signs, [len(x) for x in X]], axis=1)
    model = SequenceRegressor(epochs=60, cell="lstm", **SMALL).fit(X, y)
    assert model.predict(X).shape == (40, 2)
    assert model.score(X, y) > 0.8


def test_tags_for_each_step() -> None:
    X, y = ["a1b2", "12", "ab", "b"] * 8, [list("xdxd"), list("dd"), list("xx"), ["x"]] * 8
    model = SequenceTagger(epochs=20, embedding=4, bidirectional=True, **SMALL).fit(X, y)
    assert model.predict(["b21", "1"]) == [["x", "d", "d"], ["d"]]
    assert model.score(X, y) == 1.0
    assert [shares.shape for shares in model.predict_proba(["b21", "1"])] == [(3, 2), (1, 2)]
    with pytest.raises(ValueError, match="sequence 0 has 4 steps and 1 tags"):
        model.fit(["a1b2"], [["x"]])


def test_forecasts_of_a_series_and_beyond_its_end() -> None:
    series = np.stack([np.sin(0.3 * np.arange(200)), np.cos(0.3 * np.arange(200))], axis=1)
    model = Forecaster(window=6, horizon=2, epochs=20, **SMALL).fit(series[:150])
    assert model.score(series[150:], series[150:]) > 0.8
    assert model.predict(series).shape == series.shape
    ahead = model.forecast(7, series[:150])
    np.testing.assert_allclose(ahead, model.forecast(7), rtol=1e-4, atol=1e-6)  # as the BLAS rounds
    assert np.abs(ahead - series[150:157]).max() < 0.4
    one = Forecaster(window=6, epochs=10, **SMALL).fit(series[:150], series[:150, 0])
    assert one.predict(series[150:]).shape == (50,)
    with pytest.raises(ValueError, match="looked ahead of by 1 rows"):
        one.forecast(2)


def test_early_stopping_keeps_the_best_weights() -> None:
    X, _ = sequences(60)
    model = SequenceRegressor(epochs=80, early_stopping=True, n_iter_no_change=3, validation_fraction=0.3, **SMALL)
    model.fit(X, np.random.default_rng(1).normal(size=60))  # nothing to learn: it gets worse
    assert model.n_iter_ < 80
    assert len(model.validation_losses_) == model.n_iter_
    best = SequenceRegressor(**model.get_params()).set_params(epochs=int(np.argmin(model.validation_losses_)) + 1)
    best.fit(X, np.random.default_rng(1).normal(size=60))
    np.testing.assert_allclose(model.predict(X), best.predict(X), rtol=1e-5)


def test_searches_pipelines_and_clones() -> None:
    X, y = sequences()
    search = GridSearchCV(SequenceClassifier(epochs=8, **SMALL), {"units": [4, 8], "cell": ["gru", "rnn"]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.7
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()
    reverse = make_pipeline(
        FunctionTransformer(lambda texts: [text[::-1] for text in texts]), SequenceClassifier(**SMALL)
    )
    assert reverse.fit(TEXTS, CLASSES).score(TEXTS, CLASSES) == 1.0
    series = np.sin(0.3 * np.arange(120))[:, None]
    scaled = make_pipeline(StandardScaler(), Forecaster(window=6, epochs=20, **SMALL))
    assert cross_val_score(scaled, series, series[:, 0], cv=TimeSeriesSplit(2)).mean() > 0.5


def test_pickles_hold_minidls_own_file_and_no_code_of_a_model() -> None:
    model = SequenceClassifier(epochs=5, embedding=4, **SMALL).fit(TEXTS, CLASSES)
    file = pickle.dumps(model)
    again = pickle.loads(file)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert again.get_params() == model.get_params()
    names = {arg for opcode, arg, _ in pickletools.genops(file) if opcode.name == "SHORT_BINUNICODE"}
    assert not any(str(name).startswith("minidl.") and not str(name).startswith("minidl.sklearn") for name in names)


def test_the_file_within_is_read_as_any_other(tmp_path: Any) -> None:
    model = SequenceTagger(epochs=1, **SMALL).fit(["ab"], ["xy"])
    (tmp_path / "model.npz").write_bytes(model.__getstate__()["model_"])
    assert "parameters/answer/W" in read_archive(tmp_path / "model.npz").arrays


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("text", "one text: give a list"),
        ([], "0 sample"),
        (["ab", ""], "sequence 1 of X is empty"),
        ([[1.0], ["a"]], "sequence 1 of X is neither numbers"),
        ([[1.0], [np.nan, 1.0]], "sequence 1 of X contains NaN"),
        ([np.zeros((2, 2)), np.zeros((3, 1))], "sequence 1 of X has 1 features, expected 2"),
    ],
)
def test_what_is_no_sequence_is_refused(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceClassifier(**SMALL).fit(X, ["a", "b"][: len(X)])


def test_what_was_not_fitted_or_fitted_on_something_else() -> None:
    with pytest.raises(NotFittedError):
        SequenceTagger().predict(["ab"])
    model = SequenceClassifier(epochs=1, **SMALL).fit(TEXTS, CLASSES)
    with pytest.raises(ValueError, match="sequences of numbers, but SequenceClassifier was fitted on symbols"):
        model.predict(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="cell should be one of lstm, gru, rnn, got 'gro'"):
        SequenceClassifier(cell="gro", **SMALL).fit(TEXTS, CLASSES)  # type: ignore[arg-type]
