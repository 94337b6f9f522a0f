"""The file format under real faults: damage, tampering, kills, a full disk."""

from __future__ import annotations

import base64
import builtins
import contextlib
import errno
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import threading
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.lib import format as npy
from numpy.typing import NDArray

from minidl.storage.archive import Archive, read_archive, write_archive, write_whole
from minidl.storage.archive_meta import FORMAT_VERSION
from minidl.system.errors import CheckpointError, StorageError, UsageError

Patch = pytest.MonkeyPatch

ARRAYS = {"parameters/lstm/Wx": np.arange(6, dtype="f4").reshape(2, 3), "step": np.array(7)}
META = {"name": "char_lstm", "best": 1.25}

# What `write_archive(path, ARRAYS, META)` wrote when version 1 was made; it stays readable.
VERSION_1 = base64.b64decode(
    "UEsDBBQAAAAAAAAAIQBeGhm9TwAAAE8AAAAJAAAAbWV0YS5qc29ueyJmb3JtYXQiOiAibWluaWRsIiwgIm1ldGEi"
    "OiB7ImJlc3QiOiAxLjI1LCAibmFtZSI6ICJjaGFyX2xzdG0ifSwgInZlcnNpb24iOiAxfVBLAwQUAAAAAAAAACEA"
    "T+kAKpgAAACYAAAAFgAAAHBhcmFtZXRlcnMvbHN0bS9XeC5ucHmTTlVNUFkBAHYAeydkZXNjcic6ICc8ZjQnLCAn"
    "Zm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgAAAAAAAIA/AAAAQAAAQEAAAIBAAACgQFBLAwQUAAAA"
    "AAAAACEAI7jwbIgAAACIAAAACAAAAHN0ZXAubnB5k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5f"
    "b3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgIAoHAAAAAAAAAFBLAQIUAxQAAAAAAAAAIQBeGhm9TwAAAE8AAAAJAAAA"
    "AAAAAAAAAACAAQAAAABtZXRhLmpzb25QSwECFAMUAAAAAAAAACEAT+kAKpgAAACYAAAAFgAAAAAAAAAAAAAAgAF2"
    "AAAAcGFyYW1ldGVycy9sc3RtL1d4Lm5weVBLAQIUAxQAAAAAAAAAIQAjuPBsiAAAAIgAAAAIAAAAAAAAAAAAAACA"
    "AUIBAABzdGVwLm5weVBLBQYAAAAAAwADALEAAADwAQAAQAA0ODI5MjJjOGRmZDZiNGE3NGI4N2MxZmUwN2NlOTMx"
    "ZjRhZDZhMjYyNzgyYzBlNmRiODY2NWQ0OGQzYmZlNGUw"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


@pytest.fixture
def data(path: Path) -> bytes:
    """A small file, as bytes."""
    write_archive(path, ARRAYS, META)
    return path.read_bytes()


def entries(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def assert_same(archive: Archive, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    assert archive.meta == meta
    assert archive.version == FORMAT_VERSION
    assert list(archive.arrays) == list(arrays)
    for name, array in arrays.items():
        read = archive.arrays[name]
        assert read.shape == array.shape
        assert read.dtype == array.dtype.newbyteorder("<")
        assert read.tobytes() == array.astype(read.dtype).tobytes()


# --- what is written is what is read


parts = st.text("abcXYZ019_-é漢. ", min_size=1).filter(lambda part: part.strip("."))
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | hnp.complex_number_dtypes(endianness="?", sizes=(64, 128))
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(names, hnp.arrays(dtypes, shapes), max_size=4),
    st.dictionaries(st.text(), plain),
)
def test_round_trip(arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a signalling NaN that is converted
        path = Path(folder, "any.npz")
        write_archive(path, arrays, meta)
        assert_same(read_archive(path), arrays, meta)
        with np.load(path, allow_pickle=False) as file:
            assert {f"{name}.npy" for name in arrays} | {"meta.json"} == set(file.zip.namelist())
            for name, array in arrays.items():
                np.testing.assert_array_equal(file[name], array)


LAYOUTS: dict[str, NDArray[Any]] = {
    "strided": np.arange(24.0).reshape(4, 6)[::2, ::-3],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "broadcast": np.broadcast_to(np.float32(3), (2, 3)),
    "read-only": np.frombuffer(b"12345678", np.uint8),
    "big-endian": np.arange(3, dtype=">f8"),
    "unaligned": np.frombuffer(b"12345678.", np.uint8)[1:].view("f8"),
    "0-d": np.array(2.5),
    "empty": np.zeros((0, 5)),
    "not finite": np.array([np.nan, np.inf, -0.0]),
    "of 64 axes": np.ones((1,) * 64),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_every_layout_come_back_as_plain_ones(path: Path, layout: str) -> None:
    array = LAYOUTS[layout]
    write_archive(path, {"a": array}, {})
    assert_same(read_archive(path), {"a": array}, {})
    flags = read_archive(path).arrays["a"].flags
    assert flags.c_contiguous
    assert flags.writeable
    assert flags.owndata
    assert flags.aligned


def test_lone_surrogates_in_a_vocabulary_survive(path: Path) -> None:
    meta = {"vocabulary": ["a", "\ud800", "漢", "\0"]}
    write_archive(path, {}, meta)
    assert read_archive(path).meta == meta


def test_equal_content_gives_equal_bytes(path: Path, data: bytes) -> None:
    turned = {name: np.array(array, order="F") for name, array in ARRAYS.items()}
    write_archive(path, turned, dict(reversed(META.items())))
    assert path.read_bytes() == data
    with zipfile.ZipFile(path) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        document = json.loads(file.read("meta.json"))
        assert document == {"format": "minidl", "version": FORMAT_VERSION, "meta": META}
        assert list(document["meta"]) == sorted(META)


def test_the_order_of_arrays_is_kept(path: Path, data: bytes) -> None:
    turned = dict(reversed(ARRAYS.items()))
    write_archive(path, turned, META)
    assert list(read_archive(path).arrays) == list(turned)
    assert path.read_bytes() != data


def test_the_comment_is_the_sha256_of_all_before_it(path: Path, data: bytes) -> None:
    assert data[-64:].decode() == hashlib.sha256(data[:-64]).hexdigest()
    with zipfile.ZipFile(path) as file:
        assert file.comment == data[-64:]
        assert file.testzip() is None


def test_the_first_version_stays_readable_and_is_what_we_write(path: Path, data: bytes) -> None:
    assert data == VERSION_1
    path.write_bytes(VERSION_1)
    assert_same(read_archive(path), ARRAYS, META)


def test_files_beyond_the_limits_of_a_plain_zip(path: Path, monkeypatch: Patch) -> None:
    arrays = {"W": np.arange(1000.0), "b": np.ones(3)}
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 4000)  # instead of 2 GB
    write_archive(path, arrays, META)
    monkeypatch.undo()
    assert b"PK\6\6" in path.read_bytes()
    assert_same(read_archive(path), arrays, META)
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["W"], arrays["W"])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/W",
        "a//W",
        "a/",
        "../W",
        "a/../W",
        "./W",
        "a\\W",
        "C:W",
        "a\0W",
        "a\nW",
        "\ud800",
        "a" * 1001,
    ],
)
def test_names_that_another_tool_could_stumble_over_are_not_written(path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an array"):
        write_archive(path, {name: np.zeros(1)}, {})
    assert not path.exists()


@pytest.mark.parametrize("dtype", ["O", "S3", "U3", "V4", "M8[s]", "m8[s]", "f4,f4", np.longdouble])
def test_arrays_of_other_things_than_numbers_are_not_written(path: Path, dtype: Any) -> None:
    with pytest.raises(UsageError, match=r"array 'node/W' is of .*; use bool, integer"):
        write_archive(path, {"node/W": np.zeros(2, dtype)}, {})
    assert not path.exists()


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [np.float32(1), float("nan"), float("inf"), {1: 2, "a": 3}, b"", deep(100), deep(10**5)],
)
def test_meta_that_json_cannot_hold_is_not_written(path: Path, value: Any) -> None:
    with pytest.raises(UsageError, match="meta cannot be saved"):
        write_archive(path, {}, {"value": value})
    assert not path.exists()


