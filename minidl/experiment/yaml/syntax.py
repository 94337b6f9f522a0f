"""PyYAML's complaints in plain words, at the place to mend, which is often not where the parser gave up."""

from __future__ import annotations

import re
from collections.abc import Callable

from yaml import MarkedYAMLError

from minidl.experiment.yaml.source_positions import LINE_BREAK

INDENTATION = "the indentation of this line fits nothing above it"
NO_COLON = "expected 'key: value', with a ':' and a space after the key"
OPEN_QUOTE = "this quote is never closed"
# words of PyYAML, whether the context is the place to mend, our words ({0}: what a group of the words caught)
KNOWN: tuple[tuple[str, bool, str], ...] = (
    ("could not find expected ':'", True, NO_COLON),
    ("found unexpected (?:end of stream|document separator)", True, OPEN_QUOTE),
    ("but (?:found|got) '<stream end>'", True, "this bracket is never closed"),
    ("found character (.+) that cannot start", False, "text that begins with {0} needs quotes"),
    ("expected <block end>, but found '([\\]}},])'", False, "this {0} belongs to no bracket above"),
    ("expected <block end>, but found ':'", False, "a key is missing before this ':'"),
    ("another document", False, "one file holds one document: remove this line and what follows"),
    ("expected the node content", False, "a value is missing here"),
    ("undefined alias (.+)", False, "no anchor {0} above this alias; text that begins with '*' needs quotes"),
    ("expected chomping", False, "after '|' or '>' a text begins on the next line"),
    ("second occurrence", False, "this anchor is given twice"),
    ("sequence entries are not allowed here", False, "a list begins on a line of its own, or is written [a, b]"),
    ("undefined tag handle", False, "tags (words that begin with '!') are not allowed: quote the text"),
)


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _line_end(text: str, at: int) -> int:
    found = LINE_BREAK.search(text, at)
    return found.start() if found else len(text)


def _indent(text: str, at: int) -> int:
    line = text[_line_start(text, at) : _line_end(text, at)]
    return len(line) - len(line.lstrip(" "))


def _stray_colon(text: str, at: int, opening: int) -> tuple[int, str]:
    """A ':' where no key can be: a second one on its line, or the end of a text that began on a line above."""
    start = _line_start(text, at)
    if re.search(r":\s", text[start:at]):
        return at, "a second ':' on this line: text that holds ': ' needs quotes"
    return _misplaced_line(text, at, opening)


def _misplaced_line(text: str, at: int, opening: int) -> tuple[int, str]:
    """A line that does not go on from those above, unless the one above lacks its ':'."""
    start = _line_start(text, at)
    if re.match(r"-[^-\s]", text[at:]):
        return at, "a space belongs behind the '-' of a list"
    above = _content_above(text, start)
    if above is not None:
        line = text[above : _line_end(text, above)].rstrip()
        if not (re.search(r":(\s|$)", line) or line.startswith("-") or line.endswith(tuple("]}\"',"))):
            return above, NO_COLON
    return start + _indent(text, at), INDENTATION


def _text_after_value(text: str, at: int, opening: int) -> tuple[int, str]:
    """Text behind a value, most often because a quote on a line above is closed only by the next one."""
    closing = len(text[:at].rstrip()) - 1
    quote, line = text[closing], text[_line_start(text, at) : closing + 1]
    if quote in "\"'" and line.count(quote) % 2:
        return text.rfind(quote, 0, closing), OPEN_QUOTE
    return at, "unexpected text after the end of a value"


def _content_above(text: str, start: int) -> int | None:
    """Where the nearest line above begins that is neither blank nor a comment."""
    found = [line.start(1) for line in re.finditer(r"(?:^|[\r\n]) *([^\s#])", text[:start])]
    return found[-1] if found else None


def _in_brackets(text: str, at: int, opening: int) -> tuple[int, str]:
    """Something between [ ] or { } that is neither a comma nor the end."""
    if text[at - 1 : at + 1] == "${":
        return at - 1, 'between brackets a reference needs quotes: "${...}"'
    crossed = _line_start(text, at) > opening
    if crossed and _indent(text, at) <= _indent(text, opening) and text[at] not in "]}":
        return opening, f"this {text[opening]!r} is never closed"
    closing = {"[": "]", "{": "}"}[text[opening]]
    return at, f"expected ',' or '{closing}' here: a comma or a bracket is missing, or text needs quotes"


def _open_bracket(text: str, at: int, opening: int) -> tuple[int, str]:
    return len(text.rstrip()) - 1, "a bracket is not closed before the end"


def _escape(text: str, at: int, opening: int) -> tuple[int, str]:
    return text.rfind("\\", 0, at), "this backslash begins no known escape: write \\\\, or use single quotes"


def _tab(text: str, at: int, opening: int) -> tuple[int, str]:
    indents = not text[_line_start(text, at) : at].strip()
    return at, f"tabs are not allowed {'for indentation' if indents else 'here'}: use spaces"


# words of PyYAML, who looks at the text for the place to mend
JUDGED: tuple[tuple[str, Callable[[str, int, int], tuple[int, str]]], ...] = (
    ("mapping values are not allowed", _stray_colon),
    ("expected ',' or '.', but got (?!'<stream end>')", _in_brackets),
    ("expected the node content, but found '<stream end>'", _open_bracket),
    ("(<block end>|'<document start>'), but found '<(scalar|alias|anchor|tag)>'", _text_after_value),
    ("expected (<block end>, but found '[-?<]|'<document start>')", _misplaced_line),
    ("unknown escape character|expected escape sequence", _escape),
    (r"found character '\\t'", _tab),
)


def explain(error: MarkedYAMLError, text: str) -> tuple[int, str]:
    """The offset to point at, and what to do there."""
    problem = error.problem or "this is not YAML"
    at = error.problem_mark.index if error.problem_mark else len(text)
    opening = error.context_mark.index if error.context_mark else at
    for words, judge in JUDGED:
        if re.search(words, problem):
            return judge(text, at, opening)
    if (error.context or "").endswith(("an alias", "an anchor")):
        return opening, f"text that begins with {text[opening]!r} needs quotes"
    for words, use_context, message in KNOWN:
        if found := re.search(words, problem):
            return opening if use_context else at, message.format(*found.groups())
    return at, problem
