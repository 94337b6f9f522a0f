"""A bar on a terminal while a file is read; nothing elsewhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from minidl.cli import reading_bar as module
from minidl.data import Classification, Table


class Terminal(io.StringIO):
    """A stream that is taken for one."""

    def isatty(self) -> bool:
        return True


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    (tmp_path / "t.csv").write_text("text,kind\n" + "".join(f"some words {i},{i % 2}\n" for i in range(5000)))
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with module.reading_bar():
        Table("t.csv", Classification("text", label="kind")).load(tmp_path)
    return stream.getvalue()


def test_a_terminal_shows_how_much_has_been_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reading t.csv" in read(tmp_path, monkeypatch, Terminal())


def test_a_file_has_no_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path, monkeypatch, io.StringIO()) == ""
