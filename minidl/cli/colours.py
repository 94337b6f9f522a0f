"""Colours where a person reads: on a terminal, by rich; elsewhere the same text without."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from minidl.system.terminal import escape, unescaped

# By what is coloured. A message says where something is wrong, what was meant, and points at it.
MESSAGE = {r"^\S.*?:\d+:\d+:": "bold", r"did you mean '.*?'\?": "green", r"^ *\^$": "bold red"}
STATE = {r"\bdone\b": "green", r"\bfailed\b": "red", r"\b(interrupted|pruned)\b": "yellow"}


def show(text: str, styles: Mapping[str, str], stream: Any = None) -> None:
    """Print a text, with what a regular expression finds in a style of rich's; to stdout if no stream is given."""
    stream, text = stream or sys.stdout, escape(text)
    if not stream.isatty():
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text

    painted = Text(text)
    for pattern, style in styles.items():
        painted.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    Console(file=unescaped(stream), highlight=False, soft_wrap=True).print(painted)
