"""Errors of code that is the user's: whose they are, and the lines that led there."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

OTHERS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), "<frozen")
INSTALLED = {"site-packages", "dist-packages"}


def blame(what: str, error: BaseException) -> str:
    """That some code of the user's fails: its exception, and the lines of that code that led to it."""
    return f"{what} fails: {type(error).__name__}: {error}{''.join(users_lines(error))}"


def users_lines(error: BaseException) -> list[str]:
    """The lines of the user's own files that led to an error, the innermost last; none where it is not theirs."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"\n  {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames if _is_users(frame.filename)]


def _is_users(file: str) -> bool:
    """Whether a file is neither of minidl or Python, nor installed beside them."""
    return not file.startswith(OTHERS) and not INSTALLED & {*Path(file).parts}