def test_meta_as_deep_as_can_be_written_can_be_read(path: Path) -> None:
    write_archive(path, {}, {"value": deep(97)})
    assert read_archive(path).meta == {"value": deep(97)}


# --- damage


def refusal(path: Path, data: bytes) -> str | None:
    """What a file of these bytes is refused with, if it is."""
    path.write_bytes(data)
    try:
        read_archive(path)
    except CheckpointError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no minidl file"),
        (b"PK", "no minidl file"),
        (b"{}" * 100, "no minidl file"),
        (b"PK" * 100, "no checksum at its end"),
    ],
)
def test_other_files_are_refused(path: Path, content: bytes, message: str) -> None:
    assert message in (refusal(path, content) or "")


def test_a_npz_of_numpy_is_not_ours(path: Path) -> None:
    np.savez(path, W=np.zeros(3))
    with pytest.raises(CheckpointError, match="no checksum at its end: cut off, or not by minidl"):
        read_archive(path)


@pytest.mark.parametrize("mask", [0x20, 0xFF])
def test_every_flipped_byte_is_noticed(path: Path, data: bytes, mask: int) -> None:
    for i in range(len(data)):
        flipped = bytearray(data)
        flipped[i] ^= mask
        assert refusal(path, bytes(flipped)), f"byte {i}"


