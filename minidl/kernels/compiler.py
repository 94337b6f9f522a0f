"""How kernels are compiled: without the interpreter's lock, kept on disk, and announced, since it takes a while."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from numba import njit
from numba.core import event
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.extending import overload

from minidl.kernels.disk_cache import DiskCache

F = TypeVar("F", bound=Callable[..., Any])
_names: set[tuple[str, str]] = set()
SECONDS = 40  # that the kernels of a model take at first, roughly

# Sums may be reordered, which vectors need; NaN and infinity keep their meaning.
OPTIONS: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


class _Library(JITCodeLibrary):
    """The code of a kernel, with its parts closed in.

    Else the linker takes whatever part of the same name the process has seen first: one that was compiled by itself, or
    into another kernel, rounds in another way than the one on the disk.
    """

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "linkonce_odr":
                function.linkage = "internal"
        super()._optimize_final_module()  # type: ignore[no-untyped-call]


class _KernelCompiler(Compiler):
    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *others: Any) -> None:
        library = _Library(targetctx.codegen(), "minidl")  # type: ignore[no-untyped-call]
        library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, *others)  # type: ignore[no-untyped-call]


def part(function: F) -> F:
    """A piece of kernels, compiled as a part of each."""
    _take_name(function)
    return cast(F, njit(**OPTIONS)(function))


def variant(*choices: object) -> Callable[[F], F]:
    """A piece that a function makes several times over: `part`, with these choices in its name."""

    def named(function: F) -> F:
        function.__qualname__ = "_".join(map(str, (function.__name__, *choices)))
        return part(function)

    return named


def kernel(function: F) -> F:
    """A function that Python calls, compiled at its first call and kept on disk."""
    _take_name(function)
    compiled = njit(**OPTIONS, pipeline_class=_KernelCompiler)(function)
    compiled._cache = DiskCache(function)
    return cast(F, compiled)


def _take_name(function: Callable[..., Any]) -> None:
    """No two pieces may have one name: numba tells them apart by a number that it counts in each process anew.

    Code from the disk comes with the numbers of the process that compiled it, and would call a namesake.
    """
    name = (function.__module__, function.__qualname__)
    if name in _names:
        raise ValueError(f"{'.'.join(name)} is compiled already: numba needs another __qualname__, see variant")
    _names.add(name)


def by_type(function: Callable[..., Any]) -> Callable[[F], F]:
    """Compile a function, within kernels, as what the decorated one returns for the types of the arguments."""

    def register(choose: F) -> F:
        @wraps(choose)
        def chosen(*argument_types: Any) -> Any:
            return _bare(choose(*argument_types))

        overload(function, jit_options=OPTIONS)(chosen)
        return choose

    _bare(function)
    return lambda choose: register(_bare(choose))


def _bare(function: F) -> F:
    """Without annotations, which numba would compare."""
    function.__annotations__ = {}
    return function


class _Announcer(event.Listener):
    """Says once that compilation has begun; functions that come from the disk do not count."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        """Called by numba before a function is compiled."""
        module = event.data["dispatcher"].py_func.__module__
        if not self.said and module.startswith(__package__):
            self.said = True
            logging.getLogger("minidl").warning("compiling kernels, once (about %d s)", SECONDS)

    def on_end(self, event: Any) -> None:
        """Called by numba afterwards."""


event.register("numba:compile", _Announcer())  # type: ignore[no-untyped-call]
