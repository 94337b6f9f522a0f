"""The compiled library: where it is, what it was compiled for, and how its functions are called.

A function of the library takes a struct of pointers and numbers and the share of the work, `lo` to `hi`. The struct is
made once, when a layer is bound; its fields are read from the library by name. No call holds the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.system.errors import UsageError, suggest

Array = NDArray[Any]
LEVELS = ("avx512", "avx2", "baseline")  # of SIMD instructions, the best first
VARIABLE = "MINIDL_SIMD"
NUMBERS = frozenset((int, float, bool))
SUFFIXES = {"float32": "f32", "float64": "f64"}
OUTDATED = (
    "the compiled kernels are of another version of minidl than its Python: install it anew, as by pip install -e ., "
    "or set MINIDL_KERNELS=numpy"
)


def path() -> Path | None:
    """The file, or None where minidl was installed without a compiler."""
    return next(iter(sorted(Path(__file__).parent.glob("_library*.*"))), None)


@cache
def library() -> ctypes.CDLL:
    """The library, loaded."""
    return ctypes.CDLL(str(path()))


@cache
def _best_level() -> str:
    function = library().simd_level
    function.restype = ctypes.c_char_p
    return str(function().decode())


@cache
def level() -> str:
    """The SIMD instructions in use: the best that the processor has, or what MINIDL_SIMD says.

    >>> level() in LEVELS
    True
    """
    best, named = _best_level(), os.environ.get(VARIABLE)
    if not named:
        return best
    able = LEVELS[LEVELS.index(best) :]
    if named not in able:
        known = ", ".join(able)
        raise UsageError(f"{VARIABLE}: {named!r} is not known here{suggest(named, able)} (this processor: {known})")
    return named


@cache
def function(name: str, dtype: Any, restype: Any, *argtypes: Any) -> Any:
    """A function of the library, for numbers of this type and the SIMD instructions in use."""
    try:
        found = getattr(library(), f"{name}_{level()}_{SUFFIXES[str(dtype)]}")
    except AttributeError as error:
        raise UsageError(f"{OUTDATED} ({error})") from None
    found.restype, found.argtypes = restype, argtypes
    return found


@cache
def computing(name: str, dtype: Any) -> Any:
    """A kernel: it takes a struct and a share of the work, from lo to hi."""
    found = function(name, dtype, ctypes.c_int, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
    found.errcheck = _check_memory
    return found


def _check_memory(failed: int, kernel: Any, _given: Any) -> None:
    if failed:
        raise MemoryError(f"{kernel.__name__} found no memory to work in")


@cache
def layout(name: str) -> tuple[dict[str, Any], struct.Struct]:
    """The fields of a struct in order, empty, and how they are packed: each in 8 bytes."""
    try:
        found = ctypes.c_char.in_dll(library(), f"{name}_fields_baseline_f32")
    except ValueError as error:
        raise UsageError(f"{OUTDATED} ({error})") from None
    text = ctypes.string_at(ctypes.addressof(found)).decode()
    formats: dict[str, str] = {}
    for declaration in text.strip(";").split(";"):  # such as "const real *x, *b"
        names = re.findall(r"\w+(?=,|$)", declaration)
        formats |= dict.fromkeys(names, "d" if "double" in declaration and "*" not in declaration else "q")
    return dict.fromkeys(formats), struct.Struct("".join(formats.values()))


def address(array: Array | None) -> int:
    """Where an array begins; 0 for None. Kernels take arrays that are in one piece."""
    if array is None:
        return 0
    try:  # a quarter of the time of array.ctypes.data
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # it is empty, cannot be written, or is not in one piece
        if not array.flags.c_contiguous:
            raise ValueError(f"a kernel was given an array of shape {array.shape} that is not in one piece") from None
        return int(array.ctypes.data)


def packed(name: str, values: Mapping[str, Any]) -> bytes:
    """A struct of the library with these values; what is not named is 0, or no array."""
    fields, packing = layout(name)
    given = {**fields, **values}
    if len(given) > len(fields):
        raise UsageError(f"{OUTDATED} ({name} has no {', '.join(sorted(values.keys() - fields.keys()))})")
    return packing.pack(*[value if type(value) in NUMBERS else address(value) for value in given.values()])


def kernel(name: str, struct_name: str, dtype: Any, count: int, work: float, **values: Any) -> Call:
    """What calls a kernel for `count` rows, shares or the like, on as many threads as that is worth.

    work: multiplications in all.
    """
    compute = partial(computing(name, dtype), packed(struct_name, values))
    if threads.worth_sharing(count, work):
        call = partial(threads.in_shares, count, work, compute)
    else:  # with numbers made beforehand, as converting them takes a third of a small call
        call = partial(compute, ctypes.c_int64(0), ctypes.c_int64(count))
    call.arrays = values  # type: ignore[attr-defined]  # a struct of addresses would not keep them
    return call
