"""What all losses have in common: what each target counts, and how their losses become one number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Len

from minidl.graph.arrays import LENGTHS, Array, Cache, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer
from minidl.graph.sums import total_loss

WEIGHTS = InputSpec("...", optional=True)  # of examples (B,) or of their steps (T, B)


class _InFiles:
    """What the schema of experiment files says of weights of classes."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        number = {"type": "number", "exclusiveMinimum": 0}
        return {
            "anyOf": [
                {"const": "balanced"},
                {"type": "object", "additionalProperties": number},
                {"type": "array", "items": number, "minItems": 1},
                {"type": "null"},
            ]
        }


# In Python a weight for each class, in its order; a file may also say "balanced", or give weights by name.
ClassWeights = Annotated[Annotated[tuple[Annotated[float, Gt(0)], ...], Len(1)] | None, _InFiles()]


@dataclass(frozen=True)
class Loss(Layer, abstract=True):
    """Base of losses. With l the loss of each target that counts, and w what it weighs (1 if nothing is said):

        mean   y = Σ w l / Σ w              sum   y = Σ w l              none   y = w l, of each target

    reduction: mean, sum, or none, which is for use in Python: a model that is trained has one number as its loss.
    """

    reduction: Literal["mean", "sum", "none"] = "mean"


@dataclass(frozen=True)
class ElementLoss(Loss, abstract=True):
    """Base of losses of numbers, l(x, t) of each element: a subclass says `losses` and `slopes`, dl/dx.

        dx = dy w l'(x, t) / n,   n = Σ w for the mean, 1 for the others

    x (..., F), targets (..., F). lengths (B,), an input that may be left out: where padded sequences (T, B, ...) end;
    what follows is not read. weights, another such input: of each example (B,), or of each step (T, B).
    """

    inputs: ClassVar = {"x": InputSpec("..."), "targets": InputSpec("..."), "lengths": LENGTHS, "weights": WEIGHTS}

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """The loss l of each element."""
        raise NotImplementedError

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """dl/dx of each element."""
        raise NotImplementedError

    def target_slopes(self, x: Array, targets: Array, out: Array) -> None:
        """dl/dt; that of a loss of the difference x - t."""
        self.slopes(x, targets, out=out)
        np.negative(out, out=out)

    def shape_of_losses(self, x: Shape) -> Shape:
        """One loss for each element of the predictions, or of what they are made of; ValueError where it cannot be."""
        return x

    def arrays(
        self, x: Shape, targets: Shape, lengths: Shape | None = None, weights: Shape | None = None
    ) -> dict[str, Declaration]:
        each = self.shape_of_losses(x)
        check_shapes(self.shape_of_targets(x), targets, lengths)
        share = each if self.of_classes is not None else shape_of_weights(each, lengths, weights)
        if self.of_classes is not None and len(self.of_classes) != each[-1]:
            raise ValueError(f"class_weights has {len(self.of_classes)} weights, but there are {each[-1]} classes")
        return {"each": Cache(each), "share": Cache(share), "y": Out(each if self.reduction == "none" else ())}

    @property
    def of_classes(self) -> tuple[float, ...] | None:
        """What each feature counts, if not all the same."""
        return getattr(self, "class_weights", None)

    def shape_of_targets(self, x: Shape) -> Shape:
        """As many targets as there are losses."""
        return self.shape_of_losses(x)

    def forward(
        self,
        x: Array,
        targets: Array,
        lengths: Array | None,
        weights: Array | None,
        each: Array,
        share: Array,
        y: Array,
    ) -> None:
        self.losses(x, targets, out=each)
        drop_padding(each, lengths)
        weigh(weights, self.of_classes, lengths, each.shape, self.reduction, out=share)
        if self.reduction == "none":
            np.multiply(each, share, out=y)
        else:
            rows = np.einsum("ij,i->i", each.reshape(share.size, -1), share.reshape(-1))
            y[...] = total_loss(rows.reshape(share.shape), axis=int(_has_steps(each.shape, lengths)))

    def backward(
        self,
        x: Array,
        targets: Array,
        lengths: Array | None,
        weights: Array | None,
        each: Array,
        share: Array,
        y: Array,
        dy: Array,
        dx: Array | None,
        dtargets: Array | None,
        dweights: Array | None,
    ) -> None:
        if dx is not None:
            self.gradient(x, targets, share, dy, out=dx)
            drop_padding(dx, lengths)
        if dtargets is not None:
            self.target_gradient(x, targets, share, dy, out=dtargets)
            drop_padding(dtargets, lengths)
        if weights is not None and dweights is not None:
            weight_gradient(each, weights, self.of_classes, lengths, self.reduction, y, dy, out=dweights)

    def gradient(self, x: Array, targets: Array, share: Array, dy: Array, out: Array) -> None:
        """dx: the slopes, times what each of them counts."""
        self.slopes(x, targets, out=out)
        out *= share
        out *= dy

    def target_gradient(self, x: Array, targets: Array, share: Array, dy: Array, out: Array) -> None:
        """dtargets: the slopes of the targets, times what each of them counts."""
        self.target_slopes(x, targets, out=out)
        out *= share
        out *= dy


