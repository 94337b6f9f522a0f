"""Tables that need no download, as the text of CSV files: what Python itself knows, and a series that is computed."""

from __future__ import annotations

import csv
import io
import keyword
import sysconfig
import tokenize
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from minidl.data.sources.dates import written_dates
from minidl.system.errors import DataError

RAREST = 50  # rows of a category in unicode_names
MODULES = ("argparse", "calendar", "csv", "dataclasses", "fractions", "heapq", "inspect", "shlex", "textwrap")
LORENZ_ROWS, LORENZ_STEP, LORENZ_SUBSTEPS = 6000, 0.05, 3
Point = tuple[float, float, float]


def unicode_names() -> str:
    """`name,category`: characters of the Basic Multilingual Plane by their Unicode name, and their general category.

    Left out are names that are made of the code point, and categories of fewer than 50 characters.

    >>> [row for row in unicode_names().splitlines() if row.startswith("LATIN SMALL LETTER Q,")]
    ['LATIN SMALL LETTER Q,Ll']
    """
    rows = [(name, unicodedata.category(chr(code))) for code in range(0x10000) if (name := _own_name(code))]
    counts = Counter(category for _, category in rows)
    return to_csv(("name", "category"), (row for row in rows if counts[row[1]] >= RAREST))


def _own_name(code: int) -> str:
    name = unicodedata.name(chr(code), "")
    made = name.endswith(f"-{code:04X}") or name.startswith("HANGUL SYLLABLE ")
    return "" if made else name


def python_tokens() -> str:
    """`line,tags`: lines of Python's own library, and what each character belongs to.

    k keyword, n name, d number, s string, c comment, o operator, . white space.

    >>> python_tokens().splitlines()[0]
    'line,tags'
    """
    folder = Path(sysconfig.get_path("stdlib"))
    rows: list[tuple[str, str]] = []
    for module in MODULES:
        try:
            rows += tag_lines((folder / f"{module}.py").read_text(encoding="utf-8"))
        except OSError:
            raise DataError(
                f"this Python comes without the source of {module}: name a CSV file instead of python_tokens"
            ) from None
    return to_csv(("line", "tags"), rows)


def tag_lines(source: str) -> list[tuple[str, str]]:
    """The lines of a Python source that are not blank, each with its tags.

    >>> tag_lines("if x:  # yes")
    [('if x:  # yes', 'kk.no..ccccc')]
    """
    lines = source.splitlines()
    tags = [["."] * len(line) for line in lines]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        tag = _tag(token)
        for number in range(token.start[0] - 1, min(token.end[0], len(lines))) if tag else ():
            first = token.start[1] if number == token.start[0] - 1 else 0
            last = token.end[1] if number == token.end[0] - 1 else len(lines[number])
            tags[number][first:last] = tag * (last - first)
    return [(line, "".join(tagged)) for line, tagged in zip(lines, tags, strict=True) if line.strip()]


def _tag(token: tokenize.TokenInfo) -> str:
    kind = tokenize.tok_name[token.type]
    if kind == "NAME":
        return "k" if keyword.iskeyword(token.string) else "n"
    if "STRING" in kind:  # since Python 3.12 an f-string is several tokens
        return "s"
    return {"NUMBER": "d", "COMMENT": "c", "OP": "o"}.get(kind, "")


def dates() -> str:
    """`written,iso`: dates in words and in the form of ISO 8601; see `written_dates`.

    >>> dates().splitlines()[0]
    'written,iso'
    """
    return to_csv(("written", "iso"), written_dates())


def lorenz() -> str:
    """`x,y,z`: a trajectory of the Lorenz system, a row every 0.05 units of time, by Runge and Kutta's fourth order.

        x' = 10 (y - x),   y' = x (28 - z) - y,   z' = x y - 8/3 z

    Lorenz 1963, equations 25 to 27.

    >>> lorenz().splitlines()[0]
    'x,y,z'
    """
    point, rows = (1.0, 1.0, 20.0), []
    for _ in range(LORENZ_ROWS):
        for _ in range(LORENZ_SUBSTEPS):
            point = _runge_kutta(point, LORENZ_STEP / LORENZ_SUBSTEPS)
        rows.append([f"{value:.6f}" for value in point])
    return to_csv(("x", "y", "z"), rows)


def _velocity(point: Point) -> Point:
    x, y, z = point
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def _runge_kutta(point: Point, step: float) -> Point:
    k1 = _velocity(point)
    k2 = _velocity(_moved(point, k1, step / 2))
    k3 = _velocity(_moved(point, k2, step / 2))
    k4 = _velocity(_moved(point, k3, step))
    mean = ((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return _moved(point, tuple(mean), step)


def _moved(point: Sequence[float], velocity: Sequence[float], step: float) -> Point:
    x, y, z = (p + step * v for p, v in zip(point, velocity, strict=True))
    return x, y, z


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
