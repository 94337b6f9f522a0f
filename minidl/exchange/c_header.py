"""A model as one file of C99: its weights, and a function that computes one step. It allocates nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidl.exchange import c_layers, c_recurrent
from minidl.exchange.c_layers import HELPERS, Writer, identifier
from minidl.exchange.onnx import needed_nodes, outputs_of
from minidl.graph.symbol import Axis, Input
from minidl.model import Model
from minidl.storage.atomic import FilePath, write_whole
from minidl.system.errors import UsageError
from minidl.system.version import __version__

WRITERS = c_layers.WRITERS | c_recurrent.WRITERS
PER_LINE = 8  # numbers in a line of weights
HEAD = """\
/* NAME: a network trained with minidl VERSION, as one file of C99. Link with -lm.

   NAME_state state;
   NAME_reset(&state);                  the beginning of a sequence
   NAME_step(&state, ARGUMENTS);        one step of it, as often as there are steps

   INPUTS
   OUTPUTS */

#ifndef MINIDL_NAME_H
#define MINIDL_NAME_H

#include <math.h>
#include <string.h>
"""


def c_header(model: Model, name: str = "model") -> str:
    """The text of the header; UsageError for a layer that cannot be computed step by step, or has no code.

    name: what everything in it begins with.

    >>> from minidl import Input
    >>> from minidl.layers import GRU
    >>> "void tiny_step(" in c_header(Model(outputs={"y": GRU(2)(Input("x", depth=3))}), "tiny")
    True
    """
    name = identifier(name)
    inputs, outputs = _inputs(model), {key: model.graph.ends[key] for key in outputs_of(model)}
    writer = Writer(model, name)
    needed = needed_nodes(model)
    for node in model.graph.nodes:
        if node in needed:
            _write(writer, node)
    parts = [_head(model, name, inputs, outputs), HELPERS.replace("NAME", name)]
    parts += [_array(f"{name}_{key}", value) for key, value in writer.constants.items()]
    parts += [_texts(model, name), _state(writer, name), _step(writer, name, inputs, outputs), "#endif\n"]
    return "\n".join(parts)


def write_c(model: Model, path: FilePath, name: str) -> dict[str, list[int]]:
    """Write the header; the shape of each of its inputs and outputs."""
    write_whole(path, c_header(model, name).encode())
    symbols = {**_inputs(model), **outputs_of(model)}
    return {key: [int(size) for size in symbol.shape if not isinstance(size, Axis)] for key, symbol in symbols.items()}


def _write(writer: Writer, node: str) -> None:
    layer = writer.model.graph.nodes[node].layer
    write = WRITERS.get(type(layer))
    if write is None:
        kinds = ", ".join(sorted(kind.__name__ for kind in WRITERS))
        raise UsageError(f"node {node!r}: there is no C code for a step of {layer.type_name()} (there is: {kinds})")
    write(writer, node)


def _inputs(model: Model) -> dict[str, Input]:
    """The inputs of a step: without lengths, for the calling program knows where a sequence ends."""
    needed = needed_nodes(model)
    return {
        name: symbol
        for name, symbol in model.graph.inputs.items()
        if name in needed and not (symbol.dtype == "int" and len(symbol.shape) < 2)
    }


def _size(shape: Any) -> int:
    return int(np.prod([size for size in shape if not isinstance(size, Axis)], dtype=int))


def _head(model: Model, name: str, inputs: dict[str, Input], outputs: dict[str, str]) -> str:
    called = ", ".join(map(identifier, [*inputs, *outputs]))
    of_inputs = [
        f"{identifier(key)}: a symbol from 0 to {(symbol.depth or 1) - 1}"
        if symbol.dtype == "int"
        else f"{identifier(key)}: {_size(symbol.shape)} numbers"
        for key, symbol in inputs.items()
    ]
    of_outputs = [f"{identifier(key)}: room for {_size(model.graph.results[key].shape)} numbers" for key in outputs]
    text = HEAD.replace("NAME", name).replace("VERSION", __version__).replace("ARGUMENTS", called)
    return text.replace("INPUTS", "\n   ".join(of_inputs)).replace("OUTPUTS", "\n   ".join(of_outputs))


def _array(name: str, array: Any) -> str:
    numbers = [f"{float(value):.9e}f" for value in np.asarray(array, np.float32).ravel()]
    lines = [", ".join(numbers[i : i + PER_LINE]) for i in range(0, len(numbers), PER_LINE)]
    body = ",\n  ".join(lines)
    return f"static const float {name}[{len(numbers)}] = {{\n  {body}\n}};\n"


def _texts(model: Model, name: str) -> str:
    """Symbols, names of classes, and all that the model knows of its data, as text."""
    found = [f"static const char {name}_metadata[] = {_quoted(json.dumps(model.metadata))};"]
    lists = {"classes": model.metadata.get("class_names")}
    if model.vocabulary is not None:
        lists["symbols"] = list(model.vocabulary.symbols)
    for kind, texts in lists.items():
        if texts:
            body = ",\n  ".join(_quoted(str(text)) for text in texts)
            found.append(f"static const char *const {name}_{kind}[{len(texts)}] = {{\n  {body}\n}};")
    return "\n".join(found) + "\n"


def _quoted(text: str) -> str:
    """A string of C, in bytes of UTF-8; three digits each, so that no digit after them is taken for one of theirs."""
    plain = {*range(32, 127)} - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def _state(writer: Writer, name: str) -> str:
    arrays = "".join(f"  float {key}[{size}];\n" for key, size in writer.states.items())
    return (
        f"typedef struct {{\n{arrays or '  char none;' + chr(10)}}} {name}_state;\n\n"
        f"static inline void {name}_reset({name}_state *state) {{ memset(state, 0, sizeof *state); }}\n"
    )


def _step(writer: Writer, name: str, inputs: dict[str, Input], outputs: dict[str, str]) -> str:
    given = [f"int {identifier(k)}" if s.dtype == "int" else f"const float *{identifier(k)}" for k, s in inputs.items()]
    room = [f"float *{identifier(key)}" for key in outputs]
    lines = [f"  float {key}[{size}];" for key, size in writer.locals.items()]
    lines += ["  (void)state;", *writer.lines, *_copies(writer, outputs)]
    arguments = ", ".join([f"{name}_state *state", *given, *room])
    return f"static inline void {name}_step({arguments}) {{\n" + "\n".join(lines) + "\n}\n"


def _copies(writer: Writer, outputs: dict[str, str]) -> Iterator[str]:
    for key, end in outputs.items():
        size = _size(writer.model.graph.results[key].shape)
        yield f"  memcpy({identifier(key)}, {writer.value(end)}, {size} * sizeof(float));"
