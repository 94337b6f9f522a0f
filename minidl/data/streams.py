"""Contiguous parallel streams, the order in which truncated backpropagation through time reads a text.

The text is cut into as many streams as the batch is wide. Each step sees the next window of every stream, so
that the state left by one window is the right start for the next one:

    ids        0 1 2 3 4 5 6 7 8        batch_size 2, seq_len 2
    stream 0   0 1 2 3 4                step 0: ids 0 1, targets 1 2     step 1: ids 2 3, targets 3 4
    stream 1           4 5 6 7 8        step 0: ids 4 5, targets 5 6     step 1: ids 6 7, targets 7 8
"""

from __future__ import annotations

import numpy as np

from minidl.data.batches import Array, Batch, Batches, check_positive
from minidl.system.errors import DataError, either

_WINDOWS_TO_WARM_UP = 8


class Streams(Batches):
    """Windows of `seq_len` (T) over `batch_size` (B) streams: "ids" (T, B), and "targets" (T, B) one further.

    Both are views of one array. Of n ids, n - 1 are targets, each in one stream only; fewer than B at the end
    have no place. A last window shorter than T is left out, or included as it is if `partial`.
    `name` says in errors what the ids are. Raises DataError if a stream would not fill a window.

    >>> streams = Streams(np.arange(9), batch_size=2, seq_len=2)
    >>> streams.steps_per_epoch, streams.batch(1).inputs["targets"].tolist()
    (2, [[3, 7], [4, 8]])
    """

    def __init__(self, ids: Array, batch_size: int, seq_len: int, partial: bool = False, name: str = "data") -> None:
        check_positive(batch_size=batch_size, seq_len=seq_len)
        _check_ids(ids, name)
        length = (len(ids) - 1) // batch_size
        if length < (1 if partial else seq_len):
            raise DataError(_too_short(len(ids), batch_size, 1 if partial else seq_len, name))
        self.seq_len = seq_len
        self.steps_per_epoch = -(-length // seq_len) if partial else length // seq_len
        self.tokens_per_step = min(length, seq_len) * batch_size
        used = ids[: batch_size * length + 1]
        self._streams = np.empty((length + 1, batch_size), ids.dtype)
        self._streams[:-1] = used[:-1].reshape(batch_size, length).T
        self._streams[-1] = used[length::length]

    def batch(self, step: int) -> Batch:
        """The window of a step; the first one of an epoch is fresh."""
        window = step % self.steps_per_epoch
        start = window * self.seq_len
        stop = min(start + self.seq_len, len(self._streams) - 1)
        inputs = {"ids": self._streams[start:stop], "targets": self._streams[start + 1 : stop + 1]}
        return Batch(inputs, reset_state=window == 0)

    def ids(self) -> Array:
        """The ids in the order of the text, each once.

        >>> Streams(np.arange(9), batch_size=2, seq_len=2).ids().tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8]
        """
        return np.concatenate([self._streams[0, :1], self._streams[1:].T.ravel()])


def evaluation_streams(ids: Array, batch_size: int, seq_len: int, name: str = "data") -> Streams:
    """Streams that measure a model on all of `ids`, a last shorter window included.

    Every stream starts from a zero state, which costs the model its first guesses. A short split is therefore
    read in fewer streams than `batch_size`: as many as have eight windows each, at least one.

    >>> evaluation_streams(np.arange(1000), batch_size=32, seq_len=20).tokens_per_step
    120
    """
    check_positive(batch_size=batch_size, seq_len=seq_len)
    enough = (len(ids) - 1) // (_WINDOWS_TO_WARM_UP * seq_len)
    return Streams(ids, max(1, min(batch_size, enough)), seq_len, partial=True, name=name)


def _check_ids(ids: Array, name: str) -> None:
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise DataError(f"{name}: ids are one row of integers, got {ids.dtype} of shape {ids.shape}")
    if ids.size and ids.min() < 0:
        raise DataError(f"{name}: id {ids.min()} at position {ids.argmin()} is negative; ids count from 0")


def _too_short(count: int, batch_size: int, window: int, name: str) -> str:
    most = {"batch_size": (count - 1) // window, "seq_len": (count - 1) // batch_size}
    fixes = [*(f"set {setting} to {size} or less" for setting, size in most.items() if size > 0), "use more data"]
    streams = "1 stream" if batch_size == 1 else f"{batch_size} streams"
    return (
        f"{name}: {count} ids are too few for {streams} with a window of {window} each, "
        f"which take {batch_size * window + 1}: {either(fixes)}"
    )