def test_every_truncation_is_noticed(path: Path, data: bytes) -> None:
    for size in range(len(data)):
        assert refusal(path, data[:size]), f"cut to {size} bytes"


@pytest.mark.parametrize("more", [b"\0", b"PK", b"x" * 100])
def test_bytes_before_or_after_are_noticed(path: Path, data: bytes, more: bytes) -> None:
    assert "no checksum" in (refusal(path, data + more) or "")
    assert refusal(path, more + data)


def sealed(data: bytes) -> bytes:
    """The bytes with a right checksum in the place of the one they have."""
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


@pytest.mark.parametrize("mask", [0x01, 0x80])
def test_a_forged_checksum_leads_to_no_other_error(path: Path, data: bytes, mask: int) -> None:
    refused = 0
    for i in range(len(data) - 64):
        flipped = bytearray(data)
        flipped[i] ^= mask
        refused += refusal(path, sealed(bytes(flipped))) is not None
    assert refused > len(data) // 2


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_random_changes_under_a_forged_checksum_give_our_errors_only(draw: st.DataObject) -> None:
    changed = bytearray(VERSION_1)
    for _ in range(draw.draw(st.integers(1, 4))):
        start = draw.draw(st.integers(0, len(changed) - 70))
        stop = start + draw.draw(st.integers(0, 8))
        changed[start:stop] = draw.draw(st.binary(max_size=8))
    with TemporaryDirectory() as folder:
        refusal(Path(folder, "any.npz"), sealed(bytes(changed)))


# --- tampering: files that are sealed as they should be, and hostile


Member = tuple[str, bytes]


def document(version: Any = FORMAT_VERSION, **fields: Any) -> Member:
    content = {"format": "minidl", "version": version, "meta": {}, **fields}
    return "meta.json", json.dumps(content).encode()


