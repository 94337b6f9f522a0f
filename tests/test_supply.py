"""What is shipped: the files of the wheel, and the versions of other packages that it may be installed with."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_files_of_the_wheel() -> None:
    """All modules and what pages and lessons read, the kernels' sources not, nothing else; the library is built."""
    setuptools = pytest.importorskip("setuptools")
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        distribution = setuptools.Distribution({"script_name": "setup.py"})
        distribution.parse_config_files(["setup.cfg"])
        command = distribution.get_command_obj("build_py")
        command.ensure_finalized()
        outputs = command.get_outputs(include_bytecode=False)
        shipped = {os.path.relpath(path, command.build_lib) for path in outputs}
    finally:
        os.chdir(before)
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "minidl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("_library.")
    }
    assert there - shipped == {name for name in there if name.startswith("minidl/kernels/src/")}
    assert shipped <= there
    kinds = {Path(name).suffix for name in shipped} - {""}
    assert kinds <= {".py", ".typed", ".html", ".css", ".js", ".json", ".txt"}


def test_every_dependency_has_bounds() -> None:
    """A lower one, which .ci/floors runs, and an upper one: the next major version may break what it likes."""
    wanted = settings()["options"]["install_requires"].split("\n")
    bounds = [re.fullmatch(r"([\w-]+)>=([\d.]+),<(\d+)", line.strip()) for line in wanted if line.strip()]
    assert all(bounds), wanted
    for found in filter(None, bounds):
        assert int(found[3]) > int(found[2].split(".")[0])


def test_every_extra_has_a_lower_bound() -> None:
    for name, lines in settings()["options.extras_require"].items():
        for line in filter(None, map(str.strip, lines.split("\n"))):
            assert re.search(r">=|==", line) or line == "types-PyYAML", (name, line)
