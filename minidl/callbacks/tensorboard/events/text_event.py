"""Text samples, shown by TensorBoard exactly as they are, though its Text tab renders Markdown."""

from __future__ import annotations

import re
from typing import Any

from minidl.callbacks.tensorboard.events.protos import load_protos


def text_summary(tag: str, text: str) -> Any:
    """A Summary that shows the text as a block of code.

    >>> text_summary("samples", "*to be*").value[0].tensor.string_val[0].decode()
    '```\\n*to be*\\n```'
    """
    protos = load_protos()
    metadata = protos.SummaryMetadata(plugin_data=protos.SummaryMetadata.PluginData(plugin_name="text"))
    # A tensor of no dimensions: TensorBoard shows others as a table.
    tensor = protos.TensorProto(
        dtype="DT_STRING", string_val=[encodable(fenced(text)).encode()], tensor_shape=protos.TensorShapeProto()
    )
    return protos.Summary(value=[protos.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def fenced(text: str) -> str:
    """The text as a Markdown block of code, within a fence longer than any run of backticks in it.

    >>> print(fenced("```"))
    ````
    ```
    ````
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def encodable(text: str) -> str:
    r"""The text with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD.

    >>> encodable("a\ud800b") == "a\ufffdb"
    True
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
