"""The cases of docs/reliability.md and the claims of docs/security.md: all are there, with tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / name for name in ("reliability.md", "security.md")]
NAMED = re.compile(r"`(test_\w+\.py)::([\w:]+)`")
CASES = 65


@cache
def names_in(file: str) -> set[str]:
    """The tests of a file, those of a class as CLASS::NAME."""
    found = set()
    for node in ast.parse((ROOT / "tests" / file).read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {f"{prefix}{item.name}" for item in inside if isinstance(item, ast.FunctionDef)}
    return found


def test_every_case_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)$", PAGES[0].read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, CASES + 1))
    assert [number for number, row in rows if not NAMED.search(row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = NAMED.findall(page.read_text())
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
