"""minidl without the folder of its kernels: all of it can be imported, trains, and passes tests that are not theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EVERYTHING = """
import importlib, pathlib
for path in sorted(pathlib.Path("minidl").rglob("*.py")):
    if path.stem not in ("__main__", "run"):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert not error.name.startswith("minidl"), (name, error)
import minidl, minidl.engine.dispatch as dispatch
print(minidl.__file__, dispatch.in_use())
"""
# An editable installation would find the kernels of the package that is tested.
WITHOUT_THE_INSTALLED = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
"""
TESTS = ("test_notebook.py", "test_axes.py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "minidl", folder / "minidl", ignore=shutil.ignore_patterns("kernels"))
    (folder / "tests").mkdir()
    for path in ROOT.glob("tests/*.py"):
        shutil.copy(path, folder / "tests")
    shutil.copy(ROOT / "setup.cfg", folder)
    (folder / "sitecustomize.py").write_text(WITHOUT_THE_INSTALLED)
    return folder


def python(copy: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "MINIDL_KERNELS"}
    environment |= {"PYTHONPATH": str(copy), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_module_can_be_imported(copy: Path) -> None:
    assert not (copy / "minidl/kernels").exists()
    assert python(copy, "-c", EVERYTHING).split() == [str(copy / "minidl/__init__.py"), "numpy"]


def test_tests_pass_but_for_those_of_the_kernels(copy: Path) -> None:
    python(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(f"tests/{name}" for name in TESTS))


def test_a_model_trains(copy: Path) -> None:
    python(copy, "-m", "minidl", "new", "first")
    experiment = next((copy / "first").rglob("*.yaml"))
    short = ("train.epochs=null", "train.steps=2", "log.tensorboard=false")
    assert "done" in python(copy, "-m", "minidl", "run", str(experiment), *short)
