"""Python's garbage collector, where very many objects are built that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """Switch the garbage collector off meanwhile.

    It would look through all that is being built, again and again: a third of the time for graphs of thousands.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
