"""Text that may be anybody's, as a terminal may be sent it: without characters that would command it."""

from __future__ import annotations

import re
from typing import Any

# Control characters but for line breaks and tabs, marks that turn the direction of text, and what ends a line unseen.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape(text: str) -> str:
    r"""The text with characters that a terminal would obey, or that would hide others, spelt.

    >>> escape("a\x1b[2J"), escape("tab\tand\nline")
    ('a\\x1b[2J', 'tab\tand\nline')
    """
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def escape_line(text: str) -> str:
    r"""The same for what stands in one line: a cell of a table, a name.

    >>> escape_line("a\nb")
    'a\\nb'
    """
    return escape(text).replace("\n", "\\n").replace("\t", "\\t")


def visible(text: str, stream: Any) -> str:
    r"""What to write on a stream that may be a file, which is given a text as it is.

    >>> import io
    >>> visible("a\x1b[2J", io.StringIO())
    'a\x1b[2J'
    """
    return escape(text) if stream.isatty() else text


class Escaping:
    """A stream on which everything is escaped: where the text of a process leaves it.

    Who draws with control characters of its own, as rich does, writes to what `unescaped` gives.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text as it may be shown."""
        self._stream.write(escape(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def unescaped(stream: Any) -> Any:
    """The stream under one that escapes, or the stream itself."""
    return unescaped(stream._stream) if isinstance(stream, Escaping) else stream
