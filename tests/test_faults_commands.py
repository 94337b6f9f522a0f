"""Bad input as a user meets it, on the command line: the message, the exit code, and no run folder left behind.

Each case is numbered as in docs/reliability.md; what is behind the message is tested where the table says.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import TEXT, launch, run, the_run, write_experiment
from test_archive import TAMPERED

from minidl.cli.main import main
from minidl.engine import threads
from minidl.storage.archive import read_archive, write_archive
from minidl.system.errors import UsageError

ARRAYS = {"type": "arrays", "source": "data.npz", "batch_size": 2}
CLASSIFIER: dict[str, Any] = {
    "data": ARRAYS,
    "model": {"layers": [{"type": "GRU", "units": 3}, {"type": "Last"}, {"type": "Dense", "units": 2}]},
    "train": {"epochs": 1, "state": "zero"},
}


def command(folder: Path, *words: str) -> tuple[int, str]:
    ended = launch(folder, lambda: main(list(words))).wait()
    assert "Traceback" not in ended.err, ended.err
    return ended.code, ended.err


@pytest.mark.parametrize("words", [["run", "tiny.yaml"], ["runs"], ["new", "x.yaml"]])
def test_a_working_folder_that_is_gone(tmp_path: Path, words: list[str]) -> None:
    def work() -> int:
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        return main(words)

    ended = launch(tmp_path, work).wait()
    assert ended.code == 74
    assert "the working folder is gone (it was deleted or moved): change into one that exists" in ended.err


def test_threads_that_the_system_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(UsageError, match="the system starts no thread 2 here: go on with threads: 1"):
        threads.use(threads.in_use() + 1)


# --- files of weights


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short run; not to be written in."""
    folder = tmp_path_factory.mktemp("trained")
    write_experiment(folder, train__steps=2, train__sample_every=None)
    assert run(folder, "tiny.yaml").code == 0
    return folder


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "5 cut off": (cut, "has no checksum at its end: cut off, or not by minidl; take an older checkpoint"),
    "6 flipped": (flipped, "has a wrong checksum: its bytes changed on the way; take an older checkpoint"),
    "10 newer": (lambda _: TAMPERED["newer"][0], "is of format version 2, this minidl reads up to version 1"),
    "9 outside": (lambda _: TAMPERED["upwards"][0], "is a name that minidl never gives"),
    "8 pickled": (lambda _: TAMPERED["pickle"][0], "is no array of numbers in C order"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_no_sound_checkpoints(case: str, trained: Path, tmp_path: Path) -> None:
    """Every command that loads one refuses it with 4; the file stays as it is."""
    change, said = FILES[case]
    shutil.copytree(trained, tmp_path, symlinks=True, dirs_exist_ok=True)
    path = the_run(tmp_path).checkpoints.path / "step-00000002.npz"
    data = change(path.read_bytes())
    path.write_bytes(data)
    for verb in ("sample", "evaluate", "inspect"):
        code, message = command(tmp_path, verb, "tiny")
        assert code == 4
        assert said in message
    assert path.read_bytes() == data


def test_27_weights_that_are_not_finite(trained: Path, tmp_path: Path) -> None:
    archive = read_archive(the_run(trained).checkpoints.path / "last")
    archive.arrays["parameters/lstm/Wh"][0, 1] = np.nan
    write_archive(tmp_path / "bad.npz", archive.arrays, archive.meta)
    code, message = command(tmp_path, "sample", "bad.npz")
    assert (code, "bad.npz does not fit this model: lstm/Wh: holds NaN or infinity" in message) == (4, True), message


# --- data


def sequences(**changes: Any) -> dict[str, Any]:
    x = np.random.default_rng(0).standard_normal((4, 20, 2)).astype("f4")
    return {"x": x, "targets": (x.sum(axis=(0, 2)) > 0).astype(int), **changes}


TEXTS: dict[str, tuple[bytes, str]] = {
    "30 empty": (b"", "text.txt is empty: there is nothing to learn from"),
    "30 white space": (b" \n\t\n", "text.txt has only white space: there is nothing to learn from"),
    "31 short": (
        TEXT[:36].encode(),
        "32 ids are too few for 4 streams with a window of 8 each, which take 33: set batch",
    ),
    "33 not UTF-8": (TEXT.encode() + b"\n\xe9", "text.txt, line 2: byte 0xe9 at offset 901 is not UTF-8"),
    "34 surrogate": (TEXT.encode() + b"\xed\xa0\x80", "line 1: byte 0xed at offset 900 is not UTF-8"),
}
SETS: dict[str, tuple[dict[str, Any], str]] = {
    "25 NaN": (sequences(x=np.full((4, 20, 2), np.nan)), "array 'x' has nan at [0, 0, 0]"),
    "37 negative": (sequences(targets=np.full(20, -2)), "-2"),
    "37 ids that are no integers": (sequences(lengths=np.full(20, -1)), "array 'lengths' has -1 at [0]"),
    "38 lengths that differ": (sequences(targets=np.zeros(19, int)), "differ in their number of sequences: x 20"),
    "40 objects": (sequences(x=np.full((4, 20, 2), None)), "Object arrays cannot be loaded when allow_pickle=False"),
    "40 complex": (
        sequences(x=np.full((4, 20, 2), 1j)),
        "array 'x' holds complex128: convert it to integers or floats",
    ),
    "40 empty": (sequences(x=np.zeros((4, 0, 2))), "array 'x' of shape (4, 0, 2) is empty"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str, tmp_path: Path) -> None:
    write_experiment(tmp_path)
    content, said = TEXTS[case]
    (tmp_path / "text.txt").write_bytes(content)
    _refused(tmp_path, 3, said)


@pytest.mark.parametrize("case", SETS)
def test_sets_of_arrays(case: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, **CLASSIFIER)
    arrays, said = SETS[case]
    np.savez(tmp_path / "data.npz", **arrays)
    _refused(tmp_path, 3, said)


def _refused(folder: Path, code: int, said: str, *changes: str) -> None:
    found, message = command(folder, "run", "tiny.yaml", *changes)
    assert found == code, message
    assert said in message
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("data.batch_size=400", 3, "810 ids are too few for 400 streams"),
        ("data.source=txt.txt", 3, "/txt.txt (it was given as 'txt.txt'); did you mean 'text.txt'?"),
        ("data.source=folder", 3, "folder is a folder: name a file in it"),
        ("data.source=text.txt/inside", 3, "there is no folder"),
        ("data.source={url: 'ftp://127.0.0.1/x', sha256: '" + "0" * 64 + "'}", 3, "by http or https only"),
        ("model.layers.1.inputs=nothing", 2, "there is no node 'nothing' above"),
        ("model.layers.0={type: OneHot, depth: 3}", 2, "unknown name 'depth'"),
        ("model.layers.2.inputs=ids", 2, "put OneHot() or Embedding(units) between"),
    ],
    ids=["32", "41 missing", "41 folder", "41 file as folder", "42 scheme", "38 node", "44 key", "38 ids"],
)
def test_changes_that_cannot_be_run(change: str, code: int, said: str, tmp_path: Path) -> None:
    write_experiment(tmp_path)
    (tmp_path / "folder").mkdir()
    _refused(tmp_path, code, said, change)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT) + (self.path == "/cut")))
        self.end_headers()
        self.wfile.write(TEXT.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_42_downloads(address: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, train__steps=2)
    right, wrong = hashlib.sha256(TEXT.encode()).hexdigest(), "0" * 64
    for path, digest, said in (("text", wrong, f"have sha256 {right}, expected {wrong}"), ("cut", right, "cut off")):
        _refused(tmp_path, 3, said, f"data.source={{url: '{address}/{path}', sha256: '{digest}'}}")
        assert not (tmp_path / "cache").exists() or os.listdir(tmp_path / "cache" / "minidl") == []
    code, message = command(tmp_path, "run", "tiny.yaml", f"data.source={{url: '{address}/text', sha256: '{right}'}}")
    assert code == 0, message


# --- experiment files


EXPERIMENTS: dict[str, tuple[bytes, str]] = {
    "43 syntax": (b"name: tiny\ndata: [1, 2\n", "tiny.yaml:2:7: this bracket is never closed\ndata: [1, 2\n      ^"),
    "43 tab": (b"data:\n\ttype: text\n", "tiny.yaml:2:1: tabs are not allowed"),
    "44 unknown": (b"nmae: tiny\n", "tiny.yaml:1:1: unknown section 'nmae'; did you mean 'name'?"),
    "45 twice": (b"seed: 1\nname: a\nseed: 2\n", "tiny.yaml:3:1: the key 'seed' is given twice: first on line 1"),
    "46 on": (b"seed: on\n", "tiny.yaml:1:1: 'seed' should be a whole number, got 'on'"),
    "47 tag": (b"seed: !!python/object/apply:os.system [ls]\n", "tiny.yaml:1:7: tags are not allowed"),
    "48 cycle": (b"data: &a {x: *a}\n", "tiny.yaml:1:"),
    "48 deep": (b"data: " + b"[" * 5000, "tiny.yaml:1:"),
    "49 empty": (b"", "this file holds nothing"),
    "49 list": (b"- name: tiny\n", "tiny.yaml:1:1: "),
    "49 documents": (b"name: a\n---\nname: b\n", "one file holds one document"),
    "49 not UTF-8": (b"name: \xff\n", "tiny.yaml:1:7: byte 0xff at offset 6 is not UTF-8"),
}


@pytest.mark.parametrize("case", EXPERIMENTS)
def test_experiment_files(case: str, tmp_path: Path) -> None:
    content, said = EXPERIMENTS[case]
    (tmp_path / "tiny.yaml").write_bytes(content)
    _refused(tmp_path, 2, said)