def check_shapes(x: Shape, targets: Shape, lengths: Shape | None) -> None:
    """Raise where predictions, targets and lengths differ in shape; broadcasting them would hide a mistake."""
    if tuple(x) != tuple(targets):
        raise ValueError(f"targets should have the shape {x} of the predictions, got {targets}")
    if lengths is not None and (len(x) < 2 or x[1] != lengths[0]):
        raise ValueError(f"lengths {lengths} are for predictions of steps (T, B, ...), got {x}")


def shape_of_weights(each: Shape, lengths: Shape | None, weights: Shape | None) -> Shape:
    """Where a weight for each step or example is kept, beside losses of some shape."""
    places = len(each) if weights is not None and len(weights) == len(each) else max(len(each) - 1, 1)
    if weights is not None and tuple(weights) not in (each[:places], each[1:2] if _has_steps(each, lengths) else ()):
        wanted = f"(B,) of each example, or {each[:places]} of each step"
        raise ValueError(f"weights should be {wanted}, got {weights}")
    return tuple(size if i < places else 1 for i, size in enumerate(each))


def _has_steps(each: Shape, lengths: Array | Shape | None) -> bool:
    """Whether axis 0 is time and axis 1 the batch."""
    return len(each) > 2 or lengths is not None


def weigh(
    weights: Array | None,
    of_classes: tuple[float, ...] | None,
    lengths: Array | None,
    each: Shape,
    reduction: str,
    out: Array,
) -> None:
    """What each loss counts: its weight, 0 past the end, over Σ w for the mean."""
    out[...] = 1 if weights is None else beside(weights, out)
    if of_classes is not None:
        out *= np.array(of_classes, out.dtype)
    drop_padding(out, lengths)
    if reduction == "mean":
        total = out.sum() * (math.prod(each) // max(out.size, 1))
        out /= total if total != 0 else 1


def beside(weights: Array, each: Array) -> Array:
    """Weights (B,) or (T, B) with the axes of (T, B, ...)."""
    rank = each.ndim - weights.ndim
    if weights.shape == each.shape[: weights.ndim] and not (weights.ndim == 1 and each.ndim > 2):
        return weights.reshape(weights.shape + (1,) * rank)
    return weights.reshape((1, -1) + (1,) * (each.ndim - 2))


def weight_gradient(
    each: Array,
    weights: Array,
    of_classes: tuple[float, ...] | None,
    lengths: Array | None,
    reduction: str,
    y: Array,
    dy: Array,
    out: Array,
) -> None:
    """dw = Σ c l dy for sum and none; Σ c (l - y) dy / Σ c w for the mean, over the losses that a weight is for."""
    factor = np.ones(each.shape, each.dtype)  # c: what its class counts, and nothing past the end
    factor *= 1 if of_classes is None else np.array(of_classes, each.dtype)
    drop_padding(factor, lengths)
    wide = beside(weights, each)
    axes = tuple(i for i, size in enumerate(wide.shape) if size == 1 and each.shape[i] != 1)
    if reduction == "mean":
        total = (wide * factor).sum()
        factor *= (each - y) * (dy / (total if total != 0 else 1))
    else:
        factor *= each * dy
    out[...] = factor.sum(axis=axes).reshape(out.shape)


def drop_padding(x: Array, lengths: Array | None) -> None:
    """Zero what stands past the end of each sequence."""
    for b, length in enumerate([] if lengths is None else lengths.tolist()):
        x[length:, b] = 0
