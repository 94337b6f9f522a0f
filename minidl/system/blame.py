"""Errors of code that is the user's: whose they are, and the lines that led there."""

from __future__ import annotations

import traceback
from pathlib import Path

OWN = str(Path(__file__).parents[1])


def blame(what: str, error: BaseException) -> str:
    """That some code of the user's fails: its exception, and the lines outside of minidl that led to it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(OWN)]
    lines = "".join(f"\n  {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames)
    return f"{what} fails: {type(error).__name__}: {error}{lines}"


def remark(error: BaseException, line: str) -> None:
    """Have a line stand below an error where Python shows it, from 3.11 on."""
    if hasattr(error, "add_note"):
        error.add_note(line)
