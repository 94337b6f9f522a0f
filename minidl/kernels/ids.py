"""Ids as they enter a graph, compiled: two looks at a short array cost NumPy more than the array does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from minidl.kernels.compiler import kernel

if TYPE_CHECKING:
    from minidl.feeds import Feeds

Array = NDArray[Any]


def take(feeds: Feeds, ids: Array, room: Array, lowest: int, highest: int) -> bool:
    """As Feeds.take."""
    return copy_within(ids.reshape(-1), room.reshape(-1), lowest, highest)


@kernel
def copy_within(ids: Array, room: Array, lowest: int, highest: int) -> bool:
    """room = ids (R,); whether all of them lie in [lowest, highest]."""
    outside = 0
    for n in range(len(ids)):
        room[n] = ids[n]
        outside += ids[n] < lowest or ids[n] > highest
    return outside == 0
