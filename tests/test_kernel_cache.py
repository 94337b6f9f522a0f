"""Compiled kernels on disk: no two share a name, and processes that start together do not mix up their files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the compiled kernels are the extra [fast]")

from minidl.kernels import compiler, disk_cache

# A kernel of two lines in a file of its own: what is looked at is how it is kept, not what minidl's kernels compute.
SMALL = """
import sys
import numpy as np
from minidl.kernels.compiler import kernel

@kernel
def twice(x):
    return 2 * x

x = np.ones(3, sys.argv[1])
assert twice(x).dtype == x.dtype and (twice(x) == 2).all()
print(twice._cache_hits.total())
"""
# A layer whose kernels have parts in common, of which the linker could take another's.
LAYER = """
import numpy as np
from minidl import Model
from minidl.layers import LSTM

x = np.random.default_rng(0).standard_normal((9, 5, 16))
model = Model.of(LSTM(37), x, dtype="float32")
model.backward(y=np.ones_like(model.arrays["lstm/y"]))
print(model.executor.gradient.tobytes().hex())
"""
DTYPES = ("float32", "float64", "complex64", "complex128")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.py").write_text(SMALL)
    return tmp_path


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(folder / "cache")}
    environment["MINIDL_KERNELS"] = "numba"
    return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)


def hits(process: subprocess.Popen[str]) -> int:
    """How many forms came from the disk, of a process that has computed what it should."""
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return int(out)


def test_processes_that_compile_at_once_keep_what_is_theirs(folder: Path) -> None:
    together = [start(folder, "small.py", dtype) for dtype in DTYPES]
    assert [hits(process) for process in together] == [0] * len(DTYPES)
    assert [hits(start(folder, "small.py", dtype)) for dtype in DTYPES] == [1] * len(DTYPES)


def test_kernels_compute_the_same_when_they_come_from_the_disk(tmp_path: Path) -> None:
    """To the bit: else a run that compiled them could not be resumed as if it had not been cut."""
    (tmp_path / "layer.py").write_text(LAYER)
    compiled, loaded = (start(tmp_path, "layer.py").communicate(timeout=300)[0] for _ in range(2))
    assert len(compiled) > 1000
    assert compiled == loaded


def test_files_that_cannot_be_read_are_compiled_anew(folder: Path) -> None:
    assert hits(start(folder, "small.py", "float32")) == 0
    (data,) = (folder / "cache").rglob("*.nbc")
    data.write_bytes(data.read_bytes()[:1000])
    assert hits(start(folder, "small.py", "float32")) == 0
    assert hits(start(folder, "small.py", "float32")) == 1


def test_files_of_other_sources_are_dropped(tmp_path: Path) -> None:
    outdated, index, other = (tmp_path / name for name in ("lstm.abc.1.nbc", "lstm.nbi", "lstm.py"))
    current = tmp_path / f"lstm.{disk_cache.sources_hash()}.1.nbc"
    for path in (outdated, index, other, current):
        path.touch()
    disk_cache._drop_outdated(str(tmp_path))
    assert sorted(tmp_path.iterdir()) == sorted([other, current])


def test_no_two_pieces_have_one_name() -> None:
    """Code from the disk calls its pieces by name and by numbers of another process: a namesake would answer."""

    def made(factor: int, decorator: object) -> object:
        def times_factor(x: float) -> float:
            return factor * x

        return decorator(times_factor)

    made(2, compiler.part)
    with pytest.raises(ValueError, match=r"times_factor is compiled already"):
        made(3, compiler.part)
    four, five = (made(factor, compiler.variant("test", factor)) for factor in (4, 5))
    assert four(np.float64(1)) == 4
    assert five(np.float64(1)) == 5
