"""Long series of numbers as parallel streams, read window by window with the state carried from one to the next."""

from __future__ import annotations

import numpy as np

from minidl.data.batches import Array, Batch, Batches, check_positive
from minidl.system.errors import DataError


class NumberStreams(Batches):
    """Windows of `seq_len` (T) over `batch_size` (B) streams: "x" (T, B, F), and "targets" (T, B, K) of the same steps.

    inputs (N, F), targets (N, K): the series, cut into B streams that follow one another. partial: whether a last
    window shorter than T is read too. name: of the part, for messages. Raises DataError if a stream would not fill a
    window.

    >>> rows = np.arange(8.0)[:, None]
    >>> streams = NumberStreams(rows, -rows, batch_size=2, seq_len=2)
    >>> streams.steps_per_epoch, streams.batch(1).inputs["targets"][..., 0].tolist()
    (2, [[-2.0, -6.0], [-3.0, -7.0]])
    """

    def __init__(
        self, inputs: Array, targets: Array, batch_size: int, seq_len: int, *, partial: bool = False, name: str = "data"
    ) -> None:
        check_positive(batch_size=batch_size, seq_len=seq_len)
        length = len(inputs) // batch_size
        if length < (1 if partial else seq_len):
            raise DataError(
                f"{name}: {len(inputs)} rows are too few for {batch_size} streams with a window of {seq_len} each: "
                "set batch_size or seq_len to less, or use more data"
            )
        self.seq_len, self.length = seq_len, length
        self.steps_per_epoch = -(-length // seq_len) if partial else length // seq_len
        self.tokens_per_step = min(length, seq_len) * batch_size
        self._x, self.targets = (
            array[: length * batch_size].reshape(batch_size, length, -1).swapaxes(0, 1) for array in (inputs, targets)
        )

    def batch(self, step: int) -> Batch:
        """The window of a step; the first one of an epoch is fresh."""
        window = step % self.steps_per_epoch
        part = slice(window * self.seq_len, (window + 1) * self.seq_len)
        inputs = {"x": self._x[part], "targets": self.targets[part]}
        return Batch({name: np.ascontiguousarray(array) for name, array in inputs.items()}, reset_state=window == 0)
