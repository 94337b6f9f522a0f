"""What keeps the code readable and safe, measured: one-way imports, short files and functions, no way to run data."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minidl"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 250, 40

# A module may import from its own level and from those below. A folder's name stands for all that is in it; the
# longest name that fits decides.
LEVELS = {
    "errors": 0,
    "ops": 0,
    "threads": 0,
    "schedules": 0,
    "initializers": 0,
    "events": 0,
    "archive": 0,
    "archive_meta": 0,
    "storage": 0,
    "capacity": 0,
    "declared": 0,
    "validation": 0,
    "visible": 0,
    "interrupts": 0,
    "layer": 1,
    "node": 1,  # what calling a layer makes
    "layers": 2,
    "graph": 2,
    "parameters": 2,
    "memory": 2,
    "table": 2,
    "feeds": 3,
    "binding": 3,
    "forward": 3,
    "backward": 3,
    "executor": 3,
    "model": 3,
    "optim": 3,
    "choice": 3,
    "kernels": 3,  # compiled twins of layers, of an optimizer and the like
    "data": 3,
    "gradcheck": 4,
    "checkpoint": 4,
    "checkpoint_folder": 4,
    "diagnosis": 4,
    "differences": 4,
    "run_folder": 4,
    "sampling": 4,
    "metrics": 4,
    "export": 4,
    "callbacks": 4,
    "surroundings": 4,
    "trainer": 4,
    "tuning": 4,
    "experiment": 5,
    "cli": 6,
    "run": 6,
    "__main__": 6,
}


def module_name(path: Path) -> str:
    """minidl/layers/lstm.py is "layers.lstm", minidl/layers/__init__.py is "layers"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def level_of(name: str) -> int | None:
    """None for a module that has no place in the table."""
    return next((LEVELS[name[:end]] for end in _ends(name) if name[:end] in LEVELS), None)


def _ends(name: str) -> Iterator[int]:
    while name:
        yield len(name)
        name = name.rpartition(".")[0]


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and names of what a module needs from the package when it runs; hints for type checkers do not count."""
    hints = {id(node) for block in ast.walk(tree) if _is_type_checking(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in hints:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "minidl":
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield node.lineno, inner if (PACKAGE / inner.replace(".", "/")).with_suffix(".py").exists() else base
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, a.name[7:]) for a in node.names if a.name.startswith("minidl."))


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def ups(name: str, tree: ast.Module) -> list[str]:
    """Imports that go up."""
    own = level_of(name)
    assert own is not None, f"minidl.{name} has no place in LEVELS: say on which level it stands"
    found = [(line, other, level_of(other)) for line, other in imports(tree) if other]
    return [f"line {line}: {other} is on level {level}" for line, other, level in found if level is None or level > own]


@pytest.mark.parametrize("path", [path for path in MODULES if module_name(path)], ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    assert ups(module_name(path), parse(path)) == []


def test_an_import_that_goes_up_is_found() -> None:
    source = "def f():\n    from minidl.model import Model\nif TYPE_CHECKING:\n    from minidl.cli import main\n"
    assert ups("layers.lstm", ast.parse(source)) == ["line 2: model is on level 3"]
    assert ups("layer", ast.parse("import minidl.layers.lstm")) == ["line 1: layers.lstm is on level 2"]
    assert ups("model", ast.parse("from minidl import layer, ops")) == []
    with pytest.raises(AssertionError, match="no place in LEVELS"):
        ups("somewhere", ast.parse(""))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_are_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_are_short(path: Path) -> None:
    functions = [node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {f.name: body_lines(f) for f in functions if body_lines(f) > FUNCTION_LINES} == {}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines after the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_long_functions_are_found() -> None:
    source = 'def f(a,\n      b):\n    """Two\n    lines."""\n    x = 1\n    return x\n'
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(parse(path)) or ""
    assert docstring.strip().split("\n\n")[0].rstrip().endswith((".", ":")), docstring


DANGEROUS_MODULES = {"pickle", "cPickle", "_pickle", "dill", "marshal", "shelve", "joblib", "runpy", "imp", "code"}
DANGEROUS_NAMES = {
    *("eval", "exec", "compile", "__import__", "import_module", "exec_module", "load_module", "allow_pickle"),
    *("unsafe_load", "unsafe_load_all", "UnsafeLoader", "full_load", "FullLoader"),  # of YAML
}
# The only code that an experiment file may name: models/NAME.py, as the contract has it.
ALLOWED = {("experiment.builders", "exec_module")}


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


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_data_cannot_become_code(path: Path) -> None:
    module = module_name(path)
    assert [(line, name) for line, name in dangers(parse(path)) if (module, name) not in ALLOWED] == []


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


OPTIONAL = ("numba", "matplotlib", "torch", "keras", "jax", "optax", "onnx", "safetensors", "optuna", "mpi4py")


def test_tests_are_found_without_what_is_optional() -> None:
    """`pip install -e '.[test]' && pytest` is all there is to do: modules that need more are passed over."""
    code = f"import sys, pytest; sys.modules.update(dict.fromkeys({OPTIONAL})); sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--collect-only", "-q", "-p", "no:cacheprovider", "minidl"]
    ended = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "minidl/layers/lstm.py: 1" in ended.stdout
    assert "minidl/kernels/lstm.py" not in ended.stdout


def test_heavy_modules_wait_until_they_are_used() -> None:
    """What takes long to import is imported where it is used, so that minidl starts quickly."""
    heavy = {"tensorboardX", "rich", "torch", "pydantic", "numba", "matplotlib", "onnx", "safetensors", "optuna"}
    for path in MODULES:
        if module_name(path).partition(".")[0] in ("validation", "experiment", "kernels", "export"):
            continue  # they are themselves imported where they are used
        top = [node for node in parse(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.partition(".")[0] for name in names} & heavy, path.name
