"""What keeps the code readable and safe, measured: one-way imports, short files and functions, no way to run data."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import grimp
import pytest

PACKAGE = Path(__file__).parent.parent / "minidl"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 250, 40


def module_name(path: Path) -> str:
    """minidl/layers/lstm.py is "layers.lstm", minidl/layers/__init__.py is "layers"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


class Source(NamedTuple):
    """A module of minidl."""

    name: str
    lines: int
    tree: ast.Module


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """All modules, parsed once for all that is asked of them."""
    return [
        Source(module_name(path), len(path.read_text(encoding="utf-8").splitlines()), parse(path)) for path in MODULES
    ]


def test_rooms_import_only_rooms_below_them() -> None:
    """The contract in .importlinter, which names the rooms in their order; hints for type checkers count."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within a room neither, and hints for type checkers count."""
    graph = grimp.build_graph("minidl", cache_dir=None)
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()


def test_few_modules_lie_beside_the_rooms() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 6


# A verb and what it carries out; what is measured and who writes it; an old name of a layer: one thing, in two rooms.
IN_TWO_ROOMS = {"run", "sweep", "evaluate", "sample", "verify", "reproduce", "cells", "baselines", "callback", "layer"}


def test_no_file_name_has_two_meanings() -> None:
    names = Counter(path.stem for path in MODULES if path.stem != "__init__")
    assert {name for name, count in names.items() if count > 1} <= IN_TWO_ROOMS


def test_files_are_read_in_one_sitting(sources: list[Source]) -> None:
    assert {source.name: source.lines for source in sources if source.lines > FILE_LINES} == {}


def test_functions_are_short(sources: list[Source]) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [(of.name, node) for of in sources for node in ast.walk(of.tree) if isinstance(node, kinds)]
    assert len(functions) > 1000
    assert {(name, f.name): body_lines(f) for name, f in functions if body_lines(f) > FUNCTION_LINES} == {}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines after the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_long_functions_are_found() -> None:
    source = 'def f(a,\n      b):\n    """Two\n    lines."""\n    x = 1\n    return x\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2


def test_every_module_says_what_it_is_for(sources: list[Source]) -> None:
    said = {source.name: ast.get_docstring(source.tree) or "" for source in sources}
    first = {name: docstring.strip().split("\n\n")[0].rstrip() for name, docstring in said.items()}
    assert {name: sentence for name, sentence in first.items() if not sentence.endswith((".", ":"))} == {}


DANGEROUS_MODULES = {"pickle", "cPickle", "_pickle", "dill", "marshal", "shelve", "joblib", "runpy", "imp", "code"}
DANGEROUS_NAMES = {
    *("eval", "exec", "compile", "__import__", "import_module", "exec_module", "load_module", "allow_pickle"),
    *("unsafe_load", "unsafe_load_all", "UnsafeLoader", "full_load", "FullLoader"),  # of YAML
}
# The only code that an experiment file may name: models/NAME.py, as the contract has it; and the verbs, from a table.
ALLOWED = {("experiment.build.model_package", "exec_module"), ("cli.main", "import_module")}


def dangers(tree: ast.Module) -> list[tuple[int, str]]:
    """Ways in which data could become code: line and name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name in DANGEROUS_MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = {node.module or "", *(alias.name for alias in node.names)}
            found += [(node.lineno, name) for name in names & (DANGEROUS_MODULES | DANGEROUS_NAMES)]
        elif isinstance(node, ast.Attribute) and node.attr in ("UnsafeLoader", "FullLoader"):
            found.append((node.lineno, node.attr))
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            of_re = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
            found += [(node.lineno, name)] if name in DANGEROUS_NAMES and not of_re else []
            found += [(node.lineno, k.arg) for k in node.keywords if k.arg == "allow_pickle" and not _is_false(k.value)]
    return found


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_data_cannot_become_code(sources: list[Source]) -> None:
    found = {(source.name, name): line for source in sources for line, name in dangers(source.tree)}
    assert {place: line for place, line in found.items() if place not in ALLOWED} == {}
    assert found.keys() >= ALLOWED  # what is allowed is found, or else it need not be


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("from importlib import import_module", "import_module"),
        ("importlib.import_module('os')", "import_module"),
        ("__import__('os')", "__import__"),
        ("eval('1')", "eval"),
        ("builtins.exec('1')", "exec"),
        ("yaml.unsafe_load(text)", "unsafe_load"),
        ("yaml.load(text, Loader=yaml.UnsafeLoader)", "UnsafeLoader"),
        ("from yaml import FullLoader", "FullLoader"),
        ("import joblib", "joblib"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("np.load(path, allow_pickle=flag)", "allow_pickle"),
    ],
)
def test_dangers_are_found(source: str, name: str) -> None:
    assert dangers(ast.parse(source)) == [(1, name)]


def test_harmless_things_are_not_dangers() -> None:
    assert dangers(ast.parse("re.compile('a'); np.load(path, allow_pickle=False); model.evaluate()")) == []


OPTIONAL = ("matplotlib", "torch", "keras", "jax", "optax", "onnx", "safetensors", "optuna", "mpi4py", "sklearn")


def test_tests_are_found_without_what_is_optional() -> None:
    """`pip install -e '.[test]' && pytest` is all there is to do: modules that need more are passed over."""
    code = f"import sys, pytest; sys.modules.update(dict.fromkeys({OPTIONAL})); sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--collect-only", "-q", "-p", "no:cacheprovider", "minidl"]
    ended = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "minidl/layers/lstm.py: 1" in ended.stdout


HEAVY_ROOMS = ("compression", "exchange", "experiment", "kernels")
HEAVY_MODULES = ("config.build", "config.findings", "config.rules", "storage.description")


def test_heavy_modules_wait_until_they_are_used(sources: list[Source]) -> None:
    """What takes long to import is imported where it is used, so that minidl starts quickly."""
    heavy = {"tensorboardX", "rich", "torch", "pydantic", "matplotlib", "onnx", "safetensors", "optuna"}
    for source in sources:
        if source.name in HEAVY_MODULES or source.name.partition(".")[0] in HEAVY_ROOMS:
            continue  # they are themselves imported where they are used
        top = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.partition(".")[0] for name in names} & heavy, source.name
