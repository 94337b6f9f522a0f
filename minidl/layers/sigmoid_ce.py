"""SigmoidCE: the loss of yes-or-no questions, any number of them at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, Cache, Declaration, InputSpec, Out, Shape, Workspace
from minidl.graph.layer import Layer
from minidl.graph.operations import sigmoid
from minidl.layers.mse import check_shapes, drop_padding, share


@dataclass(frozen=True)
class SigmoidCE(Layer):
    """Sigmoid and binary cross-entropy in one, in nats.

        y = mean or sum of -t log σ(v) - (1 - t) log(1 - σ(v)) = max(v, 0) - v t + log(1 + e^-|v|)

        dv = dy (σ(v) - t) / n,   dt = -dy v / n        v (..., F), targets t (..., F) in [0, 1], y ()

    reduction: mean over all elements, or sum.

    lengths (B,), an input that may be left out: where padded sequences (T, B, ...) end; what follows does not count.

    >>> from minidl import Model
    >>> float(Model.of(SigmoidCE(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["sigmoid_ce/y"].round(4))
    0.6931
    """

    reduction: Literal["mean", "sum"] = "mean"

    inputs: ClassVar = {"logits": InputSpec("..."), "targets": InputSpec("..."), "lengths": LENGTHS}

    def arrays(self, logits: Shape, targets: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        check_shapes(logits, targets, lengths)
        return {"p": Cache(logits), "room": Workspace(logits), "y": Out(())}

    def forward(self, logits: Array, targets: Array, lengths: Array | None, p: Array, room: Array, y: Array) -> None:
        np.negative(logits, out=p)
        np.maximum(logits, p, out=p)  # |v|, in a form that complex numbers have too
        np.negative(p, out=room)
        np.exp(room, out=room)
        np.log1p(room, out=room)  # log(1 + e^-|v|)
        p += logits
        p *= 0.5  # max(v, 0) = (|v| + v) / 2
        room += p
        np.multiply(logits, targets, out=p)
        room -= p
        drop_padding(room, lengths)
        y[...] = room.sum() * share(self.reduction, room, lengths)
        sigmoid(logits, out=p)

    def backward(
        self,
        logits: Array,
        targets: Array,
        lengths: Array | None,
        p: Array,
        dy: Array,
        dlogits: Array | None,
        dtargets: Array | None,
    ) -> None:
        scale = dy * share(self.reduction, p, lengths)
        if dlogits is not None:
            np.subtract(p, targets, out=dlogits)
            dlogits *= scale
            drop_padding(dlogits, lengths)
        if dtargets is not None:
            np.multiply(logits, -scale, out=dtargets)
            drop_padding(dtargets, lengths)
