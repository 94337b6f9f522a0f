"""Builds the kernels in C: one library, compiled for each type of numbers and each level of SIMD instructions."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("minidl/kernels/src")
FLAGS = ["-O3", "-g0", "-std=gnu11", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"]
LEVELS = {
    "baseline": [],
    "avx2": ["-march=x86-64-v3"],
    "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


class BuildLibrary(build_ext):
    """Compiles each source for all levels; what cannot be built is left out, and minidl computes on NumPy."""

    def build_extension(self, extension: Extension) -> None:
        objects = [self.compile_one("level.c", "level", [], [])]
        x86 = self.plat_name.endswith(("x86_64", "amd64", "AMD64"))
        jobs = [(level, bits) for level in (LEVELS if x86 else ["baseline"]) for bits in (32, 64)]
        with ThreadPoolExecutor(2) as pool:
            objects += pool.map(lambda job: self.compile_one("kernels.c", f"{job[0]}{job[1]}", *self.flags(*job)), jobs)
        self.compiler.link_shared_object(objects, self.get_ext_fullpath(extension.name), libraries=["m"])

    def flags(self, level: str, bits: int) -> tuple[list[str], list[tuple[str, str]]]:
        return LEVELS[level], [("LEVEL", level), ("BITS", str(bits))]

    def compile_one(self, source: str, folder: str, flags: list[str], macros: list[tuple[str, str]]) -> str:
        made = self.compiler.compile(
            [str(SOURCES / source)],
            output_dir=str(Path(self.build_temp, folder)),
            macros=macros,
            extra_postargs=FLAGS + flags,
            depends=[str(path) for path in SOURCES.glob("*")],
        )
        return str(made[0])

    def get_ext_filename(self, fullname: str) -> str:
        return fullname.replace(".", "/") + (".dll" if sys.platform == "win32" else ".so")


library = Extension("minidl.kernels._library", [str(SOURCES / "kernels.c")], optional=True)
setup(ext_modules=[library], cmdclass={"build_ext": BuildLibrary})
