"""Recurrent layers read as a textbook: short files, few arguments; the docs show a cell in as few lines as promised."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from minidl.config.rules import field_notes
from minidl.data import Data, Task
from minidl.graph.layer import Layer
from minidl.optim import Optimizer
from minidl.optim.schedules import Schedule

ROOT = Path(__file__).parent.parent


def code_lines(source: str) -> list[str]:
    """The lines that are neither blank nor comments nor in a docstring."""
    documented = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            documented |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return [line for i, line in lines if i not in documented and line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_a_recurrent_layer_is_read_at_once(name: str) -> None:
    source = (ROOT / f"minidl/layers/{name}.py").read_text(encoding="utf-8")
    assert len(code_lines(source)) <= 60
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert {f.name: len(f.args.args) for f in functions if len(f.args.args) > 8} == {}
    assert {"step", "step_back"} <= {f.name for f in functions}


def test_every_gradient_of_the_lstm_is_a_line() -> None:
    source = (ROOT / "minidl/layers/lstm.py").read_text(encoding="utf-8")
    lines = {line.strip() for line in code_lines(source)}
    assert lines >= {
        "do = dh * tanh_c * o * (1 - o)",
        "dc = dc + dh * o * (1 - tanh_c**2)",
        "di = dc * g * i * (1 - i)",
        "df = dc * c_prev * f * (1 - f)",
        "dg = dc * i * (1 - g**2)",
        "dc_prev = dc * f",
    }


def test_the_docs_write_a_peephole_lstm_in_25_lines() -> None:
    page = (ROOT / "docs/own_layer.md").read_text(encoding="utf-8")
    (block,) = [text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Peephole" in text]
    (cell,) = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ClassDef)]
    assert (cell.end_lineno or 0) - cell.lineno + 1 <= 25


WITHOUT_A_PAPER = {
    *("Add", "Concat", "Last", "MAE", "MSE", "Mean", "Multiply", "OneHot", "Pool", "Repeat", "Reverse", "SigmoidCE"),
    *("Slice", "constant", "exponential", "linear", "piecewise", "plateau", "polynomial", "sequence", "step", "warmup"),
}
FAMILIES = [Layer, Optimizer, Schedule, Data, Task]
DECLARED = {
    name: cls for family in FAMILIES for name, cls in family.types().items() if cls.__module__.startswith("minidl.")
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_docstring_tells_every_argument(name: str) -> None:
    cls: Any = DECLARED[name]
    told = field_notes(cls)
    assert [field.name for field in dataclasses.fields(cls) if field.init and not told.get(field.name)] == []
    bases = " ".join(base.__doc__ or "" for base in cls.__mro__)
    if not issubclass(cls, Data | Task):
        assert "Raises ConfigError" in bases
        assert ">>> " in cls.__doc__
        assert name in WITHOUT_A_PAPER or re.search(r"\b(19|20)\d\d\b", cls.__doc__)


def test_the_reference_has_a_section_for_all_that_it_refers_to() -> None:
    reference = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    sections = {re.split(r"[ (]", title.strip("` "))[0].strip("`") for title in re.findall(r"(?m)^#+ (.*)$", reference)}
    assert {name.rstrip(".") for name in re.findall(r"\bsee ([A-Z]\w+)", reference)} <= sections


def test_the_words_that_are_not_the_fields_fit_on_a_page() -> None:
    assert len((ROOT / "docs/words.md").read_text(encoding="utf-8").splitlines()) <= 40
