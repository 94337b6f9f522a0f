"""How kernels are compiled: without the interpreter's lock, kept on disk, and announced, since it takes a while."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core import event
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., Any])
SECONDS = 30  # that the kernels of a model take at first, roughly

# Sums may be reordered, which vectors need; NaN and infinity keep their meaning.
OPTIONS: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


def part(function: F) -> F:
    """A piece of kernels, compiled as a part of each."""
    return cast(F, njit(**OPTIONS)(function))


def kernel(function: F) -> F:
    """A function that Python calls, compiled at its first call and kept on disk."""
    compiled = njit(cache=True, **OPTIONS)(function)
    _drop_outdated(compiled.stats.cache_path)
    return cast(F, compiled)


@cache
def _drop_outdated(folder: str | None) -> None:
    """Forget what was compiled before any file of kernels changed: numba itself looks at one file only."""
    changed = max(path.stat().st_mtime_ns for path in Path(__file__).parent.glob("*.py"))
    for index in Path(folder).glob("*.nbi") if folder else ():
        if index.stat().st_mtime_ns < changed:
            index.unlink(missing_ok=True)


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
