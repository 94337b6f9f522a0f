"""The weights of a model as safetensors, by name, in minidl's layout or that of another framework."""

from __future__ import annotations

import json

import numpy as np

from minidl.exchange.layouts import OWN, arrays_in
from minidl.model import Model
from minidl.storage.atomic import FilePath, write_whole
from minidl.system.errors import UsageError
from minidl.system.version import __version__

Shapes = dict[str, list[int]]


def write_safetensors(model: Model, path: FilePath, layout: str = OWN) -> Shapes:
    """Write all weights into one file; the shape of each by its name.

    The metadata hold the graph and the vocabulary as JSON, and the layout.
    """
    try:
        from safetensors.numpy import save
    except ModuleNotFoundError:
        raise UsageError("export to safetensors needs safetensors: pip install 'minidl[export]'") from None
    # What is not contiguous would be written scrambled, and nothing would be said (safetensors issue 825).
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays_in(model, layout).items()}
    metadata = {"producer": f"minidl {__version__}", "layout": layout, "graph": json.dumps(model.graph.config())}
    if model.vocabulary is not None:
        metadata["vocabulary"] = model.vocabulary.to_json()
    write_whole(path, save(arrays, metadata))
    return {name: list(array.shape) for name, array in arrays.items()}