def npy_bytes(array: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    npy.write_array(buffer, array, **options)
    return buffer.getvalue()


def npy_header(descr: str = "<f8", shape: str = "3,") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode()


def archive_of(*members: Member, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as file:
        warnings.simplefilter("ignore", UserWarning)  # of duplicate names
        for name, content in members:
            info = zipfile.ZipInfo()
            info.filename, info.compress_type = name, compression
            file.writestr(info, content)
        file.comment = bytes(64)
    return sealed(buffer.getvalue())


ONE = npy_bytes(np.ones(3))
FAIR = archive_of(document(), ("W.npy", ONE))


def with_array(content: bytes) -> bytes:
    return archive_of(document(), ("W.npy", content))


def with_member(name: str) -> bytes:
    return archive_of(document(), (name, ONE))


def with_meta(content: bytes) -> bytes:
    return archive_of(("meta.json", content))


def relisted(at: int, value: bytes) -> bytes:
    """A fair file whose list says something else about its last member."""
    start = FAIR.rindex(b"PK\1\2") + at
    return sealed(FAIR[:start] + value + FAIR[start + len(value) :])


def with_sizes(stored: int, size: int) -> bytes:
    return relisted(20, stored.to_bytes(4, "little") + size.to_bytes(4, "little"))


def with_offset(offset: int) -> bytes:
    """A fair file whose list says, in the manner of zip64, where its last member begins."""
    start, end = FAIR.rindex(b"PK\1\2"), FAIR.rindex(b"PK\5\6")
    entry, extra = bytearray(FAIR[start:end]), b"\1\0\x08\0" + offset.to_bytes(8, "little")
    entry[30], entry[42:46] = len(extra), b"\xff" * 4
    size = int.from_bytes(FAIR[end + 12 : end + 16], "little") + len(extra)
    tail = FAIR[end : end + 12] + size.to_bytes(4, "little") + FAIR[end + 16 :]
    return sealed(FAIR[:start] + bytes(entry) + extra + tail)


TAMPERED: dict[str, tuple[bytes, str]] = {
    "compressed": (archive_of(document(), ("W.npy", ONE), compression=8), "compressed"),
    "said to be compressed": (relisted(10, b"\x08\0"), "compressed"),
    "encrypted": (relisted(8, b"\1\0"), "encrypted"),
    "claims more than the file": (with_sizes(10**9, 10**9), "claim more bytes"),
    "claims less": (with_sizes(150, 150), "no sound archive"),
    "claims two sizes": (with_sizes(152, 300), "compressed"),
    "claims to lie elsewhere": (relisted(42, b"\1\1\1\1"), "no sound archive"),
    "claims to lie far out": (with_offset(2**64 - 1), "no sound archive"),
    "short array": (with_array(ONE[:-8]), r"fewer bytes than \(3,\)"),
    "long array": (with_array(ONE + bytes(8)), "more or fewer bytes"),
    "huge shape": (with_array(npy_header(shape="9" * 30)), "more or fewer bytes"),
    "huge empty shape": (with_array(npy_header(shape=f"0, {9**25}, {9**25}")), "no sound archive"),
    "odd shape": (with_array(npy_header(shape="3 3,")), "no sound archive"),
    "negative shape": (with_array(npy_header(shape="-3,")), "no array of numbers"),
    "pickle": (with_array(npy_bytes(np.array([print, {}]))), r"no array of numbers.*\|O"),
    "void": (with_array(npy_bytes(np.zeros(3, "V8"))), r"no array of numbers.*\|V8"),
    "fields": (with_array(npy_bytes(np.zeros(3, "f4,f4"))), "no array of numbers"),
    "text": (with_array(npy_bytes(np.array(["a"]))), "no array of numbers.*<U1"),
    "fortran": (with_array(npy_bytes(np.ones((2, 3)).T)), "no array of numbers in C order"),
    "big-endian": (with_array(npy_bytes(np.ones(3, ">f4"))), "no array of numbers.*>f4"),
    "huge header": (with_array(npy_header(shape="3" * 60_000)), "no array of numbers"),
    "later header": (with_array(npy_bytes(np.ones(3), version=(2, 0))), "no array of numbers"),
    "code in header": (with_array(npy_header("' + open('/tmp/x') + '")), "no array of numbers"),
    "header of another length": (with_array(ONE[:8] + b"\1\0" + ONE[10:]), "no array of numbers"),
    "no header": (with_array(b""), "no array of numbers"),
    "two arrays of a name": (archive_of(document(), ("W.npy", ONE), ("W.npy", ONE)), "of one name"),
    "two metas": (archive_of(document(), document()), "of one name"),
    "absolute": (with_member("/etc/W.npy"), "'/etc/W.npy' is a name that minidl never gives"),
    "drive": (with_member("C:/W.npy"), "never gives"),
    "upwards": (with_member("a/../../W.npy"), "never gives"),
    "upwards as an array": (with_member("a/...npy"), "never gives"),
    "NUL": (with_member("W.npy\0.npy"), "never gives"),
    "backslash": (with_member("a\\W.npy"), "never gives"),
    "terminal codes": (with_member("\x1b[2JW.npy"), "never gives"),
    "folder": (with_member("a/"), "never gives"),
    "foreign member": (with_member("run.sh"), "never gives"),
    "no meta": (archive_of(("W.npy", ONE)), "has no meta.json; name a file that minidl wrote"),
    "meta is no JSON": (with_meta(b"{'a': 1}"), "meta.json cannot be read"),
    "meta is no UTF-8": (with_meta(b'{"a": "\xff"}'), "meta.json cannot be read"),
    "meta is UTF-16": (with_meta('{"format": "minidl"}'.encode("utf-16")), "cannot be read"),
    "meta is a list": (with_meta(b"[]"), "does not say"),
    "meta is too deep": (archive_of(document(meta={"a": deep(98)})), "nested more than 100 deep"),
    "meta is far too deep": (with_meta(b"[" * 10**6), "meta.json cannot be read"),
    "meta of huge digits": (with_meta(b"9" * 10**6), "meta.json cannot be read"),
    "other format": (archive_of(document(format="x")), 'not say "format": "minidl"; name a file'),
    "no format": (with_meta(b'{"version": 1, "meta": {}}'), "does not say"),
    "newer": (archive_of(document(2)), "format version 2, .* up to version 1; upgrade minidl"),
    "newer, and unlike": (archive_of(document(12, meta=[]), ("W", b"")), "12.*upgrade minidl"),
    "version 0": (archive_of(document(0)), "lacks a version"),
    "version as text": (archive_of(document("1")), "lacks a version"),
    "version true": (archive_of(document(True)), "lacks a version"),
    "inner meta is a list": (archive_of(document(meta=[])), "lacks a version or an object"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_files_are_refused(path: Path, name: str) -> None:
    data, message = TAMPERED[name]
    path.write_bytes(data)
    with little_taken(len(data)), pytest.raises(CheckpointError, match=message) as refused:
        read_archive(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert refused.value.exit_code == 4


@contextlib.contextmanager
def little_taken(size: int) -> Iterator[None]:
    """Within a second of the processor, and with not much more memory than the file is long."""
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
        assert time.process_time() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 2 * size + (4 << 20)
    finally:
        tracemalloc.stop()


def test_the_forger_of_these_tests_can_make_a_sound_file(path: Path) -> None:
    other = ("b.npy", npy_header() + ONE[-24:])
    path.write_bytes(archive_of(document(meta={"a": deep(97)}), ("a/W.npy", ONE), other))
    assert_same(read_archive(path), {"a/W": np.ones(3), "b": np.ones(3)}, {"a": deep(97)})


def deflated_arrays() -> bytes:
    zeros = npy_bytes(np.zeros(1 << 22))
    return archive_of(document(), *[(f"{i}.npy", zeros) for i in range(4)], compression=8)


def deflated_meta() -> bytes:
    return archive_of(("meta.json", b" " * (1 << 27)), compression=8)


def overlapping() -> bytes:
    """A list of 2000 members that all lie on the same megabyte."""
    data = archive_of(document(), ("00000.npy", npy_bytes(np.zeros(1 << 17))))
    first, last, end = data.index(b"PK\1\2"), data.rindex(b"PK\1\2"), data.rindex(b"PK\5\6")
    entries = (data[last:end].replace(b"00000", b"%05d" % i) for i in range(2000))
    listed = data[first:last] + b"".join(entries)
    count, size = (2001).to_bytes(2, "little"), len(listed).to_bytes(4, "little")
    return sealed(data[:first] + listed + data[end : end + 8] + 2 * count + size + data[end + 16 :])


def claimed() -> bytes:
    return with_sizes(0xFFFFFFF0, 0xFFFFFFF0)


@pytest.mark.parametrize("bomb", [deflated_arrays, deflated_meta, overlapping, claimed])
def test_bombs_are_refused_before_memory_is_taken(path: Path, bomb: Callable[[], bytes]) -> None:
    size = path.write_bytes(bomb())
    with little_taken(size), pytest.raises(CheckpointError, match="claim more bytes"):
        read_archive(path)


def test_a_sparse_file_of_a_terabyte_is_refused_at_once(path: Path, data: bytes) -> None:
    try:
        os.truncate(path, 1 << 40)
    except OSError as error:
        pytest.skip(f"no sparse files here: {error}")
    start = time.perf_counter()
    with pytest.raises(CheckpointError, match="no checksum at its end"):
        read_archive(path)
    assert time.perf_counter() - start < 1


# --- files that are not there, or are not files


def test_a_missing_file_is_named_with_the_nearest_one(path: Path, data: bytes) -> None:
    message = r"modle.npz: .*No such file.*; did you mean 'model.npz'\?"
    with pytest.raises(CheckpointError, match=message):
        read_archive(path.with_name("modle.npz"))


def test_a_missing_folder_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match=r"did you mean 'checkpoints'\?"):
        read_archive(tmp_path / "checkpoint" / "deeper" / "last.npz")
    with pytest.raises(StorageError, match=r"did you mean 'checkpoints'\?") as refused:
        write_whole(tmp_path / "checkpoint" / "last.npz", b"")
    assert refused.value.errno == errno.ENOENT


def test_a_folder_is_named_with_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best.npz").touch()
    with pytest.raises(CheckpointError, match=r"it is a folder; did you mean 'best.npz'\?"):
        read_archive(tmp_path / "best")


def test_a_file_as_a_folder(path: Path, data: bytes) -> None:
    with pytest.raises(CheckpointError, match="Not a directory"):
        read_archive(path / "last.npz")
    with pytest.raises(StorageError, match="Not a directory"):
        write_whole(path / "last.npz", b"")


def test_paths_are_shown_as_resolved(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    write_archive("model.npz", ARRAYS, META)
    assert_same(read_archive("model.npz"), ARRAYS, META)
    with pytest.raises(CheckpointError, match=str(tmp_path / "other.npz")):
        read_archive("other.npz")
    with pytest.raises(StorageError, match=str(tmp_path / "no" / "other.npz")):
        write_whole("no/other.npz", b"")


def test_a_working_folder_that_was_removed(tmp_path: Path, monkeypatch: Patch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(CheckpointError, match="No such file"):
        read_archive("model.npz")
    with pytest.raises(StorageError, match="No such file"):
        write_whole("model.npz", b"")


def test_folders_and_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for special, message in [(tmp_path, "it is a folder"), (pipe, "it is a pipe or a device")]:
        with pytest.raises(CheckpointError, match=message):
            read_archive(special)
        with pytest.raises(StorageError, match=message):
            write_whole(special, b"")
    assert pipe.is_fifo()
    assert entries(tmp_path) == {"pipe"}


@pytest.mark.parametrize("name", ["", "a\0b", "n" * 300])
def test_paths_that_no_file_can_have(tmp_path: Path, name: str, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        read_archive(name)
    with pytest.raises(StorageError):
        write_whole(name, b"")
    assert entries(tmp_path) == set()


def test_a_link_to_itself(tmp_path: Path) -> None:
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(CheckpointError, match="symbolic links"):
        read_archive(tmp_path / "loop")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, whom no file mode stops."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_without_permission(path: Path, data: bytes) -> None:
    path.parent.chmod(0)
    try:
        with as_nobody():
            with pytest.raises(StorageError, match=r"cannot be read now \(Permission denied\)"):
                read_archive(path)
            with pytest.raises(StorageError, match=r"Permission denied\); check the folder"):
                write_whole(path, b"")
    finally:
        path.parent.chmod(0o700)
    assert path.read_bytes() == data


def test_a_missing_file_in_a_folder_that_cannot_be_listed() -> None:
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o111)
        with as_nobody(), pytest.raises(CheckpointError, match=r"No such file or directory\);"):
            read_archive(f"{folder}/model.npz")
        os.chmod(folder, 0o700)


# --- whole or not at all


def test_links_are_followed_and_modes_are_usual(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    os.symlink("other/target.json", tmp_path / "link.json")
    write_whole(tmp_path / "link.json", b"1")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "other" / "target.json").read_bytes() == b"1"
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "plain").stat().st_mode == (tmp_path / "link.json").stat().st_mode


def test_the_longest_name_that_a_folder_holds(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_whole(path, b"1")
    assert path.read_bytes() == b"1"


def test_file_then_name_then_folder_reach_the_disk(path: Path, monkeypatch: Patch) -> None:
    calls: list[tuple[str, Any]] = []
    sync, replace = os.fsync, os.replace

    def recorded_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        calls.append(("fsync", "folder" if stat.S_ISDIR(status.st_mode) else status.st_size))
        sync(descriptor)

    def recorded_replace(source: Path, target: Path) -> None:
        calls.append(("replace", (source.parent, target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_archive(path, ARRAYS, META)
    assert calls == [
        ("fsync", path.stat().st_size),
        ("replace", (path.parent, path)),
        ("fsync", "folder"),
    ]


def failing(call: Callable[..., Any], number: int, nth: int) -> Callable[..., Any]:
    """The call, but its n-th use fails with this errno."""
    count = iter(range(1, 100))

    def fails(*args: Any, **options: Any) -> Any:
        if next(count) == nth:
            raise OSError(number, os.strerror(number))
        return call(*args, **options)

    return fails


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    ("module", "name", "nth", "intact"),
    [
        (builtins, "open", 1, True),
        (os, "fsync", 1, True),
        (os, "replace", 1, True),
        (os, "open", 1, False),
        (os, "fsync", 2, False),
    ],
    ids=["open", "fsync", "replace", "open folder", "fsync folder"],
)
def test_each_call_that_can_fail(
    path: Path, data: bytes, module: Any, name: str, nth: int, intact: bool, number: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, failing(getattr(module, name), number, nth))
        with pytest.raises(StorageError, match=os.strerror(number)) as refused:
            write_archive(path, {}, {})
    assert refused.value.errno == number
    assert refused.value.exit_code == 74
    assert str(refused.value).startswith(f"{path}: cannot be written (")
    assert entries(path.parent) == {path.name}
    if intact:
        assert path.read_bytes() == data
    else:
        assert_same(read_archive(path), {}, {})


def test_an_interrupt_leaves_no_rest(path: Path, data: bytes, monkeypatch: Patch) -> None:
    def interrupted(descriptor: int) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_archive(path, {}, {})
    assert entries(path.parent) == {path.name}
    assert path.read_bytes() == data


def test_a_file_system_without_fsync_of_folders(path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(os, "fsync", failing(os.fsync, errno.EINVAL, nth=2))
    write_archive(path, ARRAYS, META)
    assert_same(read_archive(path), ARRAYS, META)


@contextlib.contextmanager
def limit(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_a_limit_on_the_size_of_files(path: Path, data: bytes) -> None:
    with (
        limit(resource.RLIMIT_FSIZE, 1 << 18),
        pytest.raises(StorageError, match="File too large") as refused,
    ):
        write_archive(path, {"big": np.zeros(1 << 18)}, {})
    assert refused.value.errno == errno.EFBIG
    assert entries(path.parent) == {path.name}
    assert path.read_bytes() == data


def test_no_file_handles_left(path: Path, data: bytes) -> None:
    with limit(resource.RLIMIT_NOFILE, 0):
        with pytest.raises(StorageError, match="Too many open files"):
            read_archive(path)
        with pytest.raises(StorageError, match="Too many open files"):
            write_archive(path, {}, {})
    assert path.read_bytes() == data


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no command to mount a small file system with")
    folder.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "model.npz"
        kept = {"W": np.arange(10_000.0)}
        write_archive(path, kept, META)
        with pytest.raises(StorageError, match=r"No space left.*free space") as refused:
            write_archive(path, {"W": np.zeros(25_000)}, {})
        assert refused.value.errno == errno.ENOSPC
        assert entries(disk) == {"model.npz"}
        assert_same(read_archive(path), kept, META)
        write_archive(path, {"W": np.ones(10_000)}, {})
        assert_same(read_archive(path), {"W": np.ones(10_000)}, {})


def test_writers_at_the_same_time_never_mix(path: Path) -> None:
    def write(value: int) -> None:
        for _ in range(5):
            write_archive(path, {"W": np.full(20_000, value)}, {"value": value})

    writers = [threading.Thread(target=write, args=(value,)) for value in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            archive = read_archive(path)
            assert_same(archive, {"W": np.full(20_000, archive.meta["value"])}, archive.meta)
    assert entries(path.parent) == {path.name}


def start_writer(path: Path, first: int, finished: int) -> int:
    """Fork a process that writes numbers from `first` on, each over the one before, without end.

    Each number that is written is told by a byte to the pipe `finished`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child uses no thread
        process = os.fork()
    if process:
        return process
    try:
        for number in range(first, first + 10**6):
            write_archive(path, {"W": np.full(30_000, number)}, {"number": number})
            os.write(finished, b"1")
    finally:
        os._exit(1)


def survive_kills(path: Path, kills: int, seed: int = 0) -> None:
    """Kill writers at random moments: the file is always whole, and no write that was finished is lost."""
    chance = random.Random(seed)
    number = 0
    write_archive(path, {"W": np.full(30_000, number)}, {"number": number})
    for _ in range(kills):
        told, finished = os.pipe()
        writer = start_writer(path, number + 1, finished)
        time.sleep(chance.uniform(0.002, 0.03))
        os.kill(writer, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(writer, 0)[1]) == signal.SIGKILL
        os.close(finished)
        last = number + len(os.read(told, 1 << 16))
        os.close(told)
        archive = read_archive(path)
        number = archive.meta["number"]
        assert number in (last, last + 1)  # the one that was under way may be there
        assert_same(archive, {"W": np.full(30_000, number)}, {"number": number})
    assert number > 0


def test_kills_at_any_moment(path: Path) -> None:
    survive_kills(path, kills=15)
