"""Attention: what each query finds among the steps of a sequence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array, Cache, Declaration, MadeName, Out, Shape, Workspace
from minidl.graph.layer import Layer, Node, connect
from minidl.layers.additive_attention import AdditiveAttention
from minidl.layers.attend import INPUTS, gather, probabilities, scale_of, scatter, softmax_back
from minidl.layers.dense import Dense
from minidl.system.errors import GraphError


@dataclass(frozen=True)
class Attention(Layer):
    """Scaled dot-product attention: a mean of values, weighted by how well their keys fit a query.

        e[t, s] = q[t] · k[s] / √(H / heads),   p[t, s] = softmax over s of e[t, s],   y[t] = Σₛ p[t, s] v[s]

        dv[s] = Σₜ p dy,   dp = dy · v,   de = p (dp - Σₛ p dp),   dq = Σₛ de k / √…,   dk = Σₜ de q / √…

    query q (T, B, H), keys k (S, B, H), values v (S, B, V), which are the keys where they are not given; y (T, B, V).
    units: q, k and v are first projected by a Dense each, NAME_query, NAME_keys and NAME_values, and the result by
    NAME_output; with heads this is multi-head attention. heads: parts of the features, each with probabilities of its
    own. causal: a query at step t sees the keys up to step t. score: dot, or additive, for which see AdditiveAttention
    (query and keys are projected there, the values are not).

    lengths (B,), query_lengths (B,): where keys and queries end; what follows is not read, and y is 0 there. mask
    (S, B): 0 for keys that are not to be seen. All three may be left out. Probabilities: NAME/p (B, heads, T, S).

    Raises GraphError where query and keys differ in their features, or cannot be divided into heads.

    >>> from minidl import Model
    >>> q, k = np.ones((1, 1, 2)), np.array([[[9.0, 9.0]], [[0.0, 0.0]]])
    >>> Model.of(Attention(), q, k).arrays["attention/p"].round(3).tolist()
    [[[[1.0, 0.0]]]]

    Vaswani et al. 2017, section 3.2.
    """

    units: Annotated[int, Gt(0)] | None = None
    heads: Annotated[int, Gt(0)] = 1
    causal: bool = False
    score: Literal["dot", "additive"] = "dot"

    inputs: ClassVar = INPUTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score == "additive" and self.heads > 1:
            raise GraphError("additive attention has one head: give heads=1, or score='dot'")

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        if self.units is None and self.score == "dot":
            return connect(self, inputs, named)
        fed = {**dict(zip(self.inputs, inputs, strict=False)), **named}
        query, keys, values, core, output = self.parts
        if self.units is None or not {"query", "keys"} <= fed.keys():
            return core(**fed)
        read = fed["keys"] if fed.get("values") is None else fed["values"]
        fed |= {"query": query(fed["query"]), "keys": keys(fed["keys"])}
        if self.score == "additive":
            return core(**{**fed, "values": read})
        return output(core(**{**fed, "values": values(read)}))

    @cached_property
    def parts(self) -> tuple[Layer, ...]:
        """Projections and what is between them; made once, so that calling this object twice shares their weights."""
        name, made = self.name or self.default_name(), str if self.name else MadeName
        around = [  # a bias of the keys would raise all scores of a query by as much, and change nothing
            Dense(self.units or 1, bias=part != "keys", name=made(f"{name}_{part}"))
            for part in ("query", "keys", "values", "output")
        ]
        if self.score == "additive":
            return (*around[:3], AdditiveAttention(causal=self.causal, name=made(name)), around[3])
        return (*around[:3], dataclasses.replace(self, units=None, name=made(name)), around[3])

    def arrays(
        self, query: Shape, keys: Shape, values: Shape | None = None, *masks: Shape, **others: Shape
    ) -> dict[str, Declaration]:
        (T, B, H), S, n = query, keys[0], self.heads
        V = (keys if values is None else values)[2]
        if H % n or V % n:
            raise ValueError(f"{H} features of keys and {V} of values cannot be divided into {n} heads")
        queries, read, found = (B, n, T, H // n), (B, n, S, H // n), (B, n, T, V // n)
        return {
            "p": Cache((B, n, T, S)),
            "q": Cache(queries),
            "k": Cache(read),
            "v": Cache((B, n, S, V // n)),
            "de": Workspace((B, n, T, S)),
            "dqueries": Workspace(queries),
            "dread": Workspace(read),
            "found": Workspace(found),
            "dvalues_read": Workspace((B, n, S, V // n)),
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
        q: Array,
        k: Array,
        v: Array,
        p: Array,
        found: Array,
        y: Array,
    ) -> None:
        gather(query, query_lengths, out=q)
        gather(keys, lengths, out=k)
        gather(keys if values is None else values, lengths, out=v)
        q *= scale_of(q.shape[-1])
        np.matmul(q, k.swapaxes(2, 3), out=p)
        probabilities(p, self.causal, lengths, query_lengths, mask)
        np.matmul(p, v, out=found)
        scatter(found, out=y)

    def backward(
        self,
        values: Array | None,
        query_lengths: Array | None,
        q: Array,
        k: Array,
        v: Array,
        p: Array,
        dy: Array,
        de: Array,
        found: Array,
        dqueries: Array,
        dread: Array,
        dvalues_read: Array,
        dquery: Array | None,
        dkeys: Array | None,
        dvalues: Array | None,
    ) -> None:
        dfound = found
        gather(dy, query_lengths, out=dfound)
        np.matmul(dfound, v.swapaxes(2, 3), out=de)
        softmax_back(p, de)
        if dquery is not None:
            np.matmul(de, k, out=dqueries)
            dqueries *= scale_of(q.shape[-1])
            scatter(dqueries, out=dquery)
        if dkeys is not None:
            np.matmul(de.swapaxes(2, 3), q, out=dread)  # q is scaled already
            scatter(dread, out=dkeys)
        if dvalues is not None or (values is None and dkeys is not None):
            np.matmul(p.swapaxes(2, 3), dfound, out=dvalues_read)
        if dvalues is not None:
            scatter(dvalues_read, out=dvalues)
        elif values is None and dkeys is not None:
            dread += dvalues_read
            scatter(dread, out=dkeys)
