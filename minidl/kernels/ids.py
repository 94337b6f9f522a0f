"""The range of ids, compiled: two looks at a short array cost NumPy more than the array does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from minidl.kernels.compiler import kernel

if TYPE_CHECKING:
    from minidl.engine.feeds import Feeds

Array = NDArray[Any]


def within(feeds: Feeds, ids: Array, lowest: int, highest: int) -> bool:
    """As Feeds.within."""
    return lie_within(ids.reshape(-1), lowest, highest)


@kernel
def lie_within(ids: Array, lowest: int, highest: int) -> bool:
    """Whether all ids (R,) lie in [lowest, highest]."""
    outside = 0
    for n in range(len(ids)):
        outside += ids[n] < lowest or ids[n] > highest
    return outside == 0
