"""The page: its template, style and scripts, which lie beside this file, with the model's data put in."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from minidl.exchange.html.network import nodes_of, weights_of
from minidl.explain.cells import Feature
from minidl.explain.subject import Subject
from minidl.graph.arrays import Array
from minidl.storage.atomic import FilePath, write_whole
from minidl.system.errors import UsageError

# In the order in which they use one another.
SCRIPTS = (
    *("math", "recurrent", "attention", "layers", "network"),
    *("words", "plot", "read", "step", "influence", "cells", "write", "app"),
)
POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
    "base-uri 'none'; form-action 'none'; connect-src 'none'"
)
WHOLE = ("Reverse", "Attention", "AdditiveAttention", "Pool")  # layers that need the whole sequence
TEXT = "The quick brown fox."  # where there is no data to take a text from


@dataclass(frozen=True)
class Sample:
    """What the page shows first: a text, or rows of a series in their own units; units that tell features apart."""

    text: str = ""
    features: Sequence[Feature] = field(default_factory=tuple)


def write_page(path: FilePath, subject: Subject, name: str, about: str = "", sample: Sample | None = None) -> int:
    """Write the page of a model; its size in bytes. UsageError for a model that it cannot run."""
    content = page(subject, name, about, sample).encode("utf-8")
    write_whole(path, content)
    return len(content)


def page(subject: Subject, name: str, about: str = "", sample: Sample | None = None) -> str:
    """The page of a model as text.

    Nothing but its own script runs in it and nothing is fetched: a Content-Security-Policy names the script and the
    style by their hashes. What comes from data is JSON in which no "<" is left.
    """
    arrays, places = weights_of(subject)
    data = _data(subject, sample or Sample()) | {"name": name, "about": about, "weights": places}
    style, script = _file("style.css"), '"use strict";\n' + "\n".join(_file(f"{part}.js") for part in SCRIPTS)
    parts = {
        "policy": POLICY.format(script=_hash(script), style=_hash(style)),
        "style": style,
        "data": json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
        "weights": _base64(arrays),
        "script": script,
    }
    # Piece by piece: what is put in is not searched for places again.
    pieces = _file("page.html").split("{{")
    filled = (piece.partition("}}") for piece in pieces[1:])
    return pieces[0] + "".join(parts[slot] + rest for slot, _, rest in filled)


def _data(subject: Subject, sample: Sample) -> dict[str, Any]:
    """What the script needs to know beside the weights."""
    read = subject.model.graph.inputs[subject.input]
    is_text = subject.tokens is not None
    vocabulary = subject.vocabulary if is_text else None
    if subject.tokens == "bpe":
        raise UsageError("the page cannot divide a text into subwords (tokens: bpe); it reads characters or words")
    nodes = nodes_of(subject)
    # One symbol at a time it goes on only where nothing but the states of cells is needed of what was before.
    goes_on = not any(node["type"] in WHOLE for node in nodes)
    return {
        "text": sample.text or (TEXT if is_text else _zeros(subject)),
        "tokens": subject.tokens,
        "normal": subject.normal,
        "symbols": None if vocabulary is None else vocabulary.symbols,
        "unknown": None if vocabulary is None else vocabulary.unknown,
        "columns": subject.columns,
        "scales": {name: dict(scale) for name, scale in subject.scales.items()},
        "names": subject.names,
        "unnamed": subject.is_unnamed,
        "nodes": nodes,
        "input": {"name": read.name, "kind": "ids" if read.dtype == "int" else "numbers", "depth": _depth(subject)},
        "output": {
            "node": subject.model.graph.ends[subject.output],
            "kind": subject.kind,
            "what": "next" if subject.predicts_next else "answer",
            "writes": subject.predicts_next and goes_on,
            "window": subject.window,
            "horizon": subject.horizon,
        },
        "drawings": json.loads(_file("drawings.json")),
        "words": json.loads(_file("words.json")),
        "features": [feature.to_json() for feature in sample.features],
    }


def _depth(subject: Subject) -> int:
    read = subject.model.graph.inputs[subject.input]
    return int(read.depth or 0) if read.dtype == "int" else int(read.shape[-1])


def _zeros(subject: Subject) -> str:
    """Some rows of a series of which nothing is known: the mean of each column."""
    means = [subject.scales.get(name, {"mean": 0.0})["mean"] for name in subject.columns]
    return "\n".join([",".join(f"{mean:.6g}" for mean in means)] * max(2, subject.window))


def _base64(arrays: Mapping[str, Array]) -> str:
    """All weights, one after the other, little-endian float32."""
    flat = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values())
    return base64.b64encode(flat).decode("ascii")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _file(name: str) -> str:
    return resources.files("minidl.exchange.html").joinpath(name).read_text(encoding="utf-8")
