"""A symbol as it can be seen: no spaces, line breaks or control characters."""

from __future__ import annotations

from unicodedata import category

SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}


def spelt(symbol: str) -> str:
    r"""The symbol with signs in the place of what cannot be seen.

    >>> spelt("a\n\x1b")
    'a⏎U+1b'
    """
    return "".join(SHOWN.get(x, f"U+{ord(x):x}" if category(x)[0] in "CZ" else x) for x in symbol)
