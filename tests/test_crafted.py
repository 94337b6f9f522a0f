"""Files of weights whose checksum is right, and which say what minidl never wrote: refused with 4, the field named."""

from __future__ import annotations

import contextlib
import copy
import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs import run, the_run, write_experiment

from minidl.cli.main import main
from minidl.storage.archive import Archive, read_archive, write_archive
from minidl.system.terminal import UNSAFE

EVIL = "\x1b]0;EVIL\x07\x1b[2J\x9b31m\u202eevil\u2066\r"
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 7, 1e308, -0.5, 2**70, 10**39, "", "abc", "nan", EVIL, "../x", [], [[]], {}, [1, "a"]),
    *({"a": {"b": []}}, {"type": "LSTM"}, [None], "float16", {"url": "http://127.0.0.1:9/x", "sha256": "0" * 64}),
]
VERBS = (("inspect",), ("sample", "--length", "3"), ("evaluate",))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short run; not to be written in."""
    folder = tmp_path_factory.mktemp("trained")
    write_experiment(folder, train__steps=4, train__sample_every=None)
    assert run(folder, "tiny.yaml").code == 0
    return folder


@pytest.fixture(scope="module")
def archive(trained: Path) -> Archive:
    return read_archive(the_run(trained).checkpoints.path / "last")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain data."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The data with another value at a place."""
    if not path:
        return value
    copied = copy.deepcopy(tree)
    at = copied
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copied


def said(*words: str) -> tuple[int, str]:
    """The exit code of a command and all that it says; what it raises is a failure of the test."""
    out, err = io.StringIO(), io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    text = err.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "Traceback" not in text
    assert not UNSAFE.search(text), text
    if words[0] != "sample":  # whose text is given as it is where no terminal shows it
        assert not UNSAFE.search(out.getvalue()), out.getvalue()
    return code, text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 10**6), value=st.sampled_from(VALUES))
def test_anything_may_stand_anywhere(number: int, value: Any, archive: Archive, tmp_path: Path) -> None:
    found = list(places(archive.meta))
    path = found[number % len(found)]
    meta = changed(archive.meta, path, value)
    if not isinstance(meta, dict):
        return
    file = tmp_path / "case.npz"
    write_archive(file, archive.arrays, meta)
    for verb, *flags in VERBS:
        code, text = said(verb, str(file), *flags)
        assert code in (0, 2, 3, 4), (path, value, verb, text)


FIELDS = {
    **{f"dtype {name}": (("model", "dtype"), name) for name in ("int32", "bool", ">f4", "U10", "complex64", "float16")},
    **{f"progress {value!r}": (("progress",), value) for value in (True, 0, "abc", [], {}, 1e308)},
    **{f"best {value!r:.10}": (("progress", "best"), value) for value in ("abc", [], {}, True)},
    "a step below 0": (("progress", "step"), -1),
    "a step that is no number": (("progress", "step"), 1.5),
    "a seed": (("model", "seed"), -3),
    "a generator": (("generators", "lstm", "state", "state"), 2**129),
    "another generator": (("generators", "lstm", "bit_generator"), "MT19937"),
    "the optimizer": (("optimizer", "steps"), "many"),
    "callbacks": (("callbacks", "RunLog"), 3),
}


@pytest.mark.parametrize("case", FIELDS)
def test_the_field_is_named(case: str, archive: Archive, tmp_path: Path) -> None:
    path, value = FIELDS[case]
    write_archive(tmp_path / "case.npz", archive.arrays, changed(archive.meta, path, value))
    for verb, *flags in (*VERBS, ("export", "--out", str(tmp_path / "case.onnx"))):
        code, text = said(verb, str(tmp_path / "case.npz"), *flags)
        assert code == 4, text
        assert ".".join(path[:1]) in text
        assert str(path[-1]) in text


@pytest.mark.parametrize("dtype", ["float16", "complex64", "int32", "bool"])
def test_weights_are_floats(dtype: str, archive: Archive, tmp_path: Path) -> None:
    arrays = {**archive.arrays, "parameters/lstm/b": archive.arrays["parameters/lstm/b"].astype(dtype)}
    write_archive(tmp_path / "case.npz", arrays, archive.meta)
    code, text = said("inspect", str(tmp_path / "case.npz"))
    assert code == 4
    assert f"parameters/lstm/b should be float32 or float64, is {dtype}" in text


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "NaN", "-Infinity"])
def test_numbers_that_json_has_not(number: str, archive: Archive, tmp_path: Path) -> None:
    """Under a right checksum."""
    meta = changed(archive.meta, ("progress", "best"), 123456789.5)
    write_archive(tmp_path / "case.npz", {"parameters/x": np.zeros(1)}, meta)
    plain = json.dumps(meta)
    assert "123456789.5" in plain
    from minidl.storage.archive_meta import parse_meta
    from minidl.system.errors import CheckpointError

    document = json.dumps({"format": "minidl", "version": 1, "meta": meta}).replace("123456789.5", number)
    with pytest.raises(CheckpointError, match="cannot be read"):
        parse_meta(document.encode())


def test_a_crafted_checkpoint_is_no_reason_for_a_traceback_in_resume(tmp_path: Path, archive: Archive) -> None:
    """The one before it is taken."""
    write_experiment(tmp_path, train__steps=4, train__sample_every=None)
    assert run(tmp_path, "tiny.yaml").code == 0
    newest = the_run(tmp_path).checkpoints.newest()[0]
    write_archive(newest, archive.arrays, changed(archive.meta, ("progress", "validation"), ["abc"]))
    ended = run(tmp_path, "tiny.yaml", "--resume")
    assert ended.code == 0, ended.err
    assert "progress.validation" in ended.err
    assert "falling back" in ended.err


class Listening(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_arguments: Any) -> None:
        pass


def test_no_connection_is_opened_because_of_a_checkpoint_or_a_run_folder(
    tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = http.server.HTTPServer(("127.0.0.1", 0), Listening)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = {"url": f"http://127.0.0.1:{server.server_port}/leak", "sha256": "0" * 64}
    file = tmp_path / "stranger.npz"
    write_archive(file, archive.arrays, changed(archive.meta, ("experiment", "data", "source"), source))
    code, text = said("evaluate", str(file))
    assert code == 3
    assert "no connection is opened" in text
    write_experiment(tmp_path, train__steps=4, train__sample_every=None)
    assert run(tmp_path, "tiny.yaml").code == 0
    folder = the_run(tmp_path).path
    resolved = (folder / "resolved.yaml").read_text()
    named = json.dumps(str((tmp_path / "text.txt").resolve()))
    plain = named.strip('"')
    (folder / "resolved.yaml").write_text(resolved.replace(named, plain).replace(plain, json.dumps(source)))
    code, text = said("verify", str(folder))
    assert code == 3, text
    assert Listening.asked == []
    server.shutdown()
    server.server_close()
