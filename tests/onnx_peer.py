"""onnxruntime in a process of its own: other tests fork the one they run in, and threads do not survive that."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Model(NamedTuple):
    """What a file of ONNX says of itself; inputs are those that have to be given."""

    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]


class Peer:
    """Runs one model at a time."""

    def __init__(self, cache: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, str(cache)), daemon=True)
        self._process.start()

    def load(self, file: bytes) -> Model:
        return Model(*self._ask(file))

    def run(self, feeds: Arrays) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = self._ask(feeds)
        return found

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join()

    def _ask(self, question: Any) -> Any:
        self._pipe.send(question)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Connection, cache: str) -> None:
    os.environ["XDG_CACHE_HOME"] = cache  # it keeps a database there
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that states are no constants
    session: Any = None
    while (question := pipe.recv()) is not None:
        try:
            if isinstance(question, bytes):
                session = onnxruntime.InferenceSession(question, options, providers=["CPUExecutionProvider"])
                ends = ([value.name for value in values] for values in (session.get_inputs(), session.get_outputs()))
                pipe.send((*ends, dict(session.get_modelmeta().custom_metadata_map)))
            else:
                pipe.send(session.run(None, question))
        except Exception as error:
            pipe.send(RuntimeError(str(error)))
