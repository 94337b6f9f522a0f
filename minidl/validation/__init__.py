"""Declarations checked by pydantic: types, ranges, unknown and missing names.

pydantic reads the annotations that the dataclasses carry anyway, so that no rule is written twice. It is imported
here and in `minidl.experiment` only, and only when the first object is made, which keeps `import minidl` quick.
"""

from minidl.validation.findings import A_NAME, Finding, Path, explain
from minidl.validation.revive import build, check, revive
from minidl.validation.rules import STRICT, field_notes, first_line, rules

__all__ = [
    "A_NAME",
    "STRICT",
    "Finding",
    "Path",
    "build",
    "check",
    "explain",
    "field_notes",
    "first_line",
    "revive",
    "rules",
]
