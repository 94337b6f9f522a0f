"""Bytes as text: UTF-8, UTF-16 with and without its mark, or an encoding that is named."""

from __future__ import annotations

import codecs

from minidl.system.errors import DataError, UsageError

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LOOKED_AT = 4096  # bytes by which UTF-16 without a mark is known


def find_encoding(first: bytes, given: str | None = None) -> str:
    r"""The encoding of a text that begins with these bytes.

    given: the one that was named, which holds unless the text says itself what it is, by its mark. UTF-16 without a
    mark is known by its zeros: every other byte of a text in any alphabet of less than 256 letters in use, such as that
    of line ends and spaces.

    >>> find_encoding("a text\n".encode("utf-16-le")), find_encoding(b"ab")
    ('utf-16-le', 'utf-8-sig')
    """
    said = None if given is None else check_encoding(given)
    for mark, name in MARKS.items():  # which no text in another encoding begins with
        if first.startswith(mark):
            return name
    if said is not None:
        return said
    looked = first[:LOOKED_AT]
    zeros = [looked[k::2].count(0) for k in (0, 1)]
    share = max(zeros) / max(1, len(looked) // 2)
    if min(zeros) == 0 and ((share > 0.4 and len(looked) >= 8) or (share > 0.1 and len(looked) >= 64)):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return "utf-8-sig"


def check_encoding(name: str) -> str:
    """The name of an encoding of texts; UsageError for any other."""
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        known = None
    if known is None or not getattr(known, "_is_text_encoding", True):
        raise UsageError(f"encoding {name!r} is none that Python knows, such as utf-8, utf-16, latin-1 or cp1252")
    return "utf-8-sig" if known.name == "utf-8" else known.name


def decode(raw: bytes, name: str, encoding: str | None = None) -> str:
    """A text without its byte order mark; DataError with the line of what is not of its encoding."""
    found = find_encoding(raw, encoding)
    try:
        return raw.decode(found).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(not_decoded(raw, name, error)) from None


def not_decoded(raw: bytes, name: str, error: UnicodeDecodeError) -> str:
    """Where a text is not of its encoding, and what to do."""
    line = raw.count(b"\n", 0, error.start) + 1
    spelt = "UTF-8" if error.encoding.startswith("utf-8") or error.encoding == "utf_8" else error.encoding
    byte = f"byte 0x{raw[error.start]:02x} at offset {error.start}" if error.start < len(raw) else "the end"
    return (
        f"{name}, line {line}: {byte} is not {spelt} ({error.reason}): save the text as UTF-8, or say what it is with "
        "encoding, such as encoding: latin-1"
    )
