"""Builds the kernels in C: one library, compiled for each type of numbers and each level of SIMD instructions."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("minidl/kernels/src")
FLAGS = ["-O3", "-g0", "-std=gnu11", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"]
AVX2 = ["-mavx2", "-mfma", "-mbmi", "-mbmi2"]
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mprefer-vector-width=512"]
LEVELS = {"avx512": [*AVX2, *AVX512], "avx2": AVX2, "baseline": []}
ZIG = [sys.executable, "-m", "ziglang", "cc"]


class BuildLibrary(build_ext):
    """Compiles all levels; a library that cannot be built is left out, and minidl computes with NumPy."""

    def build_extension(self, extension: Extension) -> None:
        """Compile the sources, two at a time, and link them, unless they are older than the library."""
        library = Path(self.get_ext_fullpath(extension.name))
        if library.exists() and all(path.stat().st_mtime < library.stat().st_mtime for path in SOURCES.iterdir()):
            return
        use_zig_without_compiler(self.compiler)
        on_x86 = self.plat_name.endswith(("x86_64", "amd64"))
        jobs = [(level, bits) for level in (LEVELS if on_x86 else ["baseline"]) for bits in (32, 64)]
        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(lambda job: self.compile_kernels(*job), jobs))
        objects.append(self.compile_source("level.c", "level", [], []))
        self.compiler.link_shared_object(objects, str(library), libraries=["m"])

    def compile_kernels(self, level: str, bits: int) -> str:
        """All kernels for one level and one type."""
        return self.compile_source(
            "kernels.c", f"{level}{bits}", LEVELS[level], [("LEVEL", level), ("BITS", str(bits))]
        )

    def compile_source(self, name: str, folder: str, flags: list[str], macros: list[tuple[str, str]]) -> str:
        """One source, in a folder of its own."""
        target, source = str(Path(self.build_temp, folder)), str(SOURCES / name)
        return str(self.compiler.compile([source], target, macros=macros, extra_postargs=FLAGS + flags)[0])

    def get_ext_filename(self, fullname: str) -> str:
        """No version of Python in the name: the library knows nothing of Python."""
        return fullname.replace(".", "/") + (".dll" if sys.platform == "win32" else ".so")


def use_zig_without_compiler(compiler: object) -> None:
    """Compile with the wheel that holds a compiler, where the system has none (see minidl_build.py)."""
    named = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(named) and importlib.util.find_spec("ziglang"):
        compiler.set_executables(compiler_so=[*ZIG, "-fPIC"], linker_so=[*ZIG, "-shared"])  # type: ignore[attr-defined]


library = Extension("minidl.kernels._library", [str(SOURCES / "kernels.c")], optional=True)
setup(ext_modules=[library], cmdclass={"build_ext": BuildLibrary})
