"""Errors of code that is the user's: whose they are, and the lines that led there."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

OTHERS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), "<frozen")
INSTALLED = {"site-packages", "dist-packages"}


def blame(what: str, error: BaseException) -> str:
    """That some code of the user's fails: its exception, and the lines of that code that led to it."""
    lines = "".join(f"\n  {frame.filename}:{frame.lineno}: {frame.line}" for frame in users_frames(error))
    return f"{what} fails: {type(error).__name__}: {error}{lines}"


def users_traceback(error: BaseException) -> str:
    """The traceback of an error as Python shows it, from where it enters code of the user's."""
    whole = traceback.TracebackException.from_exception(error)
    whole.stack = traceback.StackSummary.from_list(users_frames(error))
    return "".join(whole.format(chain=False)).rstrip()


def users_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an error that are in the user's own files, the innermost last; none where it is not theirs."""
    return [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]


def _is_users(file: str) -> bool:
    """Whether a file is neither of minidl or Python, nor installed beside them."""
    return not file.startswith(OTHERS) and not INSTALLED & {*Path(file).parts}


def remark(error: BaseException, line: str) -> None:
    """Have a line stand below an error where Python shows it, from 3.11 on."""
    if hasattr(error, "add_note"):
        error.add_note(line)
