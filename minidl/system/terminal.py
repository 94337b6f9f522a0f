"""Text that may be anybody's, as a terminal may be sent it: without characters that would command it."""

from __future__ import annotations

from typing import Any
from unicodedata import category


def visible(text: str, stream: Any) -> str:
    r"""What to write on a stream: on a terminal, control characters are spelt, but for line breaks and tabs.

    >>> import io
    >>> visible("a\x1b[2J", io.StringIO())
    'a\x1b[2J'
    """
    if not stream.isatty():
        return text
    return "".join(repr(char)[1:-1] if category(char) == "Cc" and char not in "\n\t" else char for char in text)
