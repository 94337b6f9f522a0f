"""What others make of the data of a record, on its own parts: settings chosen on the validation part, told of both.

pip install scikit-learn reservoirpy && python benchmarks/quality/peers.py RECORD.yaml [data.source=FILE]

Of a text: modified Kneser-Ney (here by minidl) and xz, nats a symbol and perplexity. Of classes: the accuracy of three
classifiers of scikit-learn. Of forecasts: the mean squared and absolute error, in standard deviations, of an echo state
network of reservoirpy and of gradient boosting, and of the guesses that minidl draws beside its curves.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.baselines import symbols_of
from minidl.data.batches import Batches, Dataset
from minidl.data.independent import Part
from minidl.data.ngrams import NGrams
from minidl.experiment import read_experiment

Array = NDArray[Any]
Parts = dict[str, tuple[Array, Array]]  # by name: inputs and targets of all examples
WINDOWS = 100  # of the validation part, by which the settings of a forecaster are chosen


def text(dataset: Dataset) -> Iterator[str]:
    """n-grams of several orders, and xz."""
    import lzma

    assert dataset.vocabulary is not None
    train = symbols_of(dataset.train)
    for name, part in (("val", dataset.validation), ("test", dataset.test)):
        if (ids := symbols_of(part)) is None or train is None:
            continue
        grams = NGrams(train, ids, len(dataset.vocabulary), 8)
        for order in (3, 4, 5, 6, 7, 8):
            nats = -np.log(grams.kneser_ney(order)).mean()
            yield f"{name}: Kneser-Ney {order}-gram: {nats:.4f} nats, perplexity {math.exp(nats):.2f}"
        if dataset.unit == "char":
            decode = dataset.vocabulary.decode
            before, both = decode(train).encode(), (decode(train) + decode(ids)).encode()
            sizes = [len(lzma.compress(each, preset=9 | lzma.PRESET_EXTREME)) for each in (before, both)]
            nats = (sizes[1] - sizes[0]) * 8 * math.log(2) / len(ids)
            yield f"{name}: xz -9e after the training part: {nats:.4f} nats"


def classes(dataset: Dataset) -> Iterator[str]:
    """Three classifiers; the features are all numbers of a sequence, one behind the other."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    parts = _parts(dataset)
    families: dict[str, list[Any]] = {
        "support vectors": [SVC(C=c, gamma=g) for c in (1, 10, 100) for g in ("scale", 0.003, 0.01, 0.03)],
        "random forest": [RandomForestClassifier(500, max_features=m, random_state=0) for m in ("sqrt", 0.3)],
        "logistic regression": [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)) for c in (0.01, 0.1, 1)
        ],
    }
    for name, candidates in families.items():
        fitted = [model.fit(*parts["train"]) for model in candidates]
        best = max(fitted, key=lambda model: model.score(*parts["val"]))
        yield f"{name}: accuracy val {best.score(*parts['val']):.4f}, test {best.score(*parts['test']):.4f}"


def forecasts(dataset: Dataset) -> Iterator[str]:
    """An echo state network that runs on by itself after each window, and gradient boosting of each target."""
    parts = _parts(dataset)
    for name, value in dataset.baselines.items():
        yield f"val {name}: {value:.5f}"
    columns = dataset.facts["features"]
    for title, predict in (("echo state network", _echo(parts, columns)), ("gradient boosting", _boosting(parts))):
        for name in ("val", "test"):
            inputs, targets = parts[name]
            error = predict(inputs) - targets
            yield f"{title}: {name} squared error {np.square(error).mean():.6f}, absolute {np.abs(error).mean():.5f}"


def _echo(parts: Parts, columns: Any) -> Callable[[Array], Array]:
    series = _series(parts["train"], columns)
    inputs, targets = (array[:WINDOWS] for array in parts["val"])
    tried: list[tuple[float, int, Any]] = []
    for units, radius, leak, ridge in itertools.product((300, 600), (0.9, 1.2), (0.3, 1.0), (1e-8, 1e-5)):
        model = _fitted_echo(series, units, radius, leak, ridge)
        error = float(np.square(_run_on(model, inputs, targets.shape[1] // columns, columns) - targets).mean())
        tried.append((error if math.isfinite(error) else math.inf, len(tried), model))
    best = min(tried)[-1]
    return lambda windows: _run_on(best, windows, targets.shape[1] // columns, columns)


def _fitted_echo(series: Array, units: int, radius: float, leak: float, ridge: float) -> Any:
    from reservoirpy.nodes import Reservoir, Ridge  # type: ignore[import-untyped]

    model = Reservoir(units, lr=leak, sr=radius, input_scaling=0.5, seed=0) >> Ridge(ridge)
    return model.fit(series[:-1], series[1:], warmup=50)


def _run_on(model: Any, windows: Array, steps: int, columns: int) -> Array:
    """The network reads the series row by row, each window being one row further, and runs on from each place."""
    found = []
    shaped = windows.reshape(len(windows), -1, columns)
    model.reset()
    row = model.run(shaped[0])[-1]
    for number in range(len(shaped)):
        row = model.step(shaped[number, -1]) if number else row
        states, path = [(node, dict(node.state)) for node in model.nodes], [row]
        for _ in range(steps - 1):
            path.append(model.step(path[-1]))
        for node, state in states:
            node.state = state
        found.append(np.concatenate(path))
    bounded: Array = np.clip(np.array(found), -10, 10)  # what runs away is not worse than ten deviations
    return bounded


def _boosting(parts: Parts) -> Callable[[Array], Array]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, targets = parts["train"]
    models = [HistGradientBoostingRegressor(random_state=0).fit(inputs, column) for column in targets.T]
    return lambda windows: np.stack([model.predict(windows) for model in models], axis=1)


def _series(part: tuple[Array, Array], columns: int) -> Array:
    """The rows that overlapping windows show, each once."""
    windows, targets = part
    first = windows[0].reshape(-1, columns)
    return np.concatenate([first, targets[:, :columns], targets[-1].reshape(-1, columns)[1:]])


def _parts(dataset: Dataset) -> Parts:
    """The examples in the order of the table, each as one row of numbers."""
    named = {"train": dataset.train, "val": dataset.validation, "test": dataset.test}
    return {name: _all_of(part) for name, part in named.items() if part is not None}


def _all_of(part: Batches) -> tuple[Array, Array]:
    assert isinstance(part, Part)
    inputs = part.take(np.arange(part.count))
    x = inputs["x"].swapaxes(0, 1)
    return x.reshape(len(x), -1), inputs["targets"]


def main() -> None:
    """Print what each peer comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path)
    parser.add_argument("changes", nargs="*")
    arguments = parser.parse_args()
    dataset = read_experiment(arguments.record, arguments.changes).dataset
    is_text, is_forecast = dataset.vocabulary is not None, dataset.inputs["targets"].dtype == "float"
    for line in (text if is_text else forecasts if is_forecast else classes)(dataset):
        print(line, flush=True)


if __name__ == "__main__":
    main()
