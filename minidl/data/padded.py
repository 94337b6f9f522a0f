"""Batches of sequences of different lengths: padded to the longest of their batch, with the lengths beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minidl.data.batches import Array
from minidl.data.independent import Independent, Order
from minidl.data.ragged import Ragged

PADDING, IGNORED = 0, -1  # ids past the end of a sequence, which lengths hide; targets that do not count


class PaddedBatches(Independent):
    """Sequences as "ids" (T, B), "lengths" (B,), and "targets": one for each sequence (B, ...) or each symbol (T, B).

    sequences: the ids of each, or rows of numbers (T, F), which are then called "x". targets: one array (N, ...), or
    the tags of each sequence; None where they are not known. name: of the sequences. more: arrays (N, ...) that come
    with them, such as weights, by name.

    >>> batches = PaddedBatches([np.array([1, 2]), np.array([3])], np.array([0, 1]), batch_size=2, shuffle=False)
    >>> {name: array.tolist() for name, array in batches.batch(0).inputs.items()}
    {'ids': [[1, 3], [2, 0]], 'lengths': [2, 1], 'targets': [0, 1]}
    """

    def __init__(
        self,
        sequences: Ragged | Sequence[Array],
        targets: Array | Ragged | Sequence[Array] | None,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        *,
        name: str = "ids",
        more: Mapping[str, Array] | None = None,
        rows: Array | None = None,
    ) -> None:
        lengths = sequences.lengths if isinstance(sequences, Ragged) else np.array([len(each) for each in sequences])
        super().__init__(len(sequences), batch_size, seed, shuffle, int(lengths.sum()), lengths=lengths, rows=rows)
        self._sequences, self.targets, self._name, self._more = sequences, targets, name, dict(more or {})

    def take(self, chosen: Order) -> dict[str, Array]:
        """These sequences, padded."""
        taken = {self._name: pad([self._sequences[i] for i in chosen], PADDING), "lengths": self.lengths[chosen]}
        taken |= {name: array[chosen] for name, array in self._more.items()}
        if self.targets is None:
            return taken
        if isinstance(self.targets, np.ndarray):
            return taken | {"targets": self.targets[chosen]}
        return taken | {"targets": pad([self.targets[i] for i in chosen], IGNORED)}


def pad(sequences: Sequence[Array], value: int) -> Array:
    """Sequences side by side (T, B, ...), with `value` past the end of those that are shorter than the longest.

    Ids come as int64, whatever they are kept in.

    >>> pad([np.array([1, 2]), np.array([3])], -1).tolist()
    [[1, 3], [2, -1]]
    """
    first = sequences[0]
    dtype = first.dtype if first.dtype.kind == "f" else np.int64
    padded = np.full((max(map(len, sequences)), len(sequences), *first.shape[1:]), value, dtype)
    for b, sequence in enumerate(sequences):
        padded[: len(sequence), b] = sequence
    return padded
