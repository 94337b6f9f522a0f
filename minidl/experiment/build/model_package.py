"""The package `models`: the files of one models/ folder, which may import one another, each compiled as it is now."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = "models"
BESIDE = "beside"  # the folder, in a run's copy of models/, of what its files imported from outside of it
PACKAGES = {"site-packages", "dist-packages"}  # folders of what is installed


class _Uncached(SourceFileLoader):
    """Compiles a file whenever it is loaded: what Python keeps is told from a newer file by size and second only."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file as it is now."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


class _ModelFiles(MetaPathFinder):
    """Finds `models.NAME`, and a NAME that a run keeps, in the folder that was begun last, now and later."""

    folder = Path()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a file of the folder is loaded from."""
        package, _, name = fullname.partition(".")
        file = self.folder / (f"{name}.py" if package == PACKAGE else f"{BESIDE}/{fullname}.py")
        if (package == PACKAGE) != bool(name) or not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=_Uncached(fullname, str(file)))


_finder = _ModelFiles()


def begin(folder: Path) -> None:
    """From now on `models` is this folder, of which nothing has been imported yet."""
    beside = {file.stem for place in (_finder.folder, folder) for file in place.glob(f"{BESIDE}/*.py")}
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE or name in beside]:
        del sys.modules[name]
    package = ModuleType(PACKAGE, "The files of a models/ folder.")
    package.__path__ = []  # nothing but the files of this folder
    package.__package__ = PACKAGE
    sys.modules[PACKAGE] = package
    _finder.folder = folder
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def load(path: Path) -> ModuleType:
    """A file of the folder as a module, run unless another has imported it already."""
    name = f"{PACKAGE}.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    loader = _Uncached(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def imported_files(builder: Path) -> dict[str, Path]:
    """A model file and all of its folder that it imports, also later, by their names in a run: "models/NAME.py"."""
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{PACKAGE}.")]
    waiting = [builder, *(Path(file) for module in modules if (file := getattr(module, "__file__", None)))]
    files: dict[str, Path] = {}
    while waiting:
        path = waiting.pop()
        name = f"{PACKAGE}/{path.name}"
        if path.parent == builder.parent and name not in files and path.is_file():
            files[name] = path
            waiting += [path.with_name(f"{other}.py") for other in _named(path)]
    return dict(sorted(files.items()))


def files_beside(files: Iterable[Path]) -> dict[str, Path]:
    """The user's files outside of models/ that these import, by the names of their modules; not what is installed."""
    waiting, found = list(files), dict[str, Path]()
    while waiting:
        for module in _imported(waiting.pop()):
            path = _file_of(module)
            if path is not None and module not in found and not _is_installed(path):
                found[module] = path
                waiting.append(path)
    return dict(sorted(found.items()))


def _is_installed(path: Path) -> bool:
    return path.is_relative_to(sysconfig.get_path("stdlib")) or bool(PACKAGES & set(path.parts))


def _file_of(module: str) -> Path | None:
    """The Python file of a module, imported already or not; None for those of minidl, and in other languages."""
    top = module.partition(".")[0]
    if top in ("minidl", PACKAGE):
        return None
    loaded = sys.modules.get(module)
    spec = None if loaded or module != top else importlib.util.find_spec(top)
    file = spec.origin if spec else getattr(loaded, "__file__", None)
    return Path(file).resolve() if file and file.endswith(".py") else None


def _named(path: Path) -> Iterator[str]:
    """The files of its folder that a file imports anywhere: models.NAME, or .NAME."""
    for whole in _imported(path):
        parts = whole.split(".")
        if parts[0] == PACKAGE and parts[1:]:
            yield parts[1]


def _imported(path: Path) -> Iterator[str]:
    """What a file imports anywhere, by whole names of modules and of what is taken from them."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join([PACKAGE] * bool(node.level) + [node.module or ""] * bool(node.module))
            yield from (package, *(f"{package}.{alias.name}" for alias in node.names))
