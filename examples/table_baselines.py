"""What scikit-learn makes of the tables of experiments/, on the same training and validation parts, for docs/tables.md.

pip install 'minidl[sklearn]' && python examples/table_baselines.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from minidl.experiment import read_experiment

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
QUANTILES = (0.1, 0.5, 0.9)
LAGS = 50


def read(name: str) -> tuple[Any, Any]:
    """The data set of an experiment, and the rows of its table."""
    experiment = read_experiment(EXPERIMENTS / f"{name}.yaml")
    rows: Any = experiment.data.rows(experiment.data.source, Path())  # type: ignore[attr-defined]
    return experiment.dataset, rows


def texts(name: str, text: str, label: str) -> str:
    """TF-IDF of words and pairs of words, and logistic regression with balanced classes."""
    dataset, rows = read(name)
    cells, names = list(rows.column(text)), list(rows.column(label))
    train, asked = ([(cells[i], names[i]) for i in part.rows] for part in (dataset.train, dataset.validation))
    tfidf = TfidfVectorizer(ngram_range=(1, 2))
    model = LogisticRegression(max_iter=1000, class_weight="balanced")
    model.fit(tfidf.fit_transform([x for x, _ in train]), [y for _, y in train])
    wanted, found = [y for _, y in asked], model.predict(tfidf.transform([x for x, _ in asked]))
    return f"accuracy {accuracy_score(wanted, found):.2f}, macro F1 {f1_score(wanted, found, average='macro'):.2f}"


def sensors() -> str:
    """Means and deviations of each recording, and logistic regression."""
    dataset, _ = read("classify_sensors")

    def described(part: Any) -> tuple[Any, Any]:
        taken = [part.take(np.array([i])) for i in range(len(part))]
        features = [np.concatenate([t["x"][:, 0].mean(axis=0), t["x"][:, 0].std(axis=0)]) for t in taken]
        return np.array(features), np.array([t["targets"][0] for t in taken])

    model = LogisticRegression(max_iter=1000).fit(*described(dataset.train))
    return f"accuracy {model.score(*described(dataset.validation)):.2f}"


def demand() -> str:
    """Gradient boosting on all numbers of a window, a model for each step and quantile."""
    dataset, _ = read("forecast_demand")

    def windows(part: Any) -> tuple[Any, Any]:
        taken = part.take(np.arange(len(part)))
        return taken["x"].swapaxes(0, 1).reshape(len(part), -1), taken["targets"]

    (x, y), (asked, wanted) = windows(dataset.train), windows(dataset.validation)
    losses, errors = [], []
    for step in range(y.shape[1]):
        for quantile in QUANTILES:
            model = HistGradientBoostingRegressor(loss="quantile", quantile=quantile, random_state=0)
            error = wanted[:, step] - model.fit(x, y[:, step]).predict(asked)
            losses.append(np.maximum(quantile * error, (quantile - 1) * error).mean())
            if quantile == 0.5:
                errors.append(np.abs(error).mean())
    return f"pinball loss {np.mean(losses):.3f}, mean absolute error {np.mean(errors):.3f}"


def entities() -> str:
    """Logistic regression on each word, the one before it and the one after it."""
    dataset, rows = read("tag_entities")
    cells, names = list(rows.column("text")), list(rows.column("tags"))

    def windows(part: Any) -> tuple[Any, Any]:
        features, tags = [], []
        for i in part.rows:
            words = ["", *cells[i].split(), ""]
            for before, word, after in zip(words, words[1:], words[2:], strict=False):
                features.append({"before": before, "word": word, "after": after})
            tags += names[i].split()
        return features, tags

    model = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=1000)).fit(*windows(dataset.train))
    return f"accuracy {model.score(*windows(dataset.validation)):.4f}"


def lorenz() -> str:
    """Gradient boosting on the last 50 values; errors in deviations of the training part."""
    dataset, rows = read("series_lorenz")
    x, z = rows.numbers(["x", "z"]).T
    end, asked = dataset.facts["train_tokens"], len(x) // 10
    z = (z - z[:end].mean()) / z[:end].std()
    lags = np.lib.stride_tricks.sliding_window_view(x, LAGS)
    first = end - LAGS + 1
    model = HistGradientBoostingRegressor(random_state=0).fit(lags[:first], z[LAGS - 1 : end])
    error = model.predict(lags[first : first + asked]) - z[end : end + asked]
    return f"mean absolute error {np.abs(error).mean():.3f}"


if __name__ == "__main__":
    print("classify_messages:", texts("classify_messages", "text", "kind"))
    print("classify_sensors:", sensors())
    print("forecast_demand:", demand())
    print("tag_entities:", entities())
    print("series_lorenz:", lorenz())
