"""AdditiveAttention: attention whose scores are a small network of query and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Cache, Declaration, Out, Param, Shape, Workspace
from minidl.graph.layer import Layer
from minidl.layers.attend import INPUTS, gather, probabilities, scatter, softmax_back


@dataclass(frozen=True)
class AdditiveAttention(Layer):
    """A mean of values, weighted by how well their keys fit a query, which a trained vector w judges.

        a[t, s] = tanh(q[t] + k[s]),   e[t, s] = w · a[t, s],   p = softmax over s of e,   y[t] = Σₛ p[t, s] v[s]

        de = p (dp - Σₛ p dp),   dw = Σ de a,   da = de w (1 - a²),   dq = Σₛ da,   dk = Σₜ da,   dp = dy · v

    query q (T, B, H), keys k (S, B, H), values v (S, B, V), which are the keys where they are not given; w (H,);
    y (T, B, V). `Attention(units, score="additive")` projects query and keys before, as in the paper. causal: a query
    at step t sees the keys up to step t.

    lengths (B,), query_lengths (B,): where keys and queries end; what follows is not read, and y is 0 there. mask
    (S, B): 0 for keys that are not to be seen. All three may be left out. Probabilities: NAME/p (B, 1, T, S).

    >>> from minidl import Model
    >>> model = Model.of(AdditiveAttention(), np.zeros((1, 1, 2)), np.zeros((2, 1, 2)))
    >>> model.arrays["additive_attention/p"].tolist()
    [[[[0.5, 0.5]]]]

    Bahdanau, Cho, Bengio 2015, appendix A.1.2.
    """

    causal: bool = False

    inputs: ClassVar = INPUTS

    def arrays(
        self, query: Shape, keys: Shape, values: Shape | None = None, *masks: Shape, **others: Shape
    ) -> dict[str, Declaration]:
        (T, B, H), S = query, keys[0]
        V = (keys if values is None else values)[2]
        return {
            "w": Param((H,), "normal"),
            "p": Cache((B, 1, T, S)),
            "a": Cache((B, T, S, H)),
            "q": Cache((B, 1, T, H)),
            "k": Cache((B, 1, S, H)),
            "v": Cache((B, 1, S, V)),
            "found": Workspace((B, 1, T, V)),
            "de": Workspace((B, 1, T, S)),
            "da": Workspace((B, T, S, H)),
            "y": Out((T, B, V)),
        }

    def forward(
        self,
        query: Array,
        keys: Array,
        values: Array | None,
        lengths: Array | None,
        query_lengths: Array | None,
        mask: Array | None,
        w: Array,
        q: Array,
        k: Array,
        v: Array,
        a: Array,
        p: Array,
        found: Array,
        y: Array,
    ) -> None:
        gather(query, query_lengths, out=q)
        gather(keys, lengths, out=k)
        gather(keys if values is None else values, lengths, out=v)
        np.add(q[:, 0, :, None], k[:, 0, None], out=a)
        np.tanh(a, out=a)
        np.matmul(a, w, out=p[:, 0])
        probabilities(p, self.causal, lengths, query_lengths, mask)
        np.matmul(p, v, out=found)
        scatter(found, out=y)

    def backward(
        self,
        values: Array | None,
        query_lengths: Array | None,
        w: Array,
        v: Array,
        a: Array,
        p: Array,
        dy: Array,
        de: Array,
        da: Array,
        found: Array,
        dw: Array,
        dquery: Array | None,
        dkeys: Array | None,
        dvalues: Array | None,
    ) -> None:
        dfound = found
        gather(dy, query_lengths, out=dfound)
        np.matmul(dfound, v.swapaxes(2, 3), out=de)
        softmax_back(p, de)
        np.einsum("bts,btsh->h", de[:, 0], a, out=dw)
        np.multiply(a, a, out=da)
        np.subtract(1, da, out=da)
        da *= w
        da *= de[:, 0, :, :, None]
        if dquery is not None:
            np.sum(da, axis=2, out=dquery.swapaxes(0, 1))
        if dkeys is not None:
            np.sum(da, axis=1, out=dkeys.swapaxes(0, 1))
        if dvalues is not None:
            np.einsum("bts,btv->sbv", p[:, 0], dfound[:, 0], out=dvalues)
        elif values is None and dkeys is not None:
            dkeys += np.einsum("bts,btv->sbv", p[:, 0], dfound[:, 0])
