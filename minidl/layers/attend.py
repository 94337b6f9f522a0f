"""What the kinds of attention have in common: which keys a query sees, and their probabilities."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, InputSpec

HIDDEN = -1e30  # the score of a key that is not to be seen: its probability is 0 to the last bit
INPUTS = {
    "query": InputSpec("T B H"),
    "keys": InputSpec("S B H"),
    "values": InputSpec("S B V", optional=True),
    "lengths": dataclasses.replace(LENGTHS, within="S"),
    "query_lengths": LENGTHS,
    "mask": InputSpec("S B", dtype="int", optional=True),
}


def gather(x: Array, lengths: Array | None, out: Array) -> None:
    """The steps of each sequence by heads, (T, B, H) -> (B, heads, T, H / heads), with zeros past its end."""
    heads = x.reshape(*x.shape[:2], out.shape[1], -1)
    np.copyto(out, heads.transpose(1, 2, 0, 3))
    for b, length in enumerate([] if lengths is None else lengths.tolist()):
        out[b, :, length:] = 0


def scatter(x: Array, out: Array) -> None:
    """(B, heads, T, H / heads) -> (T, B, H)."""
    out.reshape(*out.shape[:2], x.shape[1], -1)[...] = x.transpose(2, 0, 1, 3)


def probabilities(
    e: Array, causal: bool, lengths: Array | None, query_lengths: Array | None, mask: Array | None
) -> None:
    """The softmax over the keys that each query sees, in the place of their scores e (B, heads, T, S); 0 for others."""
    hidden = np.zeros((e.shape[0], 1, *e.shape[2:]), bool)
    if causal:
        hidden |= np.triu(np.ones(e.shape[2:], bool), 1)
    if lengths is not None:
        hidden |= (np.arange(e.shape[3]) >= lengths[:, None])[:, None, None]
    if query_lengths is not None:
        hidden |= (np.arange(e.shape[2]) >= query_lengths[:, None])[:, None, :, None]
    if mask is not None:
        hidden |= (mask.T == 0)[:, None, None]
    np.copyto(e, HIDDEN, where=hidden)
    e -= e.real.max(axis=-1, keepdims=True)
    np.exp(e, out=e)
    np.copyto(e, 0, where=hidden)  # where a query sees no key at all
    total = e.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    e /= total


def softmax_back(p: Array, dp: Array) -> None:
    """de = p (dp - Σ p dp), in the place of dp."""
    dp -= np.einsum("...s,...s->...", p, dp)[..., None]
    dp *= p


def scale_of(features: int) -> float:
    """1 / √features, by which products of so many are kept at about 1."""
    return 1 / math.sqrt(features)
