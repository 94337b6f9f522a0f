"""The weights in an ONNX file: initializers of RNN, GRU, LSTM, Gemm, MatMul, Gather and LayerNormalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl.exchange.units import Unit
from minidl.graph.arrays import Array
from minidl.system.errors import CheckpointError, UsageError

# For each of our gates its place among those of ONNX: i, o, f, c for our i, f, g, o; z, r, h for our r, z, n.
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def read_onnx(path: Path) -> list[Unit]:
    """One unit for each operator that holds weights."""
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError:
        raise UsageError("files of ONNX need onnx: pip install 'minidl[export]'") from None
    try:
        graph = onnx.load(path, load_external_data=False).graph
        constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for node in graph.node:
            if node.op_type == "Transpose" and node.input[0] in constants and not node.attribute:
                constants[node.output[0]] = constants[node.input[0]].T
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        return list(_units(graph, constants))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of protobuf, or of arrays whose bytes lie elsewhere
        raise CheckpointError(f"{path}: is no file of ONNX that can be read ({error})") from None


def _units(graph: Any, constants: Mapping[str, Array]) -> Iterator[Unit]:
    adds = {name: node for node in graph.node if node.op_type == "Add" for name in node.input}
    for node in graph.node:
        name = _name(node)
        given = [constants.get(item) for item in node.input]
        attributes = {item.name: item for item in node.attribute}
        if node.op_type in GATES and len(given) > 2 and given[1] is not None and given[2] is not None:
            yield from _recurrent(node.op_type, name, given, attributes)
        elif node.op_type == "Gemm" and given[1] is not None:
            transposed = "transB" in attributes and attributes["transB"].i
            bias = {} if len(given) < 3 or given[2] is None else {"b": given[2]}
            yield Unit(name, {"Dense": {"W": given[1].T if transposed else given[1], **bias}})
        elif node.op_type == "MatMul" and given[1] is not None and given[1].ndim == 2:
            added = [constants[item] for item in getattr(adds.get(node.output[0]), "input", ()) if item in constants]
            yield Unit(name, {"Dense": {"W": given[1], **({"b": added[0]} if added else {})}})
        elif node.op_type == "Gather" and given[0] is not None and given[0].ndim == 2:
            yield Unit(name, {"Embedding": {"table": given[0]}})
        elif node.op_type == "LayerNormalization" and given[1] is not None:
            shift = given[2] if len(given) > 2 and given[2] is not None else np.zeros_like(given[1])
            yield Unit(name, {"LayerNorm": {"gain": given[1], "bias": shift}})


def _name(node: Any) -> str:
    """The layer that an operator is of: files of minidl name it "layer/operator"."""
    name = node.name or (node.output[0] if node.output else "")
    return str(name.rpartition("/")[0] or name)


def _recurrent(kind: str, name: str, given: list[Any], attributes: Mapping[str, Any]) -> Iterator[Unit]:
    _, W, R, *rest = given
    B = rest[0] if rest else None
    resets_after = "linear_before_reset" in attributes and attributes["linear_before_reset"].i
    ways = ("_forward", "_backward") if len(W) == 2 else ("",)
    for k, way in enumerate(ways):
        arrays = {"Wx": _gates(W[k], kind).T, "Wh": _gates(R[k], kind).T}
        if B is not None:
            b, bh = (_gates(half, kind) for half in np.split(B[k], 2))
            both = {"b": b, "bh": bh}
            arrays |= both if kind == "GRU" and resets_after else {"b": b + bh}
        label = f"{kind} with reset_after=False" if kind == "GRU" and not resets_after else kind
        yield Unit(f"{name}{way}", {label: arrays})


def _gates(array: Array, kind: str) -> Array:
    parts = np.split(array, len(GATES[kind]))
    return np.concatenate([parts[place] for place in GATES[kind]])
