"""Checkpoints of every format version that was ever written stay readable: a fixture of each is kept.

`python tests/test_formats.py` makes the one of the present version; it is made once, when a version is new.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from minidl import Input, Model
from minidl.callbacks import Callback, Evaluate, Every, TrainMetrics
from minidl.data import Data
from minidl.experiment.run.verify import StopAt
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.optim import Adam
from minidl.storage.archive import read_archive, write_archive
from minidl.storage.archive_meta import FORMAT_VERSION
from minidl.training.checkpoint import capture, restore
from minidl.training.trainer import Trainer

FIXTURES = Path(__file__).parent / "fixtures"
FILES = sorted(FIXTURES.glob("format-*.npz"))
TEXT = "to be, or not to be. " * 12


def trainer(folder: Path, *more: Callback) -> Trainer:
    """The run of nine steps that the fixtures are of."""
    (folder / "text.txt").write_text(TEXT)
    section = {"type": "text", "source": "text.txt", "batch_size": 2, "seq_len": 5, "split": [0.8, 0.2, 0.0]}
    data = Data.from_config(section).load(folder)
    depth = len(data.vocabulary or ())
    ids, targets = (Input(name, dtype="int", depth=depth) for name in ("ids", "targets"))
    hidden = LSTM(3, name="lstm", dropout=0.1)(OneHot()(ids))
    model = Model(SoftmaxCE(name="loss")(Dense(depth, name="logits")(hidden), targets), seed=1)
    model.vocabulary = data.vocabulary
    callbacks = [TrainMetrics(), Evaluate(Every(steps=2)), *more]
    return Trainer(model, data, Adam(lr=0.01), steps=9, callbacks=callbacks)


def logits(model: Model) -> np.ndarray:
    assert model.vocabulary is not None
    replica = model.replica()
    output = replica.forward(ids=model.vocabulary.encode("to be")[:, None])
    return np.asarray(output["logits"], np.float64)


def test_there_is_a_fixture_of_each_version() -> None:
    assert [path.name for path in FILES] == [f"format-{version}.npz" for version in range(1, FORMAT_VERSION + 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_computes_what_it_did(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    np.testing.assert_allclose(logits(Model.load(path)).ravel(), expected["logits"], atol=1e-5)
    assert f"format-{read_archive(path).version}" == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_run_goes_on_as_if_it_had_not_been_cut(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIDL_KERNELS", "numpy")
    resumed, whole = trainer(tmp_path), trainer(tmp_path)
    restore(resumed, read_archive(path), str(path))
    assert resumed.progress.step == 4
    for one in (resumed, whole):
        one.run()
    # Not to the bit: the fixture may be of another machine.
    np.testing.assert_allclose(resumed.model.weights.flat, whole.model.weights.flat, atol=1e-5)
    np.testing.assert_allclose(resumed.progress.validation, whole.progress.validation, atol=1e-5)


def main() -> None:
    """Cut a run after four steps."""
    path = FIXTURES / f"format-{FORMAT_VERSION}.npz"
    with tempfile.TemporaryDirectory() as folder:
        begun = trainer(Path(folder), StopAt(at=4))
        begun.run()
        arrays, meta = capture(begun)
    write_archive(path, arrays, meta)
    path.with_suffix(".json").write_text(json.dumps({"logits": logits(begun.model).ravel().tolist()}))


if __name__ == "__main__":
    main()
