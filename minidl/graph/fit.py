"""Whether what feeds a node fits its layer: dtypes, axes, and sizes that do not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from minidl.graph.arrays import Cache, Declaration, InputSpec, Out, Param, State
from minidl.graph.operations import as_dtype
from minidl.graph.symbol import Axis, Symbol, show
from minidl.system.errors import GraphError


def check_inputs(node_name: str, specs: Mapping[str, InputSpec], inputs: Sequence[Symbol]) -> None:
    """Dtype and axes of what feeds a node, against the specs of its layer."""
    sizes: dict[str, tuple[int, str]] = {}
    for (name, spec), node in zip(specs.items(), inputs, strict=True):
        where = f"{node_name}: {name}"
        if spec.dtype == "int" != node.dtype:
            raise GraphError(f"{where} should be integers (ids), but {node.label!r} gives numbers {show(node.shape)}")
        if spec.dtype not in (node.dtype, "any"):
            raise GraphError(
                f"{where} should be numbers (..., features), but {node.label!r} gives integer ids "
                f"{show(node.shape)}; put OneHot() or Embedding(units) between"
            )
        _match(spec, node, sizes, where)


def _match(spec: InputSpec, node: Symbol, sizes: dict[str, tuple[int, str]], where: str) -> None:
    letters = spec.axes.replace("...", "").split()
    open_rank = spec.axes.startswith("...")
    wanted = f"({', '.join(spec.axes.split())})"
    if len(node.shape) < len(letters) or (not open_rank and len(node.shape) != len(letters)):
        raise GraphError(f"{where} should have axes {wanted}, but {node.label!r} gives {show(node.shape)}")
    named = zip(letters, node.shape[len(node.shape) - len(letters) :], strict=True)
    for letter, size in named:
        known, giver = sizes.setdefault(letter, (size, node.label))
        if known != size:
            raise GraphError(
                f"{where} should have axes {wanted} with {letter} = {known!r} as in {giver!r}, "
                f"but {node.label!r} gives {show(node.shape)}"
            )


def check_parameters(node_name: str, declarations: Mapping[str, Declaration]) -> None:
    """What is trained has a size that does not change from call to call."""
    for name, declared in declarations.items():
        for size in declared.shape if isinstance(declared, Param) else ():
            if isinstance(size, Axis):
                raise GraphError(
                    f"{node_name}: {name} {show(declared.shape)} would change its size with {size!r}, "
                    "an open axis; the last axis of its input should be features, as of Input('x', depth=3)"
                )


def checked(layer: str, declared: Any) -> dict[str, Declaration]:
    """What `arrays` of a layer has returned; ValueError where nothing could be laid out by it."""
    if not isinstance(declared, Mapping):
        raise ValueError(f"{layer}.arrays should return declarations by name, got {type(declared).__name__}")
    if not isinstance(declared.get("y"), Out):
        got = ", ".join(map(repr, declared)) or "nothing"
        raise ValueError(f"{layer}.arrays declares no output: it needs 'y': Out(shape), got {got}")
    for name, item in declared.items():
        if not isinstance(name, str) or not isinstance(item, Declaration):
            raise ValueError(f"{layer}.arrays should return Out, Param, State, ... by name, got {name!r}: {item!r:.60}")
        if not (isinstance(item.shape, tuple) and all(map(_is_size, item.shape))):
            raise ValueError(f"the shape of {name!r} should be whole numbers of 0 or more, got {item.shape!r}")
    for name, item in declared.items():
        if isinstance(item, Cache) and item.dtype is not None and not _is_of_numbers(item.dtype):
            raise ValueError(f"the dtype of {name!r} should be one of NumPy's for numbers, got {item.dtype!r}")
        steps_of = item.steps_of if isinstance(item, Out) else None
        if steps_of is not None and not isinstance(declared.get(steps_of), State):
            raise ValueError(f"{layer}.arrays declares no State {steps_of!r}, as {name} is the steps of")
    return dict(declared)


def _is_size(size: Any) -> bool:
    if type(size) is not int and (isinstance(size, bool) or not isinstance(size, Integral)):
        return False
    return int(size) >= 0


def _is_of_numbers(given: str) -> bool:
    dtype = as_dtype(given)
    return dtype is not None and dtype.kind in "biufc"
