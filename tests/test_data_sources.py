"""Sources of text: what is read, and what is said where it cannot be."""

import os
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import read_text
from minidl.data.sources import decode_text, find_file
from minidl.data.sources.source import _built_in
from minidl.system.errors import DataError


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@contextmanager
def somebody_else():
    """Take the rights of an ordinary user, since file modes do not stop root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_built_in_text_is_pythons_own_and_always_the_same():
    text = read_text("pydoc_topics", Path("/nowhere"))
    assert 300_000 < len(text) < 1_000_000
    assert text == read_text("pydoc_topics", Path())
    assert text.index('The "assert" statement') < text.index('The "yield" statement')


def test_a_python_without_the_built_in_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    _built_in.cache_clear()
    with pytest.raises(DataError, match="name a text file instead"):
        read_text("pydoc_topics", Path())


def test_a_path_starts_at_the_folder_of_the_experiment(tmp_path):
    (tmp_path / "texts").mkdir()
    path = write(tmp_path / "texts" / "book.txt", "once upon a time")
    assert read_text("../texts/book.txt", tmp_path / "texts") == "once upon a time"
    assert read_text(str(path), Path("/")) == "once upon a time"


def test_several_texts_in_the_order_given(tmp_path):
    write(tmp_path / "b.txt", "\ufeffb")
    write(tmp_path / "a.txt", "\ufeffa\r\n")
    assert read_text(("b.txt", "a.txt"), tmp_path) == "b\na\n"
    assert read_text(["a.txt", "pydoc_topics"], tmp_path).startswith("a\n\nThe ")


def test_no_sources():
    with pytest.raises(DataError, match="list of sources is empty"):
        read_text([], Path())


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@settings(deadline=None)
def test_utf8_is_read_as_it_is(text):
    if text.strip() and not text.startswith(("\ufeff", "\ufffe")) and text.count("\0") < 3:
        assert decode_text(text.encode(), "x") == text.replace("\r\n", "\n")


def test_byte_order_mark_and_line_ends_and_nul():
    assert decode_text(b"\xef\xbb\xbfa\r\nb\rc\x00\n", "x") == "a\nb\rc\x00\n"


@pytest.mark.parametrize(
    ("content", "said"), [("", "is empty"), (" \n\t\r\n", "only white space"), ("\ufeff", "empty")]
)
def test_nothing_to_read(tmp_path, content, said):
    path = write(tmp_path / "void.txt", content)
    with pytest.raises(DataError) as caught:
        read_text("void.txt", tmp_path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"one\ntwo\nthr\xe9e\n", ["line 3", "0xe9", "offset 11", "UTF-8"]),
        (b"ok\r\n\xed\xa0\x80", ["line 2", "0xed", "offset 4"]),
        (b"cut \xe2\x82", ["line 1", "0xe2", "offset 4"]),
    ],
)
def test_what_is_not_utf8_is_shown_by_file_line_and_byte(tmp_path, content, said):
    path = write(tmp_path / "latin.txt", content)
    with pytest.raises(DataError) as caught:
        read_text("latin.txt", tmp_path)
    for part in [str(path), *said]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bok.txt", "did you mean 'book.txt'?"),
        ("pydoc_topic", "did you mean 'pydoc_topics'?"),
        ("zzzzzzz", "no file at"),
        ("nowhere/book.txt", "there is no folder"),
        ("book.txt/inside", "there is no folder"),
        ("nul\0", "no file at"),
    ],
)
def test_a_missing_file_is_named_as_resolved(tmp_path, name, said):
    write(tmp_path / "book.txt", "text")
    (tmp_path / "runs").mkdir()
    with pytest.raises(DataError) as caught:
        read_text(name, tmp_path / "runs" / "..")
    assert str(tmp_path / name) in str(caught.value)
    assert said in str(caught.value)


def test_a_folder_is_no_text(tmp_path):
    (tmp_path / "texts").mkdir()
    with pytest.raises(DataError, match=r"texts is a folder: name a file in it$"):
        read_text("texts", tmp_path)
    write(tmp_path / "texts" / "b.txt", "b")
    with pytest.raises(DataError, match=r"such as 'texts/b\.txt'"):
        read_text("texts", tmp_path)


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a link"):
        find_file("pipe", tmp_path)


def test_a_link_that_leads_to_itself(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"loop cannot be read: .*link"):
        find_file("loop", tmp_path)


def test_no_permission():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = write(folder / "secret.txt", "text")
        path.chmod(0)
        closed = folder / "closed"
        closed.mkdir()
        closed.chmod(0)
        try:
            with somebody_else():
                with pytest.raises(DataError, match=r"secret\.txt cannot be read: Permission denied"):
                    read_text("secret.txt", folder)
                with pytest.raises(DataError, match="closed/x cannot be read: Permission denied"):
                    read_text("closed/x", folder)
                with pytest.raises(DataError, match=r"is a folder: name a file in it$"):
                    read_text("closed", folder)
        finally:
            closed.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("source", [{}, {"url": "http://127.0.0.1/x"}, {"url": "x", "sha256": "0" * 64, "md5": ""}])
def test_a_download_has_a_url_and_a_hash(source):
    with pytest.raises(DataError, match="given by url and sha256"):
        read_text(source, Path())
