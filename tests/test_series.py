"""Series: long rows of numbers as streams, from files of every kind, learnt, measured and predicted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Predictor
from minidl.cli.main import main
from minidl.data import Series
from minidl.data.sources.wav import read_wav
from minidl.system.errors import DataError

N = 1200
DRY = np.sin(np.arange(N) * 0.3) * np.sin(np.arange(N) * 0.021)
WET = np.tanh(3 * DRY) * 0.5
EXPERIMENT = """
name: amplifier
data: {type: series, source: pair.csv, columns: [dry], predict: [wet], batch_size: 4, seq_len: 20}
model: {layers: [{type: GRU, units: 8}, {type: Dense, units: "${data.outputs}"}]}
loss: {type: MSE}
optimizer: {type: Adam, lr: 0.02}
train: {epochs: 8}
log: {tensorboard: false}
"""


def write_wav(path: Path, channels: NDArray[Any], width: int = 2) -> None:
    """Columns (N, C) as PCM."""
    whole = np.round(channels * (2.0 ** (8 * width - 1) - 1)).astype(np.int64)
    raw = b"".join(int(x).to_bytes(width, "little", signed=True) for x in whole.ravel())
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels.shape[1])
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(raw)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pair in files of every kind, and a run on one of them."""
    folder = tmp_path_factory.mktemp("series")
    lines = ["dry,wet", *(f"{a!r},{b!r}" for a, b in zip(DRY.tolist(), WET.tolist(), strict=True))]
    (folder / "pair.csv").write_text("\n".join(lines))
    (folder / "pair.csv.gz").write_bytes(gzip.compress((folder / "pair.csv").read_bytes()))
    np.savez(folder / "pair.npz", dry=DRY, wet=WET[:, None])
    write_wav(folder / "pair.wav", np.stack([DRY, WET], axis=1), 3)
    write_wav(folder / "dry.wav", DRY[:, None])
    write_wav(folder / "wet.wav", WET[:, None])
    (folder / "amplifier.yaml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "amplifier.yaml"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.mark.parametrize("source", ["pair.csv", "pair.csv.gz", "pair.npz", "pair.wav", ("dry.wav", "wet.wav")])
def test_a_pair_in_files_of_every_kind(source: Any) -> None:
    dataset = Series(source, split=(1, 0, 0), batch_size=1, seq_len=N).load(Path())
    inputs = dataset.train.batch(0).inputs
    for found, expected in zip((inputs["x"], inputs["targets"]), (DRY, WET), strict=True):
        scaled = (expected - expected.mean()) / expected.std()
        np.testing.assert_allclose(found[:, 0, 0], scaled, atol=2e-4)


def test_parquet(home: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"dry": DRY, "wet": WET}), home / "pair.parquet")
    assert Series("pair.parquet", seq_len=20).load(Path()).facts == {"features": 1, "outputs": 1, "train_tokens": 960}


def test_windows_follow_one_another_in_each_stream() -> None:
    train = Series("pair.npz", split=(1, 0, 0), batch_size=3, seq_len=50).load(Path()).train
    assert train.steps_per_epoch == 8
    assert [train.batch(step).reset_state for step in (0, 1, 8)] == [True, False, True]
    read = np.concatenate([train.batch(step).inputs["x"] for step in range(8)])
    np.testing.assert_allclose(read[:, 1, 0], (DRY[400:800] - DRY.mean()) / DRY.std(), rtol=1e-4, atol=1e-5)


def test_rows_ahead_are_predicted_of_the_same_columns() -> None:
    inputs = Series("pair.npz", ("dry",), horizon=5, split=(1, 0, 0), batch_size=1, seq_len=100).load(Path())
    batch = inputs.train.batch(0).inputs
    np.testing.assert_array_equal(batch["x"][5:], batch["targets"][:-5])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound_of_every_width(home: Path, width: int) -> None:
    samples = np.array([[0.0], [0.5], [-0.5], [0.99]])
    path = home / f"w{width}.wav"
    write_wav(path, samples + 1.0 if width == 1 else samples, width) if width > 1 else _eight_bits(path, samples)
    found = read_wav(path.read_bytes(), "w.wav").column("channel_1").numbers  # type: ignore[union-attr]
    np.testing.assert_allclose(found, samples[:, 0], atol=0.01)


def _eight_bits(path: Path, samples: NDArray[Any]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(np.round(samples * 128 + 128).astype(np.uint8).tobytes())


def test_sound_as_floats() -> None:
    data = np.array([0.25, -1.5], "<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    rows = read_wav(b"RIFF" + struct.pack("<I", len(body)) + body, "f.wav")
    assert rows.column("channel_1")[:] == ["0.25", "-1.5"] or list(rows.column("channel_1")) == ["0.25", "-1.5"]


@pytest.mark.parametrize("raw", [b"", b"RIFFxxxxWAVE", b"RIFF....WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0"])
def test_what_is_no_sound(raw: bytes) -> None:
    with pytest.raises(DataError, match=r"^no\.wav"):
        read_wav(raw, "no.wav")


def test_what_predict_says_of_the_validation_rows_is_what_evaluate_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "amplifier", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    rows = slice(960, 1080)
    found = Predictor.load("amplifier").predict({"dry": DRY[rows]})
    assert np.abs(found - WET[rows]).mean() == pytest.approx(measured["val/numbers"]["wet"]["mae"], rel=1e-4)
    assert measured["val/r2"] > 0.8


def test_the_command_predicts_and_measures_other_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "new.csv").write_text("note,dry\n" + "".join(f"n,{x!r}\n" for x in DRY[:50].tolist()))
    assert main(["predict", "amplifier", "--data", "new.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 50
    assert list(rows[0]) == ["note", "dry", "prediction"]
    assert main(["evaluate", "amplifier", "--data", "pair.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data/r2"] > 0.8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"columns": ("dyr",), "predict": ("wet",)}, "no column 'dyr'; did you mean 'dry'"),
        ({"columns": ("dry",)}, "predict: say which columns are predicted"),
        ({"batch_size": 100, "seq_len": 64}, "too few for 100 streams"),
        (
            {"source": ("dry.wav", "pair.npz"), "split": (1, 0, 0), "columns": ("x",), "predict": ("y",)},
            "no column 'x'",
        ),
    ],
)
def test_mistakes(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Series(**{"source": "pair.csv", **settings}).load(Path())


def test_a_pair_has_as_many_rows(home: Path) -> None:
    write_wav(home / "short.wav", WET[:-3, None])
    with pytest.raises(DataError, match=r"1200 rows and .*1197"):
        Series(("dry.wav", "short.wav")).load(Path())


def test_a_model_of_a_pair_is_measured_on_another_pair(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["source=[dry.wav, wet.wav]", "columns=null", "predict=null"]
    assert main(["run", "amplifier.yaml", "name=two", *(f"data.{setting}" for setting in settings)]) == 0
    capsys.readouterr()
    assert main(["evaluate", "two", "--data", "dry.wav,wet.wav", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data/r2"] > 0
    assert main(["evaluate", "two", "--data", "dry3.wav"]) == 2
    assert "name two, such as dry.wav,wet.wav, not dry3.wav" in capsys.readouterr().err
